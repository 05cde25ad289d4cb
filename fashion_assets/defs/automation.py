"""The one automation condition of everything below ``raw_posts``, explained term by term."""

from __future__ import annotations

import dagster as dg


def follow_upstream() -> dg.AutomationCondition:
    """Materialise a month when what it is made of has changed, however old the month is.

    - ``newly_missing | any_deps_updated``: a month that never existed, or whose input was made anew. Plain
      ``eager()`` adds ``in_latest_time_window``, by which a late post of an old month would never flow down.
    - ``since_last_handled``: the wish is kept until it has been acted on, so an upstream change that comes
      while a run is under way is not lost, and it is dropped once it was requested, so a failure is not
      asked for again on every tick for ever. It also starts empty: switching automation on does not
      stampede a history that lies there already (backfill that, or ``fashion-assets run``).
    - ``~any_deps_missing``, ``~any_deps_in_progress``: never start on half of the inputs.
    - ``~in_progress``: never two runs of one month.
    - ``all_deps_blocking_checks_passed``: a failed blocking check holds everything below it, also across
      runs (``blocking=True`` alone works within one run).
    """
    condition = dg.AutomationCondition
    return (
        (condition.newly_missing() | condition.any_deps_updated())
        .since_last_handled()
        .with_label("missing or input changed")
        & ~condition.any_deps_missing()
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
        & condition.all_deps_blocking_checks_passed()
    ).with_label("follow_upstream")
