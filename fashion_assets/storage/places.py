"""Where files lie: a local path, or an S3 prefix that is used by the same methods.

Belongs here: making a path out of what a person set, and looking at files without reading them. Does not: writing
and reading (``files``, ``parquet_files``), waiting for each other (``locks``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import urlsplit

from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from fashion_assets.storage.s3 import S3Place

#: Requests to a bucket side by side: each waits some tens of milliseconds and computes nothing.
ASKING_THREADS = 16
#: A file or folder. Both kinds have ``/``, ``name``, ``stem``, ``parent``, ``exists``, ``open``, ``read_bytes``,
#: ``unlink``, ``glob`` and the rest of pathlib.
Place: TypeAlias = "Path | S3Place"


@dataclass(frozen=True)
class Stamp:
    """Size and time of change of a file, and an object's ETag: if all stayed, nobody has written to it."""

    n_bytes: int
    changed_ns: int
    tag: str = ""

    @classmethod
    def of(cls, place: Place) -> Stamp | None:
        """The stamp of a file, None if it is gone."""
        if is_remote(place):
            try:
                return _stamp(place.head())
            except FileNotFoundError:
                return None
        try:
            status = place.stat()
        except OSError:
            return None
        return cls(status.st_size, status.st_mtime_ns)

    @property
    def text(self) -> str:
        """What tells this stamp from another of the same size."""
        return f"mtime:{self.changed_ns}" + (f" etag:{self.tag}" if self.tag else "")


def place(location: str | os.PathLike[str] | Place) -> Place:
    """The path object of a local path or of ``s3://bucket/prefix``; one that is a path object already as it is.

    Nothing is looked at. Raises UserError for another scheme, a bucket that is missing, credentials in the address,
    and where the extra ``s3`` is not installed.
    """
    if isinstance(location, Path):
        # Dagster hands over UPath's own kind of local path.
        return location if type(location).__module__ == "pathlib" else Path(str(location))
    if is_remote(location):
        return location
    text = os.fspath(location) if isinstance(location, os.PathLike) else str(location)
    if "://" not in text:
        return Path(text)
    address = urlsplit(text)
    if address.scheme == "file":
        return Path(address.path)
    shown = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
    if address.scheme != "s3":
        raise UserError(f"{shown} cannot be used; expected a local path or s3://bucket/prefix")
    if "@" in address.netloc:
        raise UserError(
            f"{shown} was given with credentials in it; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or a "
            "profile or role) instead"
        )
    if not address.netloc:
        raise UserError(f"{shown} names no bucket; expected s3://bucket/prefix")
    return _s3_class()(text.rstrip("/") if address.path.strip("/") else f"s3://{address.netloc}/")


def is_remote(item: object) -> TypeIs[S3Place]:
    """Whether the item is a path in a bucket."""
    # What was never imported has no instances; asking must not import it.
    module = sys.modules.get("fashion_assets.storage.s3")
    return module is not None and isinstance(item, module.S3Place)


def is_place(item: object) -> TypeIs[Place]:
    """Whether the item is a path of either kind."""
    return isinstance(item, Path) or is_remote(item)


def inside(folder: Place, path: Place) -> PurePath:
    """The path of a file as seen from a folder that it lies in."""
    if is_remote(path):
        return PurePosixPath(str(path).removeprefix(str(folder).rstrip("/") + "/"))
    return path.relative_to(str(folder))


