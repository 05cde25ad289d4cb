"""The pictures beside the cards, in a folder or inside a zip that is read without unpacking."""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO

from fashion_assets.products.sources import archive_path, open_archive, visible_members
from fashion_assets.storage.archive_faults import ARCHIVE_FAULTS
from fashion_assets.storage.errors import UserError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})

#: A zip inside a zip that has more bytes was made to fill the disk; pictures pack to hardly less than they are.
MAX_INNER_ZIP_BYTES = 20_000_000_000

#: A picture that unpacks to more was made to fill the memory: 50 million pixels of raw RGB are 150 MB.
MAX_PICTURE_BYTES = 200_000_000


class ProductImages:
    """The pictures of one product source, found by product id (the file name without its ending).

    ``source`` is a folder (every picture below it, and those inside its ``*.zip``) or a zip (every picture
    in it, and those inside zips in it). A loose file wins over one in a zip, because somebody put it there by
    hand. May be read from several threads. Use as a context manager, or call ``close``.
    """

    def __init__(self, source: Path) -> None:
        self.source = Path(source)
        self._open: list[zipfile.ZipFile | IO[bytes]] = []
        self._by_id: dict[str, str] = {}
        #: Path relative to the source -> the archive it is in (None: a loose file) and its name there.
        self._where: dict[str, tuple[zipfile.ZipFile | None, str]] = {}
        try:
            if self.source.is_dir():
                self._look_into_folder()
            else:
                self._look_into(self._opened(open_archive(self.source)), "")
        except BaseException:
            self.close()
            raise

    def _look_into_folder(self) -> None:
        for path in sorted(self.source.rglob("*")):
            relative = path.relative_to(self.source)
            hidden = any(part.startswith(".") for part in relative.parts)
            if path.suffix.lower() in PICTURE_SUFFIXES and not hidden and path.is_file():
                self._register(relative.as_posix(), None, relative.as_posix())
        for path in sorted(self.source.glob("*.zip")):
            self._look_into(self._opened(open_archive(path)), f"{path.name}/")

    def _look_into(self, archive: zipfile.ZipFile, prefix: str) -> None:
        inner: list[str] = []
        for name in visible_members(archive):
            inside = archive_path(name)
            if inside.suffix.lower() in PICTURE_SUFFIXES:
                self._register(f"{prefix}{inside.as_posix()}", archive, name)
            elif inside.suffix.lower() == ".zip" and not prefix:
                inner.append(name)
        for name in inner:
            # A zip inside a zip cannot be read from the middle, so it is put down for as long as it is open.
            copy = self._opened_file(tempfile.TemporaryFile())  # noqa: SIM115 - closed by ``close``
            _unpack_inner(archive, name, copy)
            self._look_into(self._opened(open_archive(copy, name)), f"{archive_path(name).as_posix()}/")

    def _opened(self, archive: zipfile.ZipFile) -> zipfile.ZipFile:
        self._open.append(archive)
        return archive

    def _opened_file(self, file: IO[bytes]) -> IO[bytes]:
        self._open.append(file)
        return file

    def _register(self, relative: str, archive: zipfile.ZipFile | None, name: str) -> None:
        self._where.setdefault(relative, (archive, name))
        self._by_id.setdefault(PurePosixPath(relative).stem, relative)

    def __len__(self) -> int:
        return len(self._where)

    def __contains__(self, product_id: object) -> bool:
        return product_id in self._by_id

    def path_of(self, product_id: str) -> str | None:
        """``images/7.jpg``, ``images.zip/images/7.jpg``, or None; relative to the source."""
        return self._by_id.get(product_id)

    def unnamed(self, product_ids: Iterable[str]) -> list[str]:
        """The pictures that no card names, sorted: extra pictures of one id are among them."""
        used = {self._by_id[name] for name in set(product_ids) if name in self._by_id}
        return sorted(set(self._where) - used)

    def read(self, relative: str) -> bytes:
        """The bytes of a picture by its path relative to the source. Raises UserError if they cannot be read."""
        archive, name = self._where.get(relative, (None, relative))
        try:
            if archive is None:
                if ".." in PurePosixPath(name).parts or PurePosixPath(name).is_absolute():
                    raise UserError(f"the picture {name!r} leaves {self.source}; expected a path inside it")
                return (self.source / name).read_bytes()
            size = archive.getinfo(name).file_size
            if size > MAX_PICTURE_BYTES:
                raise UserError(
                    f"the picture {relative} unpacks to {size:,} bytes, more than {MAX_PICTURE_BYTES:,}; "
                    "put a smaller copy there"
                )
            return archive.read(name)
        except UserError:
            raise
        except ARCHIVE_FAULTS as error:
            raise UserError(
                f"the picture {relative} cannot be read ({error}); put a good copy there"
            ) from error

    def close(self) -> None:
        for one in reversed(self._open):
            one.close()

    def __enter__(self) -> ProductImages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _unpack_inner(archive: zipfile.ZipFile, name: str, target: IO[bytes]) -> None:
    size = archive.getinfo(name).file_size
    if size > MAX_INNER_ZIP_BYTES:
        raise UserError(
            f"{name} unpacks to {size:,} bytes, more than {MAX_INNER_ZIP_BYTES:,}; put it beside the zip"
        )
    try:
        with archive.open(name) as packed:
            shutil.copyfileobj(packed, target)
    except ARCHIVE_FAULTS as error:
        raise UserError(f"{name} cannot be read from the zip ({error}); make the zip again") from error


def open_product_images(source: Path) -> ProductImages:
    """The pictures of a product folder or zip; an empty set if it has none."""
    return ProductImages(source)


def nameless(relative: str) -> str:
    """The path without its suffix: shops name WebP files .jpg, so the content alone says what a picture is."""
    return str(PurePosixPath(relative).with_suffix(""))
