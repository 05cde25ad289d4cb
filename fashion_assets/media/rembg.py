"""``rembg:u2net_cloth_seg`` and ``rembg:<path.onnx>``: the clothes network that the rembg tool ships, by ONNX Runtime.

The rembg package itself is not needed, only the file. The network is U2-Net (Qin et al. 2020) with four outputs per
pixel: background, upper, lower and full-body clothes (``levindabhi/cloth-segmentation``). It knows no skin, hair or
shoes: crops of the whole person are not to be had from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fashion_assets.media.segmentation import GARMENT, Pixels, SegmentResult, require_picture, scaled_region
from fashion_assets.networks.onnx_session import open_session
from fashion_assets.networks.weights import DIGEST_LENGTH, local_path, missing_file, path_digest
from fashion_assets.storage.errors import UserError

#: The one network of rembg that tells clothes apart; the others find figures, with their faces.
CLOTHES_NETWORK: Final = "u2net_cloth_seg"
#: Where its authors publish the file, 176 MB, MD5 2434d1f3cb744e0e49386c906e5a08bb.
DOWNLOAD: Final = "https://github.com/danielgatis/rembg/releases/download/v0.0.0/u2net_cloth_seg.onnx"
#: Where rembg itself keeps its files.
REMBG_HOME: Final = "~/.u2net"
#: Side of the input if the graph leaves it open: what the network was trained on.
DEFAULT_SIDE: Final = 768
#: (rgb / 255 - mean) / std as in the network's own ``infer.py``. rembg takes ImageNet's figures in this place, which
#: the network was not trained with.
MEAN: Final = 0.5
STD: Final = 0.5
#: Background, upper, lower, full body.
N_CLASSES: Final = 4


def load_rembg(name: str, *, models_dir: Path | None, device: str | None) -> RembgSegmenter:
    """The segmenter of rembg's clothes network or of a file like it. See ``load_segmenter`` for what raises."""
    what = f"segmenter 'rembg:{name}'"
    path = _file(what, name, models_dir)
    session = open_session(what, path, device)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape, channels = inputs[0].shape, outputs[0].shape[1:2]
    wrong_input = len(inputs) != 1 or len(shape) != 4 or shape[1] != 3 or inputs[0].type != "tensor(float)"
    if wrong_input or (isinstance(channels[0] if channels else 0, int) and channels != [N_CLASSES]):
        raise UserError(
            f"{what}: {path} takes {inputs[0].type} {shape} and gives {outputs[0].shape}; expected float (1, 3, "
            f"height, width) and (1, {N_CLASSES}, height, width) with background, upper, lower and full-body "
            f"clothes, as {CLOTHES_NETWORK} has"
        )
    height, width = (side if isinstance(side, int) else DEFAULT_SIDE for side in shape[2:])
    return RembgSegmenter(f"rembg-{path_digest(path)[:DIGEST_LENGTH]}", session, height, width)


def _file(what: str, name: str, models_dir: Path | None) -> Path:
    if name == CLOTHES_NETWORK:
        file_name = f"{CLOTHES_NETWORK}.onnx"
        folders = [models_dir / "rembg"] if models_dir is not None else []
        places = [folder / file_name for folder in (*folders, Path(REMBG_HOME).expanduser())]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise UserError(
                f"{what}: there is no {' nor '.join(map(str, places))}; fetch {DOWNLOAD} (176 MB) and put it at the "
                "first of these places, or give its path as rembg:<path.onnx>"
            )
        return found
    path = local_path(name, models_dir)
    if path is not None and path.is_file():
        return path
    if not name.endswith(".onnx"):
        raise UserError(
            f"{what}: {name!r} is neither an ONNX file nor {CLOTHES_NETWORK}, the one network of rembg that tells "
            "clothes from background; the others find figures and are not taken here"
        )
    raise missing_file(what, name, models_dir)


class RembgSegmenter:
    """Garment where the network finds upper, lower or full-body clothes. ONNX Runtime's sessions are thread-safe."""

    finds_person: bool = False

    def __init__(self, name: str, session: Any, height: int, width: int) -> None:
        self.name = name
        self._session = session
        self._size = height, width
        self._input = session.get_inputs()[0].name
        self._output = session.get_outputs()[0].name

    def segment(self, rgb: Pixels) -> SegmentResult:
        """See ``Segmenter.segment``. Raises UserError too if the network's answer is not (1, 4, h, w)."""
        require_picture(rgb)
        scores = self._session.run([self._output], {self._input: self._prepared(rgb)})[0]
        if scores.ndim != 4 or scores.shape[:2] != (1, N_CLASSES):
            raise UserError(f"{self.name} gives {scores.shape}; expected (1, {N_CLASSES}, height, width)")
        # Which of several clothes wins does not matter, so the best of them meets the background.
        cloth = (scores[0, 1:].max(axis=0) > scores[0, 0]).astype(np.uint8)
        return SegmentResult(scaled_region(cloth, *rgb.shape[:2]) * np.uint8(GARMENT))

    def _prepared(self, rgb: Pixels) -> npt.NDArray[np.float32]:
        """(1, 3, height, width): the whole picture stretched to the network's input."""
        from PIL import Image

        height, width = self._size
        resized = Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS)
        scaled = (np.asarray(resized, dtype=np.float32) / 255 - MEAN) / STD
        return np.ascontiguousarray(scaled.transpose(2, 0, 1)[None], dtype=np.float32)
