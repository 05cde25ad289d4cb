"""Product cards: every row of a folder's CSV and Parquet files, then the kept products and the refused ones.

Nothing disappears: ``len(products) + len(quarantined) == len(raw)``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fashion_assets.products.card_files import CardRow, read_card_file
from fashion_assets.products.pictures import ProductImages, inspect_picture
from fashion_assets.products.schemas import LABEL_PREFIX as LABEL_PREFIX
from fashion_assets.products.schemas import PRODUCTS, QUARANTINED_PRODUCTS, RAW_PRODUCTS
from fashion_assets.products.text import characteristics_text, clean_text, parse_characteristics, strip_html
from fashion_assets.storage.errors import UserError

# Column names that shops and the public data sets use, first match wins; compared without case, spaces and
# "_".
FIELD_ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("id", "product_id", "item_id", "sku"),
    "title": ("title", "name", "productDisplayName", "product_name", "product_title"),
    "description": ("description", "product_description", "text"),
    "shop": ("shop", "shop_title", "store", "seller"),
}
# All of these are read and merged: the shops' exports have up to three dictionaries.
CHARACTERISTICS_ALIASES = (
    "characteristics",
    "attributes",
    "custom_characteristics",
    "defined_characteristics",
    "filters",
)
# A column with more values than this per row is free text, not a label (the widest public label has 143
# values in 44,000).
MAX_LABEL_SHARE = 0.5
# Under this many rows the share says nothing, so any text column may be a label.
MIN_ROWS_FOR_LABEL_SHARE = 20
# What files write for "no label"; "NA" and "None" are left alone, they are values in some taxonomies.
MISSING_LABELS = frozenset({"", "nan", "null", "<na>"})


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace(" ", "").replace("-", "")


def label_column(name: str) -> str:
    """``label_gender`` for ``gender``; a name that already has the prefix comes back as it is."""
    return name if name.startswith(LABEL_PREFIX) else LABEL_PREFIX + name


def label_columns_of(frame: pd.DataFrame) -> list[str]:
    """The ``label_…`` columns of a product table, in order."""
    return [name for name in frame.columns if str(name).startswith(LABEL_PREFIX)]


def read_product_cards(
    folder: Path, label_columns: Sequence[str] | None = None, encoding: str | None = None
) -> pd.DataFrame:
    """One row per card of every ``*.csv`` (also .gz) and ``*.parquet`` directly in ``folder``, as it came.

    Columns are ``RAW_PRODUCTS`` and one ``label_<name>`` per label. Without ``label_columns`` every column
    that is neither a field nor numbers nor free text is a label. Raises UserError if the folder has no card
    file, a file has no id or no text column, or a named label column is in none of the files.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(
            f"{folder} is not a folder; expected product cards (*.csv or *.parquet) and images/ or a zip"
        )
    files = sorted(
        path for path in folder.iterdir() if path.name.lower().endswith((".csv", ".csv.gz", ".parquet"))
    )
    if not files:
        raise UserError(
            f"{folder} has no product cards; put a .csv or .parquet file with an id and a title column there"
        )
    rows: list[dict[str, Any]] = []
    others: list[dict[str, str | None]] = []
    columns: dict[str, None] = {}
    for path in files:
        header, cards = read_card_file(path, encoding)
        fields, characteristics, rest = _assign_columns(path, header)
        columns.update(dict.fromkeys(rest))
        for card in cards:
            rows.append(_raw_row(path.name, card, fields, characteristics))
            others.append({name: card.values.get(name) for name in rest})
    labels = _choose_labels(folder, list(columns), others, label_columns)
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


