"""The page that shows what a set of products is like before anything is learnt from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from fashion_assets.products.intake import ProductIntake, take_in_products
from fashion_assets.products.picture_facts import Progress
from fashion_assets.products.statistics import NEAR_EMPTY, ProductStatistics, findings, product_statistics
from fashion_assets.reports.monthly import CONTENT_SECURITY_POLICY
from fashion_assets.reports.pages import render_template
from fashion_assets.reports.product_eda_charts import column_chart_svg, heat_map_svg, rank_chart_svg
from fashion_assets.reports.svg_charts import bar_chart_svg
from fashion_assets.reports.wording import DASH, clip
from fashion_assets.storage.files import write_text_atomic

#: Classes of an attribute that have a bar of their own; the rank chart shows all.
SHOWN_CLASSES = 16
#: Small classes that are named before the rest is counted.
NAMED_CLASSES = 60
SHOWN_REASONS = 20
SHOWN_SIZES = 10
#: Lengths of a text, and sizes of a family, that share a column of a histogram: (first, last).
_WORD_BINS = ((0, 0), (1, 3), (4, 5), (6, 7), (8, 10), (11, 15), (16, 25), (26, 50), (51, 100), (101, None))
_FAMILY_BINS = ((1, 1), (2, 2), (3, 4), (5, 8), (9, 16), (17, 32), (33, 64), (65, 128), (129, None))


@dataclass(frozen=True)
class AttributeCard:
    """One label column as a reader sees it."""

    key: str
    name: str
    classes: int
    labelled: int
    blank: int
    effective: str
    imbalance: str
    single: int
    near_empty: int
    bars: Markup
    ranks: Markup
    hidden: int
    few: Sequence[str]
    few_more: int


@dataclass(frozen=True)
class Refusal:
    """What was refused for one kind of reason, with the first place and sentence."""

    column: str
    count: int
    place: str
    reason: str


def render_product_eda(
    statistics: ProductStatistics,
    quarantined: pd.DataFrame,
    generated_at: datetime,
    *,
    unnamed_pictures: Sequence[str] = (),
    title: str = "Products",
) -> str:
    """The page as HTML text from ``product_statistics`` and the ``QUARANTINED_PRODUCTS`` table.

    Self-contained, without a script and without a picture of a product; every value is escaped.
    """
    return render_template(
        "product_eda.html.j2",
        policy=CONTENT_SECURITY_POLICY,
        title=title,
        n=statistics.n,
        arrived=statistics.n + len(quarantined),
        refused=len(quarantined),
        families=len(statistics.family_sizes),
        without_picture=statistics.without_picture,
        unnamed=[clip(name, 80) for name in unnamed_pictures[:NAMED_CLASSES]],
        unnamed_count=len(unnamed_pictures),
        findings=findings(statistics),
        attributes=[_attribute_card(statistics, name) for name in statistics.attributes["attribute"]],
        near_empty=NEAR_EMPTY,
        association=Markup(heat_map_svg(statistics.label_association, title="Cramér's V between attributes")),
        information=Markup(
            heat_map_svg(
                statistics.field_information, title="Adjusted mutual information of fields with attributes"
            )
        ),
        fields=statistics.fields.to_dict("records"),
        words=Markup(_histogram(statistics.words, _WORD_BINS, "Words per text")),
        languages=Markup(
            bar_chart_svg(list(statistics.languages), list(statistics.languages.values()), title="Languages")
        ),
        sizes=Markup(_top_bars(statistics.picture_sizes, "Picture sizes")),
        same_file=statistics.same_file,
        family_chart=Markup(
            _histogram(statistics.family_sizes, _FAMILY_BINS, "Families by size", "families")
        ),
        largest=[
            (clip(row["name"], 90), row["products"]) for row in statistics.largest_families.to_dict("records")
        ],
        refusals=_refusals(quarantined),
        generated_at=generated_at.strftime("%Y-%m-%d %H:%M"),
    )


def explore_products(
    source: Path,
    out: Path,
    generated_at: datetime,
    *,
    label_columns: Sequence[str] | None = None,
    encoding: str | None = None,
    progress: Progress | None = None,
) -> ProductIntake:
    """Write the page of the cards and pictures in ``source`` (folder or zip) to ``out``; what was taken in.

    Raises as ``take_in_products``.
    """
    taken = take_in_products(source, label_columns, encoding=encoding, progress=progress)
    page = render_product_eda(
        product_statistics(taken.products),
        taken.quarantined,
        generated_at,
        unnamed_pictures=taken.unnamed_pictures,
        title=Path(source).resolve().name,
    )
    write_text_atomic(out, page)
    return taken


def _attribute_card(statistics: ProductStatistics, name: str) -> AttributeCard:
    names = statistics.attributes["attribute"].tolist()
    row = statistics.attributes.to_dict("records")[names.index(name)]
    classes = statistics.classes[statistics.classes["attribute"] == name]
    shown = classes.head(SHOWN_CLASSES)
    few = classes[classes["count"] < NEAR_EMPTY]
    named = [f"{clip(label, 40)} ({count})" for label, count in zip(few["label"], few["count"], strict=True)]
    return AttributeCard(
        key=f"attribute-{names.index(name)}",
        name=name,
        classes=row["classes"],
        labelled=row["labelled"],
        blank=statistics.n - row["labelled"],
        effective=f"{row['effective']:.1f}",
        imbalance=f"{row['imbalance']:.1f}" if np.isfinite(row["imbalance"]) else DASH,
        single=row["single"],
        near_empty=row["near_empty"],
        bars=Markup(
            bar_chart_svg(
                shown["label"].tolist(), shown["count"].tolist(), title=f"Largest classes of {name}"
            )
        ),
        ranks=Markup(rank_chart_svg(classes["count"].tolist(), title=f"Class sizes of {name}")),
        hidden=len(classes) - len(shown),
        few=named[:NAMED_CLASSES],
        few_more=max(len(named) - NAMED_CLASSES, 0),
    )


def _histogram(
    values: Sequence[int] | np.ndarray[tuple[int], np.dtype[np.int64]],
    bins: Sequence[tuple[int, int | None]],
    title: str,
    counted: str = "products",
) -> str:
    numbers = np.asarray(values)
    counts = [
        int(((numbers >= low) & (numbers <= (high if high is not None else np.inf))).sum())
        for low, high in bins
    ]
    last = max((index for index, count in enumerate(counts) if count), default=-1)
    names = [
        f"{low}+" if high is None else f"{low}" if low == high else f"{low}–{high}" for low, high in bins
    ]
    return column_chart_svg(names[: last + 1], counts[: last + 1], title=title, counted=counted)


def _top_bars(counts: dict[str, int], title: str) -> str:
    names, values = list(counts)[:SHOWN_SIZES], list(counts.values())
    shown = values[:SHOWN_SIZES]
    if len(values) > SHOWN_SIZES:
        names.append(f"{len(values) - SHOWN_SIZES} other sizes")
        shown = [*shown, sum(values[SHOWN_SIZES:])]
    return bar_chart_svg(names, shown, title=title)


def _refusals(quarantined: pd.DataFrame) -> list[Refusal]:
    rows = []
    for column, group in quarantined.groupby("column", sort=False):
        first = group.iloc[0]
        place = f"{first['source_file']}:{first['source_row']}"
        rows.append(Refusal(str(column) or DASH, len(group), place, clip(first["reason"], 300)))
    return sorted(rows, key=lambda row: -row.count)[:SHOWN_REASONS]
