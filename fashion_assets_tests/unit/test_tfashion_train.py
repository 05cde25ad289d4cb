"""From a recipe to a classifier: which words count with and without the project's lists, and what the card tells."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fashion_assets.keywords.background import load_background
from fashion_assets.keywords.dictionary import load_dictionary
from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.keywords.post_words import PostWords
from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion import train as train_module
from fashion_assets.tfashion.model import read_card
from fashion_assets.tfashion.recipe import Recipe
from fashion_assets.tfashion.train import FILE_TRUST, Trained, labelled_words, read_files, train
from fashion_assets.tfashion.word_vectors import WordVectors
from fashion_assets_tests.unit.words_made import FASHION, OTHER, cbow

LOOK = load_lexicon().terms("garment")[0]
PLAIN = sorted(load_background())[0]
#: Everyday words of the general dictionary.
MANY = ["历史", "经济", "政府", "铁路", "人口", "数学"]


class FewTerms:
    """A slice of the lexicon, so that a training takes no time."""

    def terms(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([LOOK, *load_lexicon().terms()[::80]]))


@pytest.fixture
def short_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "load_lexicon", FewTerms)
    monkeypatch.setattr(
        train_module, "load_background", lambda: frozenset({PLAIN, *sorted(load_background())[::40]})
    )
    usual = [word for word in list(load_dictionary())[::3000] if word not in load_lexicon()]
    monkeypatch.setattr(train_module, "dictionary_terms", lambda seed: [*MANY, *usual])


@pytest.fixture
def files(tmp_path: Path) -> dict[str, tuple[str, ...]]:
    """A file of each side: fashion words with an everyday word, and the other way round."""
    positives, negatives = tmp_path / "positives.csv", tmp_path / "negatives.txt"
    table = pd.DataFrame(
        {"id": range(len(FASHION) + 3), "keyword group": [*FASHION, PLAIN, "历史", "两边都有"]}
    )
    table.to_csv(positives, index=False)
    negatives.write_text("\n".join([*OTHER, LOOK, "两边都有"]), encoding="utf-8")
    return {"positives": (str(positives),), "negatives": (str(negatives),)}


def states(words: pd.DataFrame, word: str) -> set[tuple[bool, str, str]]:
    """(label, origin, state) of the word's rows."""
    rows = words[words["word"] == word]
    return set(zip(rows["label"].tolist(), rows["origin"], rows["state"], strict=True))


def trained(
    recipe: Recipe, posts: Sequence[PostWords] = (), words: pd.DataFrame | None = None, **options: Any
) -> Trained:
    table = labelled_words(recipe, posts, seed=1) if words is None else words
    return train(recipe, table, posts, WordVectors(cbow()), seed=1, **options)


def test_without_files_the_lists_are_trained_on(short_lists: None) -> None:
    words = labelled_words(Recipe(), [], seed=1)
    assert states(words, LOOK) == {(True, "lexicon", "used")}
    assert states(words, PLAIN) == {(False, "background", "used")}
    assert set(words["origin"]) == {"lexicon", "background", "dictionary"}
    used = words[words["state"] == "used"]
    assert used["label"].sum() == (~used["label"]).sum()  # balanced by leaving words out
    pd.testing.assert_frame_equal(words, labelled_words(Recipe(), [], seed=1))


def test_with_files_alone_the_lists_take_no_part(files: Any) -> None:
    words = labelled_words(Recipe(**files), [], seed=1)
    assert set(words["origin"]) == {"positives", "negatives"}
    # What the lists know better stays as the files have it.
    assert states(words, PLAIN) == {(True, "positives", "used")}
    assert states(words, LOOK) == {(False, "negatives", "used")}
    assert states(words, "两边都有") == {(True, "positives", "conflict"), (False, "negatives", "conflict")}


