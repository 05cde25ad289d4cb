"""What a set of products is like before anything is learnt from it: classes, fields, texts, pictures, families."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.associations import cramers_v, mutual_information
from fashion_assets.products.families import families_of
from fashion_assets.products.field_values import DERIVED_FIELDS, field_values
from fashion_assets.products.schemas import LABEL_PREFIX
from fashion_assets.products.text import text_language

#: A class with fewer products cannot be learnt and judged on others: with 20 % for the test it has one there.
NEAR_EMPTY = 5
#: A field whose most frequent value stands on more of the cards than this hardly varies.
NEARLY_ONE_VALUE = 0.98
#: A field filled on fewer cards than this.
RARELY_FILLED = 0.05
#: Fields with more different values are free text or identifiers: they share no information that could be counted.
MAX_VALUES = 200
#: So are fields with more than one value for two cards, however few cards there are: what chance gives is nearly all
#: that there could be, and the rest of the one over the rest of the other is noise.
MAX_VALUE_SHARE = 0.5
#: A small table of many fields does not help anybody; the fullest are shown.
MAX_FIELDS = 60
LARGEST_FAMILIES = 10
#: From this share of one class on, always answering it looks good.
UNBALANCED = 0.75


@dataclass(frozen=True)
class ProductStatistics:
    """n products in figures.

    ``fields``: field, filled, share, distinct, top, top_share, verdict. ``attributes``: attribute, classes, labelled,
    blank_share, largest, largest_share, imbalance (largest class / median class), effective (exp of the entropy),
    single (classes with one product), near_empty (with fewer than ``NEAR_EMPTY``). ``classes``: attribute, label,
    count, share, families. ``label_association``: Cramér's V between attributes. ``field_information``: adjusted
    mutual information of fields (rows) with attributes. ``languages`` and ``picture_sizes``: name -> products.
    ``words`` (n,): words per cleaned text. ``family_sizes``; ``largest_families``: name, products. ``same_file``:
    products whose picture file is also that of another.
    """

    n: int
    fields: pd.DataFrame
    attributes: pd.DataFrame
    classes: pd.DataFrame
    label_association: pd.DataFrame
    field_information: pd.DataFrame
    words: npt.NDArray[np.int64]
    languages: dict[str, int]
    picture_sizes: dict[str, int]
    without_picture: int
    family_sizes: npt.NDArray[np.int64]
    largest_families: pd.DataFrame
    same_file: int


def product_statistics(products: pd.DataFrame) -> ProductStatistics:
    """The statistics of a ``products_schema`` table; an empty one has empty tables."""
    families = families_of(products)
    labels = {
        str(name).removeprefix(LABEL_PREFIX): products[name]
        for name in products.columns
        if str(name).startswith(LABEL_PREFIX)
    }
    fields = field_values(products, MAX_FIELDS)
    texts = products["text"].fillna("")
    sizes = np.bincount(families) if len(families) else np.zeros(0, np.int64)
    return ProductStatistics(
        n=len(products),
        fields=field_usefulness(fields | labels),
        attributes=attribute_statistics(labels),
        classes=class_statistics(labels, families),
        label_association=_table(labels, labels, cramers_v),
        field_information=_table(_countable(fields), labels, mutual_information),
        words=np.array([len(text.split()) for text in texts], dtype=np.int64),
        languages=_counts(texts.map(text_language)),
        picture_sizes=_counts(_size_names(products)),
        without_picture=int(products["image_path"].isna().sum()),
        family_sizes=sizes.astype(np.int64),
        largest_families=_largest_families(products, families, sizes),
        same_file=int(products["image_digest"].dropna().duplicated(keep=False).sum()),
    )


def field_usefulness(fields: dict[str, pd.Series[str]]) -> pd.DataFrame:
    """One row per field: how often it is filled, how many values it has, the most frequent, and a verdict in words."""
    rows = []
    for name, values in fields.items():
        present = values.dropna()
        counts = present.value_counts()
        top_share = float(counts.iloc[0] / len(present)) if len(present) else 0.0
        share = len(present) / len(values) if len(values) else 0.0
        rows.append(
            {
                "field": name,
                "filled": len(present),
                "share": share,
                "distinct": len(counts),
                "top": str(counts.index[0]) if len(counts) else "",
                "top_share": top_share,
                "verdict": _verdict(len(present), share, len(counts), top_share),
            }
        )
    return pd.DataFrame(rows, columns=["field", "filled", "share", "distinct", "top", "top_share", "verdict"])


def _verdict(filled: int, share: float, distinct: int, top_share: float) -> str:
    if not filled:
        return "empty on every card"
    if distinct == 1:
        return "one value only: tells nothing"
    if top_share >= NEARLY_ONE_VALUE:
        return "nearly one value"
    if share < RARELY_FILLED:
        return "rarely filled"
    if distinct == filled:
        return "different on every card"
    return "varies"


def attribute_statistics(labels: dict[str, pd.Series[str]]) -> pd.DataFrame:
    """One row per label column; see ``ProductStatistics.attributes``."""
    rows = []
    for name, values in labels.items():
        counts = values.value_counts().to_numpy(dtype=float)
        shares = counts / max(counts.sum(), 1)
        rows.append(
            {
                "attribute": name,
                "classes": len(counts),
                "labelled": int(counts.sum()),
                "blank_share": 1 - counts.sum() / len(values) if len(values) else 0.0,
                "largest": str(values.value_counts().index[0]) if len(counts) else "",
                "largest_share": float(shares.max(initial=0.0)),
                "imbalance": float(counts.max() / np.median(counts)) if len(counts) else np.nan,
                "effective": float(np.exp(-(shares * np.log(shares)).sum())) if len(counts) else 0.0,
                "single": int((counts == 1).sum()),
                "near_empty": int((counts < NEAR_EMPTY).sum()),
            }
        )
    names = ["attribute", "classes", "labelled", "blank_share", "largest", "largest_share", "imbalance"]
    return pd.DataFrame(rows, columns=[*names, "effective", "single", "near_empty"])


def class_statistics(labels: dict[str, pd.Series[str]], families: npt.NDArray[np.int64]) -> pd.DataFrame:
    """One row per class of each label column, the largest first, with the number of families that carry it."""
    tables = []
    for name, values in labels.items():
        frame = pd.DataFrame({"label": values.to_numpy(), "family": families}).dropna()
        table = frame.groupby("label").agg(count=("family", "size"), families=("family", "nunique"))
        table = table.sort_values("count", ascending=False, kind="stable").reset_index()
        table.insert(0, "attribute", name)
        table.insert(3, "share", table["count"] / max(len(frame), 1))
        tables.append(table)
    columns = ["attribute", "label", "count", "share", "families"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def findings(statistics: ProductStatistics) -> list[str]:
    """What somebody should know before training, one sentence each, only those that apply."""
    found = []
    for row in statistics.fields.to_dict("records"):
        if row["field"] not in DERIVED_FIELDS and str(row["verdict"]).startswith(("one value", "empty")):
            value = f" ({row['top']})" if row["top"] else ""
            found.append(f"The field {row['field']} is of no use: {row['verdict']}{value}.")
    for row in statistics.attributes.to_dict("records"):
        found += _attribute_findings(row, statistics.n)
    if statistics.without_picture:
        found.append(f"No picture: {_products(statistics.without_picture)}.")
    if empty := int((statistics.words == 0).sum()):
        found.append(f"No text: {_products(empty)}.")
    if in_families := int(statistics.family_sizes[statistics.family_sizes > 1].sum()):
        found.append(
            f"In a family of near-identical names or pictures: {_products(in_families)} "
            f"({in_families / statistics.n:.0%}). A random split would test on what it was trained on."
        )
    return found


def _attribute_findings(row: Mapping[Hashable, Any], n: int) -> list[str]:
    name, classes, few = row["attribute"], row["classes"], row["near_empty"]
    found = []
    if classes == 1:
        found.append(f"{name} has one class only ({row['largest']}): there is nothing to learn.")
    elif row["single"]:
        found.append(
            f"{name}: {row['single']} of {classes} classes have one example, {few} fewer than {NEAR_EMPTY}; they can "
            "be learnt badly or not at all."
        )
    elif few:
        found.append(f"{name}: {few} of {classes} classes have fewer than {NEAR_EMPTY} examples.")
    if blank := n - row["labelled"]:
        found.append(f"{name} is blank on {_products(blank)}.")
    if row["largest_share"] > UNBALANCED and classes > 1:
        largest = f"{row['largest']} is {row['largest_share']:.0%} of all"
        found.append(f"{name} is unbalanced: {largest}; accuracy alone flatters.")
    return found


def _products(count: int) -> str:
    return f"{count:,} product" + ("" if count == 1 else "s")


def _countable(fields: dict[str, pd.Series[str]]) -> dict[str, pd.Series[str]]:
    return {
        name: values
        for name, values in fields.items()
        if 2 <= values.nunique() <= min(MAX_VALUES, MAX_VALUE_SHARE * values.count())
    }


def _table(
    rows: dict[str, pd.Series[str]],
    columns: dict[str, pd.Series[str]],
    measure: Callable[[pd.Series[str], pd.Series[str]], float],
) -> pd.DataFrame:
    return pd.DataFrame(
        [[measure(row, column) for column in columns.values()] for row in rows.values()],
        index=list(rows),
        columns=list(columns),
        dtype=float,
    )


def _counts(values: pd.Series[str]) -> dict[str, int]:
    return {str(name): int(count) for name, count in values.dropna().value_counts().items()}


def _size_names(products: pd.DataFrame) -> pd.Series[str]:
    known = products[products["image_width"].notna()]
    return (
        known["image_width"].astype(int).astype(str) + " x " + known["image_height"].astype(int).astype(str)
    )


def _largest_families(
    products: pd.DataFrame, families: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64]
) -> pd.DataFrame:
    order = [family for family in np.argsort(-sizes, kind="stable")[:LARGEST_FAMILIES] if sizes[family] > 1]
    first = [int(np.argmax(families == family)) for family in order]
    titles = products["title"].iloc[first].tolist()
    return pd.DataFrame({"name": titles, "products": sizes[order]}, columns=["name", "products"])
