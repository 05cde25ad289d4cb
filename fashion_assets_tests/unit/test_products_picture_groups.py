"""Near-identical pictures make families; plain ones, placeholders and chains do not."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from fashion_assets.media.decoding import decode_image
from fashion_assets.media.hashing import perceptual_hash, thumbprint
from fashion_assets.products import picture_groups as groups_module
from fashion_assets.products.families import product_families
from fashion_assets.products.picture_groups import picture_groups


def scene(seed: int) -> npt.NDArray[np.uint8]:
    """Some coloured boxes on white, 240 x 180."""
    rng = np.random.default_rng(seed)
    pixels = np.full((240, 180, 3), 255, np.uint8)
    for _ in range(12):
        top, left = rng.integers(0, 180), rng.integers(0, 120)
        pixels[top : top + 80, left : left + 60] = rng.integers(0, 256, 3)
    return pixels


def described(pixels: npt.NDArray[np.uint8], quality: int = 95) -> tuple[str, str]:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    rgb = decode_image(buffer.getvalue(), name="picture").rgb
    return perceptual_hash(rgb), thumbprint(rgb)


def found(names: list[str], pictures: list[tuple[str, str]]) -> list[list[int]]:
    hashes, thumbs = zip(*pictures, strict=True)
    return sorted(group.tolist() for group in picture_groups(names, None, hashes, thumbs))


def test_a_picture_saved_again_smaller_joins_and_others_stay_apart() -> None:
    smaller = np.asarray(Image.fromarray(scene(0)).resize((120, 160)))
    pictures = [described(scene(0)), described(scene(1)), described(smaller, quality=70)]
    assert [0, 2] in found(["red hat", "coat", "hat in red"], pictures)
    assert not any(1 in group for group in found(["red hat", "coat", "hat in red"], pictures))
    hashes, thumbs = zip(*pictures, strict=True)
    assert product_families(["hat one", "coat", "cap two"], None, hashes, thumbs).tolist() == [0, 1, 0]


def test_plain_pictures_join_nobody() -> None:
    plain = [described(np.full((90, 90, 3), tone, np.uint8)) for tone in (200, 210, 220)]
    assert found(["a", "b", "c"], plain) == []


@pytest.mark.parametrize("saved_again", [False, True])
def test_a_placeholder_is_no_evidence(saved_again: bool) -> None:
    names = [
        "hat",
        "coat",
        "shoe",
        "belt",
        "scarf",
        "glove",
        "sock",
        "skirt",
        "shirt",
        "jeans",
        "dress",
        "watch",
    ]
    pictures = [described(scene(3), quality=95 - row * saved_again) for row in range(len(names))]
    digests = [str(row * saved_again) for row in range(len(names))]
    hashes, thumbs = zip(*pictures, strict=True)
    assert picture_groups(names, digests, hashes, thumbs) == []
    assert len(set(product_families(names, digests, hashes, thumbs))) == len(names)
    few = ["hat", "coat"] * 6
    assert len(set(product_families(few, digests, hashes, thumbs))) == 1


def test_a_long_chain_is_taken_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = scene(4).astype(float), scene(5).astype(float)
    steps = [described((first * (1 - t) + second * t).astype(np.uint8)) for t in np.linspace(0, 0.4, 9)]
    names = ["a", "b", "c"] * 3
    monkeypatch.setattr(groups_module, "MAX_DISTANCE", 64)
    whole = found(names, steps)
    monkeypatch.setattr(groups_module, "LEAST_MAX_GROUP", 4)
    apart = found(names, steps)
    assert max(map(len, whole)) > 4 and max(map(len, whole)) > max(map(len, apart), default=0)
