"""Which column of a card file is which field, and which are labels."""

from __future__ import annotations

from collections.abc import Sequence

from fashion_assets.products.schemas import LABEL_PREFIX
from fashion_assets.storage.errors import UserError

# Column names that shops and the public data sets use, in the three languages whose texts are read, first match wins;
# compared without case, spaces and "_".
FIELD_ALIASES: dict[str, tuple[str, ...]] = {
    "id": ("id", "product_id", "item_id", "sku", "商品id", "商品编号", "产品id", "产品编号", "артикул"),
    "title": (
        *("title", "name", "productDisplayName", "product_name", "product_title"),
        *("标题", "商品标题", "商品名称", "产品名称", "名称", "название", "наименование"),
    ),
    "description": (
        *("description", "product_description", "text"),
        *("描述", "商品描述", "产品描述", "商品详情", "описание"),
    ),
    "shop": ("shop", "shop_title", "store", "seller", "店铺", "店铺名称", "магазин", "продавец"),
}
# All of these are read and merged: the shops' exports have up to three dictionaries.
CHARACTERISTICS_ALIASES = (
    "characteristics",
    "attributes",
    "custom_characteristics",
    "defined_characteristics",
    "filters",
)
# What ``products predict`` writes beside the labels. Cards that predictions were joined to have such columns: a head of
# them would learn what a model said of itself, and its answers would stand where those columns stand.
PREDICTION_COLUMNS = ("inputs", "decided")
PREDICTION_ENDS = ("_confidence", "_abstained")
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
    """The names of the label columns: those ``wanted``, or all that look like labels and are not of a predictions file.
    UserError for a wanted one that no card file has, or that is named as a column of predictions.
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
        if taken := [name for name in names if _of_predictions(name, names)]:
            raise UserError(
                f"{', '.join(taken)} cannot be a label: products predict writes a column of that name beside the "
                "labels; rename it in the cards"
            )
        return list(dict.fromkeys(names))
    return [
        name
        for name in columns
        if not _of_predictions(name, columns) and _looks_like_label([row.get(name) for row in rows])
    ]


def _of_predictions(name: str, beside: Sequence[str]) -> bool:
    """Whether predictions of labels ``beside`` it would have a column ``name``."""
    plain, others = name.removeprefix(LABEL_PREFIX), {one.removeprefix(LABEL_PREFIX) for one in beside}
    return plain in PREDICTION_COLUMNS or any(
        plain.endswith(end) and plain.removesuffix(end) in others for end in PREDICTION_ENDS
    )


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
