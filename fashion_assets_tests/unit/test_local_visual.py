"""``local:visual``: what its vectors promise, and what they tell apart."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from fashion_assets.encoders.local_visual import WEIGHTS, LocalVisualEncoder, describe
from fashion_assets.encoders.local_visual_blocks import gradients, proportions, texture, views_of
from fashion_assets.storage.errors import UserError

Pixels = npt.NDArray[np.uint8]
ENCODER = LocalVisualEncoder()


def garment(cut: str, colour: tuple[int, int, int], pattern: str = "plain", jitter: int = 0) -> Pixels:
    """A drawn garment as RGBA, 120 x 160."""
    picture = Image.new("RGBA", (120, 160), (255, 255, 255, 0))
    draw = ImageDraw.Draw(picture)
    j = jitter
    outline = {
        "dress": [(45, 10 + j), (75, 10 + j), (82, 70), (110 - j, 150), (10 + j, 150), (38, 70)],
        "trousers": [(35, 10), (85, 10), (95 - j, 150), (68, 150), (60, 60 + j), (52, 150), (25 + j, 150)],
        "tee": [
            (40, 20),
            (80, 20),
            (115 - j, 50),
            (100, 68),
            (86, 58),
            (86, 140 - j),
            (34, 140),
            (34, 58),
            (20, 68),
            (5, 50),
        ],
    }[cut]
    draw.polygon(outline, fill=(*colour, 255))
    pixels = np.array(picture)
    rows = np.arange(160)[:, None] + np.zeros((1, 120), dtype=int)
    columns = np.arange(120)[None, :] + np.zeros((160, 1), dtype=int)
    second = {
        "plain": np.zeros((160, 120), dtype=bool),
        "stripes": (rows + j) % 12 < 5,
        "checks": ((rows + j) // 8 + columns // 8) % 2 == 0,
    }[pattern]
    pixels[second & (pixels[:, :, 3] > 0), :3] = 250
    return pixels


def cosine(first: Pixels, second: Pixels) -> float:
    a, b = ENCODER.encode([first, second])
    return float(a @ b)


def test_rows_have_length_one_and_the_promised_form() -> None:
    rows = ENCODER.encode([garment("dress", (200, 30, 40)), garment("tee", (20, 60, 160))[:, :, :3]])
    assert rows.shape == (2, ENCODER.dim)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, atol=1e-5)


def test_no_items_give_no_rows() -> None:
    assert ENCODER.encode([]).shape == (0, ENCODER.dim)


def test_model_id_changes_with_the_parameters() -> None:
    other = LocalVisualEncoder(weights={**WEIGHTS, "colour": 0.1})
    assert ENCODER.model_id.startswith("local:visual@v")
    assert LocalVisualEncoder().model_id == ENCODER.model_id
    assert other.model_id != ENCODER.model_id
    assert LocalVisualEncoder(weights=dict(reversed(WEIGHTS.items()))).model_id == ENCODER.model_id


def test_order_of_the_weights_does_not_change_vectors() -> None:
    # Equal ids promise equal vectors.
    picture = garment("tee", (10, 120, 80), "checks")
    turned = LocalVisualEncoder(weights=dict(reversed(WEIGHTS.items()))).encode([picture])
    np.testing.assert_array_equal(turned, ENCODER.encode([picture]))


def test_an_unknown_block_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="smell"):
        LocalVisualEncoder(weights={"smell": 1.0})


def test_threads_keep_the_order_and_the_numbers() -> None:
    items = [
        garment(cut, (40 * i, 200 - 30 * i, 90), jitter=i)
        for i in range(5)
        for cut in ("dress", "tee", "trousers")
    ]
    np.testing.assert_array_equal(
        LocalVisualEncoder(workers=4).encode(items), LocalVisualEncoder(workers=1).encode(items)
    )


@pytest.mark.parametrize("cut", ["dress", "trousers", "tee"])
@pytest.mark.parametrize("pattern", ["plain", "stripes", "checks"])
def test_the_same_garment_drawn_again_is_nearer_than_any_other_look(cut: str, pattern: str) -> None:
    colour = (170, 40, 60)
    again = cosine(garment(cut, colour, pattern), garment(cut, (160, 48, 66), pattern, jitter=2))
    others = [garment(other, colour, pattern) for other in ("dress", "trousers", "tee") if other != cut]
    others += [garment(cut, colour, other) for other in ("plain", "stripes", "checks") if other != pattern]
    others += [garment(cut, (30, 60, 170), pattern)]
    assert again > max(cosine(garment(cut, colour, pattern), other) for other in others)


def test_what_lies_under_transparency_is_not_seen() -> None:
    cut_out = garment("dress", (90, 20, 120))
    noisy = cut_out.copy()
    hidden = noisy[:, :, 3] == 0
    noisy[hidden, :3] = np.random.default_rng(0).integers(0, 256, (int(hidden.sum()), 3), dtype=np.uint8)
    np.testing.assert_array_equal(ENCODER.encode([cut_out]), ENCODER.encode([noisy]))


def test_a_picture_at_another_size_stays_itself() -> None:
    large = garment("trousers", (60, 80, 40), "checks").repeat(4, axis=0).repeat(4, axis=1)
    assert cosine(garment("trousers", (60, 80, 40), "checks"), large) > 0.95


def test_files_and_arrays_agree(tmp_path: Path) -> None:
    pixels = garment("tee", (200, 160, 20), "stripes")
    path = tmp_path / "crop.png"
    Image.fromarray(pixels, "RGBA").save(path)
    np.testing.assert_array_equal(ENCODER.encode([path]), ENCODER.encode([pixels]))


@pytest.mark.parametrize(
    "item",
    [
        "dress.png",
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.float32),
        np.zeros((0, 4, 3), np.uint8),
    ],
)
def test_what_is_no_picture_is_refused(item: object) -> None:
    with pytest.raises(UserError, match="expected"):
        ENCODER.encode([item])  # type: ignore[list-item]


def test_a_damaged_file_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(b"")
    with pytest.raises(UserError, match=r"broken\.png is empty"):
        ENCODER.encode([path])
    whole = garment("dress", (200, 30, 40))
    refused: dict[int, str] = {}
    rows = LocalVisualEncoder(workers=2).encode([whole, path, whole], refused)
    assert list(refused) == [1] and refused[1].startswith("broken.png is empty")
    np.testing.assert_array_equal(rows[[0, 2]], ENCODER.encode([whole, whole]))
    assert not rows[1].any()


@settings(max_examples=40, deadline=None)
@given(
    arrays(
        np.uint8,
        st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([3, 4])),
        elements=st.integers(0, 255),
    )
)
def test_any_pixels_give_a_finite_unit_row(pixels: Pixels) -> None:
    row = LocalVisualEncoder(workers=1).encode([pixels])[0]
    assert np.isfinite(row).all()
    assert np.linalg.norm(row) == pytest.approx(1.0, abs=1e-4)


@settings(max_examples=30, deadline=None)
@given(arrays(np.uint8, (30, 20, 3)))
def test_every_block_has_length_one_or_nothing(pixels: Pixels) -> None:
    for name, values in describe(pixels).items():
        assert values.dtype == np.float32
        length = float(np.linalg.norm(values))
        assert length == pytest.approx(1.0, abs=1e-4) or length == 0.0, name


def test_gradients_of_a_plain_view_are_zero_and_see_direction() -> None:
    plain = np.full((64, 64, 3), 120, dtype=np.uint8)
    assert np.all(gradients(plain) == 0)
    bars = plain.copy()
    bars[:, ::8] = 220
    across, along = gradients(bars), gradients(np.ascontiguousarray(bars.transpose(1, 0, 2)))
    assert abs(float(across @ along)) < 0.7 * float(across @ across)


def test_texture_of_flat_cloth_is_one_pattern() -> None:
    flat = np.full((64, 64, 3), 90, dtype=np.uint8)
    mask = np.ones((64, 64), dtype=np.float32)
    assert texture(flat, mask)[0] == pytest.approx(1.0)
    assert texture(flat, np.zeros_like(mask)).sum() == 0


def test_views_cut_the_box_and_keep_its_aspect() -> None:
    picture = np.full((100, 100, 4), 255, dtype=np.uint8)
    picture[:, :, 3] = 0
    picture[20:80, 40:60] = (10, 20, 30, 255)
    views = views_of(picture)
    assert (views.height, views.width) == (60, 20)
    assert views.share == pytest.approx(0.12)
    assert views.tight_mask.mean() == pytest.approx(1.0)
    assert views.kept_mask.mean() == pytest.approx(1 / 3, abs=0.02)
    assert proportions(views).shape == (25,)


def purity(rows: npt.NDArray[np.float32], labels: npt.NDArray[np.int64]) -> float:
    """The share of each picture's 10 nearest (cosine) that have its label."""
    similar = rows @ rows.T
    np.fill_diagonal(similar, -2)
    nearest = np.argpartition(-similar, 10, axis=1)[:, :10]
    return float((labels[nearest] == labels[:, None]).mean())


