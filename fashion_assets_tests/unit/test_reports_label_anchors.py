"""Names on the map stand over their own style's posts, whatever strays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.reports import style_map
from fashion_assets.reports.atlas import atlas_content
from fashion_assets.reports.label_anchors import core_ranks

CENTRES = {0: (0.0, 0.0), 1: (10.0, 0.0), 2: (4.0, 9.0)}


def strayed() -> pd.DataFrame:
    """Three styles of 60, 34 and 20 posts; 2 posts of each of the smaller ones lie above style 2."""
    rng = np.random.default_rng(0)
    rows = []
    for style, n in {0: 60, 1: 34, 2: 20}.items():
        spread = rng.normal(CENTRES[style], 0.3, (n, 2))
        spread[:2] = (4.0, 11.0) if style else spread[:2]
        rows += [(style, float(x), float(y), ["裙"]) for x, y in spread]
    frame = pd.DataFrame(rows, columns=["style_id", "x", "y", "keywords"])
    return frame.assign(
        post_id=[f"p{i}" for i in range(len(frame))],
        month="2024-01",
        style_name=[f"style {style}" for style in frame["style_id"]],
        title="",
    )


def assert_at_home(style: int, x: float, y: float) -> None:
    assert np.hypot(x - CENTRES[style][0], y - CENTRES[style][1]) < 0.8, (style, x, y)


def test_a_name_stands_where_its_style_is_densest_and_not_at_a_straggler() -> None:
    frame = strayed()
    ranks = core_ranks(frame["x"].to_numpy(), frame["y"].to_numpy(), frame["style_id"].to_numpy())
    for _, post in frame[ranks == 0].iterrows():
        assert_at_home(post["style_id"], post["x"], post["y"])


def test_a_style_in_two_places_is_named_at_one_of_them_and_not_between() -> None:
    x = np.r_[np.zeros(20), np.full(20, 10.0), 5.0]
    ranks = core_ranks(x, np.zeros(41), np.zeros(41, np.int64))
    assert x[ranks == 0][0] in (0.0, 10.0) and ranks[-1] == 40


@given(
    st.lists(
        st.tuples(
            st.floats(-1e6, 1e6, allow_nan=False), st.floats(-1e6, 1e6, allow_nan=False), st.integers(-1, 3)
        )
    )
)
def test_ranks_count_each_style_from_nought(points: list[tuple[float, float, int]]) -> None:
    x, y = (np.array([point[axis] for point in points], float) for axis in (0, 1))
    groups = np.array([point[2] for point in points], np.int64)
    ranks = core_ranks(x, y, groups)
    for group in set(groups.tolist()):
        assert sorted(ranks[groups == group]) == list(range((groups == group).sum()))


def test_the_page_hands_the_ranks_over() -> None:
    content = atlas_content(strayed())
    low, high = min(content["x"]), max(content["x"])
    firsts = {content["style"][i]: content["x"][i] for i, rank in enumerate(content["core"]) if rank == 0}
    # styles come by falling size: 0, 1, 2; their centres lie at 0, 10 and 4 of about 0 to 10
    assert len(content["core"]) == len(content["x"])
    assert [round((firsts[style] - low) / (high - low), 1) for style in (0, 1, 2)] == pytest.approx(
        [0.1, 0.9, 0.4], abs=0.11
    )


def test_the_still_names_each_style_at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def spy(figure: Any, names: Sequence[Any]) -> None:
        seen.extend(names)

    monkeypatch.setattr(style_map, "_hide_covered", spy)
    style_map.style_map_png(strayed())
    assert [name.get_text() for name in seen] == ["style 0", "style 1", "style 2"]
    for style, name in enumerate(seen):
        assert_at_home(style, *name.xy)
