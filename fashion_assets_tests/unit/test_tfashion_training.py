"""Learning from a small made vocabulary: the choice, calibration and threshold, and that nothing leaks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion import training
from fashion_assets.tfashion.calibration import PlattCalibration
from fashion_assets.tfashion.features import WordFacts
from fashion_assets.tfashion.training import VALIDATION_FOLD, Learned, learn
from fashion_assets_tests.unit.words_made import FASHION, OTHER, facts, labelled

QUICK = {"mlp": {"members": 1, "epochs": 3}, "resnet": {"epochs": 1}}


@pytest.fixture(scope="module")
def known() -> WordFacts:
    return facts()


@pytest.fixture(scope="module")
def noisy() -> pd.DataFrame:
    """The made vocabulary with every sixth label turned, so that heads differ."""
    table = labelled()
    table["label"] ^= np.arange(len(table)) % 6 == 0
    return table


def learned(table: pd.DataFrame, known: WordFacts, **options: Any) -> Learned:
    given: dict[str, Any] = {"heads": ("logistic",), "seed": 3, "options": QUICK, **options}
    return learn(table["word"].tolist(), table["label"].to_numpy(), table["fold"].to_numpy(), known, **given)


def probabilities(model: Learned, known: WordFacts, words: list[str]) -> np.ndarray:
    return model.calibration.apply(model.head.decision(known.matrix(words, model.evidence, model.head.name)))


def test_made_words_are_told_apart_and_new_ones_too(known: WordFacts) -> None:
    model = learned(labelled(), known)
    assert model.chosen.evaluation.f1.value > 0.95
    assert model.chosen.evaluation.n == int((labelled()["fold"] == VALIDATION_FOLD).sum())
    new = probabilities(model, known, ["真丝短裙", "条纹衬衫", "经济年代", "铁路部门"])
    np.testing.assert_array_equal(new >= model.threshold, [True, True, False, False])


@pytest.mark.parametrize("heads", [("logistic", "mlp"), ("mlp", "logistic")])
def test_the_first_head_is_kept_unless_another_is_better_by_more_than_chance(
    noisy: pd.DataFrame, known: WordFacts, heads: tuple[str, ...]
) -> None:
    model = learned(noisy, known, heads=heads)
    table = model.candidate_table()
    assert table["head"].tolist() == list(heads)
    assert table["f1"].nunique() == 2, "the test needs heads that differ"
    assert table.loc[table["chosen"], "head"].tolist() == [model.head.name]
    first, other = table.iloc[0], table.iloc[1]
    assert model.head.name == (other["head"] if other["f1"] > first["f1_hi"] else first["head"])
    assert (table["validation_words"] == (noisy["fold"] == VALIDATION_FOLD).sum()).all()
    assert ((table["f1_lo"] <= table["f1"]) & (table["f1"] <= table["f1_hi"])).all()


def test_a_head_that_learns_nothing_is_not_kept(noisy: pd.DataFrame, known: WordFacts) -> None:
    lame = {"mlp": {"members": 1, "epochs": 1, "learning_rate": 1e-9}}
    assert learned(noisy, known, heads=("mlp", "logistic"), options=lame).head.name == "logistic"


def test_epochs_are_those_of_the_kept_head(noisy: pd.DataFrame, known: WordFacts) -> None:
    assert len(learned(noisy, known, heads=("mlp",)).epochs()) == QUICK["mlp"]["epochs"]


@pytest.mark.slow
def test_the_published_head_learns_from_vectors_alone(known: WordFacts) -> None:
    few = labelled(FASHION[::4], OTHER[::4])
    model = learned(few, known, heads=("resnet",))
    assert model.head.dim == known.vectors.dim
    assert len(model.epochs()) == 1


def test_the_held_out_fold_holds_whole_families() -> None:
    table = labelled([*FASHION, *GRADED], OTHER)
    inside = table["fold"] == VALIDATION_FOLD
    assert inside.any()
    assert not set(table.loc[inside, "family"]) & set(table.loc[~inside, "family"])
    for word in GRADED:
        relatives = table[table["word"].isin([word, word[1:]])]
        assert relatives["fold"].nunique() == 1


#: Relatives of words that are there: 小碎花长裙 beside 碎花长裙.
GRADED = [f"小{word}" for word in FASHION[::3]]


def test_labels_of_the_held_out_fold_are_not_learnt_before_judging(
    noisy: pd.DataFrame, known: WordFacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[np.ndarray] = []

    class Watched:
        @staticmethod
        def fit(decision: np.ndarray, *labels: Any) -> PlattCalibration:
            judged.append(decision)
            return PlattCalibration.fit(decision, *labels)

    monkeypatch.setattr(training, "PlattCalibration", Watched)
    turned = noisy.copy()
    inside = turned["fold"] == VALIDATION_FOLD
    turned.loc[inside, "label"] = ~turned.loc[inside, "label"]
    for table in (noisy, turned):
        learned(table, known, heads=("logistic", "mlp"))
    np.testing.assert_array_equal(judged[0], judged[2])
    np.testing.assert_array_equal(judged[1], judged[3])


def test_the_last_fit_is_on_all_words(known: WordFacts) -> None:
    table = labelled()
    turned = table.copy()
    inside = turned["fold"] == VALIDATION_FOLD
    turned.loc[inside, "label"] = ~turned.loc[inside, "label"]
    one, other = learned(table, known), learned(turned, known)
    held_out = table.loc[inside, "word"].tolist()
    assert all(f"\x02{word[:2]}" in one.evidence.grams for word in held_out)
    assert (one.evidence.features(held_out) != other.evidence.features(held_out)).any()
    assert not np.array_equal(one.head.tensors()["coefficients"], other.head.tensors()["coefficients"])


def test_the_same_seed_gives_the_same_model(noisy: pd.DataFrame, known: WordFacts) -> None:
    one, other = (learned(noisy, known, heads=("mlp",)) for _ in range(2))
    for name, tensor in one.head.tensors().items():
        np.testing.assert_array_equal(tensor, other.head.tensors()[name])
    np.testing.assert_array_equal(one.evidence.log_odds, other.evidence.log_odds)
    assert (one.calibration, one.threshold) == (other.calibration, other.threshold)
    pd.testing.assert_frame_equal(one.candidate_table(), other.candidate_table())
    another = learned(noisy, known, heads=("mlp",), seed=4)
    assert any(
        not np.array_equal(tensor, another.head.tensors()[name])
        for name, tensor in one.head.tensors().items()
    )


def test_rarer_fashion_means_lower_probabilities(noisy: pd.DataFrame, known: WordFacts) -> None:
    def calibration(share: float | None) -> PlattCalibration:
        return learned(noisy, known, fashion_share=share).calibration

    shares = (0.1, 0.25, 0.5, 0.75)
    even = [float(calibration(share).apply([0.0])[0]) for share in shares]
    assert even == sorted(even)
    assert even[-1] - even[0] > 0.2
    inside = noisy.loc[noisy["fold"] == VALIDATION_FOLD, "label"]
    as_is = calibration(float(inside.mean()))
    assert as_is.slope == pytest.approx(calibration(None).slope, rel=1e-3)
    assert as_is.intercept == pytest.approx(calibration(None).intercept, abs=1e-3)


def test_probabilities_of_words_that_were_not_trained_on_can_be_believed(
    noisy: pd.DataFrame, known: WordFacts
) -> None:
    table = learned(noisy, known).candidate_table()
    assert table["calibration_error"].item() < 0.2


def test_words_of_no_weight_and_no_trust_are_not_there(known: WordFacts) -> None:
    table = labelled()
    ghosts = (
        table[table["fold"] != VALIDATION_FOLD]
        .iloc[:20]
        .assign(word=lambda rows: "鬼" + rows["word"], label=lambda rows: ~rows["label"])
    )
    both = pd.concat([table, ghosts], ignore_index=True)
    weights = (np.arange(len(both)) < len(table)).astype(float)
    without, with_ghosts = learned(table, known), learned(both, known, weights=weights, trust=weights)
    assert with_ghosts.chosen.evaluation.auc.value == pytest.approx(without.chosen.evaluation.auc.value)
    words = [*FASHION[:10], *OTHER[:10]]
    np.testing.assert_allclose(
        with_ghosts.evidence.features(words), without.evidence.features(words), atol=0.02
    )


def test_trust_weakens_the_n_grams_of_doubtful_words(known: WordFacts) -> None:
    table = labelled()
    trust = np.where(table["label"], 0.1, 1.0)
    words = FASHION[:20]
    sure = learned(table, known).evidence.features(words)[:, -2]
    assert (learned(table, known, trust=trust).evidence.features(words)[:, -2] != sure).all()


@pytest.mark.parametrize("share", [None, 0.25])
@pytest.mark.parametrize("label", [True, False])
def test_one_class_only_is_a_sentence(known: WordFacts, label: bool, share: float | None) -> None:
    table = labelled().assign(label=label)
    with pytest.raises(UserError, match="give"):
        learned(table, known, fashion_share=share)


@pytest.mark.parametrize("share", [None, 0.25])
def test_a_held_out_fold_of_one_class_or_no_word_is_a_sentence(known: WordFacts, share: float | None) -> None:
    table = labelled()
    one_sided = table[(table["fold"] != VALIDATION_FOLD) | table["label"]]
    empty = table[table["fold"] != VALIDATION_FOLD]
    for rows in (one_sided, empty):
        with pytest.raises(UserError, match=r"words to judge heads on .* give more words"):
            learned(rows, known, fashion_share=share)


def test_a_head_that_there_is_not_is_a_sentence(known: WordFacts) -> None:
    with pytest.raises(UserError, match="there is no head 'forest'"):
        learned(labelled(), known, heads=("forest",))


def test_a_head_that_is_clearly_better_displaces_the_first(known: WordFacts) -> None:
    words = labelled()
    model = learned(
        words, known, heads=("mlp", "logistic"), options={"mlp": {"epochs": 1, "learning_rate": 1e-9}}
    )
    assert model.head.name == "logistic"
