"""``onnx:<path>`` and ``onnx:<path>#<output>``: any exported picture network, run by ONNX Runtime.

A network with an input ``input_ids`` takes texts: ``onnx_texts``.

How the network wants its input is read from ``<file name>.json`` beside it (``net.onnx`` -> ``net.json``),
all keys optional: ``{"input": "image", "output": "features", "size": [224, 224], "mean": [128, 128, 128],
"std": [128, 128, 128], "fit": "pad"}``; pixels become ``(rgb - mean) / std`` with rgb in 0..255, channels
first. ``"fit": "resize-crop", "resize": [256], "interpolation": "bicubic"`` does what torchvision does with Pillow;
``onnx_picture_export`` writes it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.onnx_texts import NETWORK_FILE, load_onnx_texts, takes_texts
from fashion_assets.encoders.towers import NetworkEncoder, Tower
from fashion_assets.networks.cores import cpu_lanes
from fashion_assets.networks.onnx_session import lanes_of, open_session
from fashion_assets.networks.torch_runtime import CPU_BATCH_SIZE
from fashion_assets.networks.weights import local_path, missing_file, model_id_of, path_digest
from fashion_assets.storage.errors import UserError

Fit = Literal["pad", "stretch", "crop", "resize-crop"]
Interpolation = Literal["bicubic", "bilinear"]

#: Input side if neither the graph nor the JSON says (ImageNet's usual).
DEFAULT_SIDE = 224
#: The output that is taken if there are several and nobody chose.
FEATURES = "features"


@dataclass(frozen=True)
class OnnxInput:
    """What a network wants: names, (height, width), pixel scaling, and how a picture is made to fit.

    The default scaling, (rgb - 128) / 128, is that of the TensorFlow MobileNets. ``pad`` is the default
    fit: a garment is judged whole, where a centre crop would cut hem and collar off portrait pictures.
    """

    input: str | None = None
    output: str | None = None
    size: tuple[int, int] | None = None
    mean: tuple[float, float, float] = (128.0, 128.0, 128.0)
    std: tuple[float, float, float] = (128.0, 128.0, 128.0)
    fit: Fit = "pad"
    #: For the fit ``resize-crop``, as torchvision does it with Pillow: to this short side, or height and width, then
    #: the middle of ``size``.
    resize: tuple[int, ...] | None = None
    interpolation: Interpolation = "bicubic"


def load_onnx(
    name: str, *, models_dir: Path | None, device: str | None, batch_size: int | None
) -> NetworkEncoder:
    """The encoder of an ONNX file, for texts or pictures; CUDA is used if asked for or found, and ONNX Runtime can."""
    spec = f"onnx:{name}"
    text, _, chosen_output = name.partition("#")
    path = local_path(text, models_dir)
    if path is not None and path.is_dir():
        path = path / NETWORK_FILE
    if path is None or not path.is_file():
        raise missing_file(f"encoder {spec!r}", str(path or text), models_dir)
    session = open_session(f"encoder {spec!r}", path, device, lanes=cpu_lanes())
    if takes_texts(session):
        return load_onnx_texts(spec, path, session, chosen_output=chosen_output, batch_size=batch_size)
    wanted = _read_settings(path.with_suffix(".json"))
    if chosen_output:
        wanted = replace(wanted, output=chosen_output)
    settings, fixed_batch = _resolved(spec, session, wanted)
    revision = _revision(path)
    model_id = model_id_of(f"onnx:{path.name}" + (f"#{chosen_output}" if chosen_output else ""), revision)
    tower = _tower(session, settings, fixed_batch)
    dim = int(tower.forward(tower.prepare([tower.read(np.zeros((8, 8, 3), dtype=np.uint8))])).shape[1])
    return NetworkEncoder(model_id, dim, image=tower, batch_size=fixed_batch or batch_size or CPU_BATCH_SIZE)


def _revision(path: Path) -> str:
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return path_digest(path)
    return hashlib.sha256((path_digest(path) + path_digest(beside)).encode()).hexdigest()


def _read_settings(beside: Path) -> OnnxInput:
    if not beside.is_file():
        return OnnxInput()
    try:
        given = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{beside} is not JSON: {error}") from error
    known = set(OnnxInput.__dataclass_fields__)
    if not isinstance(given, dict) or set(given) - known:
        unknown = ", ".join(sorted(set(given) - known)) if isinstance(given, dict) else type(given).__name__
        raise UserError(
            f"{beside} holds {unknown}; expected an object with {', '.join(sorted(known))}, all optional"
        )
    for key, length in (("size", 2), ("mean", 3), ("std", 3)):
        value = given.get(key)
        if value is not None:
            if (
                not isinstance(value, list)
                or len(value) != length
                or not all(isinstance(v, int | float) for v in value)
            ):
                raise UserError(f"{beside}: {key} is {value!r}; expected a list of {length} numbers")
            given[key] = tuple(value)
    resize = given.get("resize")
    if resize is not None:
        if (
            not isinstance(resize, list)
            or len(resize) not in (1, 2)
            or not all(isinstance(v, int) for v in resize)
        ):
            raise UserError(f"{beside}: resize is {resize!r}; expected [short side] or [height, width]")
        given["resize"] = tuple(resize)
    if 0 in given.get("std", ()) or given.get("fit", "pad") not in get_args(Fit):
        raise UserError(f"{beside}: std may hold no 0, and fit is one of {', '.join(get_args(Fit))}")
    if given.get("interpolation", "bicubic") not in get_args(Interpolation):
        raise UserError(f"{beside}: interpolation is one of {', '.join(get_args(Interpolation))}")
    return OnnxInput(**given)


def _resolved(spec: str, session: Any, wanted: OnnxInput) -> tuple[OnnxInput, int | None]:
    """The settings with every name and size filled in from the graph, and the graph's batch size if it is
    fixed."""
    inputs = {entry.name: entry for entry in session.get_inputs()}
    outputs = [entry.name for entry in session.get_outputs()]
    name = wanted.input or next(iter(inputs))
    if name not in inputs:
        raise UserError(f"encoder {spec!r}: the network has no input {name!r}; it has {', '.join(inputs)}")
    shape = inputs[name].shape
    if len(shape) != 4 or shape[1] != 3 or inputs[name].type != "tensor(float)":
        raise UserError(
            f"encoder {spec!r}: input {name!r} is {inputs[name].type} of shape {shape}; expected float "
            "(N, 3, height, width)"
        )
    output = wanted.output or (FEATURES if FEATURES in outputs else outputs[0] if len(outputs) == 1 else None)
    if output not in outputs:
        asked = f"has no output {output!r}" if output else "has several outputs"
        raise UserError(
            f"encoder {spec!r}: the network {asked}; choose with onnx:<path>#<output> from "
            f"{', '.join(outputs)}"
        )
    height, width = (side if isinstance(side, int) else DEFAULT_SIDE for side in shape[2:])
    fixed = shape[0] if isinstance(shape[0], int) else None
    return replace(wanted, input=name, output=output, size=wanted.size or (height, width)), fixed


def _tower(session: Any, settings: OnnxInput, fixed_batch: int | None) -> Tower:
    mean, std = np.asarray(settings.mean, dtype=np.float32), np.asarray(settings.std, dtype=np.float32)
    table: npt.NDArray[np.float32] = (np.arange(256, dtype=np.float32)[:, None] - mean) / std
    height, width = settings.size or (DEFAULT_SIDE, DEFAULT_SIDE)

    def transform(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        if settings.fit == "resize-crop":
            resize = settings.resize or (min(height, width),)
            return resize_and_crop(pixels, resize, settings.interpolation, height, width)
        return fit_picture(pixels, height, width, settings.fit)

    def prepare(fitted: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
        return scaled_batch(fitted, table)

    def forward(batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        n_items = len(batch)
        if fixed_batch is not None and n_items < fixed_batch:
            filler = np.zeros((fixed_batch - n_items, *batch.shape[1:]), dtype=np.float32)
            batch = np.concatenate([batch, filler])
        rows = session.run([settings.output], {settings.input: batch})[0][:n_items]
        return np.asarray(rows, dtype=np.float32).reshape(n_items, -1)

    return Tower(prepare, forward, transform, lanes_of(session), fixed=fixed_batch is not None)


def scaled_batch(
    pictures: list[npt.NDArray[np.uint8]], table: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """(n, 3, h, w) float32 of n RGB pictures (h, w, 3): ``table`` (256, 3) holds each value's number by channel."""
    import cv2

    height, width = pictures[0].shape[:2]
    batch = np.empty((len(pictures), 3, height, width), dtype=np.float32)
    columns = [np.ascontiguousarray(column) for column in table.T]
    for picture, planes in zip(pictures, batch, strict=True):
        for plane, values, column in zip(planes, cv2.split(picture), columns, strict=True):
            # A look-up straight into the batch spares arithmetic and a transposition.
            cv2.LUT(values, column, dst=plane)
    return batch


