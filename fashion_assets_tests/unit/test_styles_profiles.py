"""Profiles: shares and intervals, engagement, words and names, representatives without repeats."""

from __future__ import annotations

import hashlib
from typing import Any

import pandas as pd
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.styles.naming import facet_of_words, name_styles
from fashion_assets.styles.profiles import REPRESENTATIVES, profile_styles
from fashion_assets.styles.schemas import STYLE_PROFILES

MONTH = "2024-01"
FACETS = {
    "温柔": "style",
    "酷飒": "style",
    "黑色": "colour",
    "连衣裙": "garment",
    "皮衣": "garment",
    "穿搭": "",
}


def tables(rows: list[dict[str, Any]]) -> dict[str, pd.DataFrame]:
    """The five tables of the month from one record per post: id, style, distance, words, likes, images."""
    posts = [row["id"] for row in rows]
    pictures = [(row["id"], *picture) for row in rows for picture in row.get("images", [])]
    return {
        "clusters": pd.DataFrame(
            {
                "post_id": posts,
                "month": [row.get("month", MONTH) for row in rows],
                "style_id": pd.array([row["style"] for row in rows], dtype="int32"),
                "distance": [row.get("distance", 0.1) for row in rows],
            }
        ),
        "cleaned": pd.DataFrame(
            {
                "post_id": posts,
                "likes": pd.array([row.get("likes") for row in rows], dtype="Int64"),
                "collects": pd.array([row.get("collects") for row in rows], dtype="Int64"),
                "content_hash": [row.get("hash", row["id"]) for row in rows],
            }
        ),
        "keywords": pd.DataFrame(
            {
                "post_id": posts,
                "keywords": [row.get("words", []) for row in rows],
                "facets": [[FACETS.get(word, "") for word in row.get("words", [])] for row in rows],
            }
        ),
        "garments": pd.DataFrame(
            {
                "post_id": [post for post, *_ in pictures],
                "image_id": [f"{post}/{name}" for post, name, *_ in pictures],
                "digest": [digest for _, _, digest, _ in pictures],
                "garment_share": [share for *_, share in pictures],
                "kept": [share >= 0.05 for *_, share in pictures],
            }
        ),
    }


def profiles_of(rows: list[dict[str, Any]], images: pd.DataFrame | None = None) -> pd.DataFrame:
    made = tables(rows)
    frame = profile_styles(
        made["clusters"], made["cleaned"], made["keywords"], made["garments"], MONTH, images=images
    )
    pa.Table.from_pandas(frame, schema=STYLE_PROFILES, preserve_index=False)
    return frame.set_index("style_id")


def test_shares_medians_words_and_names() -> None:
    rows = [
        {"id": f"a{i}", "style": 3, "words": ["穿搭", "温柔", "连衣裙"], "likes": i, "collects": None}
        for i in range(6)
    ] + [
        {"id": "b0", "style": 5, "words": ["皮衣", "酷飒", "穿搭"], "likes": None, "collects": 4},
        {"id": "b1", "style": 5, "words": ["皮衣", "黑色", "穿搭"], "likes": 8, "collects": 6},
        {"id": "lost", "style": -1, "words": ["穿搭"]},
        {"id": "older", "style": 3, "month": "2023-12", "words": ["黑色"], "likes": 999},
    ]
    frame = profiles_of(rows)
    assert frame.index.tolist() == [3, 5]
    assert frame["n_posts"].tolist() == [6, 2] and frame["share"].tolist() == [0.75, 0.25]
    assert (frame["share_low"] < frame["share"]).all() and (frame["share"] < frame["share_high"]).all()
    assert frame.loc[3, "likes_median"] == 2.5 and pd.isna(frame.loc[3, "collects_median"])
    assert frame.loc[5, "likes_median"] == 8 and frame.loc[5, "collects_median"] == 5
    assert frame.loc[3, "name"] == "温柔·连衣裙" and frame.loc[5, "name"] == "酷飒·皮衣"
    assert set(frame.loc[3, "keywords"]) == {"温柔", "连衣裙", "穿搭"}
    assert frame.loc[5, "keywords"][0] == "皮衣"


def test_a_word_of_many_posts_names_no_style() -> None:
    own = ["温柔", "酷飒", "黑色", "皮衣", "复古"]
    rows = [
        {"id": f"{style}-{i}", "style": style, "words": ["连衣裙", word]}
        for style, word in enumerate(own)
        for i in range(3)
    ]
    assert profiles_of(rows)["name"].tolist() == own


