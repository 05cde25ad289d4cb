"""The garment region: found on believable pictures, empty where there is none, heads left out."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw, ImageFilter

from fashion_assets.media.grabcut import GrabCutSegmenter
from fashion_assets.media.privacy import BLANK, blank_above_garment, garment_top
from fashion_assets.media.segmentation import (
    BACKGROUND,
    GARMENT,
    PERSON,
    Segmenter,
    SegmentResult,
    load_segmenter,
)
from fashion_assets.media.skin import shoulder_row, skin_and_chin
from fashion_assets.storage.errors import UserError

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]
SEGMENTER = GrabCutSegmenter()
SKIN = (226, 184, 158)


def figure(
    cloth: tuple[int, int, int] = (40, 70, 150),
    ground: tuple[int, int, int] = (216, 210, 200),
    scale: float = 1.0,
    middle: float = 0.5,
    noise: float = 4.0,
) -> tuple[Pixels, Mask, Mask]:
    """A person in a dress, 240 x 320: pixels, true cloth mask, true head mask."""

    def at(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
        return [(240 * middle + scale * x, 300 - scale * (280 - y)) for x, y in points]

    picture = Image.new("RGB", (240, 320), ground)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((0, 290, 240, 320), fill=tuple(int(0.8 * c) for c in ground))
    draw.rectangle([*at([(-8, 55)])[0], *at([(8, 85)])[0]], fill=SKIN)
    for x in (-18, 6):
        draw.rectangle([*at([(x, 200)])[0], *at([(x + 12, 280)])[0]], fill=SKIN)
    dress = at([(-38, 74), (38, 74), (30, 140), (62, 225), (-62, 225), (-30, 140)])
    draw.polygon(dress, fill=cloth)
    head = [*at([(-17, 18)])[0], *at([(17, 66)])[0]]
    draw.ellipse(head, fill=SKIN)
    draw.pieslice([head[0], head[1] - 6 * scale, head[2], head[3] - 8 * scale], 180, 360, fill=(50, 36, 30))
    cloth_mask, head_mask = Image.new("L", (240, 320)), Image.new("L", (240, 320))
    ImageDraw.Draw(cloth_mask).polygon(dress, fill=1)
    ImageDraw.Draw(head_mask).ellipse(head, fill=1)
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.6)), dtype=np.float64)
    pixels = pixels + np.random.default_rng(0).normal(0, noise, pixels.shape)
    return np.clip(pixels, 0, 255).astype(np.uint8), np.asarray(cloth_mask), np.asarray(head_mask)


def overlap(found: Mask, true: Mask) -> float:
    return float(((found > 0) & (true > 0)).sum() / ((found > 0) | (true > 0)).sum())


@pytest.mark.parametrize(
    "cloth", [(40, 70, 150), (170, 40, 50), (30, 30, 34), (70, 120, 60), (250, 250, 250)]
)
@pytest.mark.parametrize("ground", [(216, 210, 200), (120, 150, 170)])
def test_the_garment_is_found(cloth: tuple[int, int, int], ground: tuple[int, int, int]) -> None:
    pixels, true, _ = figure(cloth, ground)
    result = SEGMENTER.segment(pixels)
    assert result.mask.shape == pixels.shape[:2]
    assert result.mask.dtype == np.uint8
    assert set(np.unique(result.mask)) <= {BACKGROUND, GARMENT, PERSON}
    assert result.garment_share == pytest.approx((result.mask == GARMENT).mean())
    assert overlap(result.garment, true) > 0.75
    assert abs(result.garment_share - true.mean()) < 0.05


def test_head_and_legs_are_the_person() -> None:
    # On the beige ground of the default, skin is like the ground and falls to it.
    pixels, cloth, head = figure(ground=(120, 150, 170))
    result = SEGMENTER.segment(pixels)
    assert (result.mask[head > 0] == PERSON).mean() > 0.85
    legs = np.zeros_like(cloth, dtype=bool)
    legs[240:275, 104:112] = True
    assert (result.mask[legs] == PERSON).mean() > 0.6
    assert (result.mask[cloth > 0] == PERSON).mean() < 0.15


def test_what_a_crop_shows() -> None:
    result = SegmentResult(np.array([[BACKGROUND, GARMENT], [PERSON, GARMENT]], dtype=np.uint8))
    assert result.garment_share == 0.5
    assert result.shown("garment").tolist() == [[False, True], [False, True]]
    assert result.shown("person").tolist() == [[False, True], [True, True]]


def test_a_far_figure_is_under_five_percent() -> None:
    for middle in (0.3, 0.5, 0.65):
        pixels, true, _ = figure(scale=0.35, middle=middle)
        assert true.mean() < 0.03
        assert SEGMENTER.segment(pixels).garment_share < 0.05


def landscape(seed: int) -> Pixels:
    """Sky, three chains of hills from side to side, a sun."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:320, 0:240].astype(float)
    picture = np.stack([150 + 60 * y / 320, 190 + 30 * y / 320, 235 - 20 * y / 320], axis=2)
    for i in range(3):
        line = 150 + 50 * i + 18 * np.sin(x / (25 + 12 * i) + rng.uniform(0, 6))
        picture[y > line] = np.array([110, 150, 150]) - 28 * i
    picture[(x - 60) ** 2 + (y - 60) ** 2 < 300] = (250, 240, 210)
    return np.clip(picture + rng.normal(0, 3, picture.shape), 0, 255).astype(np.uint8)


