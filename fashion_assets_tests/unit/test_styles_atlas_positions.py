"""Places on the map of posts."""

from __future__ import annotations

import numpy as np
import pytest

from fashion_assets.styles.atlas_positions import map_positions


@pytest.mark.parametrize("n", [6, 40])
def test_a_post_of_no_direction_has_no_place(n: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(n, 8)).astype(np.float32)
    vectors[[1, 4]] = 0.0
    places = map_positions(vectors, 7)
    assert np.flatnonzero(np.isnan(places).any(axis=1)).tolist() == [1, 4]
    rest = np.delete(places, [1, 4], axis=0)
    assert rest.min() >= 0.0 and rest.max() <= 1.0
    assert np.array_equal(rest, map_positions(np.delete(vectors, [1, 4], axis=0), 7))


def test_posts_of_no_direction_alone_are_a_map_without_places() -> None:
    assert np.isnan(map_positions(np.zeros((3, 4), np.float32), 7)).all()
    assert map_positions(np.zeros((0, 4), np.float32), 7).shape == (0, 2)
