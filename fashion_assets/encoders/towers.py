"""From one or two towers to an Encoder: items are checked and told apart, empty texts become zero rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.batches import BatchRunner
from fashion_assets.encoders.items import item_list
from fashion_assets.encoders.pictures import Pixels, is_picture, picture_on_white
from fashion_assets.encoders.protocol import Modality, Vectors
from fashion_assets.encoders.rows import checked_vectors, unit_rows
from fashion_assets.networks.weights import with_preprocessing
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch

    from fashion_assets.encoders.torch_pictures import PictureInput

#: Raised when the way from an item to the network's input changes, so that old vectors are not taken for new ones.
#: Pictures, 2: files are read by ``media.decoding`` at a long side of ``pictures.DECODE_SIDE``; before, at their own.
PREPROCESSING_VERSIONS: Final[dict[Modality, int]] = {"text": 1, "image": 2, "joint": 2}


@dataclass(frozen=True)
class Trainable:
    """A tower's network for those who train it: ``rows`` makes (n, d) rows of what ``Tower.prepare`` made, and
    gradients flow back through it into ``network``.
    """

    network: torch.nn.Module
    rows: Callable[[Any], torch.Tensor]
    #: How pictures become the batch; None for texts.
    picture: PictureInput | None = None


@dataclass(frozen=True)
class Tower:
    """One way through a network: ``prepare`` makes a batch of model input ahead of time, ``forward`` runs it.

    ``prepare`` is given a list of texts, or of what ``transform`` made of each picture's RGB pixels, uint8
    (h, w, 3) with transparency laid on white; ``transform`` runs in many threads at once.
    """

    prepare: Callable[[list[Any]], Any]
    forward: Callable[[Any], npt.NDArray[np.float32]]
    transform: Callable[[Pixels], Any] = lambda pixels: pixels
    #: Batches that ``forward`` takes at a time, each from a thread of its own.
    lanes: int = 1
    #: Whether ``forward`` always works on whole batches, however few items there are.
    fixed: bool = False
    #: What training needs; None for what cannot be trained (ONNX).
    trainable: Trainable | None = None

    def read(self, item: Any) -> Any:
        """What ``prepare`` takes for one picture item. Raises MediaError for a file that cannot be read."""
        import cv2

        # Pictures are read side by side already.
        cv2.setNumThreads(1)
        return self.transform(picture_on_white(item))


class NetworkEncoder:
    """An Encoder around a text tower, an image tower, or both of one space."""

    def __init__(
        self,
        model_id: str,
        dim: int,
        *,
        text: Tower | None = None,
        image: Tower | None = None,
        batch_size: int,
        save: Callable[[Path], None] | None = None,
    ) -> None:
        self.modality: Modality = "joint" if text and image else "text" if text else "image"
        self.model_id = with_preprocessing(model_id, PREPROCESSING_VERSIONS[self.modality])
        self.dim = dim
        #: The ways through the network, for those who time it alone.
        self.text_tower, self.image_tower = text, image
        #: Writes network and preprocessing into an empty folder that ``<kind>:<folder>`` loads; None: cannot be saved.
        self.save = save
        self._text = self._image = None
        if text is not None:
            self._text = BatchRunner(
                text.prepare,
                text.forward,
                batch_size=batch_size,
                dim=dim,
                name=self.model_id,
                lanes=text.lanes,
            )
        if image is not None:
            self._image = BatchRunner(
                image.prepare,
                image.forward,
                batch_size=batch_size,
                dim=dim,
                name=self.model_id,
                read=image.read,
                lanes=image.lanes,
                fixed=image.fixed,
            )

    def encode(self, items: Iterable[Any], refused: dict[int, str] | None = None) -> Vectors:
        """(n, d) float32 unit rows in the order of ``items``; all-zero rows for empty texts.

        Raises UserError for an item of the wrong kind, MediaError for a picture that cannot be read; with
        ``refused`` given such a picture is noted there by its number, and its row is zeros.
        """
        items = item_list(items, self.model_id)
        texts = [index for index, item in enumerate(items) if isinstance(item, str)]
        pictures = [index for index, item in enumerate(items) if is_picture(item)]
        self._check_kinds(items, texts, pictures)
        out = np.zeros((len(items), self.dim), dtype=np.float32)
        filled = [index for index in texts if items[index].strip()]
        unreadable: dict[int, str] = {}
        if self._text is not None and filled:
            chosen = [items[index] for index in filled]
            self._put(out, filled, self._text.run(chosen, [len(text) for text in chosen]))
        if self._image is not None and pictures:
            chosen = [items[index] for index in pictures]
            raw = self._image.run(chosen, refused=None if refused is None else unreadable)
            self._put(out, pictures, raw)
        if refused is not None:
            refused |= {pictures[number]: reason for number, reason in unreadable.items()}
        return out

    def _put(self, out: Vectors, indices: list[int], raw: Vectors) -> None:
        """The unit rows of ``raw`` at ``indices`` of ``out``."""
        names = [f"number {index}" for index in indices]
        out[indices] = unit_rows(checked_vectors(raw, len(indices), self.dim, self.model_id, names))

    def _check_kinds(self, items: Sequence[Any], texts: list[int], pictures: list[int]) -> None:
        allowed = (len(texts) if self._text else 0) + (len(pictures) if self._image else 0)
        if allowed == len(items):
            return
        fine = set(texts if self._text else []) | set(pictures if self._image else [])
        wrong = next(index for index in range(len(items)) if index not in fine)
        expected = {
            "text": "str",
            "image": "Path, Pillow image or uint8 array (wrap file names in Path)",
            "joint": "str, Path, Pillow image or uint8 array",
        }[self.modality]
        raise UserError(
            f"{self.model_id} takes {self.modality} items: number {wrong} is a "
            f"{type(items[wrong]).__name__}, expected {expected}"
        )
