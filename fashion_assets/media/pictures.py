"""A month's pictures and video frames as rows: size, digest, hashes, near-duplicate group, or the refusal."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import Any, Final

import pandas as pd

from fashion_assets.media.decoding import (
    DECODING,
    MAX_PIXELS,
    DecodedImage,
    decode_image,
    require_regular,
)
from fashion_assets.media.errors import MediaError
from fashion_assets.media.hashing import (
    group_near_duplicates,
    perceptual_hash,
    thumbprint,
    thumbprint_vectors,
)
from fashion_assets.media.kinds import is_video_name
from fashion_assets.media.locations import resolve_inside
from fashion_assets.media.schemas import POST_IMAGES, as_table
from fashion_assets.media.videos import FRAME_FRACTIONS, decode_video_frames
from fashion_assets.storage.files import file_digest, local_copy
from fashion_assets.storage.places import ASKING_THREADS, Place, is_remote

logger = logging.getLogger(__name__)

#: Long side at which pictures are hashed: eight times the hash's 32 rows.
HASH_SIDE: Final = 256

#: Threads that decode; Pillow, libjpeg and hashlib release the GIL.
WORKERS: Final = 2

#: What every use of the same bytes under the same kind of name shares, and so is taken over from ``known``.
_CONTENT: Final = ("frame", "width", "height", "n_bytes", "phash", "thumbprint", "decoding")

Row = dict[str, Any]


def describe_pictures(
    manifest: pd.DataFrame,
    media_root: Place,
    month: str,
    known: pd.DataFrame | None = None,
    *,
    workers: int = WORKERS,
    max_pixels: int = MAX_PIXELS,
) -> pd.DataFrame:
    """The POST_IMAGES rows of a month, in the manifest's order; a video gives one row per frame.

    ``manifest`` has ``post_id``, ``name`` (of the file in its post), ``path`` (relative to ``media_root``),
    ``digest``, ``n_bytes`` and ``reason`` (set where the landing refused the file already). Files of the same
    digest are decoded once, and not at all if ``known`` (earlier POST_IMAGES rows) holds them. A file that
    cannot be used becomes a row with status ``refused`` and a reason; nothing that a file holds makes this
    raise.

    ``attrs`` of the result counts the files: ``decoded``, ``reused``, ``refused``.
    """
    entries = [_entry(record) for record in manifest.to_dict("records")]
    seen = _contents_by_key(known)
    first_of: dict[tuple[str, str], Row] = {}
    for entry in entries:
        if entry["reason"] is None:
            _locate(entry, media_root)
        if entry["reason"] is None and entry["key"] not in seen:
            first_of.setdefault(entry["key"], entry)
    # What comes from a bucket is mostly waited for.
    threads = max(workers, ASKING_THREADS) if is_remote(media_root) else max(1, workers)
    with ThreadPoolExecutor(max_workers=threads, thread_name_prefix="decode") as pool:
        found = dict(
            zip(first_of, pool.map(lambda e: _content(e, max_pixels), first_of.values()), strict=True)
        )
    contents: dict[tuple[str, str], list[Row] | str] = {**seen, **found}
    rows = [row for entry in entries for row in _rows(entry, contents, month)]
    _mark_duplicates(rows)
    frame = as_table(rows, POST_IMAGES)
    frame.attrs.update(
        decoded=sum(not isinstance(content, str) for content in found.values()),
        reused=sum(entry["reason"] is None and entry["key"] in seen for entry in entries),
        refused=int((frame["status"] == "refused").sum()),
    )
    return frame


def _entry(record: dict[Any, Any]) -> Row:
    """A manifest row with its gaps as None."""
    clean = {key: None if pd.isna(value) else value for key, value in record.items()}
    path = clean.get("path")
    return {
        "post_id": str(clean["post_id"]),
        "name": str(clean.get("name") or PurePosixPath(str(path or "?")).name),
        "path": None if path is None else str(path),
        "digest": clean.get("digest") or None,
        "n_bytes": clean.get("n_bytes"),
        "reason": clean.get("reason") or None,
    }


def _locate(entry: Row, media_root: Place) -> None:
    """Adds ``file``, and ``key`` (digest, suffix); or the reason why the file is not to be opened."""
    try:
        if entry["path"] is None:
            raise MediaError(
                f"{entry['name']} has no path in the manifest; expected one relative to {media_root}"
            )
        entry["file"] = resolve_inside(media_root, entry["path"])
        if not is_remote(media_root):  # there, a file that is gone shows when it is fetched
            require_regular(entry["file"], entry["name"])
        if entry["digest"] is None:
            entry["digest"] = file_digest(entry["file"])
        # The suffix is part of the key: the same bytes may be right under one name and refused under another.
        entry["key"] = (entry["digest"], PurePosixPath(entry["path"]).suffix.lower())
    except MediaError as refusal:
        entry["reason"] = str(refusal)
    except OSError as fault:
        entry["reason"] = f"{entry['name']} cannot be read: {fault.strerror or fault}"


def _contents_by_key(known: pd.DataFrame | None) -> dict[tuple[str, str], list[Row]]:
    """(digest, suffix) -> what is known of these bytes, one dict per frame. Refusals are looked at again, and
    so is what was decoded in another way.
    """
    if known is None or known.empty or "decoding" not in known.columns:
        return {}
    usable = known[(known["status"] == "ok") & (known["decoding"] == DECODING)]
    contents: dict[tuple[str, str], dict[Any, Row]] = {}
    for record in usable.to_dict("records"):
        key = (str(record["digest"]), PurePosixPath(str(record["path"])).suffix.lower())
        frame = None if pd.isna(record["frame"]) else float(record["frame"])
        content = {name: record[name] for name in _CONTENT} | {"frame": frame}
        contents.setdefault(key, {}).setdefault(frame, content)
    return {key: list(frames.values()) for key, frames in contents.items()}


def _content(entry: Row, max_pixels: int) -> list[Row] | str:
    """What the file shows, one dict per frame, or the reason of its refusal. Runs in a thread."""
    path: Place = entry["file"]
    try:
        if is_video_name(entry["path"]):
            with local_copy(path) as video:
                frames = decode_video_frames(video, max_side=HASH_SIDE, max_pixels=max_pixels)
            described = [_describe(image, f) for image, f in zip(frames, FRAME_FRACTIONS, strict=True)]
        else:
            described = [_describe(decode_image(path, max_side=HASH_SIDE, max_pixels=max_pixels), None)]
        size = entry["n_bytes"] if is_remote(path) else path.stat().st_size
    except MediaError as refusal:
        return str(refusal)
    except OSError as fault:
        return f"{entry['name']} cannot be read: {fault.strerror or fault}"
    return [{**content, "n_bytes": size} for content in described]


def _describe(image: DecodedImage, frame: float | None) -> Row:
    return {
        "frame": frame,
        "width": image.width,
        "height": image.height,
        "phash": perceptual_hash(image.rgb),
        "thumbprint": thumbprint(image.rgb),
        "decoding": DECODING,
    }


def _rows(entry: Row, contents: dict[tuple[str, str], list[Row] | str], month: str) -> list[Row]:
    base: Row = {
        "image_id": f"{entry['post_id']}/{entry['name']}",
        **{name: entry[name] for name in ("post_id", "path", "digest", "n_bytes")},
        "month": month,
        "is_representative": False,
    }
    content = entry["reason"] or contents[entry["key"]]
    if isinstance(content, str):
        if "file" in entry:  # a person knows the picture by its post, not by its place in the lake
            for place in (str(entry["file"]), entry["file"].name):
                content = content.replace(place, base["image_id"])
        logger.info("picture %s refused: %s", base["image_id"], content)
        return [{**base, "status": "refused", "reason": content}]
    return [
        {
            **base,
            **part,
            "image_id": base["image_id"] + ("" if part["frame"] is None else f"#{part['frame']:g}"),
            "status": "ok",
            "reason": None,
        }
        for part in content
    ]


def _mark_duplicates(rows: list[Row]) -> None:
    """Sets ``duplicate_group`` and ``is_representative``: the largest picture of a group stands for it.

    Rows of the same digest and frame are one picture whatever their thumbprints say (a plain one confirms
    nothing).
    """
    pictures: dict[tuple[str, float | None], list[Row]] = {}
    for row in rows:
        if row["status"] == "ok":
            pictures.setdefault((row["digest"], row["frame"]), []).append(row)
    members = list(pictures.values())
    if not members:
        return
    leaders = group_near_duplicates(
        [same[0]["phash"] for same in members],
        confirm=thumbprint_vectors([same[0]["thumbprint"] for same in members]),
    )
    groups: dict[int, list[Row]] = {}
    for leader, same in zip(leaders.tolist(), members, strict=True):
        groups.setdefault(leader, []).extend(same)
    for group in groups.values():
        best = min(group, key=lambda row: (-int(row["width"]) * int(row["height"]), row["image_id"]))
        for row in group:
            row["duplicate_group"] = best["image_id"]
            row["is_representative"] = row is best
