"""Lineage and registry tables, and the events that a full scan tells by the posts in common."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa

from fashion_assets.styles.identity import carry_ids, first_events, overlap_events
from fashion_assets.styles.lineage import (
    STYLE_LINEAGE,
    STYLE_REGISTRY,
    StyleEvent,
    lineage_table,
    registry_table,
)


def test_the_registry_tells_the_life_of_each_style() -> None:
    lineage = lineage_table(
        [
            ("2024-01", [StyleEvent("born", 0, (), 9, "first"), StyleEvent("born", 1, (), 8, "first")]),
            ("2024-02", [StyleEvent("survive", 0, (), 9, ""), StyleEvent("dead", 1, (), 3, "no posts")]),
            ("2024-03", [StyleEvent("survive", 0, (), 9, ""), StyleEvent("split", 2, (0,), 4, "two groups")]),
            ("2024-04", [StyleEvent("merge", 2, (0,), 4, "one"), StyleEvent("return", 1, (), 5, "again")]),
        ]
    )
    assert pa.Table.from_pandas(lineage, schema=STYLE_LINEAGE, preserve_index=False).num_rows == 8
    profiles = pd.DataFrame(
        {"style_id": [0, 1, 0], "month": ["2024-01", "2024-01", "2024-03"], "name": ["a", "b", "c"]}
    )
    registry = registry_table(lineage, profiles)
    assert pa.Table.from_pandas(registry, schema=STYLE_REGISTRY, preserve_index=False).num_rows == 3
    rows = registry.set_index("style_id")
    assert rows.loc[0, ["name", "first_month", "last_month", "n_months"]].tolist() == [
        "c",
        "2024-01",
        "2024-03",
        3,
    ]
    assert rows.loc[1, ["first_month", "last_month", "n_months"]].tolist() == ["2024-01", "2024-04", 2]
    assert rows.loc[2, "parents"] == [0] and rows.loc[2, "end"] == "merged into 0"
    assert rows.loc[2, "end_month"] == "2024-04" and pd.isna(rows.loc[2, "name"])
    assert rows.loc[[0, 1], "end"].isna().all()


def test_nothing_yet_is_an_empty_registry() -> None:
    nothing = lineage_table([])
    registry = registry_table(nothing, pd.DataFrame({"style_id": [], "month": [], "name": []}))
    assert pa.Table.from_pandas(registry, schema=STYLE_REGISTRY, preserve_index=False).num_rows == 0


def test_a_scan_tells_events_by_the_posts_in_common() -> None:
    # style 4 stays, 7 splits, 9 and 11 become one, 20 new posts were in no style, 13's are scattered
    known = np.repeat(np.array([0, 1, 2, 3, -1, 4], np.int32), [20, 20, 20, 12, 20, 4])
    labels = np.r_[np.zeros(20), np.ones(12), np.full(8, 2), np.full(32, 3), np.full(20, 4), [0, 1, 3, 4]]
    labels, known_ids = labels.astype(np.int32), np.array([4, 7, 9, 11, 13], np.int32)
    found = carry_ids(labels, known, 5, known_ids, 15)
    events = {one.style_id: one for one in overlap_events(labels, found.ids, known, known_ids)}
    kinds = {style_id: one.event for style_id, one in events.items()}
    assert kinds == {
        4: "survive",
        7: "survive",
        9: "survive",
        11: "merge",
        13: "dead",
        15: "born",
        16: "split",
    }
    assert events[11].other_style_ids == (9,) and events[16].other_style_ids == (7,)
    assert events[16].evidence == "full scan: 8 of its 8 posts of the window were in style 7"
    # the figures count the months that the model is fitted on: next to one month's posts each must say so
    assert all("posts of the window" in one.evidence for one in events.values())
    first = first_events(labels, np.array([3, 1, 4, 0, 2], np.int32))
    assert [one.style_id for one in first] == [0, 1, 2, 3, 4] and {one.event for one in first} == {"born"}
    assert {one.evidence for one in first} == {
        f"found by the first scan among {len(labels)} posts of the window"
    }