def test_with_files_and_lists_the_lists_overrule_the_files(files: Any, short_lists: None) -> None:
    words = labelled_words(Recipe(**files, lists=True), [], seed=1)
    assert states(words, PLAIN) == {(True, "positives", "overruled"), (False, "background", "used")}
    assert states(words, LOOK) == {(True, "lexicon", "used"), (False, "negatives", "overruled")}
    assert {state for _, _, state in states(words, "历史")} >= {
        "overruled"
    }  # the files outvote the dictionary
    assert states(words, FASHION[0]) == {(True, "positives", "used")}
    posts = [PostWords(["今天"], [], "2023-01")]
    with_posts = labelled_words(Recipe(**files), posts, seed=1)
    pd.testing.assert_frame_equal(with_posts, words)


def test_one_side_alone_needs_the_lists(files: Any, short_lists: None) -> None:
    with pytest.raises(UserError, match=r"hold no other words, .* give --negatives as well, or --lists"):
        labelled_words(Recipe(positives=files["positives"]), [], seed=1)
    with pytest.raises(UserError, match=r"hold no fashion words, .* give --positives as well, or --lists"):
        labelled_words(Recipe(negatives=files["negatives"]), [], seed=1)
    with pytest.raises(UserError, match="give --positives"):
        labelled_words(Recipe(lists=False), [], seed=1)
    words = labelled_words(Recipe(positives=files["positives"], lists=True), [], seed=1)
    assert {"positives", "lexicon", "background"} <= set(words["origin"])


def test_reviewed_terms_count_as_the_lexicons(short_lists: None) -> None:
    new = ["美拉德", PLAIN, "历史"]
    words = labelled_words(Recipe(), [], user_terms=new, seed=1)
    for term in new:
        assert (True, "lexicon", "used") in states(words, term)
        assert (False, "background", "used") not in states(words, term)
        assert (False, "dictionary", "used") not in states(words, term)


def test_everyday_words_of_the_posts_are_the_other_side(
    short_lists: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_module, "mined_background", lambda posts, contrast: ["数学", LOOK])
    words = labelled_words(Recipe(), [PostWords(["数学"], [], "")], seed=1)
    assert states(words, "数学") == {(False, "contrast", "used")}
    assert (False, "contrast", "overruled") in states(words, LOOK)


def test_files_are_joined_in_order(tmp_path: Path) -> None:
    for name, content in (("a.txt", "裙子\n裙子\n"), ("b.txt", "大衣\n"), ("c.csv", "id,look\n1,毛衣\n")):
        (tmp_path / name).write_text(content, encoding="utf-8")
    both = tuple(str(tmp_path / name) for name in ("a.txt", "b.txt"))
    positives, negatives = read_files(Recipe(positives=both))
    assert positives is not None
    assert (positives.words, positives.files) == (["裙子", "裙子", "大衣"], both)
    assert negatives is None
    table, _ = read_files(Recipe(positives=(str(tmp_path / "c.csv"),), column="look"))
    assert table is not None
    assert table.words == ["毛衣"]
    with pytest.raises(UserError, match=r"gone\.txt does not exist"):
        read_files(Recipe(negatives=(str(tmp_path / "gone.txt"),)))


def test_the_card_of_a_model_of_files(files: Any, tmp_path: Path) -> None:
    recipe = Recipe(**files, heads=("logistic",))
    result = trained(recipe)
    model = result.model
    assert model.uses_lists is False
    assert model.threshold == result.learned.threshold
    assert result.reference is None
    model.save(tmp_path / "model")
    card = read_card(tmp_path / "model")
    assert card["model_id"] == model.model_id
    assert card["encoder"] == cbow().model_id
    assert card["recipe"]["positives"] == list(files["positives"])
    assert card["data_digest"] == recipe.digest()
    assert (card["posts"], card["reference_split"], card["head"]) == (0, None, "logistic")
    counts = {(row["label"], row["origin"], row["state"]): row["words"] for row in card["words"]}
    assert counts[True, "positives", "used"] == len(FASHION) + 2
    assert counts[True, "positives", "conflict"] == 1
    assert [row["head"] for row in card["heads_tried"]] == ["logistic"]
    assert card["heads_tried"][0]["chosen"] is True
    assert card["epochs"]
    assert card["not_judged"] == {}
    for split in ("honest_split", "family_split"):
        assert 0.5 < card[split]["f1"]["value"] <= 1
        assert card[split]["f1"]["lo"] <= card[split]["f1"]["value"] <= card[split]["f1"]["hi"]
    # Anyone's JSON reader has to take it.
    json.loads((tmp_path / "model" / "tfashion.json").read_text(encoding="utf-8"), parse_constant=pytest.fail)
    fashion, other = model.score(["真丝短裙", "铁路部门"])
    assert fashion >= model.threshold > other


