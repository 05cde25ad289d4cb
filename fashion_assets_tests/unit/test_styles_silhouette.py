"""The exact silhouette against scikit-learn's and against its own definition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import silhouette_samples as sklearn_samples

from fashion_assets.storage.errors import UserError
from fashion_assets.styles import silhouette as module
from fashion_assets.styles import silhouette_samples, silhouette_score


@st.composite
def labelled_rows(draw: st.DrawFn) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Random rows with a few zero rows, and 2..n-1 labels that are neither contiguous nor sorted."""
    n, d = draw(st.integers(3, 40)), draw(st.integers(1, 8))
    k = draw(st.integers(2, n - 1))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = generator.normal(size=(n, d)) * 10.0 ** generator.integers(-3, 4, size=(n, 1))
    x[generator.random(n) < draw(st.sampled_from([0.0, 0.2]))] = 0
    labels = np.r_[np.arange(k), generator.integers(0, k, size=n - k)]
    return x, generator.permutation(labels) * 7 - 3


@settings(max_examples=60, deadline=None)
@given(labelled_rows())
def test_equals_scikit_learn_for_cosine(case: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]) -> None:
    x, labels = case
    theirs = sklearn_samples(x, labels, metric="cosine")
    # in one dimension every distance is 0 or 2, and scikit-learn's rounding of 0 / 0 is arbitrary
    if x.shape[1] > 1:
        np.testing.assert_allclose(silhouette_samples(x, labels), theirs, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(labelled_rows(), st.floats(-100, 100))
def test_equals_scikit_learn_for_squared_euclidean(
    case: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]], shift: float
) -> None:
    x, labels = case
    # one scale for all rows: sums of squares err relative to the spread of the whole data
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    theirs = sklearn_samples(x + shift, labels, metric="sqeuclidean")
    moving = np.abs(theirs) < 1  # ±1 is 0 / 0 decided by rounding when rows are the same
    ours = silhouette_samples(x + shift, labels, metric="sqeuclidean")
    np.testing.assert_allclose(ours[moving], theirs[moving], atol=1e-5)


@settings(max_examples=40, deadline=None)
@given(labelled_rows(), st.integers(0, 1000))
def test_order_of_rows_names_of_labels_and_lengths_change_nothing(
    case: tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]], seed: int
) -> None:
    x, labels = case
    samples = silhouette_samples(x, labels)
    order = np.random.default_rng(seed).permutation(len(x))
    np.testing.assert_allclose(silhouette_samples(x[order], labels[order]), samples[order], atol=1e-9)
    np.testing.assert_allclose(
        silhouette_samples(x, [f"style {label}" for label in labels]), samples, atol=1e-9
    )
    np.testing.assert_allclose(silhouette_samples(x * 3.5, labels), samples, atol=1e-9)
    assert (np.abs(samples) <= 1).all()


def test_float32_rows_stay_within_the_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 9, size=700)
    x = (generator.normal(size=(9, 96))[labels] + generator.normal(size=(700, 96))).astype(np.float32)
    theirs = sklearn_samples(x, labels, metric="cosine")
    assert np.abs(silhouette_samples(x, labels) - theirs).max() < 1e-6
    monkeypatch.setattr(module, "BLOCK_BYTES", 96 * 8 * 13)  # 13 rows per block, a remainder at the end
    assert np.abs(silhouette_samples(x, labels) - theirs).max() < 1e-6


def test_alone_in_a_cluster_is_zero_and_identical_rows_are_zero() -> None:
    samples = silhouette_samples(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]]), [0, 0, 1])
    assert samples[2] == 0 and (samples[:2] > 0.9).all()
    same = np.full((6, 5), 0.3, dtype=np.float32)
    assert (silhouette_samples(same, [0, 0, 0, 1, 1, 1]) == 0).all()
    assert (silhouette_samples(same, [0, 0, 0, 1, 1, 1], metric="sqeuclidean") == 0).all()


def test_macro_counts_each_cluster_once() -> None:
    generator = np.random.default_rng(0)
    x = np.r_[generator.normal(size=(200, 4)), generator.normal(size=(5, 4)) * 0.01 + [9, 0, 0, 0]]
    labels = np.r_[np.zeros(200, int), np.ones(5, int)]
    samples = silhouette_samples(x, labels)
    assert silhouette_score(x, labels) == pytest.approx(samples.mean())
    macro = (samples[:200].mean() + samples[200:].mean()) / 2
    assert silhouette_score(x, labels, average="macro") == pytest.approx(macro)
    assert macro > samples.mean()


@pytest.mark.parametrize(
    ("x", "labels", "said"),
    [
        (np.ones((4, 2)), [0, 0, 0, 0], "Number of labels is 1"),
        (np.ones((4, 2)), [0, 1, 2, 3], "Number of labels is 4"),
        (np.ones((4, 2)), [0, 1, 1], "one label per row"),
        (np.ones(4), [0, 1, 1, 0], "one row per item"),
        (np.array([[1.0, 2], [3, np.nan], [5, 6]]), [0, 1, 1], "row 1, column 1"),
        (np.array([[1.0, 2], [3, 4], [np.inf, 6]]), [0, 1, 1], "row 2, column 0"),
        (np.ones((3, 2)), [0.0, np.nan, 1.0], "labels hold NaN, first in row 1"),
        (np.array([["a"], ["b"], ["c"]]), [0, 1, 1], "expected real numbers"),
    ],
)
@pytest.mark.parametrize("metric", ["cosine", "sqeuclidean"])
def test_mistakes_are_sentences(
    x: npt.NDArray[np.float64], labels: list[float], said: str, metric: str
) -> None:
    with pytest.raises(UserError, match=said):
        silhouette_samples(x, labels, metric=metric)


def test_what_is_not_exact_is_refused() -> None:
    with pytest.raises(ValueError, match="cluster sums give exactly"):
        silhouette_samples(np.eye(4), [0, 0, 1, 1], metric="euclidean")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="micro"):
        silhouette_score(np.eye(4), [0, 0, 1, 1], average="weighted")  # type: ignore[arg-type]
