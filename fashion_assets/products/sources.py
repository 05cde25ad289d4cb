"""Where product cards come from: a folder, or a zip of one that is read without unpacking.

Belongs here: finding and opening files. Does not: what is in them (``card_files``, ``pictures``).
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from fashion_assets.storage.archive_faults import ARCHIVE_FAULTS
from fashion_assets.storage.errors import UserError

CARD_SUFFIXES = (".csv", ".csv.gz", ".parquet")

#: Cards are read into memory as a whole; a file in a zip that unpacks to more was made to fill it.
MAX_CARD_FILE_BYTES = 2_000_000_000


def card_contents(source: Path) -> Iterator[tuple[str, bytes]]:
    """(file name, content) of each card file, by name: those directly in a folder, or in a zip those of the
    outermost folder that has any.

    Raises UserError if ``source`` is neither, or has no card file, or one cannot be read.
    """
    source = Path(source)
    if source.is_dir():
        names = sorted(path.name for path in source.iterdir() if path.name.lower().endswith(CARD_SUFFIXES))
        for name in names:
            try:
                yield name, (source / name).read_bytes()
            except OSError as error:
                raise UserError(f"{name} cannot be read ({error}); copy it again") from error
    else:
        with open_archive(source) as archive:
            names = _card_members(archive)
            for name in names:
                yield archive_path(name).as_posix(), _member(archive, name)
    if not names:
        raise UserError(
            f"{source} has no product cards; put a .csv or .parquet file with an id and a title column there"
        )


def open_archive(source: Path | IO[bytes], name: str | None = None) -> zipfile.ZipFile:
    """The zip, ready to read. Raises UserError if it is missing or no zip; ``name`` stands for an open file."""
    shown = name or Path(str(source)).name
    if isinstance(source, Path) and not source.exists():
        raise UserError(
            f"{source} is not a folder or a zip; expected product cards (*.csv or *.parquet) and images/ or a zip"
        )
    try:
        return zipfile.ZipFile(source)
    except ARCHIVE_FAULTS as error:
        raise UserError(
            f"{shown} is not a readable zip ({error}); copy it again, or unpack it into a folder"
        ) from error


def visible_members(archive: zipfile.ZipFile) -> list[str]:
    """Names of the files in the zip, sorted, without what macOS and other systems hide in it."""
    names = [info.filename for info in archive.infolist() if not info.filename.endswith("/")]
    return sorted(
        name
        for name in names
        if not any(part.startswith(".") or part == "__MACOSX" for part in archive_path(name).parts)
    )


def archive_path(name: str) -> PurePosixPath:
    """A member's name as a path; zips made on Windows may hold backslashes."""
    return PurePosixPath(name.replace("\\", "/"))


def _card_members(archive: zipfile.ZipFile) -> list[str]:
    cards = [name for name in visible_members(archive) if name.lower().endswith(CARD_SUFFIXES)]
    outermost = min((len(archive_path(name).parts) for name in cards), default=0)
    return [name for name in cards if len(archive_path(name).parts) == outermost]


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    size = archive.getinfo(name).file_size
    if size > MAX_CARD_FILE_BYTES:
        raise UserError(f"{name} unpacks to {size:,} bytes, more than {MAX_CARD_FILE_BYTES:,}; split it")
    try:
        return archive.read(name)
    except ARCHIVE_FAULTS as error:
        raise UserError(f"{name} cannot be read from the zip ({error}); make the zip again") from error
