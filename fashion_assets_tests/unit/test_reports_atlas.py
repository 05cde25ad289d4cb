"""The atlas page: data stay in their block, the policy admits exactly our script, any table is a page."""

from __future__ import annotations

import base64
import hashlib
import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.reports.atlas import (
    POINT_COLUMNS,
    atlas_content,
    atlas_points,
    json_for_script,
    render_style_atlas,
)
from fashion_assets_tests.unit.test_reports_demo import HOSTILE, PageCheck, atlas_frame


def test_page_is_self_contained_and_admits_only_its_own_script() -> None:
    check = PageCheck(render_style_atlas(atlas_frame()))
    check.assert_inert()
    assert [kind for kind, _ in check.scripts] == ["application/json", "text/javascript"]
    digest = base64.b64encode(hashlib.sha256(check.scripts[1][1].encode()).digest()).decode()
    assert check.policy.startswith("default-src 'none'; ")
    assert check.policy.endswith(f"script-src 'sha256-{digest}'")
    assert not any(
        word in check.scripts[1][1] for word in ("innerHTML", "outerHTML", "document.write", "eval(")
    )


def test_hostile_texts_stay_data() -> None:
    page = render_style_atlas(atlas_frame(60, hostile=True), title=HOSTILE[2])
    check = PageCheck(page)
    check.assert_inert()
    assert check.tags.count("script") == 2
    data = json.loads(check.scripts[0][1])
    assert HOSTILE[0] in data["title"]
    assert "document.title='owned'" not in check.scripts[1][1]


@given(
    st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner))
)
def test_json_block_reads_back_and_holds_no_markup(content: object) -> None:
    text = json_for_script(content)
    assert json.loads(text) == content
    assert not set("<>&\u2028\u2029") & set(text)


def test_columns_have_one_entry_per_placed_point() -> None:
    frame = atlas_frame(50)
    frame.loc[0, "x"] = math.nan
    frame.loc[1, "y"] = math.inf
    content = atlas_content(frame)
    assert {len(content[name]) for name in ("x", "y", "style", "month", "title", "keywords")} == {48}
    assert "2 posts without a place are not shown" in render_style_atlas(frame)
    assert "1 post without a place is not shown" in render_style_atlas(frame.drop(index=0))
    assert sum(style["n"] for style in content["styles"]) == 48
    sizes = [style["n"] for style in content["styles"]]
    assert sizes == sorted(sizes, reverse=True)


def test_both_axes_have_one_scale_and_up_is_up() -> None:
    frame = atlas_frame(3).assign(x=[0.0, 10.0, 5.0], y=[0.0, 2.0, 1.0])
    content = atlas_content(frame)
    assert content["x"] == [0.0, 1.0, 0.5]
    assert content["y"] == [0.6, 0.4, 0.5]


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_and_one_point_are_pages(n: int) -> None:
    page = render_style_atlas(atlas_frame(n))
    PageCheck(page).assert_inert()
    assert ("no post with a style" in page) == (n == 0)


def test_two_hundred_styles_are_a_page() -> None:
    frame = atlas_frame(600, 200)
    assert len(atlas_content(frame)["styles"]) == frame["style_id"].nunique()
    PageCheck(render_style_atlas(frame)).assert_inert()


def test_points_are_joined_from_the_tables() -> None:
    clusters = pd.DataFrame({"post_id": ["b", "a"], "month": ["2024-02", "2024-01"], "style_id": [1, 0]})
    profiles = pd.DataFrame(
        {"month": ["2024-01", "2024-02", "2024-02"], "style_id": [0, 0, 1], "name": ["old", "new", None]}
    )
    posts = pd.DataFrame({"post_id": ["a", "b"], "title": ["标题", None], "body": ["x", "正文"]})
    keywords = pd.DataFrame({"post_id": ["a"], "keywords": [["大衣"]]})
    positions = np.array([[0, 1], [2, 3], [4, 5]], np.float32)
    points = atlas_points(["a", "b", "lost"], positions, clusters, profiles, posts, keywords)
    assert list(points.columns) == POINT_COLUMNS
    assert points["post_id"].tolist() == ["a", "b"]
    assert points["style_name"].tolist() == ["new", ""]
    assert points["title"].tolist() == ["标题", "正文"]
    assert points[["x", "y"]].to_numpy().tolist() == [[0, 1], [2, 3]]
    content = atlas_content(points)
    assert content["styles"][1]["name"] == "Style 1"
    assert content["keywords"] == ["大衣", ""]