def test_pictures_without_a_garment_have_a_small_share() -> None:
    y, x = np.mgrid[0:320, 0:240]
    gradient = np.stack([y // 2, 200 - y // 4, 120 + x // 4], axis=2).astype(np.uint8)
    plate = np.full((320, 240, 3), (120, 90, 70), dtype=np.uint8)
    plate[(x - 120) ** 2 + (y - 170) ** 2 < 80**2] = (235, 235, 230)
    frame = np.full((320, 240, 3), (200, 190, 185), dtype=np.uint8)
    frame[30:110, 80:150] = (90, 70, 60)
    noise = np.random.default_rng(1).integers(0, 256, (320, 240, 3), dtype=np.uint8)
    scenes = {"gradient": gradient, "plate": plate, "picture on a wall": frame, "noise": noise}
    scenes |= {f"landscape {seed}": landscape(seed) for seed in range(5)}
    for name, pixels in scenes.items():
        assert SEGMENTER.segment(pixels).garment_share < 0.05, name


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (64, 64), (1200, 900)])
def test_a_plain_picture_has_none_at_any_size(shape: tuple[int, int]) -> None:
    result = SEGMENTER.segment(np.full((*shape, 3), 137, dtype=np.uint8))
    assert result.garment_share == 0.0
    assert result.mask.shape == shape


def test_the_same_picture_gives_the_same_mask_in_any_thread() -> None:
    pixels = [figure(cloth)[0] for cloth in ((40, 70, 150), (170, 40, 50))] * 6
    alone = [SEGMENTER.segment(rgb).mask for rgb in pixels]
    with ThreadPoolExecutor(max_workers=4) as pool:
        together = [result.mask for result in pool.map(SEGMENTER.segment, pixels)]
    for first, second in zip(alone, together, strict=True):
        np.testing.assert_array_equal(first, second)


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))))
def test_any_picture_has_a_mask(pixels: Pixels) -> None:
    result = SEGMENTER.segment(pixels)
    assert result.mask.shape == pixels.shape[:2]
    assert 0.0 <= result.garment_share <= 1.0


