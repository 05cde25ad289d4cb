"""The monthly report's figures as the page says them: rows, sentences, charts (the template escapes them)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from markupsafe import Markup

from fashion_assets.reports.life_charts import DURATION_ROWS, duration_chart_svg, stacked_shares_svg
from fashion_assets.reports.lineage_chart import EventRow, has_lineage, lineage_chart_svg, lineage_events
from fashion_assets.reports.monthly import MonthlyReportData, ReportCounts
from fashion_assets.reports.palette import MARKERS, colour_slots
from fashion_assets.reports.pictures import Thumb, shrink
from fashion_assets.reports.svg_charts import bar_chart_svg, share_chart_svg, silhouette_chart_svg
from fashion_assets.reports.wording import (
    DASH,
    as_float,
    clip,
    percent,
    plain,
    quantity,
    style_label,
)
from fashion_assets.storage.months import shift_month

POSTS_PER_STYLE = 3
POST_CHARACTERS = 110  # three lines of Chinese in the post column
NAME_CHARACTERS = 40
KEYWORDS_PER_STYLE = 12
KEYWORDS_PER_FACET = 10
HALF_COLUMN = 532  # pixels: charts drawn at the size they are shown at keep their type size
BARS = 20  # styles in the bar chart; all of them are in the table below it
TABLE_ROWS = 400  # of any table; the lake holds the rest
FACET_TITLES = {"": "No facet", "hair_beauty": "Hair & beauty", "body_type": "Body type"}
_TEXT_ALLOWANCE = 700_000  # of the page's bytes for everything that is no picture


@dataclass(frozen=True)
class StyleRow:
    """One line of the table of all styles."""

    style_id: int
    name: str
    share: float
    low: float
    high: float
    n_posts: int
    likes: str
    collects: str
    change: str
    direction: str  # "up", "down" (intervals of both months apart), "same", "new"
    keywords: list[str]


@dataclass(frozen=True)
class StyleCard:
    """One of the top styles with its pictures (None: no picture for that place) and posts."""

    row: StyleRow
    rank: int
    slot: int
    marker: str
    scale: float  # the right end of the share bar, so that all cards share one scale
    pictures: list[Thumb | None]
    posts: list[str]


@dataclass(frozen=True)
class FacetKeyword:
    keyword: str
    n_posts: int
    width: float  # percent of the largest of its facet


@dataclass(frozen=True)
class Facet:
    title: str
    keywords: list[FacetKeyword]
    n_left_out: int


@dataclass(frozen=True)
class MonthlyView:
    """What the template reads."""

    month: str
    generated_at: str
    closing: str
    counts: ReportCounts
    unaccounted: int
    clustered: int
    left_out: list[str]
    n_styles: int
    top_share: str
    rows: list[StyleRow]
    n_rows_left_out: int
    cards: list[StyleCard]
    share_chart: Markup
    stacked_chart: Markup
    duration_chart: Markup
    n_duration_left_out: int
    lineage_chart: Markup | None
    has_lineage: bool
    events: list[EventRow]
    bars: Markup
    silhouette_chart: Markup
    chosen_k: int | None
    k_reason: str
    facets: list[Facet]
    reasons: list[dict[str, str]]
    n_reasons_left_out: int
    model_ids: list[tuple[str, str]]
    provenance: list[tuple[str, str]]


def monthly_view(
    data: MonthlyReportData, *, top_styles: int, pictures_per_style: int, max_bytes: int
) -> MonthlyView:
    """The view; pictures are made smaller where the page would pass `max_bytes`."""
    rows = style_rows(data.profiles, data.profile_history, data.month)
    top = rows[:top_styles]
    slots = colour_slots([row.style_id for row in top])
    scale = max([row.high if math.isfinite(row.high) else row.share for row in top if row.share > 0] or [1.0])
    # base64 makes 4 characters of 3 bytes; every place may hold a different picture.
    per_picture = int((max_bytes - _TEXT_ALLOWANCE) * 3 / 4 / max(top_styles * pictures_per_style, 1))
    cards = [
        StyleCard(
            row=row,
            rank=rank,
            slot=slots[row.style_id],
            marker=MARKERS[slots[row.style_id]],
            scale=scale,
            pictures=_places(data.pictures.get(row.style_id, ()), pictures_per_style, per_picture),
            posts=[clip(post, POST_CHARACTERS) for post in data.posts.get(row.style_id, ()) if plain(post)][
                :POSTS_PER_STYLE
            ],
        )
        for rank, row in enumerate(top, start=1)
    ]
    history = data.profile_history
    if not history.empty:
        history = history[history["month"].astype(str).str[:7] <= data.month[:7]]
    highlight = [row.style_id for row in top]
    lineage = data.lineage if data.lineage is not None and not data.lineage.empty else None
    bars = rows[:BARS]
    reasons = data.quarantine_reasons
    counts = data.counts
    clustered = sum(row.n_posts for row in rows)
    return MonthlyView(
        month=data.month[:7],
        generated_at=_moment(data.generated_at),
        closing=data.closing,
        counts=counts,
        unaccounted=counts.arrived - counts.kept - counts.quarantined,
        clustered=clustered,
        left_out=left_out_sentences(counts, max(counts.kept - clustered, 0)),
        n_styles=len(rows),
        top_share=percent(sum(row.share for row in top)) if top else DASH,
        rows=rows[:TABLE_ROWS],
        n_rows_left_out=max(len(rows) - TABLE_ROWS, 0),
        cards=cards,
        share_chart=Markup(share_chart_svg(history, highlight=highlight)),
        stacked_chart=Markup(stacked_shares_svg(history, highlight=highlight)),
        duration_chart=Markup(duration_chart_svg(history)),
        n_duration_left_out=0 if history.empty else max(history["style_id"].nunique() - DURATION_ROWS, 0),
        lineage_chart=None
        if lineage is None
        else Markup(lineage_chart_svg(lineage, history, highlight=highlight)),
        has_lineage=lineage is not None and has_lineage(lineage, history),
        events=[] if lineage is None else lineage_events(lineage, history),
        bars=Markup(
            bar_chart_svg(
                [row.name for row in bars],
                [row.share for row in bars],
                low=[row.low for row in bars],
                high=[row.high for row in bars],
                slots=[slots.get(row.style_id) for row in bars],
                as_percent=True,
                title="Share of each style this month",
                width=HALF_COLUMN,
            )
        ),
        silhouette_chart=Markup(
            silhouette_chart_svg(data.silhouette_curve, data.chosen_k, width=HALF_COLUMN)
        ),
        chosen_k=data.chosen_k,
        k_reason=plain(data.k_reason),
        facets=facets(data.facets),
        reasons=[
            {name: clip(row.get(name), 300) for name in ("column", "reason", "n_rows", "example")}
            for row in reasons.head(TABLE_ROWS).to_dict("records")
        ],
        n_reasons_left_out=max(len(reasons) - TABLE_ROWS, 0),
        model_ids=_pairs(data.model_ids),
        provenance=_pairs(data.provenance),
    )


def style_rows(profiles: pd.DataFrame, history: pd.DataFrame, month: str) -> list[StyleRow]:
    """The month's styles, largest first, each with its change against the month before."""
    if profiles.empty:
        return []
    before: dict[int, tuple[float, float, float]] | None = None
    if not history.empty:
        earlier = history[history["month"].astype(str).str[:7] == shift_month(month[:7], -1)]
        if not earlier.empty:
            before = {
                int(style_id): (as_float(share), as_float(low), as_float(high))
                for style_id, share, low, high in zip(
                    earlier["style_id"],
                    earlier["share"],
                    earlier["share_low"],
                    earlier["share_high"],
                    strict=True,
                )
            }
    rows = []
    for record in profiles.to_dict("records"):
        style_id = int(record["style_id"])
        share, low, high = (as_float(record[name]) for name in ("share", "share_low", "share_high"))
        change, direction = _change(share, low, high, before, style_id)
        rows.append(
            StyleRow(
                style_id=style_id,
                name=clip(style_label(record["name"], style_id), NAME_CHARACTERS),
                share=share if math.isfinite(share) else 0.0,
                low=low,
                high=high,
                n_posts=int(as_float(record["n_posts"])) if math.isfinite(as_float(record["n_posts"])) else 0,
                likes=quantity(record.get("likes_median")),
                collects=quantity(record.get("collects_median")),
                change=change,
                direction=direction,
                keywords=_texts(record.get("keywords"))[:KEYWORDS_PER_STYLE],
            )
        )
    return sorted(rows, key=lambda row: (-row.share, row.style_id))


