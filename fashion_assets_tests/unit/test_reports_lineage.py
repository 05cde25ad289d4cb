"""The lineage chart: bars as high as shares, ribbons where the table says so, ends and beginnings in words."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import pandas as pd
import pytest

from fashion_assets.reports.lineage_chart import lineage_chart_svg, lineage_events
from fashion_assets.reports.lineage_layout import DRAWN_STYLES, GAP, LEAST_HEIGHT, OTHERS, lay_out
from fashion_assets.styles.lineage import STYLE_LINEAGE, EventKind, StyleEvent, lineage_table
from fashion_assets_tests.unit.test_reports_demo import HOSTILE, lineage_frame, profiles_frame

SHARES = {
    "2024-01": {0: 0.5, 1: 0.3, 2: 0.2},
    "2024-02": {0: 0.4, 1: 0.3, 3: 0.3},
    "2024-03": {0: 0.6, 3: 0.3, 4: 0.1},
}
EVENTS: dict[str, list[tuple[EventKind, int, tuple[int, ...]]]] = {
    "2024-01": [("born", 0, ()), ("born", 1, ()), ("born", 2, ())],
    "2024-02": [("survive", 0, ()), ("survive", 1, ()), ("dead", 2, ()), ("split", 3, (0,))],
    "2024-03": [("survive", 0, ()), ("survive", 3, ()), ("merge", 1, (0,)), ("born", 4, ())],
}


def profiles(shares: dict[str, dict[int, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "month": month,
                "style_id": style,
                "name": f"风格{style}",
                "share": share,
                "share_low": share,
                "share_high": share,
            }
            for month, of_month in shares.items()
            for style, share in of_month.items()
        ]
    )


def table() -> pd.DataFrame:
    """The made events through the real table of the styles package, so that its columns are the ones read here."""
    return lineage_table(
        [
            (
                month,
                [
                    StyleEvent(kind, style, others, 20, f"{kind} seen on 20 posts")
                    for kind, style, others in own
                ],
            )
            for month, own in EVENTS.items()
        ]
    )


def test_made_frame_has_the_columns_of_the_table() -> None:
    assert list(table().columns) == STYLE_LINEAGE.names
    assert list(lineage_frame(profiles(SHARES)).columns) == STYLE_LINEAGE.names


def test_ribbons_are_the_events() -> None:
    shown = lay_out(table(), profiles(SHARES), 0, 100)
    assert {(link.column, link.source, link.target, link.event) for link in shown.links} == {
        (0, 0, 0, "survive"),
        (0, 1, 1, "survive"),
        (0, 0, 3, "split"),
        (1, 0, 0, "survive"),
        (1, 3, 3, "survive"),
        (1, 1, 0, "merge"),
    }
    assert shown.nodes[0, 2].events == {"dead"}
    assert shown.nodes[1, 1].events == {"merge"}
    assert shown.nodes[1, 3].events == {"split"}
    assert shown.nodes[2, 4].events == {"born"}
    assert (1, 2) not in shown.nodes
    assert shown.nodes[0, 2].notes == ["dead in 2024-02: dead seen on 20 posts"]


def test_bars_are_as_high_as_shares_and_never_overlap() -> None:
    shown = lay_out(table(), profiles(SHARES), 0, 200)
    assert shown.others_scale == 1
    room = 200 - 3 * LEAST_HEIGHT - 2 * GAP
    for (column, style), node in shown.nodes.items():
        share = SHARES[shown.months[column]][style]
        assert node.height == pytest.approx(LEAST_HEIGHT + room * share)
    for column in range(3):
        own = sorted((n for n in shown.nodes.values() if n.column == column), key=lambda node: node.top)
        for above, below in pairwise(own):
            assert below.top >= above.top + above.height + GAP - 1e-9
        assert own[-1].top + own[-1].height <= 200 + 1e-9


def test_a_bar_side_is_divided_among_its_ribbons() -> None:
    shown = lay_out(table(), profiles(SHARES), 0, 200)
    node = shown.nodes[0, 0]
    pieces = sorted(link.left for link in shown.links if (link.column, link.source) == (0, 0))
    assert pieces[0][0] == pytest.approx(node.top)
    assert pieces[0][1] == pytest.approx(pieces[1][0])
    assert pieces[1][1] == pytest.approx(node.top + node.height)


def test_styles_beyond_the_drawn_ones_share_one_bar() -> None:
    names = [f"风格{i}" for i in range(40)]
    frame = pd.concat([profiles_frame(month, names) for month in ("2024-01", "2024-02")])
    frame["share"] = 1 / 40
    lineage = pd.DataFrame(
        [
            (month, "survive" if month > "2024-01" else "born", style, [], 9, "")
            for month in ("2024-01", "2024-02")
            for style in range(40)
        ],
        columns=STYLE_LINEAGE.names,
    )
    shown = lay_out(lineage, frame, 0, 400)
    assert len(shown.names) == DRAWN_STYLES
    assert shown.n_folded == 40 - DRAWN_STYLES
    total = sum(node.share for node in shown.nodes.values() if node.column == 1)
    assert total == pytest.approx(1.0)
    assert [link for link in shown.links if OTHERS in (link.source, link.target)] == [
        link for link in shown.links if link.source == link.target == OTHERS
    ]
    drawn = sum(node.height for (_, style), node in shown.nodes.items() if style != OTHERS) / 2
    grey = shown.nodes[1, OTHERS].height
    assert grey <= drawn
    assert shown.others_scale < 1
    svg = lineage_chart_svg(lineage, frame)
    assert "24 other styles" in svg
    assert "of their height" in svg


def test_chart_says_beginnings_and_ends_in_words() -> None:
    svg = lineage_chart_svg(table(), profiles(SHARES))
    texts = [element.text for element in ElementTree.fromstring(svg).iter("text")]
    assert {"split off", "new", "风格2 ended", "风格1 merged", "风格0", "风格4"} <= set(texts)
    titles = [element.text or "" for element in ElementTree.fromstring(svg).iter("title")]
    assert any("风格3 split from 风格0" in title for title in titles)
    assert any("dead seen on 20 posts" in title for title in titles)


def test_one_month_is_said_in_words() -> None:
    svg = lineage_chart_svg(table().query("month == '2024-01'"), profiles(SHARES))
    assert "two months in a row" in svg


def test_events_are_listed_newest_first_without_the_first_births() -> None:
    rows = lineage_events(table(), profiles(SHARES))
    assert [(row.month, row.sentence) for row in rows] == [
        ("2024-03", "风格1 (1) was merged into 风格0 (0)"),
        ("2024-03", "风格4 (4) appeared"),
        ("2024-02", "风格2 (2) ended"),
        ("2024-02", "风格3 (3) split from 风格0 (0)"),
    ]
    assert rows[0].evidence == "merge seen on 20 posts"
    assert lineage_events(table().head(0), profiles(SHARES)) == []


def test_hostile_names_and_evidence_stay_text() -> None:
    months = ["2024-01", "2024-02", "2024-03", "2024-04", "2024-05"]
    frame = pd.concat([profiles_frame(month, HOSTILE) for month in months], ignore_index=True)
    svg = lineage_chart_svg(lineage_frame(frame, HOSTILE[2]), frame)
    elements = list(ElementTree.fromstring(svg).iter())
    assert {element.tag for element in elements} <= {"svg", "desc", "text", "line", "path", "rect", "title"}
    assert not [name for element in elements for name in element.attrib if name.startswith("on")]
    assert any(HOSTILE[0] in (element.text or "") for element in elements)
