"""PCA of product vectors keeps blocks, missing rows and what it was fitted on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fashion_assets.products.reduction import CARD_FILE, WEIGHTS_FILE, VectorReduction
from fashion_assets.products.vectors import ProductVectors, join_vectors
from fashion_assets.storage.errors import UserError


def vectors(seed: int = 0) -> ProductVectors:
    rng = np.random.default_rng(seed)
    image = rng.normal(size=(40, 3)) @ rng.normal(size=(3, 12)) + 0.01 * rng.normal(size=(40, 12))
    image[7] = 0
    ids = [str(row) for row in range(40)]
    return join_vectors(ids, {"image": image, "text": rng.normal(size=(40, 4))}, model_ids={"image": "m"})


def test_few_axes_keep_what_lies_in_few_dimensions() -> None:
    given = vectors()
    reduction = VectorReduction.fit(given, 4)
    assert list(reduction.blocks) == ["image"] and reduction.blocks["image"].explained_variance > 0.98
    reduced = reduction.transform(given)
    assert reduced.matrix.shape == (40, 8) and reduced.ids == given.ids
    np.testing.assert_array_equal(reduced.has("image"), given.has("image"))
    np.testing.assert_allclose(reduced.block("text"), given.block("text"), atol=1e-6)
    lengths = np.linalg.norm(reduced.block("image"), axis=1)
    np.testing.assert_allclose(lengths[given.has("image")], 1, atol=1e-5)
    centred = given.block("image") - given.block("image")[given.has("image")].mean(axis=0)
    before = centred @ centred.T / np.outer(np.linalg.norm(centred, axis=1), np.linalg.norm(centred, axis=1))
    after = reduced.block("image") @ reduced.block("image").T
    seen = np.ix_(given.has("image"), given.has("image"))
    assert np.abs(before[seen] - after[seen]).max() < 0.05


def test_encoders_of_one_block_are_reduced_by_themselves_and_weigh_the_same() -> None:
    rng = np.random.default_rng(3)
    wide, narrow = rng.normal(size=(30, 10)) * 100, rng.normal(size=(30, 3))
    both = np.hstack([wide / np.linalg.norm(wide, axis=1)[:, None], narrow])
    both[4] = 0
    given = join_vectors([str(row) for row in range(30)], {"image": both}, parts={"image": (10, 3)})
    reduction = VectorReduction.fit(given, 4)
    assert list(reduction.blocks) == ["image.0"]  # the other is no wider
    reduced = reduction.transform(given)
    assert reduced.widths("image") == (4, 3) and not reduced.has("image")[4]
    first, second = np.split(reduced.block("image")[reduced.has("image")], [4], axis=1)
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 0.5**0.5, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(second, axis=1), 0.5**0.5, atol=1e-5)


def test_it_is_the_same_after_saving_and_of_its_own_vectors_only(tmp_path: Path) -> None:
    given = vectors()
    reduction = VectorReduction.fit(given, 3)
    reduction.save(tmp_path)
    again = VectorReduction.load(tmp_path)
    np.testing.assert_array_equal(again.transform(given).matrix, reduction.transform(given).matrix)
    assert again.model_id == reduction.model_id == reduction.transform(given).model_id
    assert again.blocks["image"].explained_variance == reduction.blocks["image"].explained_variance
    other = VectorReduction.fit(vectors(seed=1), 3)
    assert other.model_id != reduction.model_id
    with pytest.raises(UserError, match="the reduction was fitted on vectors of"):
        reduction.transform(reduction.transform(given))
    narrow = join_vectors(given.ids, {"image": given.block("image")[:, :9], "text": given.block("text")})
    with pytest.raises(UserError, match="fitted on 12 image numbers per product, these vectors have 9"):
        reduction.transform(replace(narrow, model_id=given.model_id))


def test_bad_folders_and_numbers_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no reduction"):
        VectorReduction.load(tmp_path)
    with pytest.raises(UserError, match="0 principal components"):
        VectorReduction.fit(vectors(), 0)
    VectorReduction.fit(vectors(), 3).save(tmp_path)
    weights = (tmp_path / WEIGHTS_FILE).read_bytes()
    (tmp_path / WEIGHTS_FILE).write_bytes(weights[:-1] + b"x")
    with pytest.raises(UserError, match="is damaged"):
        VectorReduction.load(tmp_path)
    (tmp_path / CARD_FILE).write_text("{}", "utf-8")
    with pytest.raises(UserError, match="is damaged"):
        VectorReduction.load(tmp_path)


def test_too_few_products_leave_the_block_as_it_is() -> None:
    one = vectors().take([0])
    assert VectorReduction.fit(one, 3).blocks == {}
    np.testing.assert_allclose(VectorReduction.fit(one, 3).transform(one).matrix, one.matrix, atol=1e-6)