def test_representatives_are_nearest_first_and_each_content_once() -> None:
    rows = [{"id": f"p{i:02d}", "style": 0, "distance": i / 100, "hash": f"h{i // 2}"} for i in range(30)]
    posts = profiles_of(rows[::-1]).loc[0, "representative_posts"]
    assert posts == [f"p{i:02d}" for i in range(0, 20, 2)] and len(posts) == REPRESENTATIVES


def test_posts_of_pictures_alone_are_not_taken_for_one_post() -> None:
    no_text = hashlib.sha256(b"").hexdigest()
    rows = [
        {"id": f"p{i}", "style": 0, "distance": i / 100, "hash": no_text, "images": [("a.jpg", f"d{i}", 0.4)]}
        for i in range(4)
    ]
    style = profiles_of(rows).loc[0]
    assert style["representative_posts"] == ["p0", "p1", "p2", "p3"]
    assert style["representative_images"] == [f"p{i}/a.jpg" for i in range(4)]


def test_pictures_one_per_post_first_and_near_duplicates_once() -> None:
    rows: list[dict[str, Any]] = [
        {
            "id": f"p{i}",
            "style": 0,
            "distance": i / 100,
            "images": [("small.jpg", f"s{i}", 0.1), ("large.jpg", f"l{i}", 0.4), ("bare.jpg", f"n{i}", 0.01)],
        }
        for i in range(4)
    ]
    rows[1]["images"][1] = ("large.jpg", "l0", 0.4)  # the same file as p0's
    shown = profiles_of(rows).loc[0, "representative_images"]
    assert shown == ["p0/large.jpg", "p2/large.jpg", "p3/large.jpg", *(f"p{i}/small.jpg" for i in range(4))]
    images = pd.DataFrame(
        {
            "image_id": ["p2/large.jpg", "p3/large.jpg", "p0/small.jpg"],
            "duplicate_group": ["p0/x", "p0/x", None],
        }
    )
    grouped = profiles_of(rows, images).loc[0, "representative_images"]
    assert "p3/large.jpg" not in grouped and "p2/large.jpg" in grouped and "p0/small.jpg" in grouped
    many = [{**rows[0], "id": f"q{i}", "images": [("x.jpg", f"d{i}", 0.3)]} for i in range(20)]
    assert len(profiles_of(many).loc[0, "representative_images"]) == REPRESENTATIVES


def test_a_month_without_styles_or_words_is_no_error() -> None:
    assert profiles_of([{"id": "a", "style": -1}]).empty
    bare = profiles_of([{"id": "a", "style": 2}])
    assert bare.loc[2, "name"] == "风格 2" and bare.loc[2, "keywords"] == [] and bare.loc[2, "share"] == 1


def test_names_are_unique_and_the_largest_style_chooses_first() -> None:
    words = {
        0: ["温柔", "连衣裙"],
        1: ["温柔", "连衣裙", "黑色"],
        2: ["温柔", "连衣裙"],
        3: ["穿搭", "日常"],
        4: ["穿搭"],
    }
    names = name_styles(words, FACETS, {0: 5, 1: 9, 2: 3, 3: 2, 4: 1})
    assert len(set(names.values())) == len(names)
    assert names[1] == "温柔·连衣裙" and names[3] == "穿搭·日常" and names[4] == "穿搭"
    assert names[0].endswith("0") and names[2].endswith("2")


@given(
    st.dictionaries(
        st.integers(0, 20),
        st.lists(st.sampled_from([*FACETS, "长裙", "裙"]), max_size=6, unique=True),
        max_size=12,
    )
)
def test_names_are_always_unique_and_never_empty(words: dict[int, list[str]]) -> None:
    names = name_styles(words, FACETS, {style: len(each) for style, each in words.items()})
    assert set(names) == set(words) and len(set(names.values())) == len(names) and all(names.values())


def test_a_word_has_the_facet_that_most_posts_give_it() -> None:
    found = facet_of_words(
        [["米色", "裙"], ["米色"], ["米色"], ["裙"]], [["colour", ""], ["style"], ["style"], ["garment"]]
    )
    assert found == {"米色": "style", "裙": "garment"}


def test_one_famous_post_does_not_decide_the_engagement() -> None:
    rows = [{"id": f"a{i}", "style": 1, "words": ["裙"], "likes": 10} for i in range(30)]
    rows += [{"id": f"b{i}", "style": 2, "words": ["裤"], "likes": 10} for i in range(30)]
    rows[0]["likes"] = 1_000_000
    frame = profiles_of(rows)
    assert frame.loc[1, "engagement_likes"] == frame.loc[2, "engagement_likes"] == 10
    assert frame["engagement_collects"].isna().all()