@pytest.mark.real_data
def test_real_catalogue_pictures_lie_nearer_to_their_kind_than_by_plain_hog_and_hsv(real_data: Path) -> None:
    import cv2
    from skimage.feature import hog

    folder = real_data / "products"
    if not (folder / "images.zip").is_file():
        pytest.skip(f"there is no {folder / 'images.zip'}")
    cards = pd.read_csv(folder / "products.csv", dtype=str).head(1200)
    pictures, plain = [], []
    with zipfile.ZipFile(folder / "images.zip") as archive:
        for number in cards["id"]:
            with Image.open(io.BytesIO(archive.read(f"images/{number}.jpg"))) as opened:
                rgb = np.array(opened.convert("RGB"))
            grey = cv2.cvtColor(cv2.resize(rgb, (64, 64), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
            shape = hog(grey, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2))
            hsv = cv2.cvtColor(rgb, cv2.COLOR_RGB2HSV)
            bins = cv2.calcHist([hsv], [0, 1, 2], None, [8, 4, 4], [0, 180, 0, 256, 0, 256]).ravel()
            plain.append(np.concatenate([shape / np.linalg.norm(shape), bins / np.linalg.norm(bins)]))
            pictures.append(rgb)
    rows = np.asarray(plain, dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = pd.factorize(cards["subCategory"])[0].astype(np.int64)
    assert purity(ENCODER.encode(pictures), labels) > purity(rows, labels)
