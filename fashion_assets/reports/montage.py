"""The month's montage as one PNG: a row of pictures per style under its name."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fashion_assets.reports.fonts import LabelFont, find_han_font, readable_label
from fashion_assets.reports.pictures import GROUND, TILE_SIZE, Thumb, placeholder
from fashion_assets.reports.wording import ELLIPSIS

if TYPE_CHECKING:
    from PIL import Image

PAPER, INK, RULE = (255, 255, 255), (28, 29, 31), (220, 218, 213)
MARGIN, GAP, LABEL_HEIGHT, LABEL_SIZE = 20, 6, 34, 17


@dataclass(frozen=True)
class MontageRow:
    """One style. `fallback` (ASCII, e.g. "Style 7, 12.3%") labels the row where no font can draw `title`."""

    title: str
    thumbs: Sequence[Thumb] = field(default_factory=tuple)
    fallback: str = ""


def montage_png(
    rows: Sequence[MontageRow],
    columns: int = 10,
    *,
    tile: tuple[int, int] = TILE_SIZE,
    font: LabelFont | str | None = "installed",
) -> bytes:
    """PNG bytes: `rows` rows of `columns` tiles, each row under its label.

    Places without a picture get the neutral tile, pictures beyond `columns` are left out. `font` is for
    tests: None draws ASCII labels only.
    """
    from PIL import Image, ImageDraw

    chosen = find_han_font() if isinstance(font, str) else font
    face = _face(chosen)
    width = 2 * MARGIN + columns * tile[0] + (columns - 1) * GAP
    row_height = LABEL_HEIGHT + tile[1] + GAP * 2
    height = 2 * MARGIN + max(len(rows), 1) * row_height - GAP * 2
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    if not rows:
        pen.text((MARGIN, MARGIN), "No styles in this month.", INK, face)
    for index, row in enumerate(rows):
        top = MARGIN + index * row_height
        label = readable_label(row.title, row.fallback or f"row {index + 1}", chosen)
        pen.text((MARGIN, top + 6), _fitting(label, face, width - 2 * MARGIN), INK, face)
        for column in range(columns):
            thumb = row.thumbs[column] if column < len(row.thumbs) else placeholder("", tile)
            left = MARGIN + column * (tile[0] + GAP)
            sheet.paste(_open(thumb, tile), (left, top + LABEL_HEIGHT))
            box = (left, top + LABEL_HEIGHT, left + tile[0] - 1, top + LABEL_HEIGHT + tile[1] - 1)
            pen.rectangle(box, outline=RULE)
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _face(font: LabelFont | None) -> Any:
    from PIL import ImageFont

    if font is not None:
        return ImageFont.truetype(str(font.path), LABEL_SIZE, index=font.face)
    return ImageFont.load_default(LABEL_SIZE)  # the Latin font inside Pillow


def _fitting(label: str, face: Any, room: float) -> str:
    if face.getlength(label) <= room:
        return label
    dots = "..." if label.isascii() else ELLIPSIS
    while label and face.getlength(label + dots) > room:
        label = label[:-1]
    return label + dots


def _open(thumb: Thumb, tile: tuple[int, int]) -> Image.Image:
    """The tile at its size; a picture of another shape is centred on the ground, never stretched."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(thumb.jpeg)) as opened:
            picture = opened.convert("RGB")
    except OSError:
        return _open(placeholder(thumb.image_id, tile), tile)
    return picture if picture.size == tile else ImageOps.pad(picture, tile, color=GROUND)
