"""``segformer:<name or path>``: a SegFormer network for clothes (transformers), on CPU or GPU.

SegFormer (Xie et al. 2021) gives a score per label at a quarter of its input's size; scores are enlarged to the
picture's size before the best label is taken, as the checkpoint's card does, so that edges are smooth.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from fashion_assets.media.clothes_labels import classes_of_labels, shows_body
from fashion_assets.media.segmentation import Mask, Pixels, SegmentResult, require_picture
from fashion_assets.media.waiting_batches import WaitingBatches
from fashion_assets.networks.hub import load_folder_or_hub
from fashion_assets.networks.torch_runtime import pick_device, ready
from fashion_assets.networks.weights import (
    DIGEST_LENGTH,
    UnloadableFiles,
)
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch

#: Prepared pictures, (1, 3, h, w), each with the (height, width) that its labels are wanted in.
Pictures: TypeAlias = "Sequence[tuple[torch.Tensor, tuple[int, int]]]"
Labels = npt.NDArray[np.int64]

logger = logging.getLogger(__name__)

#: Long side up to which scores are enlarged; a larger mask is this one with larger pixels (18 labels of a 12
#: megapixel photograph would take 860 MB).
MAX_SCORE_SIDE: Final = 1024
#: Pictures in one forward pass on a GPU. On a CPU it is one: several gain nothing there.
GPU_BATCH: Final = 16


def load_segformer(name: str, *, models_dir: Path | None, device: str | None) -> SegformerSegmenter:
    """The segmenter of a saved folder or a hub repository. See ``load_segmenter`` for what raises."""
    what = f"segmenter 'segformer:{name}'"
    return load_folder_or_hub(
        what, name, models_dir, lambda folder, _, revision: _load(what, folder, revision, device)
    )


def _load(what: str, folder: Path, revision: str, device: str | None) -> SegformerSegmenter:
    import torch
    from transformers import AutoConfig, AutoImageProcessor, SegformerForSemanticSegmentation

    chosen = pick_device(device)
    try:
        config = AutoConfig.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
        if config.model_type != "segformer":
            raise UserError(f"{what}: {folder} holds a {config.model_type} network; expected a segformer one")
        try:
            classes = classes_of_labels(config.id2label)
        except UserError as fault:
            raise UserError(f"{what}: {fault}") from None
        processor: Any = AutoImageProcessor.from_pretrained(
            str(folder), local_files_only=True, trust_remote_code=False
        )
        model, report = SegformerForSemanticSegmentation.from_pretrained(
            str(folder), config=config, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    except Exception as error:  # transformers passes on what torch's reader of pickled weights refuses with
        raise UnloadableFiles(
            f"{what}: {folder} does not hold a SegFormer network that loads ({type(error).__name__}: {error})"
        ) from error
    # A network for classification lacks the head that tells pixels apart, which would be random numbers.
    missing = sorted(report["missing_keys"])
    if missing:
        raise UnloadableFiles(
            f"{what}: {folder} lacks {len(missing)} weights of the network, first {missing[0]}"
        )
    name = f"segformer-{revision[:DIGEST_LENGTH]}"
    return SegformerSegmenter(
        name, ready(model, chosen), processor, classes, chosen, finds_person=shows_body(config.id2label)
    )


class SegformerSegmenter:
    """A SegFormer network whose labels are put together to garment, person and background.

    Pictures are prepared side by side. One forward pass runs at a time, since it fills all cores or the GPU by
    itself; on a GPU it takes the pictures of all threads that wait (``FASHION_WORKERS`` of them at most).
    """

    def __init__(
        self,
        name: str,
        model: Any,
        processor: Any,
        classes: npt.NDArray[np.uint8],
        device: str,
        *,
        finds_person: bool,
    ) -> None:
        self.name = name
        self.finds_person = finds_person
        self._model = model
        self._processor = processor
        self._classes = classes
        self._device = device
        self._labels = WaitingBatches(self._halving, 1 if device == "cpu" else GPU_BATCH)

    def segment(self, rgb: Pixels) -> SegmentResult:
        """See ``Segmenter.segment``."""
        require_picture(rgb)
        height, width = rgb.shape[:2]
        scale = min(1.0, MAX_SCORE_SIDE / max(height, width))
        size = max(1, round(height * scale)), max(1, round(width * scale))
        # The layout is said, since a picture of three rows could be read either way.
        prepared = self._processor(
            images=np.ascontiguousarray(rgb), input_data_format="channels_last", return_tensors="pt"
        )["pixel_values"]
        # A checkpoint may take pictures in their own size, and then only equal ones fit one tensor.
        labels = self._labels((prepared, size), key=tuple(prepared.shape))
        return SegmentResult(_enlarge(self._classes[labels], height, width))

    def _halving(self, pictures: Pictures) -> list[Labels]:
        """``_forward`` of the pictures, in halves from now on where they do not fit into the GPU's memory."""
        import torch

        try:
            return self._forward(pictures)
        except torch.OutOfMemoryError as error:
            # A picture is at most 512 pixels long by now, so it is the memory that lacks, not this picture that errs.
            if len(pictures) == 1:
                raise UserError(
                    f"{self.name}: not even one picture fits into the memory that is left; end what else uses the "
                    f"device, or set another one ({error})"
                ) from error
        half = (len(pictures) + 1) // 2
        self._labels.largest = half
        logger.warning(
            "%s: %d pictures do not fit into memory; going on with %d", self.name, len(pictures), half
        )
        return [*self._halving(pictures[:half]), *self._halving(pictures[half:])]

    def _forward(self, pictures: Pictures) -> list[Labels]:
        """The best label of each pixel, (height, width) of the size that comes with each picture."""
        import torch

        with torch.inference_mode():
            batch = torch.cat([prepared for prepared, _ in pictures]).to(self._device)
            return [
                torch.nn.functional.interpolate(scores, size=size, mode="bilinear", align_corners=False)
                .argmax(dim=1)[0]
                .cpu()
                .numpy()
                for scores, (_, size) in zip(
                    self._model(pixel_values=batch).logits.split(1), pictures, strict=True
                )
            ]


def _enlarge(mask: Mask, height: int, width: int) -> Mask:
    import cv2

    if mask.shape == (height, width):
        return mask
    return np.asarray(cv2.resize(mask, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
