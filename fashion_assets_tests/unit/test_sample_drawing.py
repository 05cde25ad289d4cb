"""Pictures drawn by code: masks, fabrics, cuts."""

from __future__ import annotations

import numpy as np
import pytest

from fashion_assets.sample import backgrounds, drawing, garments, patterns
from fashion_assets.sample.canvas import palette_colours
from fashion_assets.sample.product_drawing import OBJECTS, PRODUCT_SHAPE, draw_product
from fashion_assets.sample.product_words import KINDS
from fashion_assets.sample.styles import STYLES


@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.name)
def test_every_look_can_be_drawn_and_shows_enough_cloth(style: object) -> None:
    for number, look in enumerate(style.looks):  # type: ignore[attr-defined]
        rng = np.random.default_rng(number)
        pattern = style.patterns[0][0]  # type: ignore[attr-defined]
        drawn = drawing.draw_outfit(look, palette_colours(style.palettes[0], rng), pattern, rng)  # type: ignore[attr-defined]
        assert drawn.pixels.shape == (*drawing.PICTURE_SHAPE, 3)
        assert drawn.pixels.dtype == np.uint8
        assert 0.03 < drawn.garment_share < 0.5


def test_small_figures_and_scenes_stay_under_five_percent() -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        style = STYLES[seed]
        colours = palette_colours(style.palettes[0], rng)
        assert drawing.draw_outfit(style.looks[0], colours, "plain", rng, small=True).garment_share < 0.04
        assert drawing.draw_scene(rng).garment_share == 0


@pytest.mark.parametrize("pattern", patterns.PATTERNS)
def test_fabric_is_coloured_everywhere(pattern: str) -> None:
    rng = np.random.default_rng(1)
    y, x = np.meshgrid(np.linspace(0, 1, 60), np.linspace(-0.3, 0.3, 40), indexing="ij")
    colours = np.asarray([[200, 40, 40], [240, 240, 240], [20, 20, 90]], dtype=np.float32)
    field = patterns.paint(pattern, x.astype(np.float32), y.astype(np.float32), colours, 300.0, rng)
    assert field.shape == (60, 40, 3)
    assert field.min() >= 0 and field.max() <= 255
    assert pattern == "plain" or len(np.unique(field.reshape(-1, 3), axis=0)) > 1


def test_unknown_names_are_said() -> None:
    with pytest.raises(ValueError, match="tweed"):
        patterns.paint(
            "tweed",
            np.zeros((2, 2), np.float32),
            np.zeros((2, 2), np.float32),
            np.zeros((3, 3), np.float32),
            9.0,
            np.random.default_rng(0),
        )
    with pytest.raises(ValueError, match="moon"):
        backgrounds.background("moon", (32, 32), np.random.default_rng(0))


def test_cuts_are_mirror_images() -> None:
    for cut in [*garments.HALF_OUTLINES, *garments.LEG_OUTLINES]:
        points = np.concatenate(garments.pieces_of(cut, 1.0, 1.0))
        assert np.isclose(points[:, 0].min(), -points[:, 0].max(), atol=1e-6), cut
        assert 0.1 < points[:, 1].min() < points[:, 1].max() < 1.0, cut


def test_every_product_shape_is_seen_on_its_ground() -> None:
    for number, kind in enumerate(KINDS):
        assert kind.shape in OBJECTS or garments.pieces_of(kind.shape, 1.0, 1.0)
        rng = np.random.default_rng(number)
        colours = palette_colours(("1f2a4d", "f4f3ef", "c8343a"), rng)
        pixels = draw_product(kind.shape, kind.sleeve, colours, "plain", rng)
        assert pixels.shape == (*PRODUCT_SHAPE, 3)
        dark = (pixels.astype(int).sum(axis=2) < 330).mean()
        assert 0.04 < dark < 0.75, kind.sub_category
