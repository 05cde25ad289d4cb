"""What the UI shows beside an asset can be read: whole reasons, short figures, counts as words."""

from __future__ import annotations

import pandas as pd

from fashion_assets.defs.metadata import preview, tally


def test_a_reason_is_shown_whole_and_other_texts_are_cut() -> None:
    reason = "post_date: '02-30' is no day of any calendar; expected a date such as 2024-02-29 or 3天前"
    shown = preview(pd.DataFrame({"body": [reason], "reason": [reason]})).value.splitlines()[-1]
    body, whole = shown.strip("| ").split(" | ")
    assert whole == reason and body == reason[:59] + "…"


def test_figures_have_four_decimals_at_most() -> None:
    frame = pd.DataFrame({"share": [1 / 3, None], "n": [12345, 2]})
    assert preview(frame).value.splitlines()[2:] == ["| 0.3333 | 12345 |", "|  | 2 |"]


def test_a_tally_reads_as_a_sentence() -> None:
    assert tally(pd.Series(["survive", "born", "survive"])) == "2 survive, 1 born"
    assert tally(pd.Series([], dtype=str)) == "none"
