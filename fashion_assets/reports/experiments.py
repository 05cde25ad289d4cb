"""The comparison page: every way of finding styles that was tried, with its verdict, its figures and its charts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from fashion_assets.reports.experiment_charts import LEVEL_SLOTS, month_columns_svg, scatter_svg
from fashion_assets.reports.monthly import CONTENT_SECURITY_POLICY
from fashion_assets.reports.pages import render_template
from fashion_assets.reports.svg_charts import silhouette_chart_svg
from fashion_assets.reports.wording import DASH, as_float
from fashion_assets.styles.experiments.table import curve_of
from fashion_assets.styles.experiments.variants import (
    CLUSTERER_WORDS,
    MODALITY_WORDS,
    REDUCTION_WORDS,
    TAKES_K,
    VARIANTS,
    variant_of,
)

MARKS = {"passes": "✓", "doubtful": "?", "fails": "✕", "none": DASH}
"""A verdict is never told by its colour alone."""


@dataclass(frozen=True)
class Cell:
    """One variant in the table of all of them; `level` is "" where it was not tried."""

    key: str
    level: str
    mark: str
    slot: int
    score: str
    words: str


@dataclass(frozen=True)
class Card:
    """One variant with its figures as a reader sees them, and its charts; `curve` is None where nothing was scanned."""

    key: str
    words: str
    level: str
    mark: str
    slot: int
    verdict: str
    notes: Sequence[str]
    reason: str
    k: str
    n_rows: int
    n_posts: int
    span: str
    model_id: str
    figures: Mapping[str, str]
    largest_share: float
    noise: float
    month_share: float
    takes_k: bool
    curve: Markup | None
    scatter: Markup | None
    months: Markup | None


def render_experiments(rows: Sequence[Mapping[str, Any]], generated_at: datetime) -> str:
    """The page as HTML text from rows of `STYLE_EXPERIMENTS`, in their order; variants without a row are named.

    Self-contained, without a script; every value is escaped.
    """
    cards = [_card(row) for row in rows]
    tried = {card.key: card for card in cards}
    absent = [variant.key for variant in VARIANTS if variant.key not in tried]
    newest = max((row["months"][-1] for row in rows if row["months"]), default="")
    return render_template(
        "experiments.html.j2",
        policy=CONTENT_SECURITY_POLICY,
        cards=cards,
        judged=[card for card in cards if card.level != "none"],
        counts={level: sum(card.level == level for card in cards) for level in MARKS},
        columns=[
            (REDUCTION_WORDS[reduction], CLUSTERER_WORDS[clusterer])
            for reduction in ("none", "pca", "umap")
            for clusterer in CLUSTERER_WORDS
        ],
        matrix=_matrix(tried),
        absent=absent,
        behind=[card.words for card, row in zip(cards, rows, strict=True) if _ends_before(row, newest)],
        newest=newest,
        marks=MARKS,
        slots=LEVEL_SLOTS,
        generated_at=generated_at.strftime("%Y-%m-%d %H:%M"),
    )


def _ends_before(row: Mapping[str, Any], newest: str) -> bool:
    return bool(row["months"]) and row["months"][-1] < newest


def _matrix(tried: Mapping[str, Card]) -> list[tuple[str, list[Cell]]]:
    lines = []
    for modality, words in MODALITY_WORDS.items():
        cells = []
        for variant in VARIANTS:
            if variant.modality != modality:
                continue
            card = tried.get(variant.key)
            cells.append(
                Cell(
                    variant.key,
                    card.level if card else "",
                    card.mark if card else "",
                    card.slot if card else 0,
                    card.figures["with_noise"] if card else "",
                    f"{variant.words}: {card.verdict if card else 'not tried'}",
                )
            )
        lines.append((words, cells))
    return lines


def _card(row: Mapping[str, Any]) -> Card:
    scanned = len(row["curve_k"]) > 0
    level = str(row["level"])
    months = list(row["months"])
    return Card(
        key=row["variant"],
        words=variant_of(row["variant"]).words,
        level=level,
        mark=MARKS[level],
        slot=LEVEL_SLOTS[level],
        verdict=row["verdict"],
        notes=row["notes"],
        reason=row["k_reason"],
        k=str(row["best_k"]) if row["best_k"] else DASH,
        n_rows=row["n_rows"],
        n_posts=row["n_posts"],
        span=f"{months[0]} to {months[-1]}" if months else DASH,
        model_id=row["model_id"],
        figures={
            "micro": decimal(row["silhouette_micro"], 3),
            "macro": decimal(row["silhouette_macro"], 3),
            "with_noise": decimal(row["silhouette_with_noise"], 3),
            "unreduced": decimal(row["silhouette_unreduced"], 3),
            "entropy": decimal(row["normalised_entropy"]),
            "gini": decimal(row["gini"]),
            "bootstraps": agreement(row["ari_bootstraps"]),
            "seeds": agreement(row["ari_seeds"]),
        },
        largest_share=as_float(row["largest_share"]),
        noise=as_float(row["noise_share"]),
        month_share=as_float(row["largest_month_share"]),
        takes_k=row["clusterer"] in TAKES_K,
        curve=Markup(silhouette_chart_svg(curve_of(row), row["best_k"], width=470, height=250))
        if scanned
        else None,
        scatter=Markup(scatter_svg(row["map_x"], row["map_y"], row["map_cluster"])) if scanned else None,
        months=(
            Markup(month_columns_svg(months, row["month_shares"], row["month_posts"])) if scanned else None
        ),
    )


def decimal(value: object, digits: int = 2) -> str:
    """The number with so many digits, without a leading zero; a dash if unknown."""
    number = as_float(value)
    if not math.isfinite(number):
        return DASH
    written = f"{number:.{digits}f}"
    return written.replace("0.", ".", 1) if abs(float(written)) < 1 else written


def agreement(values: Sequence[float]) -> str:
    """The mean and, in brackets, the lowest of adjusted Rand indices; a dash if none were drawn."""
    return f"{decimal(sum(values) / len(values))} ({decimal(min(values))})" if len(values) else DASH
