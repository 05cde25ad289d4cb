"""Product cards: every row of a source's CSV and Parquet files, then the kept products and the refused ones.

Nothing disappears: ``len(products) + len(quarantined) == len(raw)``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from fashion_assets.products.card_columns import MISSING_LABELS, assign_columns, choose_labels
from fashion_assets.products.card_files import CardRow, read_card_file
from fashion_assets.products.picture_facts import PictureFacts, Progress, inspect_pictures
from fashion_assets.products.pictures import ProductImages
from fashion_assets.products.schemas import LABEL_PREFIX as LABEL_PREFIX
from fashion_assets.products.schemas import PRODUCTS, QUARANTINED_PRODUCTS, RAW_PRODUCTS
from fashion_assets.products.sources import card_contents
from fashion_assets.products.text import characteristics_text, clean_text, parse_characteristics, strip_html

#: What cards are read for: to learn from them, or to say something about them.
Purpose = Literal["training", "prediction"]


def label_column(name: str) -> str:
    """``label_gender`` for ``gender``; a name that already has the prefix comes back as it is."""
    return name if name.startswith(LABEL_PREFIX) else LABEL_PREFIX + name


def label_columns_of(frame: pd.DataFrame) -> list[str]:
    """The ``label_…`` columns of a product table, in order."""
    return [name for name in frame.columns if str(name).startswith(LABEL_PREFIX)]


def read_product_cards(
    source: Path, label_columns: Sequence[str] | None = None, encoding: str | None = None
) -> pd.DataFrame:
    """One row per card of every ``*.csv`` (also .gz) and ``*.parquet`` of a folder or zip, as it came.

    Columns are ``RAW_PRODUCTS`` and one ``label_<name>`` per label. Without ``label_columns`` every column
    that is neither a field nor numbers nor free text is a label. Raises UserError if the source has no card
    file, a file has no id column, or a named label column is in none of the files.
    """
    rows: list[dict[str, Any]] = []
    others: list[dict[str, str | None]] = []
    columns: dict[str, None] = {}
    for file, content in card_contents(source):
        header, cards = read_card_file(file, content, encoding)
        fields, characteristics, rest = assign_columns(file, header)
        columns.update(dict.fromkeys(rest))
        for card in cards:
            rows.append(_raw_row(file, card, fields, characteristics))
            others.append({name: card.values.get(name) for name in rest})
    labels = choose_labels(str(source), list(columns), others, label_columns)
    for row, other in zip(rows, others, strict=True):
        for name in labels:
            row[label_column(name)] = other.get(name)
        extra = {
            name: value for name, value in other.items() if name not in labels and value not in (None, "")
        }
        row["extra"] = json.dumps(extra, ensure_ascii=False) if extra else None
    frame = pd.DataFrame(rows, columns=[*RAW_PRODUCTS.names, *map(label_column, labels)], dtype=object)
    frame["source_row"] = frame["source_row"].astype("int64")
    return frame


def _raw_row(
    file: str, card: CardRow, fields: dict[str, str], characteristics: Sequence[str]
) -> dict[str, Any]:
    row: dict[str, Any] = {field: card.values.get(column) for field, column in fields.items()}
    dictionaries = {name: card.values[name] for name in characteristics if card.values.get(name)}
    row["characteristics"] = json.dumps(dictionaries, ensure_ascii=False) if dictionaries else None
    row |= {
        "source_file": file,
        "source_row": card.row,
        "fault_column": card.fault_column,
        "fault": card.fault,
    }
    return row


def clean_products(
    frame: pd.DataFrame,
    images: ProductImages | None = None,
    *,
    purpose: Purpose = "training",
    progress: Progress | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(products, quarantined) of raw cards: tables ``products_schema(labels)`` and ``QUARANTINED_PRODUCTS``.

    Refused: a row the file reader could not parse, an empty id, an id that an earlier kept card has,
    characteristics that are no dictionary, and a card with neither text nor picture. For ``training`` also a
    broken picture, which somebody should mend, and a labelled card whose text is empty after cleaning, which
    would teach nothing, unless no card has a text; without a label such a card is kept, to be predicted from its
    picture. For
    ``prediction`` every card is kept that has a text or a usable picture.
    ``note`` says what a kept card lacks.
    """
    labels = label_columns_of(frame)
    records = [
        {str(name): None if _is_null(value) else value for name, value in record.items()}
        for record in frame.to_dict("records")
    ]
    pictures = _pictures_of(records, images, progress)
    # Where no card at all has a word, the shop is one of pictures alone, and that can be learned from.
    worded = any(_text_of(row) for row in records if not row["fault"])
    kept: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    first_seen: dict[str, str] = {}
    for row in records:
        product_id = (row["id"] or "").strip()
        path = images.path_of(product_id) if images is not None and product_id else None
        labelled = worded and any(_label(row[name]) is not None for name in labels)
        product, column, reason = _clean_row(row, product_id, path, pictures, first_seen, purpose, labelled)
        if product is not None:
            if images is not None and len(images) and path is None:
                product["note"] = f"no picture is named {product_id}; only its text is known"
            product.update({name: _label(row[name]) for name in labels})
            kept.append(product)
            first_seen[product_id] = f"{row['source_file']}:{row['source_row']}"
        else:
            refused.append(
                {
                    "id": product_id or None,
                    "source_file": row["source_file"],
                    "source_row": row["source_row"],
                    "column": column,
                    "reason": reason,
                    "raw": json.dumps(row, ensure_ascii=False, default=str),
                }
            )
    products = pd.DataFrame(kept, columns=[*PRODUCTS.names, *labels], dtype=object)
    quarantined = pd.DataFrame(refused, columns=QUARANTINED_PRODUCTS.names, dtype=object)
    for table in (products, quarantined):
        table["source_row"] = table["source_row"].astype("int64")
    return products, quarantined


