"""Bad rows, one of every kind that a landing has to refuse, each with its own post id.

Belongs here: what is wrong with a record, or with the text of its line. Where the line ends up is in
`crawl_files`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from fashion_assets.sample.delivery import Delivery, Post, Record, make_record

FAULT_SHARE: Final = 0.03
FAULT_COLUMNS: Final[dict[str, str | None]] = {
    "undated": "post_date",
    "impossible_date": "post_date",
    "future_date": "post_date",
    "negative_count": "post_like",
    "unreadable_count": "post_collect",
    "no_text_no_media": "post_content",
    "broken_quoting": None,
    "wrong_field_count": None,
    "nul_byte": "post_content",
}
"""Fault -> the column that it is in; None where the whole record cannot be read."""
TEXT_FAULTS: Final = frozenset({"broken_quoting", "wrong_field_count"})
"""Faults of the line rather than of a value. In a JSONL file both become `broken_json`."""


@dataclass(frozen=True)
class BadRow:
    """A record to refuse and why; for `TEXT_FAULTS` the damage is done when the line is written."""

    record: Record
    fault: str
    column: str | None


def make_bad_rows(
    deliveries: list[Delivery], count: int, first: int, jsonl: bool, rng: random.Random
) -> list[BadRow]:
    """`count` bad rows for one crawl, modelled on its deliveries; kinds go round from the `first` on."""
    kinds = list(FAULT_COLUMNS)
    rows = []
    for index in range(count if deliveries else 0):
        fault = kinds[(first + index) % len(kinds)]
        model = rng.choice(deliveries)
        record = _dated_copy(model, rng)
        _spoil(record, fault, model, rng)
        column = FAULT_COLUMNS[fault]
        rows.append(BadRow(record, "broken_json" if jsonl and fault in TEXT_FAULTS else fault, column))
    return rows


def _dated_copy(model: Delivery, rng: random.Random) -> Record:
    post: Post = model.post
    record = make_record(post, model.fetched, rng.uniform(0.3, 0.9), False, rng)
    record["post_id"] = post.post_id[:8] + f"{rng.getrandbits(64):016x}"
    record["post_date"] = f"{post.created:%m-%d}"
    record["post_content"] = post.text.body or "今天也要好好穿衣服 #穿搭"
    return record


def _spoil(record: Record, fault: str, model: Delivery, rng: random.Random) -> None:
    if fault == "undated":
        record["post_date"] = None
        record["post_id"] = rng.choice(("00000000", "fffffff0", "1a2b3c4d")) + f"{rng.getrandbits(64):016x}"
    elif fault == "impossible_date":
        record["post_date"] = rng.choice(("02-30", f"{model.post.created:%Y}-02-30", "13-05"))
    elif fault == "future_date":
        record["post_date"] = f"{model.fetched + timedelta(days=rng.randint(20, 400)):%Y-%m-%d}"
    elif fault == "negative_count":
        record["post_like"] = str(-rng.randint(1, 500))
    elif fault == "unreadable_count":
        record["post_collect"] = rng.choice(("很多", "#REF!", "12..5", "1O2"))
    elif fault == "no_text_no_media":
        record["post_title"], record["post_content"], record["post_tag"] = " - ", None, None
    elif fault == "nul_byte":
        content = record["post_content"] or ""
        record["post_content"] = f"{content[:5]}\0{content[5:]}"
