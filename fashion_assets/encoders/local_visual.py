"""``local:visual``: shape, texture and colour of a garment as one vector, without a network and without a
download.

Belongs here: the encoder and the weights of its blocks. The measurements themselves are in
``local_visual_blocks``; finding the garment in a photograph is ``media.segmentation``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders import local_visual_blocks as blocks
from fashion_assets.encoders.items import item_list
from fashion_assets.encoders.protocol import Modality
from fashion_assets.media.decoding import decode_cut_out
from fashion_assets.storage.errors import UserError

Vectors = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

#: Part of the model id: raised with every change of what a block measures.
VERSION: Final = 1
#: Long side at which files are decoded.
_DECODE_SIDE: Final = 256
#: Threads; cv2 and numpy release the GIL for most of a picture's time.
WORKERS: Final = 2

#: Block -> weight. Behind each: what is left without the block of two neighbour purities, the share of a
#: picture's 15 nearest that have its sub-category (4,000 catalogue pictures, mean over categories; .732 with
#: all) and of its 10 nearest that have its latent style (700 drawn outfits, cut out; .956 with all). Colour
#: stands high although it costs the first: in UMAP and k-means it costs nothing (benchmarks/visual_nmi.py),
#: and where GrabCut's region is rough it carries the style (of the 5 nearest .75 share it with colour at 0.6,
#: .84 at 1.0).
WEIGHTS: Final[dict[str, float]] = {
    "frame": 1.0,  # .691 / .958  gradients of the whole picture: what kind of thing, where and how large
    "tight": 1.0,  # .649 / .947  gradients of the garment's box: its cut
    "texture": 0.9,  # .723 / .954  woven, knitted, printed, plain
    "colour": 1.0,  # .771 / .874  which shades and how much of each
    "layout": 0.75,  # .719 / .954  light and dark parts: a pale top over dark trousers
    "proportions": 0.4,  # .728 / .956  long, square, sparse or solid
}


def visual_model_id(weights: Mapping[str, float] = WEIGHTS) -> str:
    """``local:visual@v<version>-<8 hex>``: changes with the descriptor's version and its weights. Loads nothing."""
    parameters = json.dumps([VERSION, sorted(weights.items())])
    return f"local:visual@v{VERSION}-{hashlib.sha256(parameters.encode()).hexdigest()[:8]}"


class LocalVisualEncoder:
    """Six weighted blocks, each of length 1, less what all pictures share, end to end, at length 1.

    The cosine of two pictures is thus the weighted mean of the blocks' cosines. Nothing is learned: a
    picture's vector depends on its pixels and on ``WEIGHTS`` alone, and ``model_id`` changes with either.
    """

    modality: Modality = "image"

    def __init__(self, *, weights: dict[str, float] | None = None, workers: int = WORKERS) -> None:
        chosen = WEIGHTS if weights is None else weights
        if unknown := set(chosen) - set(WEIGHTS):
            raise UserError(
                f"local:visual has no block {', '.join(sorted(unknown))}; expected {', '.join(WEIGHTS)}"
            )
        # Always in the order of WEIGHTS: equal ids must mean equal columns.
        self.weights = {name: chosen[name] for name in WEIGHTS if name in chosen}
        self.workers = max(1, workers)
        self.model_id = visual_model_id(self.weights)
        self.dim = len(self._vector(np.full((8, 8, 3), 255, dtype=np.uint8)))

    def encode(self, items: Iterable[Any]) -> Vectors:
        """(n, d) float32 unit rows for ``Path``s, Pillow images or uint8 arrays (h, w, 3) RGB or (h, w, 4)
        RGBA, alpha = garment.

        Raises UserError (MediaError for files) if an item is no picture.
        """
        items = item_list(items, self.model_id)
        if len(items) == 0:
            return np.empty((0, self.dim), dtype=np.float32)
        if self.workers == 1 or len(items) == 1:
            rows = [self._encode_one(item) for item in items]
        else:
            with ThreadPoolExecutor(max_workers=self.workers, thread_name_prefix="visual") as pool:
                rows = list(pool.map(self._encode_one, items))
        return np.stack(rows)

    def _encode_one(self, item: Any) -> Vectors:
        import cv2

        # Pictures run side by side already.
        cv2.setNumThreads(1)
        return self._vector(_pixels(item))

    def _vector(self, pixels: Pixels) -> Vectors:
        measured = describe(pixels)
        return blocks.unit(np.concatenate([weight * measured[name] for name, weight in self.weights.items()]))


def describe(pixels: Pixels) -> dict[str, Vectors]:
    """Block name -> float32 vector of length 1 (or 0), for a uint8 (h, w, 3) or (h, w, 4) picture.

    From the histogram blocks their own mean is taken off: roots of shares all point into one corner, where
    the cosine tells little apart.
    """
    views = blocks.views_of(pixels)
    measured = {
        "frame": _off_centre(blocks.gradients(views.frame)),
        "tight": _off_centre(blocks.gradients(views.tight)),
        "texture": _off_mean(blocks.texture(views.kept, views.kept_mask)),
        "colour": _off_mean(blocks.colour(views.kept, views.kept_mask)),
        "layout": blocks.layout(views.frame),
        "proportions": _off_mean(blocks.proportions(views)),
    }
    return {name: blocks.unit(values) for name, values in measured.items()}


def _off_mean(values: Vectors) -> Vectors:
    return values - values.mean(dtype=np.float32)


#: Gradient strength is what all pictures share: the zero frequency's mean over the bins.
def _off_centre(gradients: Vectors) -> Vectors:
    grid = gradients.reshape(-1, blocks._BINS).copy()
    grid[0] -= grid[0].mean()
    return grid.ravel()


def _pixels(item: Any) -> Pixels:
    if isinstance(item, Path):
        return decode_cut_out(item, max_side=_DECODE_SIDE)
    if not isinstance(item, np.ndarray):
        raise UserError(
            f"a picture item is a {type(item).__name__}; expected a Path, a Pillow image or a uint8 array "
            "(h, w, 3 or 4)"
            + (" (wrap file names in Path: a str is a text)" if isinstance(item, str) else "")
        )
    if item.dtype != np.uint8 or item.ndim != 3 or item.shape[2] not in (3, 4) or 0 in item.shape:
        raise UserError(f"a picture is {item.dtype} {item.shape}; expected uint8 (h, w, 3) or (h, w, 4)")
    return item
