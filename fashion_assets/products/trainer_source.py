"""Pictures from one place and cards from another, put side by side as the product source that everything reads."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

import pandas as pd

from fashion_assets.products.card_files import read_card_file
from fashion_assets.products.pictures import PICTURE_SUFFIXES
from fashion_assets.products.sources import CARD_SUFFIXES
from fashion_assets.storage.errors import UserError

CARDS_FILE = "cards.parquet"


def read_cards(texts: Path | str | pd.DataFrame, encoding: str | None = None) -> pd.DataFrame:
    """The cards of a CSV or Parquet file, or of a data frame, every value as text or None.

    Raises UserError for another kind of file, one that cannot be read, and rows that cannot be parsed.
    """
    if isinstance(texts, pd.DataFrame):
        plain = texts.reset_index(drop=True).astype(object)
        return plain.where(plain.notna(), None)
    path = Path(texts)
    if not path.is_file() or not path.name.lower().endswith(CARD_SUFFIXES):
        raise UserError(f"{path} is no file of cards; expected {', '.join(CARD_SUFFIXES)}, or a data frame")
    header, rows = read_card_file(path.name, path.read_bytes(), encoding)
    faulty = next((row for row in rows if row.fault), None)
    if faulty is not None:
        raise UserError(
            f"{path.name}:{faulty.row}:{faulty.fault_column}: {faulty.fault}; mend the row, or put the file beside the "
            "pictures and give texts=None: then such rows are refused one by one"
        )
    return pd.DataFrame([row.values for row in rows], columns=header, dtype=object)


def put_source(folder: Path, images: Path, cards: pd.DataFrame) -> Path:
    """A folder below ``folder`` with the cards as Parquet and links to the pictures (a folder's or a zip).

    Its name is a digest of the cards and the place of the pictures, so the same call finds it again. Raises UserError
    if there are no pictures at ``images``.
    """
    images = Path(images).absolute()
    if not images.exists() or (images.is_file() and images.suffix.lower() != ".zip"):
        raise UserError(f"{images} is neither a folder of pictures nor a zip")
    pictures = _pictures(images)
    digest = hashlib.sha256(str(images).encode())
    digest.update(cards.to_json(orient="split", force_ascii=False, default_handler=str).encode())
    for name in pictures:
        digest.update(f"{name}\0".encode())
    place = Path(folder) / digest.hexdigest()[:12]
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".source-", dir=place.parent) as beside:
        made = Path(beside) / place.name
        made.mkdir()
        cards.to_parquet(made / CARDS_FILE, index=False)
        for name, path in pictures.items():
            link = made / name
            link.parent.mkdir(parents=True, exist_ok=True)
            _link(path, link)
        made.rename(place)
    return place


def _pictures(images: Path) -> dict[str, Path]:
    """Name in the source -> file: the zip, or every picture below the folder and every zip in it."""
    if images.is_file():
        return {images.name: images}
    found = {
        f"images/{path.relative_to(images).as_posix()}": path
        for path in sorted(images.rglob("*"))
        if path.suffix.lower() in PICTURE_SUFFIXES
    }
    found |= {path.name: path for path in sorted(images.glob("*.zip"))}
    if not found:
        raise UserError(
            f"{images} holds no picture; expected {', '.join(sorted(PICTURE_SUFFIXES))} files named after the product "
            "ids, or a zip of them"
        )
    return found


def _link(path: Path, link: Path) -> None:
    """A link, or a copy where the file system has none."""
    try:
        link.symlink_to(path)
    except OSError:
        shutil.copyfile(path, link)
