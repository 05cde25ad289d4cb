"""Frames of a video, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fashion_assets.media.decoding import MAX_PIXELS, DecodedImage, check_pixels, file_kind
from fashion_assets.media.errors import MediaError
from fashion_assets.media.kinds import KINDS

if TYPE_CHECKING:
    from av.container import InputContainer

#: Where in a video a frame is taken: the reference project's choice; the first and last frames are often
#: titles.
FRAME_FRACTIONS: Final = (0.25, 0.5, 0.75)

#: Posts hold clips of at most a few minutes; a longer file is a film or a wrong header.
MAX_SECONDS: Final = 1800.0

#: Frames that may be decoded from the key frame before the wanted moment; 30 s at 60/s is more than any key
#: interval.
_MAX_STEPS: Final = 1800


def decode_video_frames(
    path: Path,
    *,
    fractions: Sequence[float] = FRAME_FRACTIONS,
    max_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
    max_seconds: float = MAX_SECONDS,
) -> list[DecodedImage]:
    """One upright RGB frame for each of ``fractions`` of the duration, in their order.

    Raises MediaError if the file is no video, longer than ``max_seconds``, larger than ``max_pixels`` a
    frame, damaged, or if PyAV is not installed.
    """
    kind = file_kind(path)
    if kind is None or KINDS[kind][0] != "video":
        raise MediaError(f"{path.name} is {f'a {kind} file' if kind else 'of no known kind'}, not a video")
    try:
        import av
    except ImportError:
        raise MediaError(
            f'{path.name} is a video and this installation cannot read those; run "pip install av"'
        ) from None
    try:
        with av.open(str(path), mode="r", metadata_errors="ignore") as container:
            return _frames(container, path, fractions, max_side, max_pixels, max_seconds)
    except MediaError:
        raise
    except Exception as fault:  # as with pictures: damaged bytes make a decoder raise nearly anything
        text = str(fault).strip() or type(fault).__name__
        raise MediaError(
            f"{path.name} is a {kind} file that cannot be read ({text}); fetch it again"
        ) from fault


def _frames(
    container: InputContainer,
    path: Path,
    fractions: Sequence[float],
    max_side: int | None,
    max_pixels: int,
    max_seconds: float,
) -> list[DecodedImage]:
    if not container.streams.video:
        raise MediaError(f"{path.name} holds no pictures, only sound; expected a video")
    stream = container.streams.video[0]
    check_pixels(path.name, stream.codec_context.width, stream.codec_context.height, max_pixels)
    seconds = _duration(container, stream)
    if seconds is None or seconds <= 0:
        raise MediaError(
            f"{path.name} does not say how long it is; its header is damaged or it was cut while sent"
        )
    if seconds > max_seconds:
        raise MediaError(
            f"{path.name} is {seconds / 60:.0f} minutes long; at most {max_seconds / 60:.0f} minutes are read"
        )
    base = stream.time_base
    start = float(stream.start_time * base) if stream.start_time is not None and base is not None else 0.0
    return [_frame_at(container, stream, path, start + f * seconds, max_side) for f in fractions]


def _duration(container: InputContainer, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / 1_000_000


def _frame_at(
    container: InputContainer, stream: Any, path: Path, second: float, max_side: int | None
) -> DecodedImage:
    container.seek(int(second / stream.time_base), stream=stream, backward=True)
    last = None
    for step, frame in enumerate(container.decode(stream)):
        last = frame
        if (frame.time is not None and frame.time >= second) or step >= _MAX_STEPS:
            break
    if last is None:
        raise MediaError(f"{path.name} has no readable frame at {second:.1f} s; fetch it again")
    scale = 1.0 if max_side is None else min(1.0, max_side / max(last.width, last.height))
    size = max(1, round(last.width * scale)), max(1, round(last.height * scale))
    rgb = last.to_ndarray(format="rgb24", width=size[0], height=size[1])
    # Phones store the turn beside the pixels, in degrees against the clock.
    turns = round(getattr(last, "rotation", 0) / 90) % 4
    width, height = (last.height, last.width) if turns % 2 else (last.width, last.height)
    return DecodedImage(np.ascontiguousarray(np.rot90(rgb, turns), dtype=np.uint8), width, height)