def left_out_sentences(counts: ReportCounts, unclustered: int) -> list[str]:
    """What of the month's pictures and posts takes no part, one sentence each; ``unclustered`` kept posts have no
    style. Files that could not be read are named, as somebody is to fetch them again.
    """
    n, few, same = counts.refused_pictures, counts.low_garment, counts.near_duplicates
    unread = f"{quantity(n)} picture file{_s(n)} could not be read"
    names = [clip(name, NAME_CHARACTERS) for name in counts.refused_names]
    if names:
        more = n - len(names)
        listed = ", ".join(names) + (f" and {quantity(more)} more" if more > 0 else "")
        unread += f": {listed}. Why is in the table images of the warehouse (status refused, column reason)"
    threshold = percent(counts.garment_threshold, 0)
    without = (
        f"{quantity(unclustered)} kept post{_s(unclustered)} {'has' if unclustered == 1 else 'have'} no style: neither "
        f"a fashion keyword nor a picture that shows {threshold} garment could be encoded."
    )
    return [
        f"{unread}.",
        f"{quantity(few)} picture{_s(few)} show{_s(few, verb=True)} less than {threshold} garment and "
        f"take{_s(few, verb=True)} no part in styles.",
        f"{quantity(same)} picture{_s(same)} repeat{_s(same, verb=True)} another one; each group counts through one "
        "representative.",
        without if unclustered else "Every kept post has a style.",
    ]


