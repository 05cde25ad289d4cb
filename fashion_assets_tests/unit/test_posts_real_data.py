"""The real crawl files land and clean; what is asserted is what is known of them."""

from __future__ import annotations

import shutil
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.posts.cleaning import clean_posts
from fashion_assets.posts.landed import landed_months
from fashion_assets.posts.landing import land_incoming
from fashion_assets.posts.raw import arrival_counts, collect_raw_posts

MAPPING = """
- files: "post_texts_dated.csv"
  columns: {post_id: post, poster_id: author, post_date: date, post_title: title, post_content: text,
            post_tag: tags, post_like: likes, post_collect: collects}
  constants: {post_fetch_time: "2024-07-03 00:00:00"}
  tag_separator: "|"
"""


@pytest.mark.real_data
def test_both_real_files_land_and_clean(real_data: Path, tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    incoming.mkdir()
    for name in ("raw_posts.csv", "post_texts_dated.csv"):
        shutil.copy(real_data / "xhs" / name, incoming)
    (incoming / "columns.yaml").write_text(MAPPING)
    result = land_incoming(
        incoming, tmp_path / "lake", b"s" * 32, now=datetime(2024, 7, 4), settle_seconds=0.0
    )
    assert {file.name: file.rows for file in result.files} == {
        "raw_posts.csv": 391,
        "post_texts_dated.csv": 1790,
    }
    months = landed_months(tmp_path / "lake")
    raw = {month: collect_raw_posts(tmp_path / "lake", month) for month in months}
    counts = [arrival_counts(tmp_path / "lake", month) for month in months]
    assert sum(count["rows"] for count in counts) == 2181
    assert sum(count["superseded"] for count in counts) == 89
    cleaned = {month: clean_posts(frame) for month, frame in raw.items()}
    assert all(len(kept) + len(refused) == len(raw[month]) for month, (kept, refused) in cleaned.items())
    kept = pd.concat([kept for kept, _ in cleaned.values()]).set_index("post_id")
    refused = pd.concat([refused for _, refused in cleaned.values()])
    assert len(kept) > 2000 and set(refused["column"]) == {"post_content"}
    assert kept.loc["ab1dee84a201f11c", "post_date"] == date(2024, 6, 11)
    assert kept.loc["2bbf3f75e05eff0c", "post_date"] == date(2024, 6, 4)
    assert not kept["text"].str.contains("[#@\u200b\ufe0f]|小红书$|nan nan", regex=True).any()
    ids = set(pd.read_csv(real_data / "xhs" / "raw_posts.csv", dtype=str)["poster_id"])
    everything = " ".join(frame.to_csv() for frame in raw.values())
    assert not any(author in everything for author in ids)


@pytest.mark.real_data
def test_dates_of_the_dated_file_are_kept(real_data: Path, tmp_path: Path) -> None:
    source = pd.read_csv(real_data / "xhs" / "post_texts_dated.csv", dtype=str)
    frame = source.rename(
        columns={"post": "post_id", "author": "poster_id", "title": "post_title", "text": "post_content"}
    )
    frame = frame.assign(
        post_date=frame["date"], post_fetch_time="2024-07-03 00:00:00", post_tag=frame["tags"]
    )
    kept, refused = clean_posts(frame)
    assert len(kept) + len(refused) == len(source)
    expected = dict(zip(source["post"], source["date"], strict=True))
    assert all(
        str(day) == expected[post] for post, day in zip(kept["post_id"], kept["post_date"], strict=True)
    )
