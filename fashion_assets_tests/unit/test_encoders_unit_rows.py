"""Unit rows are the same whether they are made in blocks, in place or at once."""

from __future__ import annotations

import numpy as np
import pytest

from fashion_assets.encoders import rows
from fashion_assets.encoders.rows import ZERO_NORM, unit_rows


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_change_no_bit(monkeypatch: pytest.MonkeyPatch, dtype: type[np.floating]) -> None:
    vectors = np.random.default_rng(3).normal(size=(50, 37)).astype(dtype)
    vectors[7], vectors[8], vectors[9, 0] = 0, ZERO_NORM / 100, np.nan
    wide = vectors.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        expected = np.where(norms < ZERO_NORM, 0.0, wide / np.where(norms < ZERO_NORM, 1.0, norms))
    monkeypatch.setattr(rows, "_BLOCK_ROWS", 7)
    for given in (vectors, np.asfortranarray(vectors)):
        found = unit_rows(given)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, expected.astype(np.float32))
    np.testing.assert_array_equal(unit_rows(vectors[:, 5:20]), unit_rows(vectors[:, 5:20].copy()))
    assert not found[7].any() and not found[8].any() and np.isnan(found[9]).all()


def test_rows_may_be_made_in_place() -> None:
    vectors = np.random.default_rng(4).normal(size=(20, 5)).astype(np.float32)
    expected = unit_rows(vectors)
    assert unit_rows(vectors, out=vectors) is vectors
    np.testing.assert_array_equal(vectors, expected)