def _text_of(row: dict[str, Any]) -> str:
    """The words of title and description, or else those that characteristics may hold."""
    stripped = strip_html(row["title"] or ""), strip_html(row["description"] or "")
    return " ".join(map(clean_text, stripped)).strip() or row["characteristics"] or ""


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value) or value is pd.NA


def _label(value: str | None) -> str | None:
    label = (value or "").strip()
    return None if label.casefold() in MISSING_LABELS else label


def _pictures_of(
    records: Sequence[dict[str, Any]], images: ProductImages | None, progress: Progress | None
) -> dict[str, PictureFacts]:
    if images is None:
        return {}
    ids = [(row["id"] or "").strip() for row in records if not row["fault"]]
    paths = [path for path in map(images.path_of, ids) if path is not None]
    return inspect_pictures(images, paths, progress)


def _clean_row(
    row: dict[str, Any],
    product_id: str,
    path: str | None,
    pictures: dict[str, PictureFacts],
    seen: dict[str, str],
    purpose: Purpose,
    labelled: bool,
) -> tuple[dict[str, Any] | None, str, str]:
    """(product without labels, "", "") or (None, the column at fault, why)."""
    if row["fault"]:
        return None, row["fault_column"] or "", row["fault"]
    if not product_id:
        return None, "id", "the id is empty; every card needs one, it also names the picture"
    if product_id in seen:
        return (
            None,
            "id",
            f"the id {product_id} is already that of the card at {seen[product_id]}; keep one of the two",
        )
    merged: dict[str, Any] = {}
    for column, text in json.loads(row["characteristics"] or "{}").items():
        try:
            merged.update(parse_characteristics(text))
        except ValueError as error:
            return (
                None,
                column,
                f'the characteristics cannot be read: {error}; expected {{"colour": "red", …}}',
            )
    picture = pictures[path] if path is not None else PictureFacts()
    title, description = strip_html(row["title"] or ""), strip_html(row["description"] or "")
    text = " ".join(filter(None, map(clean_text, (title, description, characteristics_text(merged)))))
    if picture.fault and (purpose == "training" or not text):
        rest = "" if text else "; the card has no text either, so nothing can be said about it"
        return None, "image", picture.fault + rest
    if not text and path is None:
        return (
            None,
            "title",
            "the card has neither text nor picture, so nothing can be learnt or said about it",
        )
    if not text and purpose == "training" and labelled:
        return (
            None,
            "title",
            "title, description and characteristics hold no word once numbers, units and stopwords are out; "
            "write what the product is",
        )
    usable = path is not None and not picture.fault
    product = {
        "id": product_id,
        "title": title,
        "description": description,
        "characteristics": json.dumps(merged, ensure_ascii=False) if merged else None,
        "shop": strip_html(row["shop"] or "") or None,
        "text": text,
        "image_path": path if usable else None,
        "image_digest": picture.digest if usable else None,
        "image_width": picture.width,
        "image_height": picture.height,
        "image_hash": picture.phash,
        "image_thumbprint": picture.thumbprint,
        "note": picture.fault or (None if text else "the card has no text; only its picture is known"),
        "extra": row["extra"],
        "source_file": row["source_file"],
        "source_row": row["source_row"],
    }
    return product, "", ""
