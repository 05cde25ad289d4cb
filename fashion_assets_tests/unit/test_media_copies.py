"""Copies of posts: the same pictures make a copy, in whatever order; fewer or more do not."""

from __future__ import annotations

import random
from pathlib import Path

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.media.copies import COLUMNS, copied_posts
from fashion_assets.media.pictures import describe_pictures
from fashion_assets_tests.unit.test_media_pictures import manifest, noise, save


def rows(*posts: tuple[str, str, str]) -> pd.DataFrame:
    """POST_IMAGES rows from (month, post, groups as letters); a capital is the same file as in other months."""
    found = []
    for month, post, groups in posts:
        for number, letter in enumerate(groups):
            found.append(
                {
                    "image_id": f"{post}/{number}",
                    "post_id": post,
                    "month": month,
                    "digest": letter if letter.isupper() else f"{post}{number}",
                    "frame": float("nan"),
                    "duplicate_group": f"{month}{letter}",
                    "status": "ok",
                }
            )
    return pd.DataFrame(found, columns=COLUMNS)


def test_the_same_set_of_pictures_is_a_copy_and_the_first_post_stands() -> None:
    table = rows(
        ("2024-01", "p2", "ab"), ("2024-01", "p1", "ba"), ("2024-01", "p3", "a"), ("2024-01", "p4", "abc")
    )
    assert copied_posts(table) == {"p2": "p1"}


def test_only_pictures_that_count_are_compared() -> None:
    table = rows(("2024-01", "p1", "ab"), ("2024-01", "p2", "ac"), ("2024-01", "p3", "b"))
    assert copied_posts(table) == {}
    assert copied_posts(table, kept={"p1/0", "p2/0"}) == {"p2": "p1"}
    assert copied_posts(table, kept=set()) == {}


def test_the_same_file_is_known_again_in_a_later_month() -> None:
    table = rows(("2024-02", "a", "X"), ("2024-01", "z", "X"), ("2024-02", "b", "x"), ("2024-02", "c", "X"))
    assert copied_posts(table) == {"a": "z", "c": "z"}


def test_a_file_joins_the_groups_of_two_months() -> None:
    table = rows(("2024-01", "p1", "X"), ("2024-02", "p2", "X"), ("2024-02", "p3", "y"))
    # The third post's picture is a near-duplicate of the second's within their month.
    table.loc[table["post_id"] == "p3", "duplicate_group"] = "2024-02X"
    assert copied_posts(table) == {"p2": "p1", "p3": "p1"}


def test_frames_of_one_video_are_different_pictures() -> None:
    table = rows(("2024-01", "p1", "V"), ("2024-01", "p2", "V"))
    table["frame"], table["duplicate_group"] = [0.25, 0.5], ["first", "second"]
    assert copied_posts(table) == {}


def test_refused_pictures_and_none_at_all() -> None:
    table = rows(("2024-01", "p1", "a"), ("2024-01", "p2", "a"))
    assert copied_posts(table.assign(status=["refused", "ok"])) == {}
    assert copied_posts(table.iloc[:0]) == {}


@given(
    st.lists(
        st.tuples(st.sampled_from(["2024-01", "2024-02"]), st.text("abAB", min_size=1, max_size=3)),
        max_size=8,
    )
)
def test_the_order_of_rows_decides_nothing_and_who_stands_is_no_copy(posts: list[tuple[str, str]]) -> None:
    table = rows(*((month, f"p{i}", groups) for i, (month, groups) in enumerate(posts)))
    copies = copied_posts(table)
    assert not set(copies) & set(copies.values())
    order = random.Random(0).sample(range(len(table)), len(table))
    assert copied_posts(table.iloc[order]) == copies


def test_described_pictures_of_a_repost(tmp_path: Path) -> None:
    save(tmp_path, "a/1.jpg", noise(1, (360, 480)), quality=95)
    save(tmp_path, "b/1.jpg", noise(1, (300, 400)), quality=70)
    save(tmp_path, "c/1.jpg", noise(2))
    files = [("a", "a/1.jpg"), ("b", "b/1.jpg"), ("c", "c/1.jpg")]
    table = describe_pictures(manifest(tmp_path, files), tmp_path, "2024-03")
    assert copied_posts(table) == {"b": "a"}
