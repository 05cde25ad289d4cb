"""Projection of a foreign taxonomy onto our labels by Kullback-Leibler divergence."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fashion_assets.products.projection import kl_divergence, project_categories, smooth
from fashion_assets.products.schemas import CATEGORY_PROJECTION
from fashion_assets.storage.errors import UserError

ROWS = hnp.arrays(np.float64, (3, 4), elements=st.floats(0.001, 1))


@given(ROWS, ROWS)
def test_divergence_is_never_negative_and_zero_only_against_itself(p: np.ndarray, q: np.ndarray) -> None:
    found = kl_divergence(p, q)
    assert found.shape == (3, 3) and (found >= 0).all() and np.isfinite(found).all()
    assert np.diag(kl_divergence(p, p)) == pytest.approx(np.zeros(3), abs=1e-12)
    assert kl_divergence(3 * p, q) == pytest.approx(found)


def test_divergence_has_the_value_of_its_formula() -> None:
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert kl_divergence([0.5, 0.5], [0.25, 0.75], smoothing=0.0)[0, 0] == pytest.approx(expected)
    assert kl_divergence([1.0, 0.0], [0.0, 1.0])[0, 0] == pytest.approx(np.log(0.9995 / 0.0005), rel=2e-3)


def test_smoothing_keeps_a_distribution() -> None:
    assert smooth([[1, 0, 0, 0]], 0.1).tolist()[0] == pytest.approx([0.925, 0.025, 0.025, 0.025])


def test_each_foreign_category_finds_ours_with_its_evidence() -> None:
    names = ["dress", "shoe", "bag"]
    source = np.array([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9]])
    target = np.array([[0.05, 0.9, 0.05], [0.2, 0.7, 0.1], [0.7, 0.2, 0.1]])
    found = project_categories(
        source, ["Apparel", "Apparel", "Footwear", "Bags"], target, ["обувь", "обувь", "платья"], names
    )
    assert dict(zip(found["target_category"], found["best_match"], strict=True)) == {
        "обувь": "Footwear",
        "платья": "Apparel",
    }
    row = found[found["target_category"] == "обувь"].iloc[0]
    assert row["n_items"] == 2 and row["evidence"].startswith("carried by shoe (80% of theirs, 80% of ours)")
    assert (
        row["margin"] == pytest.approx(row["runner_up_divergence"] - row["divergence"]) and row["margin"] > 0
    )
    assert pa.Table.from_pandas(found, schema=CATEGORY_PROJECTION, preserve_index=False).num_rows == 2


def test_a_single_source_category_has_no_runner_up() -> None:
    found = project_categories([[0.5, 0.5]], ["all"], [[0.4, 0.6]], ["theirs"], ["a", "b"])
    assert found["runner_up"].isna().all() and found["margin"].isna().all()


def test_broken_distributions_get_a_sentence() -> None:
    with pytest.raises(UserError, match="at least one is above 0"):
        smooth([[0.0, 0.0]])
    with pytest.raises(UserError, match="over 2 and 3 labels"):
        kl_divergence([[1, 1]], [[1, 1, 1]])
    with pytest.raises(UserError, match="item 1 has no category"):
        project_categories([[1, 0], [0, 1]], ["a", None], [[1, 0]], ["b"], ["x", "y"])  # type: ignore[list-item]
    with pytest.raises(UserError, match="expected one row per item"):
        project_categories([[1, 0]], ["a", "b"], [[1, 0]], ["b"], ["x", "y"])
    with pytest.raises(UserError, match="of which 1 are named"):
        project_categories([[1, 0]], ["a"], [[1, 0]], ["b"], ["x"])
