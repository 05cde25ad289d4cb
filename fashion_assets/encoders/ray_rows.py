"""Items as rows of an Arrow table, which is what Ray moves: from the driver to decoding tasks to encoders.

A picture file on disk or in a bucket travels as its path and is read by the worker; a packed picture as its bytes, a
picture in memory as its pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.encoders.pictures import PackedPicture, is_picture, picture_pixels
from fashion_assets.encoders.protocol import Modality
from fashion_assets.media.errors import MediaError
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import is_place, place

#: One item. ``key`` is what the caller knows it by; of text, path, content (with its name) and pixels one is there;
#: ``refused`` says why a picture cannot be read.
ROWS: Final = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("path", pa.string()),
        pa.field("name", pa.string()),
        pa.field("content", pa.large_binary()),
        pa.field("pixels", pa.large_binary()),
        pa.field("height", pa.int32()),
        pa.field("width", pa.int32()),
        pa.field("channels", pa.int32()),
        pa.field("refused", pa.string()),
    ]
)

_EXPECTED: Final[dict[Modality, str]] = {
    "text": "str",
    "image": "Path, Pillow image or uint8 array (wrap file names in Path: a str is a text)",
    "joint": "str, Path, Pillow image or uint8 array",
}


def check_kinds(items: Sequence[Any], modality: Modality, model_id: str, first: int = 0) -> None:
    """Nothing if the encoder takes all items. Raises UserError that names the first it does not, from ``first``."""
    for number, item in enumerate(items, first):
        if isinstance(item, str):
            fine = modality != "image"
        else:
            fine = modality != "text" and is_picture(item)
        if not fine:
            raise UserError(
                f"{model_id} takes {modality} items: number {number} is a {type(item).__name__}, expected "
                f"{_EXPECTED[modality]}"
            )


def is_reference(item: object) -> bool:
    """Whether the item is small whatever it stands for: a text or a path."""
    return isinstance(item, str) or is_place(item)


def rows_of_items(keys: Sequence[str], items: Sequence[Any]) -> pa.Table:
    """A table of ``ROWS``, one row per item, in order; a packed picture that cannot be fetched is refused already."""
    return _table([_row(key, item) for key, item in zip(keys, items, strict=True)])


def decoded(rows: pa.Table, max_side: int, block_bytes: int) -> Iterator[pa.Table]:
    """The rows with every picture as pixels, its long side at most ``max_side`` (files only), or refused.

    They come in tables of about ``block_bytes`` of pixels, so that a task holds no more than that.
    """
    block: list[dict[str, Any]] = []
    held = 0
    for row in rows.to_pylist():
        block.append(_decoded(row, max_side))
        held += len(block[-1].get("pixels") or b"")
        if held >= block_bytes:
            yield _table(block)
            block, held = [], 0
    if block:
        yield _table(block)


def items_of_rows(rows: pa.Table) -> list[Any]:
    """The texts (str) and pictures (uint8 (h, w, 3|4)) of rows that are decoded and not refused, in order."""
    columns = [
        rows.column(name).combine_chunks() for name in ("text", "pixels", "height", "width", "channels")
    ]
    return [
        text.as_py() if text.is_valid else _pixels(buffer, (h.as_py(), w.as_py(), c.as_py()))
        for text, buffer, h, w, c in zip(*columns, strict=True)
    ]


def _row(key: str, item: Any) -> dict[str, Any]:
    if isinstance(item, str):
        return {"key": key, "text": item}
    if is_place(item):
        # Workers have another working folder.
        return {"key": key, "path": str(item.absolute())}
    if isinstance(item, PackedPicture):
        try:
            return {"key": key, "name": item.name, "content": item.read()}
        except MediaError as error:
            return {"key": key, "refused": str(error)}
    return {"key": key, **_pixel_cells(item)}


def _decoded(row: dict[str, Any], max_side: int) -> dict[str, Any]:
    item: Any
    if row["path"] is not None:
        item = place(row["path"])
    elif row["content"] is not None:
        content = row["content"]
        item = PackedPicture(row["name"], lambda: content)
    else:
        return row
    kept = {"key": row["key"]}
    try:
        return {**kept, **_pixel_cells(picture_pixels(item, max_side=max_side))}
    except UserError as error:
        return {**kept, "refused": str(error)}


def _pixel_cells(pixels: npt.NDArray[np.uint8]) -> dict[str, Any]:
    height, width, channels = picture_pixels(pixels).shape
    return {"pixels": pixels.tobytes(), "height": height, "width": width, "channels": channels}


def _pixels(buffer: Any, shape: tuple[int, int, int]) -> npt.NDArray[np.uint8]:
    # A view of the block's memory, which Ray shares between processes.
    return np.frombuffer(buffer.as_buffer(), dtype=np.uint8).reshape(shape)


def _table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=ROWS)
