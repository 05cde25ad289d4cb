"""posts.cleaning: every row is kept or refused with a sentence, and nothing is lost."""

from __future__ import annotations

import json
from datetime import date, datetime

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.posts.authors import hash_author
from fashion_assets.posts.cleaning import clean_posts
from fashion_assets.posts.schemas import CLEANED_POSTS, CRAWL_COLUMNS, QUARANTINED_POSTS, frame_to_table
from fashion_assets.storage.errors import UserError

SALT = b"s" * 32


def crawl(**changes: object) -> dict[str, object]:
    cells: dict[str, object] = {
        "poster_id": "5f3a9c0e12ab34cd56ef7890",
        "post_id": "p1",
        "post_title": "復古穿搭🧥 - ",
        "post_location": "浙江",
        "post_date": "06-11",
        "post_time": None,
        "post_content": "看 https://a.com/b @小王 好看 #美拉德 #Ootd",
        "post_tag": "美拉德, Ootd, 秋冬",
        "post_comments": "10+",
        "post_like": "1.2万",
        "post_collect": None,
        "post_fetch_time": "2024-06-25 14:06:46",
    }
    return cells | changes


def clean(*rows: dict[str, object]) -> tuple[pd.DataFrame, pd.DataFrame]:
    kept, quarantined = clean_posts(pd.DataFrame(list(rows)), salt=SALT)
    assert len(kept) + len(quarantined) == len(rows)
    frame_to_table(kept, CLEANED_POSTS)
    frame_to_table(quarantined, QUARANTINED_POSTS)
    return kept, quarantined


def test_a_bare_crawl_row_becomes_a_clean_post() -> None:
    kept, _ = clean(crawl())
    row = kept.iloc[0]
    assert (row.title, row.body, row.tags) == ("复古穿搭 外套", "看 好看", ["美拉德", "Ootd", "秋冬"])
    assert row.text == "复古穿搭 外套\n看 好看\n美拉德 Ootd 秋冬"
    assert (row.likes, row.comments) == (12000, 10) and pd.isna(row.collects)
    assert (row.post_date, row.month, row.date_source, row.location) == (
        date(2024, 6, 11),
        "2024-06",
        "text",
        "浙江",
    )
    assert row.author == hash_author("5f3a9c0e12ab34cd56ef7890", SALT) and row.fetched_at == datetime(
        2024, 6, 25, 14, 6, 46
    )
    assert (
        len(row.content_hash) == 64 and row.n_media == 0 and (row.source_file, row.source_row) == ("frame", 1)
    )


@pytest.mark.parametrize(
    ("changes", "column", "says"),
    [
        ({"post_date": None}, "post_date", "date is empty"),
        ({"post_date": "02-30"}, "post_date", "no day of any calendar"),
        ({"post_date": "2024-12-01"}, "post_date", "after the fetch"),
        ({"post_date": "某天"}, "post_date", "cannot be read"),
        ({"post_fetch_time": "soon"}, "post_fetch_time", "'soon' cannot be read"),
        ({"post_fetch_time": None}, "post_date", "post_fetch_time is empty"),
        ({"post_like": "-3"}, "post_like", "negative"),
        ({"post_collect": "很多"}, "post_collect", "cannot be read as a count"),
        ({"post_comments": "1.5"}, "post_comments", "whole number"),
        (
            {"post_title": " - ", "post_content": None, "post_tag": None},
            "post_content",
            "no text and no media",
        ),
        (
            {"post_title": "", "post_content": "https://a.com @某人", "post_tag": "nan"},
            "post_content",
            "no text",
        ),
        ({"post_id": None}, "post_id", "post_id is empty"),
        ({"post_id": "a b/c"}, "post_id", "is no id"),
    ],
)
def test_faults(changes: dict[str, object], column: str, says: str) -> None:
    kept, quarantined = clean(crawl(post_id="ok"), crawl(**changes))
    row = quarantined.iloc[0]
    assert len(kept) == 1 and row.column == column and says in row.reason
    assert row.reason.endswith(".") and row.source_row == 2
    assert "5f3a9c0e12ab34cd56ef7890" not in row.raw and json.loads(row.raw)["author"] == kept["author"][0]


def test_several_faults_are_all_said() -> None:
    _, quarantined = clean(crawl(post_date="02-30", post_like="-1"))
    assert quarantined["column"][0] == "post_date"
    assert "02-30" in quarantined["reason"][0] and "-1" in quarantined["reason"][0]


