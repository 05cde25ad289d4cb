"""What our own code never does: unpickle, evaluate text, or run a shell line."""

from __future__ import annotations

import ast
import html
from collections.abc import Iterator
from pathlib import Path

import pytest

import fashion_assets

PACKAGE = Path(fashion_assets.__file__).parent

#: Modules whose loaders run what the file says.
FORBIDDEN_MODULES = frozenset({"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"})
FORBIDDEN_CALLS = frozenset(
    {"eval", "exec", "compile", "__import__", "read_pickle", "to_pickle", "os.system"}
)


def faults(source: str) -> Iterator[str]:
    """Each use that could run code out of data, as ``line: what``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            for name in names:
                if name.split(".")[0] in FORBIDDEN_MODULES:
                    yield f"{node.lineno}: imports {name}"
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        keywords = {one.arg: ast.unparse(one.value) for one in node.keywords}
        if called in FORBIDDEN_CALLS or called.rpartition(".")[2] in {"read_pickle", "to_pickle"}:
            yield f"{node.lineno}: calls {called}"
        if called == "torch.load" and keywords.get("weights_only") != "True":
            yield f"{node.lineno}: torch.load without weights_only=True"
        if called in ("np.load", "numpy.load") and keywords.get("allow_pickle", "False") != "False":
            yield f"{node.lineno}: numpy.load with pickles"
        if called == "yaml.load" or called.endswith(".unsafe_load"):
            yield f"{node.lineno}: {called} makes objects; yaml.safe_load does not"
        if keywords.get("shell") == "True":
            yield f"{node.lineno}: a shell line"
        asks = (
            called.startswith("Auto") and called.endswith(".from_pretrained")
        ) or called == "SentenceTransformer"
        if asks and "modules" not in keywords and keywords.get("trust_remote_code") != "False":
            yield f"{node.lineno}: runs code that comes with a network, or asks a person whether it may"


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "eval('1')",
        "import torch\ntorch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "yaml.load(text)",
        "subprocess.run(line, shell=True)",
        "pd.read_pickle(path)",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name)",
        "SentenceTransformer(folder, trust_remote_code=1)",
    ],
)
def test_the_search_finds_what_it_looks_for(source: str) -> None:
    assert list(faults(source))


def test_no_module_runs_code_out_of_data() -> None:
    files = sorted(PACKAGE.rglob("*.py"))
    assert len(files) > 200
    found = [
        f"{path.relative_to(PACKAGE)}:{fault}" for path in files for fault in faults(path.read_text("utf-8"))
    ]
    assert not found


def test_every_page_has_a_policy_and_no_script_of_its_own() -> None:
    """Scripts run by hash only, so a text that brings its own script is dead even where escaping failed."""
    pages = sorted((PACKAGE / "reports" / "templates").glob("*.html.j2"))
    assert len(pages) >= 4
    for page in pages:
        source = page.read_text("utf-8")
        assert 'http-equiv="Content-Security-Policy" content="{{ policy }}"' in source, page.name
        assert "|safe" not in source.replace(" ", ""), page.name
        assert "autoescape false" not in source, page.name
        assert not any(f' on{event}="' in source for event in ("click", "load", "error", "mouseover")), (
            page.name
        )


#: CSV that no person is given: made data.
_OWN_CSV = ("sample/", "storage/csv_text.py")


def test_every_csv_for_people_goes_through_csv_text() -> None:
    """That is where formulas are made harmless; another writer would have to be told about them."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            writes = called.endswith(
                (".to_csv", "csv.writer", "csv.DictWriter", "csv.write_csv", ".write_csv")
            )
            if writes and not name.startswith(_OWN_CSV):
                found.append(f"{name}:{node.lineno}: {called}")
    assert not found


def test_a_text_in_metadata_is_no_markdown_of_its_own() -> None:
    from fashion_assets.defs.metadata import escaped

    evil = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) ![y](http://e/x.png) `c` | a & b WWW.e.com a@e.com"
    shown = escaped(evil)
    assert not set(shown) & set("<>[|`")
    assert html.unescape(shown).replace("\u2060", "") == evil
    # The UI makes links of bare addresses by itself (GitHub's Markdown); in Chromium of none with a joiner in it.
    assert not any(address in shown for address in ("://", "WWW.", "a@"))
    for path in sorted((PACKAGE / "defs").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("MetadataValue.md"):
                source = ast.unparse(node)
                # The tables of `preview` and `picture`, what is escaped on the spot, and a table that escapes inside.
                safe = path.name == "metadata.py" or "escaped(" in source or "_neighbour_table(" in source
                assert safe, f"{path.name}:{node.lineno}: {source}"
