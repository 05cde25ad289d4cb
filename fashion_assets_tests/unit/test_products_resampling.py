"""Bounds per class, SMOTE, and the comparison with class weights."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.products.classifiers import CLASSIFIERS
from fashion_assets.products.macro_f1 import macro_f1
from fashion_assets.products.resampling import Resampling, bounds_grid, compare_resampling
from fashion_assets.storage.errors import UserError


def imbalanced(counts: tuple[int, ...], seed: int = 0, d: int = 4) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    y = np.repeat([f"class {code}" for code in range(len(counts))], counts)
    centres = np.random.default_rng(99).normal(size=(len(counts), d)) * 1.2
    rows = np.repeat(centres, counts, axis=0) + generator.normal(size=(len(y), d))
    return rows.astype(np.float32), y


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(1, 12), min_size=2, max_size=4),
    st.none() | st.integers(1, 6),
    st.none() | st.integers(6, 15),
    st.sampled_from(["repeat", "smote"]),
)
def test_every_class_ends_within_its_bounds(
    counts: list[int], lower: int | None, upper: int | None, method: str
) -> None:
    rows, y = imbalanced(tuple(counts))
    resampling = Resampling(lower, upper, method)
    found_rows, found = resampling.apply(rows, y)
    names, after = np.unique(found, return_counts=True)
    expected = np.clip(counts, lower or 1, upper)
    assert after.tolist() == expected.tolist()
    assert dict(zip(names.tolist(), after.tolist(), strict=True)) == resampling.counts(y)
    if method == "repeat":
        known = {(*row, name) for row, name in zip(rows.tolist(), y, strict=True)}
        assert {(*row, name) for row, name in zip(found_rows.tolist(), found, strict=True)} <= known


def test_smote_draws_between_rows_of_a_class_and_keeps_what_was_there() -> None:
    rows, y = imbalanced((40, 2))
    found_rows, found = Resampling(10, None, "smote").apply(rows, y)
    rare, made = rows[y == "class 1"], found_rows[found == "class 1"]
    assert len(made) == 10
    along = (made - rare[0]) @ (rare[1] - rare[0]) / np.sum((rare[1] - rare[0]) ** 2)
    np.testing.assert_allclose(made, rare[0] + along[:, None] * (rare[1] - rare[0]), atol=1e-5)
    assert len(np.unique(along.round(4))) > 5
    again = Resampling(10, None, "smote").apply(rows, y)[0]
    np.testing.assert_array_equal(found_rows, again)


def test_csr_rows_stay_csr() -> None:
    rows, y = imbalanced((30, 3))
    found, names = Resampling(8, 20, "smote").apply(scipy.sparse.csr_matrix(rows * (rows > 0)), y)
    assert scipy.sparse.issparse(found)
    assert found.shape == (28, 4)
    assert len(names) == 28


def test_bounds_that_make_no_sense_are_refused() -> None:
    for bounds in ({"lower": 5, "upper": 4}, {"lower": -1}, {"method": "adasyn"}):
        with pytest.raises(UserError, match="the lower one first"):
            Resampling(**bounds)
    with pytest.raises(UserError, match="these labels hold one"):
        Resampling(5).apply(np.eye(3), ["a"] * 3)


def test_the_grid_holds_what_binds_once() -> None:
    _, y = imbalanced((400, 60, 5))
    grid = bounds_grid(y, lowers=(10, 50), uppers=(300, 1000))
    assert [(one.lower, one.upper) for one in grid] == [
        (None, 300), (10, None), (10, 300), (50, None), (50, 300),
    ]  # fmt: skip
    assert len(bounds_grid(y, lowers=(3, 10, 50), uppers=(300,), methods=("repeat", "smote"))) == 9


def test_the_comparison_says_what_wins() -> None:
    rows, y = imbalanced((300, 60, 12))
    held, truth = imbalanced((300, 60, 60), seed=1)
    table = compare_resampling(
        CLASSIFIERS["logistic"](), rows, y, held, truth, grid=[Resampling(60), Resampling(None, 12)]
    )
    assert table["way"].value_counts().to_dict() == {"weights": 3, "resampling": 2}
    assert table["macro_f1"].is_monotonic_decreasing
    assert table["chosen"].tolist() == [True] + [False] * 4
    plain = CLASSIFIERS["logistic"](class_weight_power=0.0).fit(rows, y)
    unweighted = table[(table["way"] == "weights") & (table["class_weight_power"] == 0)].iloc[0]
    assert unweighted["macro_f1"] == pytest.approx(macro_f1(truth, plain.predict(held)))
    assert table["macro_f1"].iloc[0] > unweighted["macro_f1"] + 0.05
    assert table.loc[table["lower"] == 60, "n_rows"].item() == 420
    assert table.loc[table["upper"] == 12, "n_rows"].item() == 36


@pytest.mark.parametrize("kind", ["lda", "knn"])
def test_kinds_without_class_weights_get_them_by_row(kind: str) -> None:
    rows, y = imbalanced((80, 20), d=2)
    held, truth = imbalanced((80, 80), seed=1, d=2)
    table = compare_resampling(CLASSIFIERS[kind](), rows, y, held, truth, grid=[])
    assert table["class_weight_power"].nunique() == 3
    assert table["macro_f1"].nunique() > 1
