"""The monthly style report: one HTML page that opens anywhere, loads nothing and runs no script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from fashion_assets.reports.pages import render_template
from fashion_assets.reports.pictures import Thumb

TOP_STYLES = 5  # the reference shows the five largest styles of each month …
PICTURES_PER_STYLE = 10  # … with ten pictures each
# Nothing may be loaded or run: the page is safe to mail, to host and to open, whatever a post contains.
CONTENT_SECURITY_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
MAX_PAGE_BYTES = 4_000_000  # mail programs and chat tools take it; pictures are made smaller to stay under


@dataclass(frozen=True)
class ReportCounts:
    """What arrived and what became of it, all for one month.

    `arrived` counts posts (the newest crawl of each, and rows without an id), `older_crawls` the rows that newer ones
    replaced: their sum is the rows that arrived, which run summaries and checks count. `pictures` are the readable
    ones, video frames included; `refused_pictures` come on top of them, and `refused_names` are the first of those.
    """

    arrived: int
    kept: int
    quarantined: int
    pictures: int = 0
    refused_pictures: int = 0
    low_garment: int = 0
    near_duplicates: int = 0
    garment_threshold: float = 0.05
    older_crawls: int = 0
    refused_names: Sequence[str] = ()

    @property
    def rows_arrived(self) -> int:
        """Rows of the crawl files: older crawls + posts."""
        return self.older_crawls + self.arrived


@dataclass(frozen=True)
class MonthlyReportData:
    """All that one page shows.

    - month: "2024-01"
    - quarantine_reasons: `column`, `reason`, `n_rows`, `example` as `quarantine_summary` returns it
    - model_ids: what it is for -> model id
    - profiles / profile_history: STYLE_PROFILES of this month / of all months up to it
    - silhouette_curve: `k`, `micro`, `macro`; chosen_k and k_reason say what was taken and why
    - pictures, posts: per style id, most representative first
    - facets: `facet`, `keyword`, `n_posts`
    - lineage: STYLE_LINEAGE rows of the shown months (None: the models hold none, and the page leaves it out)
    - provenance: input -> digest
    """

    month: str
    counts: ReportCounts
    quarantine_reasons: pd.DataFrame
    model_ids: Mapping[str, str]
    profiles: pd.DataFrame
    profile_history: pd.DataFrame
    silhouette_curve: pd.DataFrame
    chosen_k: int | None
    k_reason: str
    pictures: Mapping[int, Sequence[Thumb]]
    posts: Mapping[int, Sequence[str]]
    facets: pd.DataFrame
    generated_at: datetime
    provenance: Mapping[str, str] = field(default_factory=dict)
    lineage: pd.DataFrame | None = None
    #: Whether the month is final, in a sentence (`closing.closing_sentence`); empty where nobody closes months.
    closing: str = ""


def render_monthly_report(data: MonthlyReportData) -> str:
    """The page as HTML text, below `MAX_PAGE_BYTES` as UTF-8.

    Every value of `data` is escaped. A month without posts, styles or pictures is a page too.
    """
    from fashion_assets.reports.monthly_view import monthly_view

    view = monthly_view(
        data, top_styles=TOP_STYLES, pictures_per_style=PICTURES_PER_STYLE, max_bytes=MAX_PAGE_BYTES
    )
    return render_template("monthly.html.j2", page=view, policy=CONTENT_SECURITY_POLICY)