def files_below(
    folder: Place, pattern: str = "*", *, closed: dict[Place, str] | None = None
) -> dict[Place, Stamp]:
    """Every file below the folder, in path order, with its stamp; none if the folder is missing.

    ``pattern`` is one of file names. In a bucket this is one request per 1,000 files. Raises PermissionError for a
    folder that may not be read, or puts it into ``closed`` with the system's word: ``rglob`` passes it over.
    """
    from fnmatch import fnmatchcase

    if is_remote(folder):
        return {
            path: _stamp(said) for path, said in folder.listed().items() if fnmatchcase(path.name, pattern)
        }

    def refused(fault: OSError) -> None:
        if isinstance(
            fault, FileNotFoundError | NotADirectoryError
        ):  # gone, or replaced, since it was listed
            return
        if closed is None or not isinstance(fault, PermissionError):
            raise fault
        closed[Path(fault.filename)] = os.strerror(fault.errno or 0)

    found: dict[Place, Stamp] = {}
    for inner, _, names in os.walk(folder, onerror=refused):
        try:
            for path in (Path(inner, name) for name in names if fnmatchcase(name, pattern)):
                stamp = Stamp.of(path) if path.is_file() else None
                if stamp is not None:
                    found[path] = stamp
        except PermissionError as fault:  # it may be listed, and not entered
            refused(PermissionError(fault.errno, fault.strerror, inner))
    return dict(sorted(found.items()))


def entries(folder: Place) -> tuple[dict[Place, Stamp], list[Place]]:
    """(files with their stamps, folders) directly in ``folder``, in path order; nothing if it is missing.

    A link to a file is a file, a link to a folder is left out. In a bucket this is one request per 1,000 names.
    """
    files: dict[Place, Stamp] = {}
    folders: list[Place] = []
    if is_remote(folder):
        for key, said in folder.children().items():
            if said["type"] == "directory":
                folders.append(key)
            else:
                files[key] = _stamp(said)
        return files, folders
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_file():
            stamp = Stamp.of(path)
            if stamp is not None:
                files[path] = stamp
        elif path.is_dir() and not path.is_symlink():
            folders.append(path)
    return files, folders


def existing(paths: Iterable[Place]) -> set[Place]:
    """Those that are files now; in a bucket some are asked for at a time."""
    asked = list(paths)
    if not any(is_remote(path) for path in asked):
        return {path for path in asked if path.is_file()}
    with ThreadPoolExecutor(ASKING_THREADS, thread_name_prefix="ask-bucket") as pool:
        return {
            path for path, stamp in zip(asked, pool.map(Stamp.of, asked), strict=True) if stamp is not None
        }


def require_reachable(folder: Place) -> None:
    """Nothing for a local folder, or a prefix that can be listed. Raises UserError with what is wrong of it."""
    if not is_remote(folder):
        return
    from botocore.exceptions import BotoCoreError

    bucket, prefix, _ = folder.fs.split_path(folder.path)
    try:
        folder.fs.call_s3("list_objects_v2", Bucket=bucket, Prefix=prefix or "", MaxKeys=1)
    except FileNotFoundError as fault:
        raise UserError(
            f"there is no bucket {bucket!r} for {folder}; make it, or mend the address"
        ) from fault
    except PermissionError as fault:
        raise UserError(
            f"{folder} may not be listed ({fault}); it needs s3:ListBucket, s3:GetObject, s3:PutObject, "
            "s3:DeleteObject and s3:AbortMultipartUpload"
        ) from fault
    except (BotoCoreError, OSError) as fault:
        raise UserError(
            f"{folder} cannot be reached ({_first_line(fault)}); check AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and the "
            "credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role)"
        ) from fault


def _first_line(fault: Exception) -> str:
    return (str(fault).strip() or type(fault).__name__).splitlines()[0]


def _s3_class() -> type[S3Place]:
    try:
        import s3fs  # noqa: F401 - the class needs it at its first use, and the person a sentence before

        from fashion_assets.storage.s3 import S3Place
    except ImportError as fault:
        raise UserError(
            f"s3:// addresses need s3fs and universal_pathlib, of which one is not installed ({fault}); pip install "
            '"fashion-assets[s3]"'
        ) from fault
    return S3Place


def _stamp(said: dict[str, Any]) -> Stamp:
    changed = said.get("LastModified")
    seconds = changed.timestamp() if changed is not None else 0.0
    return Stamp(
        int(said.get("size") or 0), int(seconds * 1_000_000_000), str(said.get("ETag", "")).strip('"')
    )
