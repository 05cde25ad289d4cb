"""What a model is trained from, kept beside it: round trip, digest, and which lists count."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.recipe import Recipe, read_recipe

NAMES = st.lists(st.text(max_size=8), max_size=3).map(tuple)


@settings(deadline=None, max_examples=40)
@given(
    st.builds(
        Recipe,
        positives=NAMES,
        negatives=NAMES,
        column=st.none() | st.text(max_size=8),
        posts=NAMES,
        heads=st.sampled_from([(), ("logistic",), ("mlp", "resnet")]),
        lists=st.sampled_from([None, True, False]),
        reference=st.booleans(),
    )
)
def test_it_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
    path = tmp_path_factory.mktemp("recipe") / "deep" / "recipe.json"
    recipe.save(path)
    assert read_recipe(path) == recipe


def test_without_a_file_it_is_the_default(tmp_path: Path) -> None:
    assert read_recipe(tmp_path / "recipe.json") == Recipe()
    assert Recipe().has_files is False
    assert Recipe().uses_lists(has_posts=False)


def test_entries_of_another_version_are_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "recipe.json"
    path.write_text('{"positives": ["/a.csv"], "colour": "red"}', encoding="utf-8")
    assert read_recipe(path) == Recipe(positives=("/a.csv",))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"null", b"\xff\xfe", b'"words.csv"'])
def test_a_damaged_file_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "recipe.json"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"recipe\.json cannot be read .*write it anew"):
        read_recipe(path)


@pytest.mark.parametrize(
    "content",
    [
        '{"positives": "words.csv"}',
        '{"posts": null}',
        '{"negatives": [1]}',
        '{"lists": "no"}',
        '{"column": 3}',
        '{"reference": 1}',
    ],
)
def test_an_entry_of_another_kind_is_a_sentence(tmp_path: Path, content: str) -> None:
    path = tmp_path / "recipe.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(UserError, match=r"recipe\.json cannot be read"):
        read_recipe(path)


@pytest.mark.parametrize(
    ("recipe", "without_posts", "with_posts"),
    [
        (Recipe(), True, True),
        (Recipe(positives=("a",), negatives=("b",)), False, True),
        (Recipe(positives=("a",), lists=True), True, True),
        (Recipe(positives=("a",), lists=False), False, False),
        (Recipe(lists=False), False, False),
    ],
)
def test_when_the_lists_count(recipe: Recipe, without_posts: bool, with_posts: bool) -> None:
    assert recipe.uses_lists(has_posts=False) is without_posts
    assert recipe.uses_lists(has_posts=True) is with_posts


def test_the_digest_follows_the_content_and_the_choices(tmp_path: Path) -> None:
    words, folder = tmp_path / "words.csv", tmp_path / "posts"
    (folder / "inner").mkdir(parents=True)
    words.write_text("word\n裙子\n", encoding="utf-8")
    (folder / "inner" / "a.txt").write_text("今天\n", encoding="utf-8")
    recipe = Recipe(positives=(str(words),), posts=(str(folder),))
    first = recipe.digest()
    assert first == recipe.digest()
    assert replace(recipe, lists=True).digest() != first
    assert replace(recipe, heads=("mlp",)).digest() != first
    (folder / ".hidden").write_text("what no training reads", encoding="utf-8")
    assert recipe.digest() == first
    (folder / "inner" / "a.txt").write_text("明天\n", encoding="utf-8")
    second = recipe.digest()
    assert second != first
    words.write_text("word\n裙子\n大衣\n", encoding="utf-8")
    assert recipe.digest() not in (first, second)
    words.write_text("word\n裙子\n", encoding="utf-8")
    assert recipe.digest() == second


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    for side in ("positives", "negatives", "posts"):
        with pytest.raises(UserError, match=r"gone\.csv, which .* is gone; put it back"):
            replace(Recipe(), **{side: (str(tmp_path / "gone.csv"),)}).digest()