def resize_and_crop(
    pixels: npt.NDArray[np.uint8],
    resize: tuple[int, ...],
    interpolation: Interpolation,
    height: int,
    width: int,
) -> npt.NDArray[np.uint8]:
    """(height, width, 3) uint8: what torchvision's ``Resize`` and ``CenterCrop`` make of a Pillow image."""
    from PIL import Image

    rows, columns = pixels.shape[:2]
    if len(resize) == 2:
        new_rows, new_columns = resize
    else:
        # The long side is cut to whole pixels, not rounded.
        short = min(rows, columns)
        new_rows, new_columns = int(resize[0] * rows / short), int(resize[0] * columns / short)
    method = Image.Resampling.BICUBIC if interpolation == "bicubic" else Image.Resampling.BILINEAR
    resized = np.asarray(Image.fromarray(pixels).resize((new_columns, new_rows), method))
    top, left = round((new_rows - height) / 2), round((new_columns - width) / 2)
    return resized[top : top + height, left : left + width]


def fit_picture(pixels: npt.NDArray[np.uint8], height: int, width: int, fit: Fit) -> npt.NDArray[np.uint8]:
    """(height, width, 3) uint8: ``pad`` keeps the whole picture on white, ``crop`` its middle, ``stretch``
    all of it."""
    import cv2

    rows, columns = pixels.shape[:2]
    if fit == "stretch":
        new_rows, new_columns = height, width
    else:
        ratios = height / rows, width / columns
        ratio = min(ratios) if fit == "pad" else max(ratios)
        new_rows, new_columns = max(1, round(rows * ratio)), max(1, round(columns * ratio))
    # Area averaging is free of moire when shrinking, bilinear is smooth when growing.
    method = cv2.INTER_AREA if new_rows < rows else cv2.INTER_LINEAR
    resized = np.asarray(cv2.resize(pixels, (new_columns, new_rows), interpolation=method), dtype=np.uint8)
    top, left = abs(height - new_rows) // 2, abs(width - new_columns) // 2
    if fit == "crop":
        return resized[top : top + height, left : left + width]
    out = np.full((height, width, 3), 255, dtype=np.uint8)
    out[top : top + new_rows, left : left + new_columns] = resized
    return out
