"""The splits that figures are told on: what is tested was never trained on, by word and by family."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion import figures
from fashion_assets.tfashion.families import word_families
from fashion_assets.tfashion.features import WordFacts
from fashion_assets.tfashion.figures import honest_figures, honest_rows, reference_figures
from fashion_assets.tfashion.sources import RawWords
from fashion_assets.tfashion.words import REFERENCE_UNINFORMATIVE, training_form
from fashion_assets_tests.unit.words_made import FASHION, OTHER, facts

#: Repeats, other spellings, words of both sides, Latin words, and lines of another length, as real files hold.
POSITIVES = RawWords(
    [*FASHION, *FASHION[:30], "碎花長裙", "两边都有", "ootd", "穿搭", *(f"小{w}" for w in FASHION[::4])]
)
NEGATIVES = RawWords(
    [*OTHER, "两边都有", "new york", *(f"{w}的{w}" for w in OTHER[:40]), *(f"大{w}" for w in OTHER[::4])]
)

WORDS = st.lists(st.text(alphabet="碎花长裙历史问题a ", min_size=1, max_size=5), min_size=1, max_size=30)


@pytest.fixture(scope="module")
def known() -> WordFacts:
    return facts()


@pytest.mark.parametrize("by_family", [False, True])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_tested_word_is_a_training_word(by_family: bool, seed: int) -> None:
    rows = honest_rows(POSITIVES, NEGATIVES, by_family=by_family, seed=seed)
    assert len(set(rows.words)) == len(rows.words)
    train, tested = set(rows.chosen(rows.train)), set(rows.chosen(rows.tested))
    assert train
    assert tested
    assert not train & tested
    for label in (True, False):
        assert rows.labels[rows.tested].tolist().count(label) > 5
    assert "两边都有" not in train | tested
    assert not {training_form(word) for word in REFERENCE_UNINFORMATIVE} & tested
    assert not (rows.spare & rows.tested).any()
    assert not rows.labels[rows.spare].any()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_no_tested_word_has_a_relative_among_the_training_words(seed: int) -> None:
    rows = honest_rows(POSITIVES, NEGATIVES, by_family=True, seed=seed)
    families = np.array(word_families(rows.words))
    assert not set(families[rows.tested]) & set(families[rows.train])
    # By word there are relatives on both sides: this is what makes it the easier split.
    easier = honest_rows(POSITIVES, NEGATIVES, seed=seed)
    families = np.array(word_families(easier.words))
    assert set(families[easier.tested]) & set(families[easier.train])


def test_tested_words_are_alike_in_length_and_script() -> None:
    rows = honest_rows(POSITIVES, NEGATIVES, seed=0)
    split = ~rows.spare
    lengths = [sorted(map(len, rows.chosen(split & (rows.labels == label)))) for label in (True, False)]
    assert lengths[0] == lengths[1]
    assert all("\u4e00" <= mark <= "\u9fff" for word in rows.chosen(rows.tested) for mark in word)
    assert "new york" in rows.chosen(rows.spare)


@settings(deadline=None, max_examples=60)
@given(WORDS, WORDS, st.booleans(), st.integers(0, 5))
def test_of_any_files(fashion: list[str], other: list[str], by_family: bool, seed: int) -> None:
    rows = honest_rows(RawWords(fashion), RawWords(other), by_family=by_family, seed=seed)
    assert not (rows.train & rows.tested).any()
    assert len(set(rows.words)) == len(rows.words)
    both = set(map(training_form, fashion)) & set(map(training_form, other))
    assert not both & set(rows.words)
    again = honest_rows(RawWords(fashion[::-1]), RawWords(other[::-1]), by_family=by_family, seed=seed)
    assert again.words == rows.words
    np.testing.assert_array_equal(again.tested, rows.tested)


def test_weights_are_even_in_both_labels() -> None:
    rows = honest_rows(POSITIVES, NEGATIVES, seed=0)
    weights, truth = rows.weights(rows.train), rows.labels[rows.train]
    assert weights.mean() == pytest.approx(1)
    assert weights[truth].sum() == pytest.approx(weights[~truth].sum())


@pytest.mark.parametrize("by_family", [False, True])
def test_what_is_learnt_from_holds_no_tested_word(
    known: WordFacts, monkeypatch: pytest.MonkeyPatch, by_family: bool
) -> None:
    learn, learnt = figures.learn, []

    def watched(words: list[str], *given: object, **options: object) -> object:
        learnt.append(list(words))
        return learn(words, *given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(figures, "learn", watched)
    judged = honest_figures(POSITIVES, NEGATIVES, known, heads=("logistic",), by_family=by_family, seed=0)
    rows = honest_rows(POSITIVES, NEGATIVES, by_family=by_family, seed=0)
    assert judged.n == int(rows.tested.sum())
    assert sorted(learnt[0]) == sorted(rows.chosen(rows.train))
    assert judged.f1.value > 0.7
    again = honest_figures(POSITIVES, NEGATIVES, known, heads=("logistic",), by_family=by_family, seed=0)
    assert again == judged


def test_labels_that_say_nothing_give_an_auc_of_a_half(known: WordFacts) -> None:
    mixed = np.random.default_rng(0).permutation([*FASHION, *OTHER]).tolist()
    judged = honest_figures(RawWords(mixed[:96]), RawWords(mixed[96:]), known, heads=("logistic",), seed=0)
    assert judged.auc.lo < 0.5 < judged.auc.hi


@pytest.mark.parametrize("by_family", [False, True])
def test_files_too_small_to_be_split_are_a_sentence(known: WordFacts, by_family: bool) -> None:
    sides = (
        (["长裙", "zara"], ["铁路部门的报告"]),  # of no length are there words of both kinds
        (["长裙"], ["历史"]),
        (["new look"], ["new york"]),
    )
    for fashion, other in sides:
        with pytest.raises(UserError, match="give more words"):
            honest_figures(RawWords(fashion), RawWords(other), known, by_family=by_family, seed=0)


@pytest.mark.slow
def test_the_published_way_gives_its_table_of_epochs(known: WordFacts) -> None:
    encoded: list[str] = []
    encode = known.vectors.encode

    class Watched:
        model_id, dim = known.vectors.model_id, known.vectors.dim

        def encode(self, words: list[str]) -> np.ndarray:
            encoded.extend(words)
            return encode(words)

    few = RawWords([*FASHION[:30], *FASHION[:30]]), RawWords(OTHER)
    table = reference_figures(*few, WordFacts(Watched(), known.contrast), seed=0)  # type: ignore[arg-type]
    assert len(table) == 5
    assert len(encoded) == len(set(encoded))  # 120 rows, each word encoded once
