"""Label files of every shape, and figures that agree with scikit-learn and with a plain bootstrap."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.evaluation import evaluate_scores, read_labels


def label_file(folder: Path, content: object) -> Path:
    path = folder / "labels.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def test_four_lists(tmp_path: Path) -> None:
    content = {
        "note": "by hand",
        "core": ["裙襬", "OOTD", "ootd"],
        "context": ["秋冬", "裙摆"],
        "ambiguous": ["感觉"],
        "other": ["今天", "下 方"],
    }
    labels = read_labels(label_file(tmp_path, content))
    assert labels.words == ["裙摆", "ootd", "秋冬", "今天", "下方"]
    assert labels.fashion.tolist() == [True, True, True, False, False]
    assert labels.kinds == ["core", "core", "context", "other", "other"]
    assert labels.ambiguous == ["感觉"]


@pytest.mark.parametrize(
    "content",
    ['{"裙子": true, "今天": false}', '\ufeff{"fashion": ["裙子"], "other": ["今天"], "note": "x"}'],
)
def test_the_plain_shapes(tmp_path: Path, content: str) -> None:
    labels = read_labels(label_file(tmp_path, content))
    assert labels.words == ["裙子", "今天"] and labels.fashion.tolist() == [True, False]


def test_words_that_are_called_like_lists(tmp_path: Path) -> None:
    labels = read_labels(label_file(tmp_path, {"fashion": True, "other": False, "note": "words, not lists"}))
    assert labels.words == ["fashion", "other"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"core": ["裙子"], "other": ["裙 子", "今天"]}, "裙子 stands in core and in other"),
        ({"core": ["裙子"], "ambiguous": ["裙子"], "other": ["今天"]}, "in core and in ambiguous"),
        ({"OOTD": True, "ootd": False}, "ootd stands in fashion and in other"),
        ({"core": ["裙子"], "other": []}, "fashion words only; .* add words that are other"),
        ({"other": ["今天"]}, "other words only"),
        ({"core": [], "other": [], "ambiguous": ["感觉"]}, "no word to score"),
        ({"core": ["裙子"], "negative": ["今天"]}, "has the list negative; expected core"),
        ({"core": "裙子", "other": ["今天"]}, "core is no list"),
        ({"core": ["裙子", 3], "other": ["今天"]}, "entry 2 of core is 3"),
        ({"core": ["裙子", " "], "other": ["今天"]}, "entry 2 of core is an empty word"),
        ({"裙子": 1}, "裙子 is 1; expected true"),
        ({}, "is an empty object"),
        ([], "is a JSON list"),
        ("{'a': 1}", r"labels\.json:1:2 is not valid JSON"),
        ('{"裙子": true, "裙子": false}', "names 裙子 more than once"),
        ("", "is not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_faults_of_the_label_file_are_sentences(tmp_path: Path, content: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        read_labels(label_file(tmp_path, content))


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_labels(tmp_path / "labels.json")
    (tmp_path / "labels.json").write_bytes('{"裙子": true}'.encode("gb18030"))
    with pytest.raises(UserError, match="not UTF-8"):
        read_labels(tmp_path / "labels.json")


def test_figures_by_hand() -> None:
    labels = np.array([True, True, True, False, False])
    found = evaluate_scores(labels, np.array([0.9, 0.5, 0.2, 0.5, 0.1]), 0.5, n_boot=50)
    assert (found.true_positives, found.false_positives) == (2, 1)
    assert (found.false_negatives, found.true_negatives) == (1, 1)
    assert found.precision.value == found.recall.value == found.f1.value == pytest.approx(2 / 3)
    assert found.auc.value == pytest.approx((2 + 1.5 + 1) / 6)
    assert (found.n, found.n_positive, found.threshold) == (5, 3, 0.5)
    assert found.table()["figure"].tolist() == ["precision", "recall", "F1", "AUC"]
    assert found.table()["value"].tolist() == [
        figure.value for figure in (found.precision, found.recall, found.f1, found.auc)
    ]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 10)), min_size=1, max_size=40),
    st.integers(0, 11),
)
def test_figures_agree_with_scikit_learn(rows: list[tuple[bool, int]], cut: int) -> None:
    from sklearn.metrics import precision_recall_fscore_support, roc_auc_score

    labels = np.array([label for label, _ in rows])
    scores = np.array([score for _, score in rows], dtype=np.float32) / 10
    threshold = float(np.float32(cut) / np.float32(10))
    found = evaluate_scores(labels, scores, threshold, n_boot=20)
    precision, recall, f1, _ = precision_recall_fscore_support(
        labels, scores >= threshold, average="binary", zero_division=np.nan
    )
    same = pytest.approx
    assert found.precision.value == same(precision, nan_ok=True)
    assert found.recall.value == same(recall, nan_ok=True)
    if labels.any():
        assert found.f1.value == same(f1, nan_ok=True)
    if labels.any() and not labels.all():
        assert found.auc.value == same(roc_auc_score(labels, scores))
    else:
        assert math.isnan(found.auc.value)
    for figure in (found.precision, found.recall, found.f1, found.auc):
        assert math.isnan(figure.lo) or 0 <= figure.lo <= figure.hi <= 1


def test_the_threshold_compares_in_the_type_of_the_scores() -> None:
    # float32 0.7 is 0.699999988: extraction keeps a word with that score at threshold 0.7.
    found = evaluate_scores(np.array([True, False]), np.array([0.7, 0.1], dtype=np.float32), 0.7, n_boot=5)
    assert found.true_positives == 1 and found.recall.value == 1


def test_undefined_figures_are_nan() -> None:
    labels = np.array([True, True, False])
    nothing_kept = evaluate_scores(labels, np.array([0.1, 0.2, 0.3]), 0.5, n_boot=30)
    assert math.isnan(nothing_kept.precision.value) and math.isnan(nothing_kept.precision.lo)
    assert nothing_kept.recall.value == 0 and nothing_kept.f1.value == 0
    empty = evaluate_scores(np.array([], dtype=bool), np.array([]), 0.5, n_boot=30)
    assert all(math.isnan(value) for value in empty.table()["value"])
    assert evaluate_scores(labels, np.array([0.9, 0.2, 0.3]), 0.5, n_boot=0).f1.value == pytest.approx(2 / 3)


def test_intervals_agree_with_a_plain_stratified_bootstrap() -> None:
    from sklearn.metrics import f1_score, roc_auc_score

    rng = np.random.default_rng(4)
    labels = rng.random(200) < 0.3
    scores = np.round(rng.normal(size=200) + labels, 1)
    found = evaluate_scores(labels, scores, 0.5, n_boot=2000, seed=1)
    positive, negative = np.flatnonzero(labels), np.flatnonzero(~labels)
    plain = []
    for _ in range(600):
        drawn = np.r_[rng.choice(positive, len(positive)), rng.choice(negative, len(negative))]
        sample = labels[drawn], scores[drawn]
        plain.append([f1_score(sample[0], sample[1] >= 0.5), roc_auc_score(*sample)])
    for figure, column in ((found.f1, 0), (found.auc, 1)):
        low, high = np.quantile(np.array(plain)[:, column], [0.025, 0.975])
        assert figure.lo == pytest.approx(low, abs=0.025) and figure.hi == pytest.approx(high, abs=0.025)
        assert figure.lo < figure.value < figure.hi


def test_intervals_are_seeded() -> None:
    rng = np.random.default_rng(0)
    labels, scores = rng.random(100) < 0.5, rng.random(100)
    first, again, other = (evaluate_scores(labels, scores, 0.5, n_boot=99, seed=s) for s in (1, 1, 2))
    assert first == again and first != other


def test_pieces_of_resamples_leave_the_counts_right(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, scores = np.array([True] * 30 + [False] * 30), np.linspace(1, 0, 60)
    monkeypatch.setattr("fashion_assets.tfashion.evaluation._PIECE_COUNTS", 700)
    found = evaluate_scores(labels, scores, 0.5, n_boot=25)
    assert found.auc.lo == found.auc.hi == found.precision.lo == 1


def test_faults_of_the_caller_raise() -> None:
    with pytest.raises(ValueError, match="one length"):
        evaluate_scores(np.array([True]), np.array([0.1, 0.2]), 0.5)
    with pytest.raises(ValueError, match="word 1 is nan"):
        evaluate_scores(np.array([True, False]), np.array([0.1, np.nan]), 0.5)
