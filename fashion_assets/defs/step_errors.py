"""The sentence of a failed step, out of Dagster's wrappers."""

from __future__ import annotations

import re

import dagster as dg

#: What Dagster raises around the fault of a step that was tried again, and what it says then.
_RETRIED = "RetryRequested"
#: What it raises within a step when the process is asked to end; it has no words of its own.
_INTERRUPTED = "DagsterExecutionInterruptedError"
_TRIES = re.compile(r"Exceeded max_retries of (\d+)")


def sentence_of(event: dg.DagsterEvent) -> str:
    """What the step of a step-failure event raised, and how often it was tried if more than once.

    Causes below the step's own fault say less than its sentence.
    """
    error = event.step_failure_data.error
    tried = ""
    while error is not None and error.cause is not None and _wraps(error.cls_name or ""):
        if found := _TRIES.search(error.message):
            tried = f" (tried {int(found.group(1)) + 1} times)"
        error = error.cause
    if error is None:
        return "no reason was recorded"
    if error.cls_name == _INTERRUPTED:
        return "it was interrupted (Ctrl-C or SIGTERM, or its run was terminated)"
    name, _, sentence = error.message.strip().partition(": ")
    return (sentence or name.removesuffix(":")) + tried


def _wraps(name: str) -> bool:
    return name.startswith(("Dagster", _RETRIED))