def _assign_columns(path: Path, header: Sequence[str]) -> tuple[dict[str, str], list[str], list[str]]:
    by_plain = {_plain(name): name for name in reversed(header)}
    fields = {}
    for field, aliases in FIELD_ALIASES.items():
        found = next((by_plain[_plain(alias)] for alias in aliases if _plain(alias) in by_plain), None)
        if found is not None:
            fields[field] = found
    characteristics = [
        by_plain[_plain(alias)] for alias in CHARACTERISTICS_ALIASES if _plain(alias) in by_plain
    ]
    if "id" not in fields:
        raise UserError(
            f"{path.name} has no id column: it has {', '.join(header) or 'no columns'}; expected one of "
            f"{', '.join(FIELD_ALIASES['id'])}. Rename the column, or move the file if it holds no product "
            "cards"
        )
    used = {*fields.values(), *characteristics}
    return fields, characteristics, [name for name in header if name not in used]


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


def _choose_labels(
    folder: Path, columns: list[str], rows: list[dict[str, str | None]], wanted: Sequence[str] | None
) -> list[str]:
    if wanted is not None:
        names = [name.removeprefix(LABEL_PREFIX) if name not in columns else name for name in wanted]
        missing = [name for name in names if name not in columns]
        if missing:
            raise UserError(
                f"the label column{'s' if len(missing) > 1 else ''} {', '.join(missing)} is in no card "
                f"file of {folder}; "
                f"the columns that could be labels are {', '.join(columns) or 'none'}"
            )
        return list(dict.fromkeys(names))
    return [name for name in columns if _looks_like_label([row.get(name) for row in rows])]


def _looks_like_label(values: Sequence[str | None]) -> bool:
    present = [
        value for value in values if value is not None and value.strip().casefold() not in MISSING_LABELS
    ]
    if not present or all(_is_number(value) for value in set(present)):
        return False
    return len(present) < MIN_ROWS_FOR_LABEL_SHARE or len(set(present)) <= MAX_LABEL_SHARE * len(present)


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True


def clean_products(
    frame: pd.DataFrame, images: ProductImages | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(products, quarantined) of raw cards: tables ``products_schema(labels)`` and ``QUARANTINED_PRODUCTS``.

    Refused: a row the file reader could not parse, an empty id, an id that an earlier kept card has,
    characteristics that are no dictionary, a broken picture, and a card with neither text nor picture. A card
    with only one of the two is kept: its other side is "" or null.
    """
    labels = label_columns_of(frame)
    kept: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    first_seen: dict[str, str] = {}
    for record in frame.to_dict("records"):
        row = {str(name): None if _is_null(value) else value for name, value in record.items()}
        product_id = (row["id"] or "").strip()
        place = f"{row['source_file']}:{row['source_row']}"
        product, column, reason = _clean_row(row, product_id, labels, images, first_seen)
        if product is not None:
            kept.append(product)
            first_seen[product_id] = place
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


def _is_null(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value) or value is pd.NA


def _clean_row(
    row: dict[str, Any],
    product_id: str,
    labels: Sequence[str],
    images: ProductImages | None,
    seen: dict[str, str],
) -> tuple[dict[str, Any] | None, str, str]:
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
    image_path = images.path_of(product_id) if images is not None else None
    digest: str | None = None
    if images is not None and image_path is not None:
        digest, fault = inspect_picture(images, image_path)
        if fault:
            return None, "image", fault
    title, description = strip_html(row["title"] or ""), strip_html(row["description"] or "")
    text = " ".join(filter(None, map(clean_text, (title, description, characteristics_text(merged)))))
    if not text and image_path is None:
        return (
            None,
            "title",
            "the card has neither text nor picture, so nothing can be learnt or said about it",
        )
    product = {
        "id": product_id,
        "title": title,
        "description": description,
        "characteristics": json.dumps(merged, ensure_ascii=False, default=str) if merged else None,
        "shop": (row["shop"] or "").strip() or None,
        "text": text,
        "image_path": image_path,
        "image_digest": digest,
        "extra": row["extra"],
        "source_file": row["source_file"],
        "source_row": row["source_row"],
    }
    for name in labels:
        label = (row[name] or "").strip()
        product[name] = None if label.casefold() in MISSING_LABELS else label
    return product, "", ""
