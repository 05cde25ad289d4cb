"""The space of products: several encoders of a block weigh the same, and what is stored gives the same rows."""

from __future__ import annotations

import numpy as np
import pytest

from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads import space
from fashion_assets.products.heads.space import FeatureSpace
from fashion_assets.products.vectors import ProductVectors, join_vectors

N = 60


def made(widths: tuple[int, ...], *, parts: bool) -> ProductFeatures:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(N, sum(widths))) * np.repeat([1.0, 9.0], widths)
    rows[3] = 0
    given = {"image": widths} if parts else {}
    vectors = join_vectors([str(row) for row in range(N)], {"image": rows}, parts=given)
    titles = tuple(f"name {row % 7}" for row in range(N))
    return ProductFeatures(vectors, titles, titles)


def test_each_encoder_weighs_the_same_however_wide_it_is() -> None:
    features = made((4, 30), parts=True)
    fitted = FeatureSpace().fit(features)
    rows = fitted.transform(features).dense["image"]
    assert rows.shape == (N, 34) and not rows[3].any()
    shown = np.delete(rows, 3, axis=0)
    for part in (shown[:, :4], shown[:, 4:]):
        assert np.square(part).sum(axis=1) == pytest.approx(np.full(N - 1, 0.5), abs=1e-5)
    # As one block the wider one drowns the other.
    whole = FeatureSpace().fit(made((4, 30), parts=False)).transform(features).dense["image"]
    assert np.square(whole).sum(axis=1)[:3] == pytest.approx(np.ones(3), abs=1e-5)
    assert np.abs(whole @ whole.T - rows @ rows.T).max() > 0.1


def test_each_encoder_is_the_space_of_that_encoder_alone() -> None:
    both, alone = made((4, 30), parts=True), made((4, 30), parts=False)
    vectors = alone.vectors
    first = ProductVectors(vectors.ids, vectors.matrix[:, :4], "", {"image": slice(0, 4)})
    own = ProductFeatures(first, alone.titles, alone.texts)
    expected = FeatureSpace().fit(own).transform(own).dense["image"]
    found = FeatureSpace().fit(both).transform(both).dense["image"][:, :4] * np.sqrt(2)
    np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-5)


def test_axes_are_shared_among_the_encoders(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "MAX_AXES", 10)
    features = made((4, 30), parts=True)
    fitted = FeatureSpace().fit(features)
    assert fitted.blocks_["image"]["widths"].tolist() == [[4, 4], [30, 5]]
    again = FeatureSpace.from_state(fitted.state())
    assert np.array_equal(again.transform(features).dense["image"], fitted.transform(features).dense["image"])


def test_a_table_keeps_the_widths_of_the_encoders() -> None:
    vectors = made((4, 30), parts=True).vectors
    again = ProductVectors.from_table(vectors.to_table())
    assert again.parts == {"image": (4, 30)} and again.blocks == vectors.blocks
    assert again.widths("image") == (4, 30) and again.widths("text") == (0,)
    assert again.take([1, 2]).parts == again.select(["1"]).parts == vectors.parts
    plain = made((4, 30), parts=False).vectors
    assert ProductVectors.from_table(plain.to_table()).parts == {} and plain.widths("image") == (34,)
