"""What our own code never does: unpickle, evaluate text, or run a shell line."""

from __future__ import annotations

import ast
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
        if keywords.get("trust_remote_code") == "True":
            yield f"{node.lineno}: runs code of the hub"


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
