"""The card of a fine-tuning, for people."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from fashion_assets.products.evaluation import INTERVAL_LEVEL, AttributeMetrics, Estimate
from fashion_assets.products.tuning.checkpoints import TuningState
from fashion_assets.products.tuning.config import TuningConfig


def tuning_card(
    config: TuningConfig,
    specs: Mapping[str, str],
    tuned: Mapping[str, str],
    counts: Mapping[str, int],
    data_digest: str,
    state: TuningState,
    metrics: Sequence[AttributeMetrics],
    learned: tuple[int, int],
    notes: Sequence[str],
) -> str:
    """Markdown. ``specs`` and ``tuned``: side -> encoder it came from and the tuned one; ``learned``: parameters
    that learned, of how many.
    """
    how = (
        f"LoRA adapters of rank {config.adapter_rank} in the last blocks, merged into the weights"
        if config.adapter_rank
        else "the last blocks and what lies behind them"
    )
    blocks = ", ".join(f"{side}: {config.blocks_of(side)}" for side in specs)
    lines = [
        "# Fine-tuned product encoders",
        "",
        f"Learned: {how} ({blocks}); {learned[0]:,} of {learned[1]:,} parameters, jointly with one MLP head per "
        "attribute.",
        f"Epochs: {state.epochs} of {config.epochs}{' (stopped early)' if state.stopped else ''}; the weights are "
        f"those of epoch {state.best_epoch}, the best by mean macro-F1 on the validation part.",
        "",
        "| side | from | tuned |",
        "|---|---|---|",
        *(f"| {side} | `{spec}` | `{tuned[side]}` |" for side, spec in specs.items()),
        "",
        "## Data",
        "",
        f"- Digest of products, labels and split: `{data_digest}`",
        "- Products: " + ", ".join(f"{n:,} {part}" for part, n in counts.items()),
        "- The split keeps product families (near-identical names and pictures) whole.",
        *(f"- {note}" for note in notes),
        "",
        "## Figures on the test part",
        "",
        f"In brackets the {INTERVAL_LEVEL:.0%} interval over families: bootstrap, of an accuracy near 0 or 1 Wilson's.",
        "",
        "| attribute | products | classes | accuracy | macro-F1 | weighted F1 |",
        "|---|---|---|---|---|---|",
        *(_row(one) for one in metrics),
        "",
        "## Limits",
        "",
        "- Judged on products of the same shops as the training: elsewhere the figures will be lower.",
        "- Classes that the training part does not have are never predicted.",
        "- Confidences of the joint heads are not calibrated; `train_heads` on the tuned vectors calibrates its own.",
        "",
        "## Licences",
        "",
        "Tuned weights are derived from the encoders that they came from, whose licences hold for them as well "
        "(docs/encoders.md); so do the terms of the pictures and texts that they learned from.",
        *(
            f"- `{spec}`: {licence}"
            for spec in sorted(set(specs.values()))
            if (licence := licence_note(spec))
        ),
    ]
    return "\n".join(lines) + "\n"


def licence_note(spec: str) -> str:
    """What the ``README.md`` in an encoder's folder gives as its licence; "" if there is none."""
    readme = Path(spec.partition(":")[2]) / "README.md"
    try:
        found = re.search(r"^license:\s*(\S+)", readme.read_text("utf-8"), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        return ""
    return f"its README says {found.group(1)}" if found else ""


def _row(one: AttributeMetrics) -> str:
    name = one.attribute.replace("|", "\\|")
    figures = " | ".join(_figure(value) for value in (one.accuracy, one.macro_f1, one.weighted_f1))
    return f"| {name} | {one.n_items:,} | {one.n_classes} | {figures} |"


def _figure(one: Estimate) -> str:
    return f"{one.value:.3f} ({one.low:.3f} to {one.high:.3f})"
