"""What happened to the styles from one month's model to the next, as typed events with their evidence.

Belongs here: the event, its table, the registry made of all events. Does not: finding events
(`continuation.py`, `identity.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import pandas as pd
import pyarrow as pa

EventKind = Literal["survive", "born", "return", "split", "merge", "dead"]

#: One row per style and month: what became of it, or where it came from.
STYLE_LINEAGE: Final = pa.schema(
    [
        pa.field("month", pa.string(), nullable=False),  # of the model that first shows it
        pa.field("event", pa.string(), nullable=False),  # survive | born | return | split | merge | dead
        pa.field("style_id", pa.int32(), nullable=False),  # whom it happened to; after split the new style
        pa.field("other_style_ids", pa.list_(pa.int32()), nullable=False),  # split: from; merge: into
        pa.field("n_posts", pa.int32(), nullable=False),  # posts that the evidence rests on
        pa.field("evidence", pa.string(), nullable=False),
    ]
)

#: One row per style that ever was.
STYLE_REGISTRY: Final = pa.schema(
    [
        pa.field("style_id", pa.int32(), nullable=False),
        pa.field("name", pa.string()),  # of its newest profile; null if no post was ever assigned to it
        pa.field("first_month", pa.string(), nullable=False),
        pa.field("last_month", pa.string(), nullable=False),  # newest month whose model holds it
        pa.field("n_months", pa.int32(), nullable=False),  # months whose model holds it
        pa.field("parents", pa.list_(pa.int32()), nullable=False),
        pa.field("end", pa.string()),  # "dead" or "merged into 7"; null while it lives
        pa.field("end_month", pa.string()),
    ]
)


@dataclass(frozen=True)
class StyleEvent:
    """One event. `style_id` is the style it happened to (after a split the new style), `other_style_ids` the style it
    split from or was merged into.
    """

    event: EventKind
    style_id: int
    other_style_ids: tuple[int, ...]
    n_posts: int
    evidence: str


def lineage_table(events: Iterable[tuple[str, Sequence[StyleEvent]]]) -> pd.DataFrame:
    """STYLE_LINEAGE of (month, its model's events), in the order given."""
    rows = [
        (month, one.event, one.style_id, list(one.other_style_ids), one.n_posts, one.evidence)
        for month, of_month in events
        for one in of_month
    ]
    frame = pd.DataFrame(rows, columns=STYLE_LINEAGE.names)
    return frame.astype({"style_id": "int32", "n_posts": "int32"})


def registry_table(lineage: pd.DataFrame, profiles: pd.DataFrame) -> pd.DataFrame:
    """STYLE_REGISTRY of STYLE_LINEAGE rows of all months and `profiles` (style_id, month, name), ascending ids.

    A style lives in the months of its events other than "merge" and "dead"; what follows its end and is no "return"
    does not occur, as ids are never used again.
    """
    newest = profiles.sort_values("month", kind="stable").drop_duplicates("style_id", keep="last")
    names = dict(zip(newest["style_id"].astype(int), newest["name"], strict=True))
    rows = []
    for _, of_style in lineage.sort_values("month", kind="stable").groupby("style_id", sort=True):
        ending = of_style["event"].isin(["merge", "dead"])
        alive = of_style.loc[~ending, "month"].unique()
        splits = of_style.loc[of_style["event"] == "split", "other_style_ids"]
        last = of_style.iloc[-1]
        ended = bool(ending.iloc[-1])
        into = ", ".join(str(other) for other in last["other_style_ids"])
        number = int(last["style_id"])
        rows.append(
            (
                number,
                names.get(number),
                alive[0] if len(alive) else last["month"],
                alive[-1] if len(alive) else last["month"],
                len(alive),
                sorted({int(parent) for parents in splits for parent in parents}),
                (f"merged into {into}" if last["event"] == "merge" else "dead") if ended else None,
                last["month"] if ended else None,
            )
        )
    frame = pd.DataFrame(rows, columns=STYLE_REGISTRY.names)
    return frame.astype({"style_id": "int32", "n_months": "int32"})
