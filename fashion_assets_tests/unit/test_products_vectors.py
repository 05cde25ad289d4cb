"""Product vectors: named blocks, each of length 1, that survive a table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.products.vectors import BLOCKS, ProductVectors, join_vectors
from fashion_assets.storage.errors import UserError

IMAGE = np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0]])
TEXT = np.array([[0.0, 0.0, 9.0], [1.0, 0.0, 0.0], [0.0] * 3])


def three() -> ProductVectors:
    return join_vectors(
        ["a", "b", "c"], {"text": TEXT, "image": IMAGE}, model_ids={"image": "i", "text": "t"}
    )


def test_blocks_are_normalised_apart_and_stand_in_a_fixed_order() -> None:
    vectors = three()
    assert vectors.matrix.tolist()[0] == pytest.approx([0.6, 0.8, 0, 0, 1])
    assert vectors.blocks == {"image": slice(0, 2), "text": slice(2, 5)}
    assert vectors.has("image").tolist() == [True, False, False]
    assert vectors.has("text").tolist() == [True, True, False]
    assert not vectors.has("shop").any() and vectors.block("shop").shape == (3, 0)
    assert vectors.model_id == "image=i|text=t" and len(vectors) == 3


def test_rows_of_ids_that_have_none_are_zeros() -> None:
    vectors = three()
    assert vectors.rows(["c", "x", "a"])[2].tolist() == vectors.matrix[0].tolist()
    assert not vectors.rows(["x"]).any()
    assert vectors.select(["x", "a"]).has("image").tolist() == [False, True]
    assert vectors.take([2, 0]).ids == ("c", "a")
    np.testing.assert_array_equal(vectors.take(vectors.has("image")).matrix, vectors.matrix[:1])


@given(
    st.dictionaries(st.sampled_from(BLOCKS), st.integers(1, 4), min_size=1),
    st.integers(0, 5),
    st.integers(0, 9),
)
def test_a_table_gives_the_same_vectors_back(widths: dict[str, int], count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    parts = {name: rng.normal(size=(count, width)) for name, width in widths.items()}
    vectors = join_vectors([str(i) for i in range(count)], parts, model_ids=dict.fromkeys(parts, "m"))
    lengths = [np.linalg.norm(vectors.block(name), axis=1) for name in parts]
    np.testing.assert_allclose(lengths, 1.0, atol=1e-5)
    again = ProductVectors.from_table(vectors.to_table())
    np.testing.assert_array_equal(again.matrix, vectors.matrix)
    assert (again.ids, again.blocks) == (vectors.ids, vectors.blocks)
    assert again.model_id == (vectors.model_id if count else "")


def test_what_does_not_belong_together_is_refused() -> None:
    mixed = pa.concat_tables([three().to_table(), join_vectors(["d"], {"text": np.ones((1, 5))}).to_table()])
    with pytest.raises(UserError, match="come from 2 encoders"):
        ProductVectors.from_table(mixed)
    with pytest.raises(UserError, match="image vectors have shape"):
        join_vectors(["a"], {"image": IMAGE})
    with pytest.raises(UserError, match="no block 'price'"):
        join_vectors(["a"], {"price": np.ones((1, 1))})
