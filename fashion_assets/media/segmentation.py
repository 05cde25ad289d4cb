"""Which pixels are garment, and which are the person in it: one protocol, and one string per segmenter."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.uint8]
#: What a crop shows: the cloth alone, or the whole person in it.
Crop = Literal["garment", "person"]

#: The classes of a mask. A hat, a hood, shoes and a bag belong to the person: what is worn on the head would
#: lift the garment's top, above which reports blank everything, over the face.
BACKGROUND: Final = 0
GARMENT: Final = 1
PERSON: Final = 2

_FORMS: Final = (
    "grabcut (nothing to install)",
    "segformer:<hub name or path> (such as segformer:mattmdjaga/segformer_b2_clothes)",
    "rembg:u2net_cloth_seg",
    "rembg:<path.onnx>",
)


@dataclass(frozen=True)
class SegmentResult:
    """``mask`` uint8 (h, w), of the picture's own size: BACKGROUND, GARMENT or PERSON of each pixel."""

    mask: Mask

    @property
    def garment(self) -> npt.NDArray[np.bool_]:
        """(h, w), True on garment."""
        garment: npt.NDArray[np.bool_] = self.mask == GARMENT
        return garment

    @property
    def garment_share(self) -> float:
        """Garment pixels over all pixels, 0-1."""
        return float(self.garment.mean())

    def shown(self, crop: Crop) -> npt.NDArray[np.bool_]:
        """(h, w), True on the pixels that such a crop shows."""
        return self.garment if crop == "garment" else self.mask != BACKGROUND


@runtime_checkable
class Segmenter(Protocol):
    """Tells garment, person and background apart.

    ``name`` goes into crops' paths and rows: letters, digits, ``-`` and ``_`` only, and equal names promise equal
    masks. ``finds_person`` is False for one that knows garments alone and never gives PERSON.
    """

    name: str
    finds_person: bool

    def segment(self, rgb: Pixels) -> SegmentResult:
        """The classes of a uint8 (h, w, 3) picture; all BACKGROUND where there is no garment. Thread-safe.

        Raises UserError for an array that is no RGB picture.
        """
        ...


def load_segmenter(
    spec: str, *, models_dir: Path | str | None = None, device: str | None = None
) -> Segmenter:
    """The segmenter that ``spec`` names, ready to segment.

    ``grabcut``; ``segformer:<hub name or path>``; ``rembg:u2net_cloth_seg``; ``rembg:<path.onnx>``.
    ``models_dir``: the project's models folder, where relative paths are looked for as well. ``device``: ``cpu``,
    ``cuda``, ``cuda:1``; left out, the best there is.

    Raises UserError for an unknown kind, a library or file that is missing, labels that are not known, or a hub
    that cannot be reached.
    """
    kind, separator, name = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    models = Path(models_dir) if models_dir is not None else None
    if spec == "grabcut":
        from fashion_assets.media.grabcut import GrabCutSegmenter

        return GrabCutSegmenter()
    if kind not in ("segformer", "rembg") or not separator:
        raise UserError(f"there is no segmenter {spec!r}; expected one of {', '.join(_FORMS)}")
    if not name:
        raise UserError(f"segmenter {spec!r} names no network; expected one of {', '.join(_FORMS)}")
    if kind == "segformer":
        _require(spec, "transformers", ("torch", "transformers"))
        from fashion_assets.media.segformer import load_segformer

        return load_segformer(name, models_dir=models, device=device)
    _require(spec, "onnxruntime", ("onnxruntime",))
    from fashion_assets.media.rembg import load_rembg

    return load_rembg(name, models_dir=models, device=device)


def _require(spec: str, library: str, modules: tuple[str, ...]) -> None:
    missing = [module for module in modules if importlib.util.find_spec(module) is None]
    if missing:
        raise UserError(
            f"segmenter {spec!r} needs {', '.join(missing)}, which is not installed; pip install {library}, "
            "or set FASHION_SEGMENTER=grabcut, which needs neither"
        )


def require_picture(rgb: Pixels) -> None:
    """Nothing. Raises UserError for an array that is not uint8 (h, w, 3) with at least one pixel."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
        raise UserError(f"a picture to segment is {rgb.dtype} {rgb.shape}; expected uint8 (h, w, 3)")


def scaled_region(region: Mask, height: int, width: int) -> Mask:
    """uint8 (height, width), 1 where the region of ones, (h, w), covers most of a pixel: a smooth outline."""
    import cv2

    if region.shape == (height, width):
        return region
    scaled = cv2.resize(region * 255, (width, height), interpolation=cv2.INTER_LINEAR)
    return (np.asarray(scaled) > 127).astype(np.uint8)
