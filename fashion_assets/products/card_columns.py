"""Which column of a card file is which field, and which are labels."""

from __future__ import annotations

from collections.abc import Sequence

from fashion_assets.products.schemas import LABEL_PREFIX
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


def assign_columns(file: str, header: Sequence[str]) -> tuple[dict[str, str], list[str], list[str]]:
    """(field -> its column, the columns that hold dictionaries, all others). UserError without an id column."""
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
            f"{file} has no id column: it has {', '.join(header) or 'no columns'}; expected one of "
            f"{', '.join(FIELD_ALIASES['id'])}. Rename the column, or move the file if it holds no product "
            "cards"
        )
    used = {*fields.values(), *characteristics}
    return fields, characteristics, [name for name in header if name not in used]


def choose_labels(
    source: str, columns: list[str], rows: list[dict[str, str | None]], wanted: Sequence[str] | None
) -> list[str]:
    """The names of the label columns: those ``wanted``, or all that look like labels. UserError for a wanted
    one that no card file has.
    """
    if wanted is not None:
        names = [name.removeprefix(LABEL_PREFIX) if name not in columns else name for name in wanted]
        missing = [name for name in names if name not in columns]
        if missing:
            meant = {name.casefold(): name for name in columns}
            near = [meant[name.casefold()] for name in missing if name.casefold() in meant]
            raise UserError(
                f"the label column{'s' if len(missing) > 1 else ''} {', '.join(missing)} is in no card "
                f"file of {source}; "
                f"the columns that could be labels are {', '.join(columns) or 'none'}"
                + (f"; did you mean {', '.join(near)}?" if near else "")
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
