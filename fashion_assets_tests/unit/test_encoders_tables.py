"""Embedding tables: no copies, one model, and one vector per post from text and pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fashion_assets.encoders.multimodal import combine
from fashion_assets.encoders.rows import checked_vectors, unit_rows
from fashion_assets.encoders.tables import (
    embedding_table,
    model_ids_of,
    require_one_model,
    require_one_model_over,
    vectors_of,
)
from fashion_assets.storage.errors import UserError


def table(vectors: np.ndarray, posts: list[str] | None = None, model_id: str = "m@1") -> pa.Table:
    names = [f"i{number}" for number in range(len(vectors))]
    return embedding_table(names, posts or names, "2024-01", [f"h{n}" for n in names], model_id, vectors)


@given(arrays(np.float32, (5, 3), elements=st.floats(-100, 100, width=32)))
def test_unit_rows_are_unit_or_zero(rows: np.ndarray) -> None:
    norms = np.linalg.norm(unit_rows(rows).astype(np.float64), axis=1)
    assert np.all(np.isclose(norms, 1, atol=1e-6) | (norms == 0))


def test_vectors_come_back_without_a_copy() -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    whole = vectors_of(table(vectors))
    np.testing.assert_array_equal(whole, vectors)
    assert np.shares_memory(whole, vectors)
    np.testing.assert_array_equal(vectors_of(table(vectors).slice(1, 2)), vectors[1:3])


def test_vectors_of_chunks_empty_tables_and_parquet(tmp_path: Path) -> None:
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    joined = pa.concat_tables([table(vectors), table(vectors[:0]), table(vectors[2:])])
    np.testing.assert_array_equal(vectors_of(joined), np.concatenate([vectors, vectors[2:]]))
    assert vectors_of(table(vectors[:0])).shape == (0, 3)
    pq.write_table(table(vectors[:0]), tmp_path / "empty.parquet")
    empty = pq.read_table(tmp_path / "empty.parquet")
    assert vectors_of(empty).shape == (0, 3)
    assert model_ids_of(empty) == ["m@1"]


def test_wrong_columns_are_refused() -> None:
    with pytest.raises(UserError, match="no column 'vector'"):
        vectors_of(pa.table({"x": [1]}))
    with pytest.raises(UserError, match="fixed-size list"):
        vectors_of(pa.table({"vector": [[1.0]]}))
    with pytest.raises(UserError, match="1 nulls"):
        vectors_of(pa.table({"vector": pa.array([None, [1.0]], pa.list_(pa.float32(), 1))}))
    with pytest.raises(UserError, match="one of each per item"):
        embedding_table(["a"], ["p", "q"], "2024-01", ["h"], "m", np.zeros((1, 2), np.float32))


def test_mixed_models_name_both() -> None:
    vectors = np.eye(2, dtype=np.float32)
    assert require_one_model(table(vectors)) == "m@1"
    with pytest.raises(UserError, match=r"m@1, m@2"):
        require_one_model(pa.concat_tables([table(vectors), table(vectors, model_id="m@2")]))


def test_an_encoder_that_breaks_its_promise_is_named() -> None:
    rows = np.zeros((2, 3), np.float32)
    rows[1, 0] = np.nan
    with pytest.raises(UserError, match=r"x@1 returned NaN or infinity for item second"):
        checked_vectors(rows, 2, 3, "x@1", ["first", "second"])
    with pytest.raises(UserError, match=r"expected \(2, 4\)"):
        checked_vectors(rows, 2, 4, "x@1")


def test_combine_joins_mean_pictures_and_masks_what_is_missing() -> None:
    text = table(np.asarray([[1, 0], [0, 0], [0, 1]], np.float32), ["a", "b", "c"], "t@1")
    pictures = table(
        np.asarray([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 0, 0]], np.float32), ["a", "a", "b", "x"], "v@1"
    )
    out = combine(text, pictures, ["b", "a", "c", "d"], "2024-01", image_weight=2.0)
    assert out.column("post_id").to_pylist() == ["b", "a", "c", "d"]
    assert out.column("has_text").to_pylist() == [False, True, True, False]
    assert out.column("has_image").to_pylist() == [True, True, False, False]
    assert require_one_model(out) == "1*t@1|2*v@1"
    vectors = vectors_of(out)
    half = 1 / np.sqrt(2)
    expected_a = np.asarray([1, 0, 2 * half, 2 * half, 0]) / np.sqrt(5)
    np.testing.assert_allclose(
        vectors, [[0, 0, 0, 0, 1], expected_a, [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]], atol=1e-6
    )


def test_combine_without_pictures_keeps_the_width_and_the_model() -> None:
    text = table(np.asarray([[1, 0]], np.float32), ["a"], "t@1")
    empty = table(np.zeros((0, 3), np.float32), [], "v@1")
    out = combine(text, empty, ["a"], "2024-02")
    assert (vectors_of(out).shape, require_one_model(out)) == ((1, 5), "1*t@1|1*v@1")
    np.testing.assert_array_equal(
        vectors_of(combine(text, None, ["a"], "2024-02", image_dim=3)), vectors_of(out)
    )
    with pytest.raises(UserError, match="image_dim"):
        combine(text, None, ["a"], "2024-02")
    with pytest.raises(UserError, match="expected 4"):
        combine(text, empty, ["a"], "2024-02", image_dim=4)
    with pytest.raises(UserError, match="not unique"):
        combine(text, empty, ["a", "a"], "2024-02")
    with pytest.raises(UserError, match="negative"):
        combine(text, empty, ["a"], "2024-02", text_weight=-1)


def test_two_encoders_have_no_joint_space() -> None:
    rows = np.asarray([[1, 0]], np.float32)
    out = combine(table(rows, ["a"], "t@1"), table(rows, ["a"], "v@1"), ["a"], "2024-01")
    assert out.column_names == ["post_id", "month", "model_id", "has_text", "has_image", "vector"]


def test_a_joint_encoder_adds_the_mean_of_what_a_post_has(tmp_path: Path) -> None:
    text = table(np.asarray([[1, 0], [0, 1], [0, 0], [1, 0]], np.float32), ["a", "b", "c", "e"], "clip@1")
    pictures = table(
        np.asarray([[0, 1], [0, 1], [0, 1], [-1, 0]], np.float32), ["a", "a", "c", "e"], "clip@1"
    )
    out = combine(text, pictures, ["a", "b", "c", "d", "e"], "2024-01", text_weight=3.0)
    half = float(np.float32(1 / np.sqrt(2)))
    # a has both, b a text, c a picture, d nothing; e's two are opposite and have no mean. Weights do not count.
    expected = [pytest.approx([half, half]), [0.0, 1.0], [0.0, 1.0], None, None]
    assert out.column("joint_vector").to_pylist() == expected
    assert vectors_of(out).shape == (5, 4)
    pq.write_table(out, tmp_path / "joint.parquet")
    again = pq.read_table(tmp_path / "joint.parquet")
    assert again.column("joint_vector").to_pylist() == expected
    assert again.schema.field("joint_vector").nullable and not again.schema.field("vector").nullable


def test_a_joint_month_without_pictures_has_the_joint_column_too() -> None:
    text = table(np.asarray([[1, 0]], np.float32), ["a"], "clip@1")
    out = combine(text, table(np.zeros((0, 2), np.float32), [], "clip@1"), ["a"], "2024-01")
    assert out.column("joint_vector").to_pylist() == [[1.0, 0.0]]


def test_months_of_two_models_are_named() -> None:
    rows = np.eye(2, dtype=np.float32)
    old, new = table(rows, model_id="m@1"), table(rows, model_id="m@2")
    nothing = table(rows[:0], model_id="m@1")
    assert require_one_model_over({"2024-01": old, "2024-02": nothing, "2024-03": old}) == "m@1"
    assert require_one_model_over({}) is None
    with pytest.raises(UserError, match=r"m@1 in 2024-01, 2024-02; m@2 in 2024-03"):
        require_one_model_over({"2024-01": old, "2024-02": nothing, "2024-03": new})
