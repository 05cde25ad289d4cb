"""The sentence of a failed step, out of Dagster's wrappers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from dagster_shared.error import SerializableErrorInfo

#: What Dagster raises around the fault of a step that was tried again, and what it says then.
_RETRIED = "RetryRequested"
#: What it raises within a step when the process is asked to end; it has no words of its own.
_INTERRUPTED = "DagsterExecutionInterruptedError"
INTERRUPTED_SENTENCE = "it was interrupted (Ctrl-C or SIGTERM, or its run was terminated)"
_TRIES = re.compile(r"Exceeded max_retries of (\d+)")


def sentence_of(event: dg.DagsterEvent) -> str:
    """What the step of a step-failure event raised, and how often it was tried if more than once.

    Causes below the step's own fault say less than its sentence.
    """
    outermost = event.step_failure_data.error
    if outermost is None:
        return "no reason was recorded"
    *around, own = _causes(outermost)
    tries = [found.group(1) for one in around if (found := _TRIES.search(one.message))]
    tried = f" (tried {int(tries[-1]) + 1} times)" if tries else ""
    if own.cls_name == _INTERRUPTED:
        return INTERRUPTED_SENTENCE
    name, _, sentence = own.message.strip().partition(": ")
    return (sentence or name.removesuffix(":")) + tried


def _wraps(name: str) -> bool:
    return name.startswith(("Dagster", _RETRIED))


def is_interrupted(event: dg.DagsterEvent) -> bool:
    """Whether the process was asked to end within the step of this event, which is to be tried again or has failed."""
    outermost: SerializableErrorInfo | None
    if event.event_type == dg.DagsterEventType.STEP_UP_FOR_RETRY:
        outermost = event.step_retry_data.error
    elif event.event_type == dg.DagsterEventType.STEP_FAILURE:
        outermost = event.step_failure_data.error
    else:
        return False
    return outermost is not None and list(_causes(outermost))[-1].cls_name == _INTERRUPTED


def _causes(error: SerializableErrorInfo) -> Iterator[SerializableErrorInfo]:
    """What Dagster raised around the step's own fault, from the outside, and that fault."""
    yield error
    while error.cause is not None and _wraps(error.cls_name or ""):
        error = error.cause
        yield error
