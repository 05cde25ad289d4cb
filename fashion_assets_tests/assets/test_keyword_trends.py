"""The keyword_trends asset over a lake of made months: its table, and what it shows of the newest month."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.resources import LakeReader
from fashion_assets.defs.schemas import COLUMNS
from fashion_assets.defs.trends import keyword_trends
from fashion_assets.settings import Settings
from fashion_assets.storage.months import month_range
from fashion_assets.trends.schemas import KEYWORD_TRENDS
from fashion_assets_tests.unit.keyword_posts import Post, stored

MONTHS = month_range("2024-01", "2024-06")
COAT, HAT, NEW = ("外套", "garment"), ("贝雷帽", "accessory"), ("美拉德", "colour")


def posts(months: list[str]) -> list[Post]:
    """外套 in every second post, 贝雷帽 in 4 % of them but for 40 % in April, 美拉德 in June alone."""
    return [
        Post(
            month,
            [COAT] * (i % 2)
            + [HAT] * (i % 25 < (10 if month == "2024-04" else 1))
            + [NEW] * (month == "2024-06"),
            likes=i,
        )
        for month in months
        for i in range(100)
    ]


def made(root: Path, months: list[str]) -> dg.MaterializeResult:
    settings = Settings(data_dir=root)
    stored(posts(months), settings.lake)
    result = keyword_trends(lake=LakeReader(settings))
    assert isinstance(result, dg.MaterializeResult)
    return result


def test_the_newest_month_its_newcomers_and_the_bursts_are_shown(tmp_path: Path) -> None:
    result = made(tmp_path, MONTHS)
    shown = result.metadata
    assert shown is not None
    assert (shown["keywords"], shown["months"], shown["keywords_with_forecast"], shown["bursts"]) == (
        3,
        6,
        3,
        2,
    )
    newest = shown["characteristic_of_2024-06"].md_str.splitlines()
    assert newest[2].startswith("| 2024-06 | 美拉德 |")
    # The newcomer's burst is the heavier one, since all of its posts are in it.
    assert ["美拉德" in line for line in shown["strongest_bursts"].md_str.splitlines()[2:]] == [True, False]
    assert "| 贝雷帽 | accessory | 2024-04 | 2024-04 | 2024-04 |" in shown["strongest_bursts"].md_str
    assert [line[:5] for line in shown["newcomers_of_2024-06"].md_str.splitlines()[2:]] == ["| 美拉德"[:5]]
    assert shown["picture"].md_str.startswith("![chart](data:image/png;base64,")


def test_a_single_month_has_neither_newcomers_nor_bursts(tmp_path: Path) -> None:
    shown = made(tmp_path, MONTHS[:1]).metadata
    assert shown is not None and shown["bursts"] == 0
    assert len(shown["newcomers_of_2024-01"].md_str.splitlines()) == 2
    assert len(shown["characteristic_of_2024-01"].md_str.splitlines()) == 2


def test_without_the_posts_of_a_month_it_says_which(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    lake = stored(posts(MONTHS), settings.lake)
    lake.path("cleaned_posts", "2024-03").unlink()
    with pytest.raises(dg.Failure, match="cleaned_posts is missing 2024-03"):
        keyword_trends(lake=LakeReader(settings))


def test_it_depends_on_both_assets_and_describes_every_column() -> None:
    specs = {
        spec.key.to_user_string(): spec for spec in build_definitions(Settings()).resolve_all_asset_specs()
    }
    above = {dep.asset_key.to_user_string() for dep in specs["keyword_trends"].deps}
    assert above == {"fashion_keywords", "cleaned_posts"}
    assert set(KEYWORD_TRENDS.names) <= set(COLUMNS)
