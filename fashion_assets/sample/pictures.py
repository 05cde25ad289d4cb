"""Which picture each post has, and the files of them: outfits, far figures, scenes, copies, broken files.

Belongs here: the plan and its execution in a thread pool. Pixels come from `drawing`.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from fashion_assets.sample import canvas, drawing
from fashion_assets.sample.canvas import Image
from fashion_assets.sample.delivery import Post
from fashion_assets.sample.drawing import Drawing
from fashion_assets.sample.styles import STYLES, LatentStyle, style_named

UNDER_5_SHARE: Final = 0.04
NEAR_DUPLICATE_SHARE: Final = 0.03
PNG_SHARE: Final = 0.03
OTHER_LOOK: Final = 0.08
OTHER_PALETTE: Final = 0.10
OTHER_PATTERN: Final = 0.10
"""Pictures whose look, palette or pattern is another style's: styles overlap in pictures as in words."""
PALETTE_DECAY: Final = 1.2
"""Palettes of a style stand in order of use; the first is about half of all pictures."""
BROKEN: Final = ("truncated", "zero bytes")
JPEG_QUALITY: Final = 82
MAX_THREADS: Final = 4

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class PicturePlan:
    """One picture file: `kind` is outfit, small or scene; `copy_of` names the picture it is taken from."""

    post_id: str
    name: str
    style: str
    kind: str
    seed: tuple[int, ...]
    broken: str = ""
    copy_of: str = ""
    copy_seed: tuple[int, ...] = ()


@dataclass(frozen=True)
class PictureTruth:
    """What is known of a written picture; the share is that of the drawing, before any damage."""

    post_id: str
    name: str
    garment_share_true: float
    under_5: bool
    near_duplicate_of: str
    broken: str


def plan_pictures(posts: Sequence[Post], seed: int, rng: random.Random) -> list[PicturePlan]:
    """A plan per picture of every post, and one broken extra file for each kind of damage."""
    plans: list[PicturePlan] = []
    originals: dict[str, list[PicturePlan]] = {}
    for index, post in enumerate(posts):
        for number in range(1, post.n_pictures + 1):
            name = f"{number}.{'png' if rng.random() < PNG_SHARE else 'jpg'}"
            chance = rng.random()
            kind = "outfit"
            if chance < UNDER_5_SHARE:
                kind = "small" if rng.random() < 0.5 else "scene"
            plan = PicturePlan(post.post_id, name, post.style.name, kind, (seed, 1, index, number))
            earlier = originals.setdefault(post.style.name, [])
            if kind == "outfit" and earlier and rng.random() < NEAR_DUPLICATE_SHARE:
                source = rng.choice(earlier)
                copy = replace(source, post_id=post.post_id, name=f"{number}.jpg", copy_seed=plan.seed)
                plans.append(replace(copy, copy_of=f"{source.post_id}/{source.name}"))
                continue
            plans.append(plan)
            if kind == "outfit":
                earlier.append(plan)
    whole = [post for post in posts if post.n_pictures == 1]
    for number, (post, broken) in enumerate(
        zip(rng.sample(whole, min(len(whole), len(BROKEN))), BROKEN, strict=False)
    ):
        plans.append(PicturePlan(post.post_id, "2.jpg", post.style.name, "outfit", (seed, 2, number), broken))
    return plans


def _other(rng: np.random.Generator, style: LatentStyle, share: float) -> LatentStyle:
    return STYLES[int(rng.integers(len(STYLES)))] if rng.random() < share else style


def draw_plan(plan: PicturePlan) -> Drawing:
    """The drawing of a plan, before it is re-encoded or damaged."""
    rng = np.random.default_rng(plan.seed)
    if plan.kind == "scene":
        return drawing.draw_scene(rng)
    style = style_named(plan.style)
    looks = _other(rng, style, OTHER_LOOK).looks
    weights = np.asarray([look.weight for look in looks])
    look = looks[int(rng.choice(len(looks), p=weights / weights.sum()))]
    palettes = _other(rng, style, OTHER_PALETTE).palettes
    colours = canvas.palette_colours(
        palettes[min(int(rng.exponential(PALETTE_DECAY)), len(palettes) - 1)], rng
    )
    patterns = _other(rng, style, OTHER_PATTERN).patterns
    chances = np.asarray([chance for _, chance in patterns])
    pattern = patterns[int(rng.choice(len(patterns), p=chances / chances.sum()))][0]
    return drawing.draw_outfit(look, colours, pattern, rng, small=plan.kind == "small")


def _copied(pixels: Image, seed: tuple[int, ...]) -> tuple[Image, int]:
    """The picture as somebody else posts it again: cut a little, resized; and its JPEG quality."""
    import cv2

    rng = np.random.default_rng(seed)
    height, width = pixels.shape[:2]
    left, top, right, bottom = (int(n) for n in rng.integers(0, 4, 4))
    cut = pixels[top : height - bottom, left : width - right]
    scale = float(rng.uniform(0.75, 1.1))
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), int(
        rng.integers(60, 78)
    )


def encode_picture(pixels: Image, suffix: str, quality: int = JPEG_QUALITY) -> bytes:
    """The file content of an RGB picture; `suffix` is .jpg or .png."""
    import cv2

    if suffix == ".png":
        # Fewer levels, as phone screenshots have them; sensor noise would make the file ten times as large.
        pixels, options = pixels & np.uint8(0xF0), [cv2.IMWRITE_PNG_COMPRESSION, 6]
    else:
        options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    return bytes(cv2.imencode(suffix, np.ascontiguousarray(pixels[..., ::-1]), options)[1].tobytes())


def write_picture(plan: PicturePlan, media: Path) -> PictureTruth:
    """Draws and writes one picture below `media`; the truth about it."""
    drawn = draw_plan(plan)
    pixels, quality = _copied(drawn.pixels, plan.copy_seed) if plan.copy_of else (drawn.pixels, JPEG_QUALITY)
    content = encode_picture(pixels, Path(plan.name).suffix, quality)
    if plan.broken:
        content = content[: len(content) // 3] if plan.broken == "truncated" else b""
    (media / plan.post_id / plan.name).write_bytes(content)
    share = drawn.garment_share
    return PictureTruth(plan.post_id, plan.name, round(share, 4), share < 0.05, plan.copy_of, plan.broken)


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """`[work(item) for item in items]`, in threads: OpenCV and numpy let go of the interpreter lock."""
    with ThreadPoolExecutor(min(MAX_THREADS, os.cpu_count() or 1)) as pool:
        return list(pool.map(work, items))


def write_pictures(plans: Sequence[PicturePlan], media: Path) -> list[PictureTruth]:
    """Writes every planned picture as `media/<post_id>/<name>`; truths in the order of the plans."""
    for post_id in dict.fromkeys(plan.post_id for plan in plans):
        (media / post_id).mkdir(parents=True, exist_ok=True)
    return in_threads(lambda plan: write_picture(plan, media), plans)
