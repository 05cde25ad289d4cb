"""The garment of each picture: its share, and a crop of it, or of the person in it, without background."""

from __future__ import annotations

import io
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.media.decoding import DECODING, DecodedImage, decode_image
from fashion_assets.media.errors import MediaError
from fashion_assets.media.locations import resolve_inside
from fashion_assets.media.schemas import GARMENT_IMAGES, as_table
from fashion_assets.media.segmentation import Crop, Segmenter
from fashion_assets.media.videos import decode_video_frames
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import local_copy, write_bytes_atomic
from fashion_assets.storage.places import ASKING_THREADS, Place, existing, is_remote

logger = logging.getLogger(__name__)

#: Below this share of garment a picture says nothing about style: the reference's rule (over 95 % black).
MIN_SHARE: Final = 0.05
#: Long side of a crop: what encoders take is 224.
CROP_SIDE: Final = 256
#: Long side at which pictures are decoded: twice the crop's, since a kept garment is seldom under half of the
#: height.
DECODE_SIDE: Final = 512
#: WebP quality of the crops' colours (alpha is lossless): a third of the bytes of lossless WebP.
QUALITY: Final = 90
#: WebP's effort, 0-6: less than the default 4 costs a few bytes and saves half of the time.
_EFFORT: Final = 2
WORKERS: Final = 2

Pixels = npt.NDArray[np.uint8]
Shown = npt.NDArray[np.bool_]
Row = dict[str, Any]
Key = tuple[str, float | None]

_CONTENT: Final = (
    "decoding",
    "garment_share",
    "crop_path",
    "garment_path",
    "box_left",
    "box_top",
    "box_width",
    "box_height",
)


@dataclass(frozen=True)
class _Task:
    """How pictures become crops, the same for all of a month."""

    media_root: Place
    crops_root: Place
    segmenter: Segmenter
    min_share: float
    crop: Crop


def garment_images(
    pictures: pd.DataFrame,
    media_root: Place,
    crops_root: Place,
    segmenter: Segmenter,
    month: str,
    min_share: float = MIN_SHARE,
    known: pd.DataFrame | None = None,
    *,
    crop: Crop = "garment",
    workers: int = WORKERS,
) -> pd.DataFrame:
    """The GARMENT_IMAGES rows of a month, one for each of ``pictures`` (POST_IMAGES rows with status ``ok``).

    Where the garment covers at least ``min_share`` of the picture, its crop lies at
    ``crops_root/<segmenter>/<two digits>/<digest>-d3.webp`` (``<digest>-f0.25-d3.webp`` for a video's frame; 3
    is ``DECODING``): RGBA, long side at most 256, alpha 0 off the garment. With ``crop="person"`` a second one
    below ``<segmenter>-person`` shows skin, hair, shoes and bags too, and is the row's ``crop_path``;
    ``garment_path`` stays the first, which shows no face. The share is the garment's either way.

    Equal digests are segmented once, and not at all if ``known`` (earlier GARMENT_IMAGES rows of the same
    segmenter, crop and decoding) holds them and the crops are still there. A file that cannot be read any more
    gives a row that is not kept, with no share. Raises UserError for person crops of a segmenter that finds
    clothes alone.

    ``attrs`` of the result: ``segmented`` counts the different contents that were looked at, ``reused`` and
    ``unreadable`` the pictures.
    """
    if crop == "person" and not segmenter.finds_person:
        raise UserError(
            f"the segmenter {segmenter.name} finds clothes alone, so that there are no crops of the whole person; "
            "set FASHION_CROP=garment, or FASHION_SEGMENTER to grabcut or a segformer with labels of the body"
        )
    records = [{str(name): value for name, value in record.items()} for record in pictures.to_dict("records")]
    task = _Task(media_root, crops_root, segmenter, min_share, crop)
    seen = _known_contents(known, task)
    first_of: dict[Key, Row] = {}
    for record in records:
        if _key(record) not in seen:
            first_of.setdefault(_key(record), record)
    # What comes from a bucket and goes to it is mostly waited for.
    far = is_remote(media_root) or is_remote(crops_root)
    threads = max(workers, ASKING_THREADS // 2) if far else max(1, workers)
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="segment") as pool:
        found = dict(
            zip(first_of, pool.map(lambda record: _content(record, task), first_of.values()), strict=True)
        )
    contents = {**seen, **found}
    rows = [
        {
            **{name: record[name] for name in ("image_id", "post_id", "digest")},
            "month": month,
            "segmenter": segmenter.name,
            "crop": crop,
            **contents[_key(record)],
            "kept": contents[_key(record)]["crop_path"] is not None,
        }
        for record in records
    ]
    frame = as_table(rows, GARMENT_IMAGES)
    frame.attrs.update(
        segmented=sum(content["garment_share"] is not None for content in found.values()),
        reused=sum(_key(record) in seen for record in records),
        unreadable=int(frame["garment_share"].isna().sum()),
    )
    return frame


def _key(record: Row) -> Key:
    frame = record["frame"]
    return str(record["digest"]), None if pd.isna(frame) else float(frame)


