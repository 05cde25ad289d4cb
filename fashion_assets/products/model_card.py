"""The card of a product model: what it was trained on, how well it does, and what it must not be taken for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fashion_assets.products.evaluation import FREQUENT_ITEMS
from fashion_assets.products.head_record import HeadRecord
from fashion_assets.products.joint_figures import JointFigures
from fashion_assets.products.model_encoders import EncoderEntry


def card_text(
    records: Sequence[HeadRecord],
    encoders: Sequence[EncoderEntry],
    vectors_model_id: str,
    n_products: int,
    joint: JointFigures,
    made: str,
) -> str:
    """The card as Markdown."""
    rows = [_row(record) for record in records]
    together = [f"{one}." for one in joint.sentences(len(records))]
    notes = [f"- {record.note}" for record in records if record.note]
    encoder_lines = [
        f"- {one.purpose}: `{one.model_id}`" + ("" if one.inside else " (not in this folder)")
        for one in encoders
    ]
    return "\n".join(
        [
            "# Product model",
            "",
            f"Made {made} by fashion-assets from {n_products:,} products.",
            "",
            "Judged on product families that were not trained on (`split.csv`, part `test`); intervals are of 95 %: "
            "bootstrap over families; of an accuracy Wilson's where no family has two products, or few are wrong or "
            "right. "
            "Macro-F1 is the mean over all classes of the test part, and once more over those "
            f"with {FREQUENT_ITEMS} test products or more. Each row is of the head by itself.",
            "",
            f"| attribute | head | test products | classes (≥ {FREQUENT_ITEMS}) | accuracy | macro-F1 "
            f"| macro-F1, ≥ {FREQUENT_ITEMS} | weighted F1 |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            *([*together, ""] if together else []),
            "## Encoders",
            "",
            *encoder_lines,
            "",
            f"Vectors: `{vectors_model_id}`",
            "",
            *(["## Notes", "", *notes, ""] if notes else []),
            "## Limits",
            "",
            "- It knows the labels that it was trained on and no other: every product gets one of them.",
            "- Confidences hold for products like those of the training; on another shop's they are too high.",
            "- A product with a picture or a text alone is predicted from that; its figures are lower than these.",
            "",
        ]
    )


def _row(record: HeadRecord) -> str:
    found = record.metrics
    if not found:
        return f"| {_cell(record.attribute)} | {_cell(record.shown_kind)} | 0 | – | – | – | – | – |"
    figures = " | ".join(
        _figure(found.get(name)) for name in ("accuracy", "macro_f1", "macro_f1_frequent", "weighted_f1")
    )
    return (
        f"| {_cell(record.attribute)} | {_cell(record.shown_kind)} | {found['n_items']:,} | {found['n_classes']} "
        f"({found['n_frequent']}) | {figures} |"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _figure(value: Any) -> str:
    return "–" if value is None or value != value else f"{value:.3f}"
