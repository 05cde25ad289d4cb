"""Paths that a manifest names, kept inside the folder that they must lie in."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

from fashion_assets.media.errors import MediaError
from fashion_assets.storage.places import Place, is_remote


def resolve_inside(root: Place, relative: str) -> Place:
    """The file ``relative`` under ``root`` with every symbolic link followed.

    Raises MediaError if the path is empty, absolute, holds ``..`` or a NUL byte, or ends outside ``root`` by
    a link. That the file exists is not checked.
    """
    if not relative or "\0" in relative:
        raise MediaError(
            f"the media path {relative!r} is not a file name; expected a path relative to {root}"
        )
    parts = (*PurePosixPath(relative).parts, *PureWindowsPath(relative).parts)
    if PurePosixPath(relative).is_absolute() or PureWindowsPath(relative).drive or ".." in parts:
        raise MediaError(
            f"the media path {relative!r} leaves the media folder; expected one under {root}, without '..'"
        )
    if is_remote(root):
        return root / relative  # a bucket has no links
    try:
        resolved = (root / relative).resolve()
        inside = resolved.is_relative_to(root.resolve())
    except (OSError, RuntimeError) as fault:
        raise MediaError(
            f"the media path {relative!r} cannot be followed under {root}: a loop of links, or a name that is too "
            "long; expected a file"
        ) from fault
    if not inside:
        raise MediaError(
            f"the media path {relative!r} is a link to a place outside {root}; copy the file there instead"
        )
    return resolved