def test_media_alone_is_a_post() -> None:
    kept, _ = clean(crawl(post_title="", post_content="", post_tag="", n_media=2))
    assert kept["text"][0] == "" and kept["n_media"][0] == 2


def test_older_crawls_in_a_bare_frame_are_refused_as_such() -> None:
    kept, quarantined = clean(
        crawl(post_fetch_time="2024-06-25 10:00:00"),
        crawl(post_fetch_time="2024-06-27 10:00:00"),
        crawl(post_id="p2"),
        crawl(),
    )
    assert list(kept["source_row"]) == [2, 3]
    assert list(quarantined["source_row"]) == [1, 4]
    assert set(quarantined["reason"]) == {"This is an older crawl of post p1; the newest fetch is at row 2."}


def test_split_date_columns_of_real_crawls() -> None:
    kept, _ = clean(
        crawl(post_time="15:20"),
        crawl(post_id="p2", post_date="06-04", post_time="天前"),
        crawl(post_id="p3", post_date="3", post_time="天前"),
    )
    assert list(kept["post_date"]) == [date(2024, 6, 11), date(2024, 6, 4), date(2024, 6, 22)]


def test_the_page_title_that_some_crawlers_put_before_the_text_is_cut() -> None:
    content = "复古穿搭 - 小红书 好看 #美拉德 美拉德, 秋冬"
    kept, _ = clean(crawl(post_title="复古穿搭", post_content=content, post_tag="美拉德, 秋冬"))
    assert (kept["title"][0], kept["body"][0], kept["tags"][0]) == ("复古穿搭", "好看", ["美拉德", "秋冬"])
    kept, _ = clean(crawl(post_title="复古穿搭", post_content="复古穿搭 小红书 nan nan", post_tag=None))
    assert kept["text"][0] == "复古穿搭"


def test_cells_of_any_type() -> None:
    kept, quarantined = clean(
        crawl(post_like=5, post_collect=7.0, post_comments=float("nan"), post_date=date(2024, 6, 11)),
        crawl(
            post_id=12345,
            post_fetch_time=pd.Timestamp("2024-06-25"),
            post_tag=["a", "b"],
            post_date=pd.NaT,
            post_time="3天前",
        ),
    )
    assert quarantined.empty
    assert list(kept["likes"]) == [5, 12000] and kept["collects"][0] == 7 and pd.isna(kept["comments"][0])
    assert kept["post_id"][1] == "12345" and kept["tags"][1][-2:] == ["a", "b"]


def test_missing_columns_are_named() -> None:
    with pytest.raises(UserError, match=r"lacks post_id, post_fetch_time; it has poster_id, post_title"):
        clean_posts(pd.DataFrame([crawl()]).drop(columns=["post_id", "post_fetch_time"]))


def test_frames_with_authors_and_frames_without_rows() -> None:
    kept, _ = clean_posts(pd.DataFrame([crawl()]).drop(columns="poster_id").assign(author="abc"))
    assert kept["author"][0] == "abc"
    kept, quarantined = clean_posts(pd.DataFrame(columns=list(CRAWL_COLUMNS)))
    assert list(kept.columns) == CLEANED_POSTS.names and list(quarantined.columns) == QUARANTINED_POSTS.names


def test_without_a_salt_every_call_has_its_own() -> None:
    frame = pd.DataFrame([crawl(), crawl(post_id="p2")])
    one, two = clean_posts(frame)[0], clean_posts(frame)[0]
    assert one["author"].nunique() == 1 and one["author"][0] != two["author"][0]


def test_the_frame_that_came_in_is_left_as_it_was() -> None:
    frame = pd.DataFrame([crawl(), crawl(post_like="-1")], index=[7, 3])
    before = frame.copy(deep=True)
    kept, quarantined = clean_posts(frame, salt=SALT)
    pd.testing.assert_frame_equal(frame, before)
    assert len(kept) + len(quarantined) == 2


cells = st.one_of(
    st.none(),
    st.text(max_size=10),
    st.sampled_from(["06-11", "1.2w", "p1", "p2", "2024-06-25 10:00:00", "-1", "nan"]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys(CRAWL_COLUMNS, cells)), min_size=1, max_size=6))
def test_kept_and_quarantined_are_all_rows_whatever_they_hold(rows: list[dict[str, str | None]]) -> None:
    kept, quarantined = clean_posts(pd.DataFrame(rows), salt=SALT)
    assert sorted([*kept["source_row"], *quarantined["source_row"]]) == list(range(1, len(rows) + 1))
    assert quarantined["reason"].str.len().gt(0).all()
    assert not kept["post_id"].duplicated().any()
