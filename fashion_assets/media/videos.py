"""Frames of a video, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
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

#: Pixels of these frames together: 1,800 frames of 1080p, or 16 s of 4K at 60/s. Frames that change nothing take a few
#: bytes however large they are.
_MAX_STEP_PIXELS: Final = 8_000_000_000

#: Streams that the limit on pixels is given to while a file is opened: pictures, sound, subtitles, cover.
_MAX_STREAMS: Final = 16

#: Times are rounded to the container's ticks, a millisecond in WebM.
_TICK: Final = 0.001

#: Seconds by which the pictures may end before a wanted moment. Sound is often some frames longer than the
#: pictures; a file that was cut ends earlier.
_MAX_GAP: Final = 1.0


def decode_video_frames(
    path: Path,
    *,
    fractions: Sequence[float] = FRAME_FRACTIONS,
    max_side: int | None = None,
    max_pixels: int = MAX_PIXELS,
    max_seconds: float = MAX_SECONDS,
) -> list[DecodedImage]:
    """The upright RGB frame that is seen at each of ``fractions`` of the duration, in their order.

    A file that does not say how long it is (recorded by a browser) is read once to its end to measure it.
    Raises MediaError if the file is no video, longer than ``max_seconds``, larger than ``max_pixels`` a
    frame, cut or damaged at any of the moments, or if PyAV is not installed: a video is used whole or not.
    """
    kind = file_kind(path, path.name)
    if kind is None or KINDS[kind][0] != "video":
        raise MediaError(f"{path.name} is {f'a {kind} file' if kind else 'of no known kind'}, not a video")
    try:
        import av
    except ImportError:
        raise MediaError(
            f'{path.name} is a video and this installation cannot read those; run "pip install av"'
        ) from None
    try:
        with av.open(
            str(path),
            mode="r",
            format=KINDS[kind][1],
            metadata_errors="ignore",
            # A playlist or reference inside must not make FFmpeg open anything else than files.
            options={"protocol_whitelist": "file"},
            # Opening decodes a first frame where the header does not tell enough.
            stream_options=[{"max_pixels": str(max_pixels)}] * _MAX_STREAMS,
        ) as container:
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
    if stream.codec_context.width < 1:
        raise MediaError(
            f"{path.name} starts with no readable frame of at most {max_pixels / 1e6:,.0f} million pixels; it is "
            "damaged, or a decompression bomb"
        )
    check_pixels(path.name, stream.codec_context.width, stream.codec_context.height, max_pixels)
    # Frames may be larger than the header says: FFmpeg refuses those before it makes room for them.
    stream.codec_context.options = {"max_pixels": str(max_pixels)}
    start = _seconds(stream.start_time, stream) or 0.0
    seconds = _duration(container, stream) or _measured_duration(container, stream, start, max_seconds)
    if seconds <= 0:
        raise MediaError(
            f"{path.name} does not say how long it is and holds no frames; its header is damaged or it was cut"
        )
    if seconds > max_seconds:
        raise MediaError(
            f"{path.name} is over {max_seconds / 60:.0f} minutes long; videos of that length are not read"
        )
    return [_frame_at(container, stream, path, start + f * seconds, max_side) for f in fractions]


def _seconds(ticks: int | None, stream: Any) -> float | None:
    return None if ticks is None or stream.time_base is None else float(ticks * stream.time_base)


def _duration(container: InputContainer, stream: Any) -> float | None:
    own = _seconds(stream.duration, stream)
    return own if own is not None or container.duration is None else container.duration / 1_000_000


def _measured_duration(container: InputContainer, stream: Any, start: float, max_seconds: float) -> float:
    """Seconds from ``start`` to the end of the last packet; infinity as soon as it is over ``max_seconds``."""
    end = start
    for packet in container.demux(stream):
        at = _seconds(packet.pts, stream)
        if at is not None:
            end = max(end, at + (_seconds(packet.duration, stream) or 0.0))
        if end - start > max_seconds:
            return inf
    return end - start


def _frame_at(
    container: InputContainer, stream: Any, path: Path, second: float, max_side: int | None
) -> DecodedImage:
    container.seek(int(second / stream.time_base), stream=stream, backward=True)
    seen: Any = None
    pixels = 0
    for step, frame in enumerate(container.decode(stream)):
        pixels += frame.width * frame.height
        after = frame.time is not None and frame.time > second + _TICK
        # The one before is still on the screen: a slide show has seconds from frame to frame.
        if seen is None or not after:
            seen = frame
        if after:
            break
        if step >= _MAX_STEPS or pixels > _MAX_STEP_PIXELS:
            raise MediaError(
                f"{path.name} has no key frame among the {step:,} frames before {second:.1f} s, where a frame is "
                "taken; save it again with key frames"
            )
    else:
        _require_not_cut(seen, stream, path, second)
    if seen is None or seen.is_corrupt:
        raise MediaError(f"{path.name} has no readable frame at {second:.1f} s; fetch it again")
    scale = 1.0 if max_side is None else min(1.0, max_side / max(seen.width, seen.height))
    size = max(1, round(seen.width * scale)), max(1, round(seen.height * scale))
    rgb = seen.to_ndarray(format="rgb24", width=size[0], height=size[1])
    # Phones store the turn beside the pixels, in degrees against the clock.
    turns = round(getattr(seen, "rotation", 0) / 90) % 4
    width, height = (seen.height, seen.width) if turns % 2 else (seen.width, seen.height)
    return DecodedImage(np.ascontiguousarray(np.rot90(rgb, turns), dtype=np.uint8), width, height)


def _require_not_cut(last: Any, stream: Any, path: Path, second: float) -> None:
    """Nothing if the file's last frame is still on the screen at ``second``; else MediaError."""
    if last is None or last.time is None:
        return
    end = last.time + (_seconds(last.duration, stream) or 0.0)
    if end + _MAX_GAP < second:
        raise MediaError(
            f"{path.name} is truncated: its pictures end at {end:.1f} s, before the {second:.1f} s that a frame is "
            f"taken at; fetch it again"
        )
