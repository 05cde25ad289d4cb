"""The sentence of a failed step, out of Dagster's wrappers."""

from __future__ import annotations

import dagster as dg


def sentence_of(event: dg.DagsterEvent) -> str:
    """What the step of a step-failure event raised; its causes below say less than its own sentence."""
    error = event.step_failure_data.error
    while error is not None and error.cause is not None and (error.cls_name or "").startswith("Dagster"):
        error = error.cause
    return error.message.strip().split(": ", 1)[-1] if error is not None else "no reason was recorded"
