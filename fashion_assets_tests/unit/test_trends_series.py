"""Series of shares, their intervals, and the words that mark a month."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.intervals import wilson_interval
from fashion_assets.styles.proportions import two_share_z
from fashion_assets.trends.keyword_counts import count_keywords
from fashion_assets.trends.log_odds import characteristic_keywords, log_odds_ratio
from fashion_assets.trends.series import keyword_series, style_series
from fashion_assets_tests.unit.keyword_posts import Post, counted, stored

MONTHS = ["2024-01", "2024-02", "2024-03"]


def profiles(rows: list[tuple[str, int, str, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["month", "style_id", "name", "n_posts"])


DRESS, WIDE, HAT = ("连衣裙", "garment"), ("阔腿裤", "garment"), ("贝雷帽", "accessory")


@given(st.integers(0, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_wilson_interval_lies_in_0_1_and_holds_the_share(counts: tuple[int, int]) -> None:
    hits, n = counts
    low, high = wilson_interval(hits, n)
    assert 0.0 <= low <= high <= 1.0
    if n:
        assert low <= hits / n <= high
    mirrored_low, mirrored_high = wilson_interval(n - hits, n)
    assert low == pytest.approx(1 - mirrored_high) and high == pytest.approx(1 - mirrored_low)


def test_the_wilson_interval_has_the_published_figures() -> None:
    low, high = wilson_interval([0, 10, 5], [10, 10, 10])
    assert np.round(low, 4).tolist() == [0.0, 0.7225, 0.2366]
    assert np.round(high, 4).tolist() == [0.2775, 1.0, 0.7634]


def test_the_wilson_interval_narrows_with_more_posts() -> None:
    low, high = wilson_interval([3, 30, 300], [10, 100, 1000])
    assert (np.diff(high - low) < 0).all()


def test_more_posts_than_there_are_is_refused() -> None:
    with pytest.raises(UserError, match="0 <= posts"):
        wilson_interval(5, 4)


def test_two_equal_shares_have_z_0() -> None:
    assert two_share_z(5, 100, 50, 1000) == 0.0
    assert two_share_z(0, 0, 5, 10) == 0.0
    assert two_share_z(60, 100, 40, 100) == pytest.approx(2.8284, abs=1e-3)


def test_a_month_without_the_style_is_a_share_of_zero_with_an_upper_bound() -> None:
    found = style_series(
        profiles([("2024-01", 1, "甜美", 40), ("2024-01", 2, "", 60), ("2024-02", 2, "街头", 100)]), MONTHS
    )
    assert found["series_id"].tolist() == ["style:1"] * 3 + ["style:2"] * 3
    absent = found[(found["style_id"] == 1) & (found["month"] == "2024-02")].iloc[0]
    assert (absent["n_posts"], absent["share"], absent["low"]) == (0, 0.0, 0.0)
    assert 0 < absent["high"] < 0.05
    assert found[found["month"] == "2024-01"]["share"].tolist() == [0.4, 0.6]
    # The name is the newest one given; a month without any post has no share at all.
    assert set(found[found["style_id"] == 2]["name"]) == {"街头"}
    empty = found[found["month"] == "2024-03"]
    assert empty["share"].isna().all() and (empty["high"] == 1.0).all()


def test_a_style_without_a_name_gets_its_number() -> None:
    assert style_series(profiles([("2024-01", 7, "", 3)]), ["2024-01"])["name"].tolist() == ["style 7"]


def test_the_shares_of_a_month_add_up_to_one() -> None:
    found = style_series(
        profiles([(m, s, "", 3 * s + i) for i, m in enumerate(MONTHS) for s in range(5)]), MONTHS
    )
    assert found.groupby("month")["share"].sum().to_numpy() == pytest.approx(np.ones(3))


def test_two_profiles_of_one_style_in_one_month_are_refused() -> None:
    with pytest.raises(UserError, match="style 1 has two profiles in 2024-01"):
        style_series(profiles([("2024-01", 1, "a", 4), ("2024-01", 1, "b", 4)]), MONTHS)


@pytest.mark.parametrize("months", [[], ["2024-02", "2024-01"], ["2024-01", "2024-01"]])
def test_months_out_of_order_are_refused(months: list[str]) -> None:
    with pytest.raises(UserError, match="in order"):
        style_series(profiles([]), months)


def test_no_profiles_give_an_empty_series() -> None:
    assert style_series(profiles([]), MONTHS).empty


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 50)), min_size=1, max_size=8))
def test_the_z_of_many_shares_is_that_of_each(pairs: list[tuple[int, int]]) -> None:
    hits, n = (np.array(column) for column in zip(*pairs, strict=True))
    hits = np.minimum(hits, n)
    together = two_share_z(hits, n, hits[::-1], n[::-1])
    alone = [float(two_share_z(*each)) for each in zip(hits, n, hits[::-1], n[::-1], strict=True)]
    assert together.tolist() == pytest.approx(alone)
    assert together == pytest.approx(-together[::-1])


def test_keyword_series_count_posts_not_mentions() -> None:
    posts = (
        [Post("2024-01", [DRESS, DRESS, WIDE])] * 3
        + [Post("2024-01")]
        + [Post("2024-03", [DRESS])] * 2
        + [Post("2024-03", [WIDE])]
    )
    found = keyword_series(counted(posts, MONTHS, min_posts=5))
    assert found["keyword"].unique().tolist() == ["连衣裙"]  # 阔腿裤 is in four posts only
    assert found["posts"].tolist() == [3, 0, 2]
    assert found["month_posts"].tolist() == [4, 0, 3]
    assert found["share"].tolist()[0] == 0.75 and np.isnan(found["share"].tolist()[1])
    assert found["facet"].tolist() == ["garment"] * 3
    assert found["first_seen"].tolist() == ["2024-01"] * 3 and found["months_seen"].tolist() == [2] * 3


def test_the_facet_of_a_keyword_is_its_most_frequent_one_and_empty_if_it_has_none() -> None:
    posts = [Post("2024-01", [("盐系", "style"), ("今天", "")])] * 3 + [Post("2024-01", [("盐系", "")])] * 5
    posts += [Post("2024-01", [("红", facet)]) for facet in ("pattern", "colour", "colour", "pattern")]
    found = keyword_series(counted(posts, ["2024-01"])).set_index("keyword")
    assert found.loc["盐系", "facet"] == "style" and found.loc["今天", "facet"] == ""
    assert found.loc["红", "facet"] == "colour"  # of two as frequent ones the first by name


def test_posts_of_the_same_text_are_one_post_with_the_most_likes_of_them() -> None:
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    posts = [Post("2024-01", [DRESS], likes=10 * i, text="again") for i in range(4)]
    posts += [Post("2024-01", [HAT], likes=2)] + [Post("2024-01", text=empty)] * 3
    posts += [Post("2024-02", [DRESS], likes=7, text="again")]
    found = counted(posts, MONTHS[:2])
    assert found.keywords.tolist() == ["贝雷帽", "连衣裙"]
    assert found.posts.tolist() == [[1, 0], [1, 1]]
    assert found.month_posts.tolist() == [5, 1]  # again, the hat, and three that have no text at all
    # Of the likes 2 and 30 the 95 % point is 2 + 0.95 * 28.
    assert found.likes[1].tolist() == pytest.approx([28.6, 7.0])


def test_engagement_is_cut_at_the_month_s_quantile_and_unknown_counts_stay_out() -> None:
    posts = [Post("2024-01", [DRESS], likes=likes, collects=None) for likes in range(99)]
    posts += [Post("2024-01", [HAT], likes=1_000_000, collects=4), Post("2024-01", [HAT])]
    found = counted(posts, ["2024-01"])
    cut = float(np.quantile([*range(99), 1_000_000], 0.95))
    assert found.likes[:, 0].tolist() == pytest.approx([cut, np.minimum(np.arange(99), cut).mean()])
    assert found.collects[0, 0] == 4 and np.isnan(found.collects[1, 0])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(MONTHS[:2]), st.lists(st.sampled_from("abcd"), max_size=5), st.sampled_from("xyz")
        ),
        min_size=1,
        max_size=25,
    ),
    st.integers(1, 30),
    st.integers(1, 3),
)
def test_counts_are_those_of_sets_in_any_order_and_batch_size(
    rows: list[tuple[str, list[str], str]], batch_rows: int, min_posts: int
) -> None:
    posts = [Post(month, [(word, "") for word in words], text=text) for month, words, text in rows]
    # Posts of one text have one set of words here, as far as they differ: their union counts.
    found = counted(posts, MONTHS, min_posts, batch_rows)
    said = {(month, word, text) for month, words, text in rows for word in words}
    totals = {word: sum(each[1] == word for each in said) for word in "abcd"}
    kept = [word for word in "abcd" if totals[word] >= min_posts]
    assert found.keywords.tolist() == kept
    truth = [[sum(e[:2] == (month, word) for e in said) for month in MONTHS] for word in kept]
    assert found.posts.tolist() == truth
    assert found.month_mentions.tolist() == [sum(e[0] == month for e in said) for month in MONTHS]
    texts = {(month, text) for month, _, text in rows}
    assert found.month_posts.tolist() == [sum(e[0] == month for e in texts) for month in MONTHS]
    again = counted(posts[::-1], MONTHS, min_posts, batch_rows=3)
    assert again.posts.tolist() == truth and again.keywords.tolist() == kept


def test_a_word_that_is_null_is_no_word() -> None:
    found = counted([Post("2024-01", [(None, ""), DRESS]), Post("2024-01", [HAT, (None, "")])], ["2024-01"])
    assert found.keywords.tolist() == ["贝雷帽", "连衣裙"] and found.facets.tolist() == [
        "accessory",
        "garment",
    ]


def test_counting_from_the_lake_is_counting_the_batches(tmp_path: Path) -> None:
    posts = [Post(m, [DRESS, HAT][: 1 + i % 2], likes=i, collects=2 * i) for m in MONTHS for i in range(9)]
    found, truth = count_keywords(stored(posts, tmp_path), MONTHS, min_posts=1), counted(posts, MONTHS)
    assert found.posts.tolist() == truth.posts.tolist() == [[4] * 3, [9] * 3]
    assert found.collects.tolist() == truth.collects.tolist()


def test_a_month_that_is_missing_and_one_that_is_out_of_step_get_a_sentence(tmp_path: Path) -> None:
    lake = stored([Post("2024-01", [DRESS]), Post("2024-01", [HAT])], tmp_path)
    with pytest.raises(UserError, match="fashion_keywords is missing 2024-02"):
        count_keywords(lake, MONTHS)
    lake.write("cleaned_posts", "2024-01", lake.read("cleaned_posts", "2024-01").slice(0, 1))
    with pytest.raises(
        UserError, match=r"fashion_keywords of 2024-01 names the post p0.*--select fashion_keywords"
    ):
        count_keywords(lake, ["2024-01"])


def test_the_word_that_only_one_month_has_marks_that_month() -> None:
    everyday = [("外套", "garment"), ("鞋", "footwear")]
    posts = [Post(m, everyday) for m in MONTHS for _ in range(40)]
    posts += [Post("2024-02", [("美拉德", "colour")])] * 30
    found = characteristic_keywords(keyword_series(counted(posts, MONTHS, min_posts=5)), top=1)
    first = found.set_index("month").loc["2024-02"]
    assert first["keyword"] == "美拉德" and first["log_odds_z"] > 3 and first["facet"] == "colour"
    assert found["rank"].tolist() == [1, 1, 1]


def test_one_month_has_nothing_to_be_compared_with() -> None:
    series = keyword_series(counted([Post("2024-01", [("鞋", "footwear")])] * 9, ["2024-01"]))
    assert series["log_odds"].isna().all() and characteristic_keywords(series).empty


def test_rare_words_that_are_left_out_still_count_as_what_is_said() -> None:
    posts = [Post(m, [DRESS, (f"rare {m} {i}", "")]) for m in MONTHS[:2] for i in range(20)]
    kept, everything = (keyword_series(counted(posts, MONTHS[:2], least)) for least in (20, 1))
    assert kept["keyword"].unique().tolist() == ["连衣裙"]
    whole = everything[everything["keyword"] == "连衣裙"]
    assert kept["log_odds"].tolist() == pytest.approx(whole["log_odds"].tolist(), abs=1e-12)


@given(st.lists(st.lists(st.integers(0, 400), min_size=3, max_size=3), min_size=2, max_size=12))
def test_log_odds_are_finite_and_rise_with_the_count(counts: list[list[int]]) -> None:
    y = np.array(counts, dtype=float) + 1
    ratio, z = log_odds_ratio(y)
    assert np.isfinite(ratio).all() and np.isfinite(z).all()
    more = y.copy()
    more[0, 0] += 50
    assert log_odds_ratio(more)[0][0, 0] >= ratio[0, 0] - 1e-12


def test_a_group_without_anything_is_no_group() -> None:
    counts = np.array([[30.0, 10.0], [70.0, 90.0]])
    ratio, z = log_odds_ratio(np.insert(counts, 1, 0.0, axis=1))
    assert np.isnan(ratio[:, 1]).all() and np.isnan(z[:, 1]).all()
    assert ratio[:, [0, 2]] == pytest.approx(log_odds_ratio(counts)[0])


def test_log_odds_follow_the_published_equations() -> None:
    y = np.array([[30.0, 10.0], [70.0, 90.0]])
    ratio, z = log_odds_ratio(y)
    # alpha_0 = 100, alpha of the first word = 100 * 40 / 200 = 20
    expected = np.log(50 / 150) - np.log(30 / 170)
    assert ratio[0, 0] == pytest.approx(expected)
    assert z[0, 0] == pytest.approx(expected / np.sqrt(1 / 50 + 1 / 30))
    assert ratio[0, 1] == pytest.approx(-expected)
