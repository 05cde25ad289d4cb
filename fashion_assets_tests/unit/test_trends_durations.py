"""Which styles live when, and the largest of each month."""

from __future__ import annotations

import pandas as pd

from fashion_assets.trends.durations import monthly_top, style_durations, style_months
from fashion_assets.trends.series import style_series

MONTHS = [f"2023-{month:02d}" for month in range(1, 9)]


def series(counts: dict[int, list[int]], incomplete: tuple[str, ...] = ()) -> pd.DataFrame:
    rows = [
        (month, style, f"s{style}", count)
        for style, each in counts.items()
        for month, count in zip(MONTHS, each, strict=False)
        if count
    ]
    profiles = pd.DataFrame(rows, columns=["month", "style_id", "name", "n_posts"])
    return style_series(profiles, MONTHS[: max(map(len, counts.values()))], incomplete)


def test_spells_gaps_and_ends_are_named() -> None:
    counts = {
        1: [9, 9, 9, 9, 9, 9, 9, 9],
        2: [0, 5, 5, 0, 0, 5, 0, 1],
        3: [0, 0, 2, 2, 0, 0, 0, 0],
        4: [0, 0, 0, 0, 0, 0, 8, 8],
    }
    found = style_durations(series(counts)).set_index("style_id")
    assert found.index.tolist() == [1, 2, 4]  # style 3 never has three posts
    second = found.loc[2]
    assert second["spells"] == "2023-02–2023-03, 2023-06" and second["gaps"] == "2023-04, 2023-05"
    assert (second["span"], second["months_live"], second["n_gaps"], second["posts"]) == (5, 3, 1, 16)
    assert found["from_start"].tolist() == [True, False, False]
    assert found["ongoing"].tolist() == [True, False, True]
    assert style_durations(series(counts), min_posts=1)["style_id"].tolist() == [1, 2, 3, 4]


def test_a_month_that_is_not_over_or_not_known_is_neither_gap_nor_end() -> None:
    counts = {1: [9, 9, 0, 9, 9, 1], 2: [9, 9, 0, 9, 9, 9]}
    table = series(counts, incomplete=("2023-06",))
    cells = style_months(table).set_index(["style_id", "month"])["state"]
    assert cells[1, "2023-03"] == "unknown"  # no post of any style
    assert cells[1, "2023-06"] == "unknown" and cells[2, "2023-06"] == "live"
    found = style_durations(table).set_index("style_id")
    assert found["n_gaps"].tolist() == [0, 0] and found["ongoing"].tolist() == [True, True]
    assert found.loc[1, "spells"] == "2023-01–2023-05"
    over = style_durations(series(counts)).set_index("style_id")
    assert not over.loc[1, "ongoing"] and over.loc[2, "ongoing"]


def test_ties_have_one_rank_and_are_counted_beyond_the_cut() -> None:
    top = monthly_top(series({7: [5], 2: [9], 3: [5], 4: [5], 9: [1], 8: [0]}), top=3)
    assert top["style_id"].tolist() == [2, 3, 4]
    assert top["rank"].tolist() == [1, 2, 2] and top["tied"].tolist() == [0, 2, 2]
    assert monthly_top(series({7: [5], 8: [0]}))["style_id"].tolist() == [7]


def test_every_month_has_its_own_top() -> None:
    top = monthly_top(series({1: [3, 9], 2: [9, 3], 3: [1, 0]}), top=2)
    assert list(zip(top["month"], top["style_id"], strict=True)) == [
        ("2023-01", 2),
        ("2023-01", 1),
        ("2023-02", 1),
        ("2023-02", 2),
    ]
    assert ((top["low"] < top["share"]) & (top["share"] < top["high"])).all()