def test_training_twice_gives_the_same_model(files: Any) -> None:
    recipe = Recipe(**files, heads=("logistic",))
    one, other = trained(recipe), trained(recipe)
    assert one.model.model_id == other.model.model_id
    assert one.model.card() == other.model.card()
    another = train(recipe, labelled_words(recipe, [], seed=2), [], WordVectors(cbow()), seed=2)
    assert another.model.model_id != one.model.model_id


def test_the_model_of_the_lists(short_lists: None) -> None:
    result = trained(Recipe(heads=("logistic",)))
    assert result.model.uses_lists is True
    assert result.model.threshold == 0.5
    assert not {"honest_split", "family_split"} & result.model.card().keys()  # no files to be judged on
    look, plain = result.model.score([LOOK, PLAIN])
    assert look > 0.5 > plain


def test_words_of_files_count_less_beside_the_lists(
    files: Any, short_lists: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn, given = train_module.learn, []

    def watched(*rows: Any, **options: Any) -> Any:
        given.append(options)
        return learn(*rows, **options)

    monkeypatch.setattr(train_module, "learn", watched)
    recipes = [Recipe(**files, heads=("logistic",), lists=lists) for lists in (True, False)]
    for recipe in recipes:
        words = labelled_words(recipe, [], seed=1)
        trained(recipe, words=words)
        of_files = (words.loc[words["state"] == "used", "origin"] == "positives").to_numpy()
        expected = np.where(of_files, FILE_TRUST if recipe.lists else 1.0, 1.0)
        np.testing.assert_allclose(given[-1]["trust"], expected)
        plain = words.loc[words["state"] == "used", "weight"].to_numpy()
        np.testing.assert_allclose(given[-1]["weights"], plain * expected)
    assert given[0]["fashion_share"] is not None
    assert given[1]["fashion_share"] is None


def test_posts_reach_the_model(files: Any, short_lists: None) -> None:
    posts = [PostWords(["碎花长裙", "今天"], ["碎花长裙"], "2023-01")] * 3
    result = trained(Recipe(**files, heads=("logistic",)), posts)
    assert result.model.uses_lists is True
    assert result.model.card()["posts"] == 3
    assert result.model.facts.contrast.words.count["碎花长裙"] == 3


def test_files_too_small_to_be_judged_on_are_trained_on_all_the_same(
    tmp_path: Path, short_lists: None
) -> None:
    (tmp_path / "p.txt").write_text("zara\ncleanfit\n碎花长裙\n", encoding="utf-8")
    (tmp_path / "n.txt").write_text("铁路部门的报告\n经济年代\n", encoding="utf-8")
    recipe = Recipe(
        positives=(str(tmp_path / "p.txt"),),
        negatives=(str(tmp_path / "n.txt"),),
        heads=("logistic",),
        lists=True,
    )
    result = trained(recipe)
    assert result.model.score([LOOK])[0] > 0.5
    card = result.model.card()
    assert set(card["not_judged"]) == {"honest_split", "family_split"}
    assert all("give more words" in sentence for sentence in card["not_judged"].values())
    assert not {"honest_split", "family_split"} & card.keys()


@pytest.mark.slow
def test_the_published_way_is_told_when_asked_for(files: Any) -> None:
    result = trained(Recipe(**files, heads=("logistic",), reference=True))
    assert result.reference is not None
    assert result.model.card()["reference_split"] == result.reference.to_dict("records")
    assert len(result.reference) == 5
