"""Near-duplicates: copies join, different garments stay apart, and the grouping is exact."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from fashion_assets.media.hashing import (
    MAX_DISTANCE,
    group_near_duplicates,
    hamming,
    perceptual_hash,
    thumbprint,
    thumbprint_vectors,
)

Pixels = npt.NDArray[np.uint8]


def drawn(colour: tuple[int, int, int], pattern: str, width: int = 0) -> Pixels:
    """A dress on a light plain ground: what hashes alone cannot tell apart."""
    picture = Image.new("RGB", (240, 320), (236, 234, 230))
    mask = Image.new("L", (240, 320), 0)
    w = width
    ImageDraw.Draw(mask).polygon(
        [(90, 30), (150, 30), (165, 140), (210 - w, 300), (30 + w, 300), (75, 140)], fill=255
    )
    y, x = np.mgrid[0:320, 0:240]
    second = {"plain": y < 0, "stripes": y % 24 < 10, "checks": (y // 16 + x // 16) % 2 == 0}[pattern]
    cloth = np.where(second[:, :, None], np.uint8(250), np.array(colour, dtype=np.uint8)).astype(np.uint8)
    picture.paste(Image.fromarray(cloth), (0, 0), mask)
    return np.array(picture)


def posted_again(rgb: Pixels, scale: float = 0.8, quality: int = 65, cut: int = 2) -> Pixels:
    height, width = rgb.shape[:2]
    picture = Image.fromarray(rgb).crop((cut, 1, width, height - cut))
    data = io.BytesIO()
    picture.resize((round(width * scale), round(height * scale))).save(data, "JPEG", quality=quality)
    return np.array(Image.open(data).convert("RGB"))


def groups_of(pictures: list[Pixels]) -> list[int]:
    vectors = thumbprint_vectors([thumbprint(rgb) for rgb in pictures])
    return group_near_duplicates([perceptual_hash(rgb) for rgb in pictures], confirm=vectors).tolist()


def test_hash_is_sixteen_hex_digits_and_plain_is_zero() -> None:
    value = perceptual_hash(drawn((180, 40, 60), "plain"))
    assert len(value) == 16
    assert int(value, 16) > 0
    assert perceptual_hash(np.full((50, 70, 3), 200, dtype=np.uint8)) == "0" * 16


def test_a_copy_joins_its_original() -> None:
    for pattern in ("plain", "stripes", "checks"):
        original = drawn((180, 40, 60), pattern)
        assert groups_of([original, posted_again(original)]) == [0, 0], pattern
        assert groups_of([original, posted_again(original, scale=0.5, quality=60, cut=0)]) == [0, 0], pattern


def test_drawn_garments_of_one_cut_stay_apart() -> None:
    looks = [
        drawn(colour, pattern)
        for colour in ((180, 40, 60), (40, 70, 170), (50, 140, 70), (90, 90, 90))
        for pattern in ("plain", "stripes", "checks")
    ]
    hashes = [perceptual_hash(rgb) for rgb in looks]
    assert len(set(group_near_duplicates(hashes).tolist())) < len(looks)  # why the confirmation is needed
    assert groups_of(looks) == list(range(len(looks)))


def test_plain_pictures_confirm_nothing() -> None:
    flat = [np.full((40, 40, 3), level, dtype=np.uint8) for level in (10, 10, 240)]
    assert groups_of(flat) == [0, 1, 2]


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_hamming_is_a_distance(a: int, b: int, c: int) -> None:
    x, y, z = (f"{value:016x}" for value in (a, b, c))
    assert hamming(x, x) == 0
    assert hamming(x, y) == hamming(y, x) == bin(a ^ b).count("1")
    assert hamming(x, z) <= hamming(x, y) + hamming(y, z)


def grouped_by_hand(codes: list[int], limit: int) -> list[int]:
    """Union-find over all pairs, the slow way."""
    leader = list(range(len(codes)))
    changed = True
    while changed:
        changed = False
        for i in range(len(codes)):
            for j in range(i):
                if (codes[i] ^ codes[j]).bit_count() <= limit and leader[i] != leader[j]:
                    leader[i] = leader[j] = min(leader[i], leader[j])
                    changed = True
    return leader


@settings(max_examples=80, deadline=None)
@given(st.lists(st.integers(0, 2**12 - 1), max_size=25), st.integers(0, 6))
def test_grouping_equals_the_slow_way(codes: list[int], limit: int) -> None:
    hashes = [f"{code:016x}" for code in codes]
    assert group_near_duplicates(hashes, limit).tolist() == grouped_by_hand(codes, limit)


def test_grouping_in_blocks_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    hashes = [f"{int(value):016x}" for value in rng.integers(0, 2**20, 300)]
    whole = group_near_duplicates(hashes, 4)
    monkeypatch.setattr("fashion_assets.media.hashing._PAIRS_A_STEP", 700)
    np.testing.assert_array_equal(group_near_duplicates(hashes, 4), whole)


def test_confirmation_must_have_a_row_for_each_hash() -> None:
    with pytest.raises(ValueError, match="one row for each"):
        group_near_duplicates(["0" * 16] * 3, confirm=np.zeros((2, 4), dtype=np.float32))


def test_confirmation_by_an_encoders_vectors() -> None:
    same, other = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    hashes = ["0" * 16, f"{2**MAX_DISTANCE - 1:016x}", "0" * 16]
    assert group_near_duplicates(hashes, confirm=np.stack([same, same, other])).tolist() == [0, 0, 2]


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_any_size_has_hash_and_thumbprint(height: int, width: int, seed: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    assert len(perceptual_hash(rgb)) == 16
    assert len(thumbprint(rgb)) == 960
    length = float(np.linalg.norm(thumbprint_vectors([thumbprint(rgb)])[0]))
    assert (
        length == 0.0 or length == pytest.approx(1.0, abs=1e-4) or length == pytest.approx(0.5**0.5, abs=1e-4)
    )


def test_no_pictures_give_no_groups() -> None:
    assert group_near_duplicates([]).shape == (0,)
    assert thumbprint_vectors([]).shape == (0, 720)
