"""Real shares, picture clusters of ten months, through shares, intervals, stages, changes, durations and weeks."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fashion_assets.posts.counts import parse_counts
from fashion_assets.storage.lake import Lake
from fashion_assets.styles.profiles import profile_styles
from fashion_assets.styles.schemas import STYLE_PROFILES
from fashion_assets.trends.change_points import list_changes
from fashion_assets.trends.coverage import read_coverage
from fashion_assets.trends.durations import monthly_top, style_durations
from fashion_assets.trends.schemas import STYLE_TRENDS, WEEKLY_TRENDS
from fashion_assets.trends.tables import style_trends
from fashion_assets.trends.weekly import count_style_weeks, weekly_table

pytestmark = pytest.mark.real_data

Shares = tuple[pd.DataFrame, pd.DataFrame, list[str]]


@pytest.fixture(scope="module")
def shares(real_data: Path) -> Shares:
    """(the 15,650 pictures with month and cluster, the trend table, the months)."""
    path = real_data / "xhs" / "image_cluster_assignments.csv"
    pictures = pd.read_csv(path, parse_dates=["post_date_resolved"])
    for column in ("post_like", "post_collect"):
        pictures[column], faults = parse_counts(pictures[column])  # 1万 among them
        assert faults.isna().all()
    pictures["month"] = pictures["post_date_resolved"].dt.strftime("%Y-%m")
    months = sorted(pictures["month"].unique())
    profiles = pd.concat([profiles_of(pictures, month) for month in months], ignore_index=True)
    return pictures, style_trends(profiles, months), months


def profiles_of(pictures: pd.DataFrame, month: str) -> pd.DataFrame:
    """STYLE_PROFILES of one month; each picture stands for a post, its cluster for a style."""
    rows = pictures[pictures["month"] == month]
    ids = [f"p{row}" for row in rows.index]
    clusters = {"post_id": ids, "month": month, "style_id": rows["image_cluster"].to_numpy(), "distance": 0.1}
    posts = {
        "post_id": ids,
        "content_hash": ids,
        "likes": rows["post_like"].to_numpy(),
        "collects": rows["post_collect"].to_numpy(),
    }
    words = {"post_id": ids, "keywords": [[] for _ in ids], "facets": [[] for _ in ids]}
    garments = pd.DataFrame(columns=["post_id", "image_id", "kept", "garment_share", "digest"])
    return profile_styles(pd.DataFrame(clusters), pd.DataFrame(posts), pd.DataFrame(words), garments, month)


def test_profiles_have_intervals_and_engagement_that_no_single_post_decides(shares: Shares) -> None:
    pictures, _, months = shares
    for month in (months[0], months[-1]):
        rows, profiles = pictures[pictures["month"] == month], profiles_of(pictures, month)
        pa.Table.from_pandas(profiles, schema=STYLE_PROFILES, preserve_index=False)
        likes = rows["post_like"].astype(float)
        by_style = likes.groupby(rows["image_cluster"])
        assert profiles["n_posts"].tolist() == by_style.size().tolist() and profiles["name"].is_unique
        assert profiles["share"].sum() == pytest.approx(1)
        assert (profiles["share_low"] < profiles["share"]).all()
        assert (profiles["share"] < profiles["share_high"]).all()
        means = likes.clip(upper=likes.quantile(0.95)).groupby(rows["image_cluster"]).mean()
        assert profiles["engagement_likes"].to_numpy() == pytest.approx(means.to_numpy())
        assert profiles["likes_median"].to_numpy() == pytest.approx(by_style.median().to_numpy())
        assert profiles["engagement_likes"].max() < by_style.mean().max()


def test_shares_add_up_and_lie_in_their_intervals(shares: Shares) -> None:
    pictures, table, months = shares
    pa.Table.from_pandas(table, schema=STYLE_TRENDS, preserve_index=False)
    observed = table[table["kind"] == "observed"]
    assert len(months) == 10 and observed["n_posts"].sum() == len(pictures) == 15_650
    assert observed.groupby("month")["share"].sum().to_numpy() == pytest.approx(np.ones(10))
    assert (observed["low"] <= observed["share"]).all() and (observed["share"] <= observed["high"]).all()
    assert (table["kind"] == "forecast").sum() == 3 * table["style_id"].nunique()


def test_every_style_has_a_stage_and_ten_months_know_no_season(shares: Shares) -> None:
    stages = shares[1].drop_duplicates("series_id")
    assert "seasonal" not in set(stages["stage"]) and stages["seasonal_strength"].isna().all()
    assert stages["evidence"].str.contains("A yearly season needs 24 months; 10 are known").all()
    # Most of 98 clusters do not move clearly in ten months; some do, in both directions.
    counts = stages["stage"].value_counts()
    assert counts["steady"] > len(stages) / 2 and counts["rising"] > 0 and counts["fading"] > 0


def test_change_points_are_those_that_can_be_seen(shares: Shares) -> None:
    changes = list_changes(shares[1])
    # A cluster of the cold months: 4.6 % of the pictures in early autumn, 8 % from November on, 3.8 % from February on.
    first = changes[changes["series_id"] == "style:1"].sort_values("month")
    assert first["month"].tolist()[-2:] == ["2023-11", "2024-02"]
    assert first["change"].to_numpy()[-2] > 0.02 and first["change_high"].to_numpy()[-1] < -0.02
    assert changes["series_id"].nunique() < shares[1]["series_id"].nunique() / 2


def test_durations_and_the_monthly_five(shares: Shares) -> None:
    observed = shares[1][shares[1]["kind"] == "observed"]
    durations = style_durations(observed)
    assert len(durations) < 98 and durations["posts"].sum() > 15_500
    assert durations["months_live"].max() == 10 and (durations["months_live"] <= durations["span"]).all()
    top = monthly_top(observed)
    assert (top.groupby("month").size() == 5).all()
    # Three clusters share the second place of the first month.
    june = top[top["month"] == "2023-06"]
    assert june["rank"].tolist() == [1, 2, 2, 2, 5] and june["tied"].tolist()[:4] == [0, 2, 2, 2]


def test_weeks_hold_the_same_pictures(shares: Shares, tmp_path: Path) -> None:
    pictures, table, months = shares
    lake = Lake(tmp_path)
    for month, rows in pictures.groupby("month"):
        ids = [f"p{row}" for row in rows.index]
        clusters = {"post_id": ids, "style_id": pa.array(rows["image_cluster"], pa.int32())}
        posts = {
            "post_id": ids,
            "post_date": pa.array(rows["post_date_resolved"].dt.date, pa.date32()),
            "content_hash": ids,
            "fetched_at": pa.nulls(len(ids), pa.timestamp("s")),
        }
        lake.write("style_clusters", str(month), pa.table(clusters))
        lake.write("cleaned_posts", str(month), pa.table(posts))
    coverage = read_coverage(lake, months)
    assert coverage is not None and coverage.incomplete_months(months) == []
    assert (coverage.first, coverage.last) == (date(2023, 6, 1), date(2024, 3, 31))
    styles = table["style_id"].unique().tolist()
    counts = count_style_weeks(lake, months, styles)
    weeks = weekly_table(
        counts, "style", [f"style:{s}" for s in styles], ["" for _ in styles], months, coverage
    )
    pa.Table.from_pandas(weeks, schema=WEEKLY_TRENDS, preserve_index=False)
    assert counts.undated == 0 and weeks["posts"].sum() == 15_650
    over = weeks.drop_duplicates("week")["complete"]
    # June 1, 2023 is a Thursday; March 31, 2024 a Sunday.
    assert over.tolist() == [False] + [True] * 43