def _s(n: int, *, verb: bool = False) -> str:
    """The ending of a noun of ``n`` things, or of what they do."""
    return "s" if (n == 1) == verb else ""


def _change(
    share: float,
    low: float,
    high: float,
    before: Mapping[int, tuple[float, float, float]] | None,
    style_id: int,
) -> tuple[str, str]:
    if before is None:
        return DASH, "same"
    if style_id not in before:
        return "new", "new"
    then, then_low, then_high = before[style_id]
    points = 100 * (share - then)
    if not math.isfinite(points):
        return DASH, "same"
    written = f"{points:+.1f} pp".replace("-", "\u2212")  # a minus sign as wide as the plus
    if low > then_high:
        return written, "up"
    return (written, "down") if high < then_low else (written, "same")


def facets(frame: pd.DataFrame) -> list[Facet]:
    """One entry per facet in the order of the rows' total, "" last, the most frequent keywords first."""
    if frame.empty:
        return []
    known = frame.assign(facet=[plain(facet) for facet in frame["facet"]], n_posts=frame["n_posts"].fillna(0))
    groups = []
    for name, group in known.groupby("facet", sort=True):
        ordered = group.sort_values(["n_posts", "keyword"], ascending=[False, True])
        largest = max(float(ordered["n_posts"].iloc[0]), 1.0)
        listed = [
            FacetKeyword(clip(keyword, 16), int(n_posts), round(100 * float(n_posts) / largest, 1))
            for keyword, n_posts in zip(ordered["keyword"], ordered["n_posts"], strict=True)
        ][:KEYWORDS_PER_FACET]
        title = FACET_TITLES.get(str(name), str(name).replace("_", " ").capitalize())
        groups.append(
            (name == "", -float(ordered["n_posts"].sum()), Facet(title, listed, len(ordered) - len(listed)))
        )
    return [facet for _, _, facet in sorted(groups, key=lambda group: group[:2])]


def _texts(values: object) -> list[str]:
    """Non-empty lines of a list column (lists arrive from Parquet as arrays)."""
    if values is None or isinstance(values, (str, float)):
        return []
    return [clip(value, 24) for value in values if plain(value)]  # type: ignore[attr-defined]


def _places(thumbs: Sequence[Thumb], n: int, max_bytes: int) -> list[Thumb | None]:
    chosen: list[Thumb | None] = [shrink(thumb, max_bytes) for thumb in list(thumbs)[:n]]
    return chosen + [None] * (n - len(chosen))


def _pairs(values: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(plain(name), clip(value, 160)) for name, value in values.items()]


def _moment(moment: datetime) -> str:
    zone = f" {moment.tzname()}" if moment.tzinfo else ""
    return moment.strftime("%Y-%m-%d %H:%M") + zone
