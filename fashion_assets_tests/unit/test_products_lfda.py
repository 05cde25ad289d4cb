"""LFDA: scikit-learn's checks, the published equations pair by pair, and what it is for."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import check_estimator

from fashion_assets.products import lfda
from fashion_assets.products.lfda import EMBEDDINGS, LocalFisherDiscriminant, local_scatters
from fashion_assets.storage.errors import UserError


def made(n: int = 40, d: int = 4, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    codes = np.append(generator.integers(0, k, n - k), np.arange(k))
    return generator.normal(size=(n, d)) + 2 * generator.normal(size=(k, d))[codes], codes


def scatters_by_pairs(rows: np.ndarray, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Sugiyama 2007, eq. 12 to 16, as they are printed: sums over all pairs of rows."""
    n = len(rows)
    scale = np.empty(n)
    for i in range(n):
        distances = np.sort(np.linalg.norm(rows[codes == codes[i]] - rows[i], axis=1))
        scale[i] = distances[min(k, len(distances) - 1)]
    within = between = np.zeros((rows.shape[1], rows.shape[1]))
    for i in range(n):
        for j in range(n):
            difference = np.outer(rows[i] - rows[j], rows[i] - rows[j])
            if codes[i] == codes[j]:
                own = (codes == codes[i]).sum()
                unit = scale[i] * scale[j]
                affinity = np.exp(-np.trace(difference) / unit) if unit > 0 else 0.0
                within = within + 0.5 * affinity / own * difference
                between = between + 0.5 * affinity * (1 / n - 1 / own) * difference
            else:
                between = between + 0.5 / n * difference
    return between, within


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("embedding", EMBEDDINGS)
def test_scikit_learns_checks(embedding: str) -> None:
    results = check_estimator(LocalFisherDiscriminant(embedding_type=embedding), on_skip=None)
    assert {result["status"] for result in results} <= {"passed", "skipped"}
    assert sum(result["status"] == "passed" for result in results) > 35


@pytest.mark.parametrize("k", [1, 7, 100])
@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_scatters_are_the_published_sums_over_pairs(
    k: int, offset: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lfda, "BLOCK_NUMBERS", 40)
    rows, codes = made()
    rows[codes == 2] = rows[codes == 2][0]  # a class of equal rows
    found = local_scatters(rows + offset, codes, k)
    for ours, published in zip(found, scatters_by_pairs(rows, codes, k), strict=True):
        np.testing.assert_allclose(ours, published, atol=1e-7 if offset else 1e-11)


def test_directions_solve_the_generalised_eigenproblem() -> None:
    rows, codes = made()
    between, within = scatters_by_pairs(rows, codes, 7)
    regular = within + 1e-3 * np.trace(within) / 4 * np.eye(4)
    plain = LocalFisherDiscriminant(2, embedding_type="plain").fit(rows, codes)
    for direction, value in zip(plain.components_, plain.eigenvalues_, strict=True):
        np.testing.assert_allclose(between @ direction, value * regular @ direction, atol=1e-8)
        assert direction @ regular @ direction == pytest.approx(1)
    assert plain.eigenvalues_[0] >= plain.eigenvalues_[1]
    np.testing.assert_allclose(
        LocalFisherDiscriminant(2).fit(rows, codes).components_,
        plain.components_ * np.sqrt(plain.eigenvalues_)[:, None],
    )
    turned = LocalFisherDiscriminant(2, embedding_type="orthonormalized").fit(rows, codes).components_
    np.testing.assert_allclose(turned @ turned.T, np.eye(2), atol=1e-12)
    span = np.linalg.lstsq(plain.components_.T, turned.T)[1]
    np.testing.assert_allclose(span, 0, atol=1e-12)


def test_a_class_of_two_groups_is_not_pressed_together() -> None:
    generator = np.random.default_rng(0)
    # Class 0 left and right of class 1: Fisher's direction, the difference of means, is blind here.
    first = np.repeat([-6.0, 6.0, 0.0], 60) + generator.normal(size=180)
    rows = np.column_stack([first, generator.normal(size=180) * 2])
    codes = np.repeat([0, 0, 1], 60)
    ours = LocalFisherDiscriminant(1).fit_transform(rows, codes)
    fisher = LinearDiscriminantAnalysis(n_components=1).fit_transform(rows, codes)
    score = [
        KNeighborsClassifier(5).fit(one[::2], codes[::2]).score(one[1::2], codes[1::2])
        for one in (ours, fisher)
    ]
    assert score[0] > 0.95
    assert score[0] > score[1] + 0.1


def test_more_columns_than_rows() -> None:
    rows, codes = made(n=30, d=80)
    found = LocalFisherDiscriminant(5).fit(rows, codes)
    assert found.components_.shape == (5, 80)
    assert np.isfinite(found.transform(rows)).all()
    assert list(found.get_feature_names_out()) == [f"localfisherdiscriminant{place}" for place in range(5)]


@pytest.mark.parametrize(
    "options",
    [{"n_components": 9}, {"n_components": 0}, {"k": 0}, {"embedding_type": "x"}, {"regularization": 0}],
)
def test_options_out_of_range_are_sentences(options: dict[str, object]) -> None:
    with pytest.raises(UserError, match="expected"):
        LocalFisherDiscriminant(**options).fit(*made())


def test_one_class_is_a_sentence() -> None:
    with pytest.raises(UserError, match="the 6 rows hold 1 class"):
        LocalFisherDiscriminant().fit(np.eye(6), np.zeros(6, dtype=int))