def crop_name(segmenter: str, digest: str, frame: float | None, crop: Crop = "garment") -> str:
    """Where a crop lies, relative to the crops root, with forward slashes.

    The name is the key of the crop's vectors, and so holds all that the crop's pixels depend on.
    """
    suffix = "" if frame is None else f"-f{frame:g}"
    folder = segmenter if crop == "garment" else f"{segmenter}-{crop}"
    return f"{folder}/{digest[:2]}/{digest}{suffix}-d{DECODING}.webp"


def _known_contents(known: pd.DataFrame | None, task: _Task) -> dict[Key, Row]:
    """(digest, frame) -> what is known, where it still holds under this segmenter, crop and smallest share."""
    # Tables of earlier releases lack columns: what they knew is found anew.
    if known is None or not set(GARMENT_IMAGES.names) <= set(known.columns):
        return {}
    same = known[
        (known["segmenter"] == task.segmenter.name)
        & (known["crop"] == task.crop)
        & (known["decoding"] == DECODING)
    ]
    contents: dict[Key, Row] = {}
    named = {path for path in (*same["crop_path"], *same["garment_path"]) if isinstance(path, str)}
    there = existing(task.crops_root / path for path in named)
    for record in same.to_dict("records"):
        _, _, fraction = str(record["image_id"]).rpartition("#")
        frame = _fraction(fraction) if "#" in str(record["image_id"]) else None
        content = {name: None if pd.isna(record[name]) else record[name] for name in _CONTENT}
        if record["garment_share"] < task.min_share or record["garment_share"] == 0:
            content["crop_path"] = content["garment_path"] = None
        elif not all(path and task.crops_root / path in there for path in _paths(content)):
            continue  # kept now but not then, or swept away since: it is cut again
        contents[(str(record["digest"]), frame)] = content
    return contents


def _paths(content: Row) -> tuple[str | None, str | None]:
    return content["crop_path"], content["garment_path"]


def _fraction(text: str) -> float | None:
    """The frame behind the # of an image id; None where the # belongs to a picture's own name."""
    try:
        return float(text)
    except ValueError:
        return None


def _content(record: Row, task: _Task) -> Row:
    """Share, box and crop of one picture; all None if it cannot be read. Runs in a thread."""
    digest, frame = _key(record)
    try:
        image = _decode(resolve_inside(task.media_root, str(record["path"])), frame)
    except MediaError as refusal:
        logger.warning("picture %s has no garment: %s", record["image_id"], refusal)
        return dict.fromkeys(_CONTENT)
    result = task.segmenter.segment(image.rgb)
    content: Row = dict.fromkeys(_CONTENT) | {"decoding": DECODING, "garment_share": result.garment_share}
    # The share is stored as float32, and the rule must give the same answer when it is read back.
    if np.float32(result.garment_share) < task.min_share or not result.garment.any():
        return content
    garment_path = _write_crop(image, result.garment, crop_name(task.segmenter.name, digest, frame), task)
    shown = result.shown(task.crop)
    left, top, width, height = _box(shown)
    name = crop_name(task.segmenter.name, digest, frame, task.crop)
    scale_x, scale_y = image.width / image.rgb.shape[1], image.height / image.rgb.shape[0]
    return content | {
        "crop_path": garment_path if name == garment_path else _write_crop(image, shown, name, task),
        "garment_path": garment_path,
        "box_left": round(left * scale_x),
        "box_top": round(top * scale_y),
        "box_width": max(1, round(width * scale_x)),
        "box_height": max(1, round(height * scale_y)),
    }


def _write_crop(image: DecodedImage, shown: Shown, name: str, task: _Task) -> str:
    """``name``, under which the crop lies now; one that lies there already is left as it is."""
    path = task.crops_root / name
    # To ask a bucket takes as long as to write the same crop again.
    if is_remote(path) or not path.is_file():
        left, top, width, height = _box(shown)
        window = (slice(top, top + height), slice(left, left + width))
        write_bytes_atomic(path, _crop_bytes(image.rgb[window], shown[window]))
    return name


def _decode(path: Place, frame: float | None) -> DecodedImage:
    if frame is None:
        return decode_image(path, max_side=DECODE_SIDE)
    with local_copy(path) as video:
        return decode_video_frames(video, fractions=(frame,), max_side=DECODE_SIDE)[0]


def _box(shown: Shown) -> tuple[int, int, int, int]:
    """Left, top, width, height of the smallest box around what is shown."""
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)


def _crop_bytes(rgb: Pixels, shown: Shown) -> bytes:
    """WebP with alpha. Pixels that are not shown are white below it: what they held is not kept."""
    from PIL import Image

    alpha = shown.astype(np.uint8) * np.uint8(255)
    cut = np.dstack([np.where(shown[:, :, None], rgb, np.uint8(255)), alpha])
    picture = Image.fromarray(cut, "RGBA")
    picture.thumbnail((CROP_SIDE, CROP_SIDE), Image.Resampling.BOX, reducing_gap=None)
    out = io.BytesIO()
    picture.save(out, "WEBP", quality=QUALITY, alpha_quality=100, method=_EFFORT)
    return out.getvalue()
