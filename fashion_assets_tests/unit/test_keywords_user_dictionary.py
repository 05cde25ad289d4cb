"""The file of reviewed terms: what is read, what is refused and where, what adding changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fashion_assets.keywords.lexicon import FACETS
from fashion_assets.keywords.tokens import content_tokens
from fashion_assets.keywords.user_dictionary import UserDictionary, add_terms, read_user_dictionary
from fashion_assets.storage.errors import UserError

#: Terms as `new_words` may propose them; the made ones exist nowhere else.
TERMS = ["美拉德", "多巴胺穿搭", "静奢风", "法拉德", "山系outdoor", "old money 风"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "user_dictionary.txt"


def test_a_missing_file_is_an_empty_dictionary(path: Path) -> None:
    assert dict(read_user_dictionary(path).terms) == {}
    assert read_user_dictionary(path).digest == UserDictionary().digest
    path.write_bytes(b"")
    assert dict(read_user_dictionary(path).terms) == {}


def test_terms_are_read_in_normal_form_with_their_facets(path: Path) -> None:
    path.write_text(
        "\ufeff# reviewed in May\r\n\n美拉德\tstyle\n  靜奢風  # no facet yet\nＯｌｄ Money 风\tstyle\n",
        encoding="utf-8",
    )
    found = read_user_dictionary(path).terms
    assert dict(found) == {"美拉德": "style", "静奢风": "", "old money 风": "style"}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("美拉德\tcolor", r"'美拉德' has the facet 'color'; use one of garment, .*colour.*, or none"),
        ("裙", "'裙' is one character"),
        ("\u200b裙\u200b", "is one character"),
        ("美 拉德", "space between Chinese characters"),
        ("美拉\x07德", r"control character U\+0007"),
        ("美拉\u2028德", r"control character U\+2028"),
        ("美拉德\tstyle\tgarment", "has 2 tabs"),
        ("165cm", "is a number or has no letter"),
        ("穿" * 6_667, "…' has 6667 characters"),
        ("美拉＃德", "holds a #"),
    ],
)
def test_a_faulty_line_is_refused_by_file_and_line(path: Path, line: str, sentence: str) -> None:
    path.write_text(f"# heading\n多巴胺穿搭\tstyle\n{line}\n", encoding="utf-8")
    with pytest.raises(UserError, match=sentence) as caught:
        read_user_dictionary(path)
    assert str(caught.value).startswith(f"{path}:3: ")
    assert len(str(caught.value)) < 600
    before = path.read_bytes()
    with pytest.raises(UserError):
        add_terms(path, [("静奢风", "style")])
    assert path.read_bytes() == before


def test_a_term_of_two_facets_is_refused_with_both_lines(path: Path) -> None:
    path.write_text("美拉德\tstyle\n多巴胺穿搭\n美拉德\n美拉德\tcolour\n", encoding="utf-8")
    with pytest.raises(UserError, match=r":4: .*colour, and style on line 1"):
        read_user_dictionary(path)


def test_a_folder_and_another_encoding_are_refused(tmp_path: Path, path: Path) -> None:
    with pytest.raises(UserError, match="could not be opened"):
        read_user_dictionary(tmp_path)
    path.write_bytes("美拉德".encode("gb18030"))
    with pytest.raises(UserError, match="not UTF-8"):
        read_user_dictionary(path)


def test_adding_keeps_comments_and_adding_again_changes_nothing(path: Path) -> None:
    path.write_text("# mine\n美拉德\tcolour\n静奢风\n", encoding="utf-8")
    added = add_terms(path, [("美拉德", "style"), ("ＯＬＤ money", ""), ("静奢风", "")])
    assert dict(added.terms) == {"美拉德": "style", "静奢风": "", "old money": ""}
    assert path.read_text(encoding="utf-8") == "# mine\n静奢风\n美拉德\tstyle\nold money\n"
    stamp = path.stat().st_mtime_ns, path.stat().st_ino
    again = add_terms(path, [("美拉德", ""), ("美拉德", "style"), ("old  money", "")])
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == stamp
    assert again.digest == added.digest
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("term", ["#美拉德", "美拉德\n裙子风", "美拉德\tstyle", "裙", "＃穿搭"])
def test_a_term_that_would_read_back_otherwise_is_not_added(path: Path, term: str) -> None:
    with pytest.raises(UserError, match="The new term 2"):
        add_terms(path, [("静奢风", "style"), (term, "")])
    assert not path.exists()


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(TERMS), st.sampled_from(["", *FACETS])), max_size=8))
def test_what_is_added_is_read_back(path: Path, pairs: list[tuple[str, str]]) -> None:
    path.unlink(missing_ok=True)
    want: dict[str, str] = {}
    for term, facet in pairs:
        want[term] = facet or want.get(term, "")
    assert dict(add_terms(path, pairs).terms) == want == dict(read_user_dictionary(path).terms)


def test_the_digest_is_of_the_terms_not_of_their_order() -> None:
    one = UserDictionary({"美拉德": "style", "静奢风": ""})
    assert one.digest == UserDictionary({"静奢风": "", "美拉德": "style"}).digest
    assert one.digest != UserDictionary({"美拉德": "style"}).digest
    assert one.digest != UserDictionary({"美拉德": "", "静奢风": "style"}).digest


def test_accepted_terms_become_tokens(path: Path) -> None:
    terms = add_terms(path, [("法拉德霓", ""), ("山系outdoor", "style")]).terms
    text = "爱上法拉德霓和山系Outdoor"
    assert {"法拉德霓", "山系outdoor"} <= set(content_tokens([text], user_terms=terms)[0])
    assert not {"法拉德霓", "山系outdoor"} & set(content_tokens([text])[0])
