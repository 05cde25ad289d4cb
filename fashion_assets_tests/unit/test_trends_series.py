"""Series of shares, their intervals, and the words that mark a month."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.proportions import two_share_z, wilson_interval
from fashion_assets.trends.series import characteristic_keywords, keyword_series, log_odds_ratio, style_series

MONTHS = ["2024-01", "2024-02", "2024-03"]


def profiles(rows: list[tuple[str, int, str, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["month", "style_id", "name", "n_posts"])


def keyword_rows(posts: list[tuple[str, list[tuple[str, str]]]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "post_id": f"p{index}",
                "month": month,
                "keywords": np.array([word for word, _ in words], dtype=object),
                "facets": np.array([facet for _, facet in words], dtype=object),
            }
            for index, (month, words) in enumerate(posts)
        ]
    )


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


def test_keyword_series_count_posts_not_mentions() -> None:
    dress, wide = ("连衣裙", "garment"), ("阔腿裤", "garment")
    posts = (
        [("2024-01", [dress, dress, wide])] * 3
        + [("2024-01", [])]
        + [("2024-03", [dress])] * 2
        + [("2024-03", [wide])]
    )
    found = keyword_series(keyword_rows(posts), MONTHS, min_posts=5)
    assert found["keyword"].unique().tolist() == ["连衣裙"]  # 阔腿裤 is in four posts only
    assert found["posts"].tolist() == [3, 0, 2]
    assert found["month_posts"].tolist() == [4, 0, 3]
    assert found["share"].tolist()[0] == 0.75 and np.isnan(found["share"].tolist()[1])
    assert found["facet"].tolist() == ["garment"] * 3


def test_the_facet_of_a_keyword_is_its_most_frequent_one_and_empty_if_it_has_none() -> None:
    posts = [("2024-01", [("盐系", "style"), ("今天", "")])] * 3 + [("2024-01", [("盐系", "")])] * 5
    found = keyword_series(keyword_rows(posts), ["2024-01"], min_posts=1).set_index("keyword")
    assert found.loc["盐系", "facet"] == "style" and found.loc["今天", "facet"] == ""


def test_the_word_that_only_one_month_has_marks_that_month() -> None:
    everyday = [("外套", "garment"), ("鞋", "footwear")]
    posts = [(m, everyday) for m in MONTHS for _ in range(40)]
    posts += [("2024-02", [("美拉德", "colour")])] * 30
    found = characteristic_keywords(keyword_series(keyword_rows(posts), MONTHS, min_posts=5), top=1)
    first = found.set_index("month").loc["2024-02"]
    assert first["keyword"] == "美拉德" and first["z"] > 3 and first["facet"] == "colour"
    assert found["rank"].tolist() == [1, 1, 1]


def test_one_month_has_nothing_to_be_compared_with() -> None:
    series = keyword_series(keyword_rows([("2024-01", [("鞋", "footwear")])] * 9), MONTHS, min_posts=1)
    assert characteristic_keywords(series).empty


@given(st.lists(st.lists(st.integers(0, 400), min_size=3, max_size=3), min_size=2, max_size=12))
def test_log_odds_are_finite_and_rise_with_the_count(counts: list[list[int]]) -> None:
    y = np.array(counts, dtype=float) + 1
    ratio, z = log_odds_ratio(y)
    assert np.isfinite(ratio).all() and np.isfinite(z).all()
    more = y.copy()
    more[0, 0] += 50
    assert log_odds_ratio(more)[0][0, 0] >= ratio[0, 0] - 1e-12


def test_log_odds_follow_the_published_equations() -> None:
    y = np.array([[30.0, 10.0], [70.0, 90.0]])
    ratio, z = log_odds_ratio(y)
    # alpha_0 = 100, alpha of the first word = 100 * 40 / 200 = 20
    expected = np.log(50 / 150) - np.log(30 / 170)
    assert ratio[0, 0] == pytest.approx(expected)
    assert z[0, 0] == pytest.approx(expected / np.sqrt(1 / 50 + 1 / 30))
    assert ratio[0, 1] == pytest.approx(-expected)
