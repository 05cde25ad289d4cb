"""The pictures beside the cards, in a folder or inside a zip that is read without unpacking."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType

from fashion_assets.encoders.pictures import DECODE_SIDE
from fashion_assets.media.decoding import decode_cut_out
from fashion_assets.media.errors import MediaError
from fashion_assets.storage.errors import UserError

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})


class ProductImages:
    """The pictures of one product folder, found by product id (the file name without its ending).

    Looks at ``<folder>/images/**`` and inside every ``<folder>/*.zip``; a loose file wins over one in a zip,
    because somebody put it there by hand. Use as a context manager, or call ``close``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = Path(folder)
        self._archives: dict[str, zipfile.ZipFile] = {}
        self._by_id: dict[str, str] = {}
        self._every: list[str] = []
        for path in sorted((self.folder / "images").rglob("*")):
            if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES:
                self._register(path.relative_to(self.folder).as_posix())
        for path in sorted(self.folder.glob("*.zip")):
            try:
                archive = zipfile.ZipFile(path)
            except zipfile.BadZipFile as error:
                self.close()
                raise UserError(
                    f"{path.name} in {self.folder} is not a readable zip ({error}); copy it again, or "
                    "unpack its "
                    "pictures into images/"
                ) from error
            self._archives[path.name] = archive
            for name in archive.namelist():
                inside = PurePosixPath(name)
                if inside.suffix.lower() in PICTURE_SUFFIXES and "__MACOSX" not in inside.parts:
                    self._register(f"{path.name}/{name}")

    def _register(self, relative: str) -> None:
        self._every.append(relative)
        self._by_id.setdefault(PurePosixPath(relative).stem, relative)

    def __len__(self) -> int:
        return len(self._every)

    def __contains__(self, product_id: object) -> bool:
        return product_id in self._by_id

    def path_of(self, product_id: str) -> str | None:
        """``images/7.jpg``, ``images.zip/images/7.jpg``, or None; relative to the product folder."""
        return self._by_id.get(product_id)

    def unnamed(self, product_ids: Iterable[str]) -> list[str]:
        """The pictures that no card names, sorted: extra pictures of one id are among them."""
        used = {self._by_id[name] for name in set(product_ids) if name in self._by_id}
        return sorted(set(self._every) - used)

    def read(self, relative: str) -> bytes:
        """The bytes of a picture by its relative path. Raises OSError or zipfile.BadZipFile if they cannot be
        read.
        """
        first, _, inside = relative.partition("/")
        if first in self._archives:
            return self._archives[first].read(inside)
        return (self.folder / relative).read_bytes()

    def close(self) -> None:
        for archive in self._archives.values():
            archive.close()

    def __enter__(self) -> ProductImages:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_product_images(folder: Path) -> ProductImages:
    """The pictures of a product folder; an empty set if it has none."""
    return ProductImages(folder)


def inspect_picture(images: ProductImages, relative: str) -> tuple[str, str | None]:
    """(sha256 hex of the file, why it cannot be used or None). All of it is decoded: a file that was cut off has a
    good header.
    """
    import zlib

    try:
        content = images.read(relative)
    except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        # RuntimeError: the entry is encrypted; NotImplementedError: a compression zipfile does not know.
        return "", f"the picture {relative} cannot be read ({error}); put a good copy there"
    digest = hashlib.sha256(content).hexdigest()
    if not content:
        return digest, f"the picture {relative} is an empty file; put a good copy there or delete it"
    try:
        decode_cut_out(content, name=nameless(relative), max_side=DECODE_SIDE)
    except MediaError as error:
        return digest, f"the picture {relative} cannot be used: {error}"
    return digest, None


def nameless(relative: str) -> str:
    """The path without its suffix: shops name WebP files .jpg, so the content alone says what a picture is."""
    return str(PurePosixPath(relative).with_suffix(""))