@pytest.mark.parametrize(
    "bad", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_what_is_no_picture_is_refused(bad: npt.NDArray[np.uint8]) -> None:
    with pytest.raises(UserError, match="expected uint8"):
        SEGMENTER.segment(bad)


def test_registry() -> None:
    assert isinstance(load_segmenter("grabcut"), Segmenter)
    for spec in ("", "grabcut:2", "u2net", "sam:x", 3):
        with pytest.raises(UserError, match="expected one of grabcut"):
            load_segmenter(spec)  # type: ignore[arg-type]
    for spec in ("segformer:", "rembg:"):
        with pytest.raises(UserError, match="names no network"):
            load_segmenter(spec)


def test_a_missing_library_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match="pip install onnxruntime, or set FASHION_SEGMENTER=grabcut"):
        load_segmenter("rembg:u2net_cloth_seg")


def test_no_head_is_in_the_mask_and_none_is_published() -> None:
    pixels, true, head = figure()
    mask = SEGMENTER.segment(pixels).mask
    assert (mask[head > 0] == GARMENT).mean() < 0.05
    published = blank_above_garment(pixels, mask)
    visible = (head > 0) & (published != np.array(BLANK)).any(axis=2)
    assert visible.sum() < 0.05 * head.sum()
    assert (published[true > 0] == pixels[true > 0]).all(axis=1).mean() > 0.9


def test_a_mask_that_still_holds_the_face_is_cut_under_the_chin() -> None:
    pixels, cloth, head = figure()
    both = (cloth | head).astype(np.uint8)
    assert garment_top(pixels, both) >= np.flatnonzero(head.any(axis=1))[-1] - 3
    skin, chin = skin_and_chin(pixels, both)
    assert chin is not None
    assert skin[cloth > 0].mean() < 0.02


def test_the_person_above_the_garment_is_blanked_not_kept() -> None:
    rgb = np.full((10, 6, 3), 50, dtype=np.uint8)
    mask = np.full((10, 6), BACKGROUND, dtype=np.uint8)
    mask[1:9] = PERSON
    mask[4:8, 2:4] = GARMENT
    out = blank_above_garment(rgb, mask)
    assert (out[:4] == BLANK).all()
    assert (out[4:] == 50).all()
    assert (blank_above_garment(rgb, np.full_like(mask, PERSON)) == BLANK).all()


def test_blanking_rules() -> None:
    rgb = np.full((10, 6, 3), 50, dtype=np.uint8)
    mask = np.zeros((10, 6), dtype=bool)
    assert (blank_above_garment(rgb, mask) == BLANK).all()
    mask[4:8, 2:4] = True
    out = blank_above_garment(rgb, mask)
    assert (out[:4] == BLANK).all()
    assert (out[4:] == 50).all()
    assert (rgb == 50).all()
    with pytest.raises(ValueError, match="expected"):
        blank_above_garment(rgb, mask[:5])


@settings(max_examples=40, deadline=None)
@given(arrays(np.uint8, (24, 18, 3)), arrays(np.bool_, (24, 18)))
def test_nothing_above_the_mask_survives(rgb: Pixels, mask: npt.NDArray[np.bool_]) -> None:
    out = blank_above_garment(rgb, mask)
    first = np.flatnonzero(mask.any(axis=1))[0] if mask.any() else len(mask)
    assert (out[:first] == BLANK).all()
    top = garment_top(rgb, mask)
    assert top >= first
    np.testing.assert_array_equal(out[top:], rgb[top:])


def test_shoulders_by_outline_only_where_a_head_stands_on_them() -> None:
    person = np.zeros((120, 60), dtype=np.uint8)
    person[5:25, 24:36] = 1
    person[25:100, 10:50] = 1
    assert shoulder_row(person) in range(12, 26)
    skirt = np.zeros((120, 60), dtype=np.uint8)
    for row in range(10, 110):
        half = 8 + (row - 10) // 5
        skirt[row, 30 - half : 30 + half] = 1
    assert shoulder_row(skirt) is None
    tee = np.zeros((120, 60), dtype=np.uint8)
    tee[10:100, 8:52] = 1
    assert shoulder_row(tee) is None
    assert shoulder_row(np.zeros((20, 20), dtype=np.uint8)) is None
