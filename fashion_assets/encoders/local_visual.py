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
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders import local_visual_blocks as blocks
from fashion_assets.encoders.batches import readers_for
from fashion_assets.encoders.items import item_list
from fashion_assets.encoders.pictures import picture_pixels
from fashion_assets.encoders.protocol import Modality
from fashion_assets.media.errors import MediaError
from fashion_assets.storage.errors import UserError

Vectors = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]

#: Part of the model id: raised with every change of what a block measures.
VERSION: Final = 1
#: Long side, in pixels, at which files are decoded.
DECODE_SIDE: Final = 256

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
    decode_side: int = DECODE_SIDE

    def __init__(self, *, weights: dict[str, float] | None = None, workers: int | None = None) -> None:
        chosen = WEIGHTS if weights is None else weights
        if unknown := set(chosen) - set(WEIGHTS):
            raise UserError(
                f"local:visual has no block {', '.join(sorted(unknown))}; expected {', '.join(WEIGHTS)}"
            )
        # Always in the order of WEIGHTS: equal ids must mean equal columns.
        self.weights = {name: chosen[name] for name in WEIGHTS if name in chosen}
        # cv2 and numpy release the interpreter lock for most of a picture's time.
        self.workers = workers if workers is None else max(1, workers)
        self.model_id = visual_model_id(self.weights)
        self.dim = len(self._vector(np.full((8, 8, 3), 255, dtype=np.uint8)))

    def encode(self, items: Iterable[Any], refused: dict[int, str] | None = None) -> Vectors:
        """(n, d) float32 unit rows for ``Path``s, packed files, Pillow images or uint8 arrays (h, w, 3) RGB or
        (h, w, 4) RGBA, alpha = garment.

        Raises UserError if an item is no picture, MediaError for a file that cannot be read; with ``refused``
        given such a file is noted there by its number, and its row is zeros.
        """
        items = item_list(items, self.model_id)
        out = np.zeros((len(items), self.dim), dtype=np.float32)
        workers = self.workers or readers_for(items)
        pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="visual")
        try:
            for number, row in enumerate(pool.map(self._encode_one, items)):
                if isinstance(row, np.ndarray):
                    out[number] = row
                elif refused is None:
                    raise row
                else:
                    refused[number] = str(row)
        finally:
            pool.shutdown(cancel_futures=True)
        return out

    def _encode_one(self, item: Any) -> Vectors | MediaError:
        import cv2

        # Pictures run side by side already.
        cv2.setNumThreads(1)
        try:
            return self._vector(picture_pixels(item, max_side=self.decode_side))
        except MediaError as error:
            return error

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
