"""The one automation condition of everything below ``raw_posts``, explained term by term."""

from __future__ import annotations

from collections.abc import Iterable

import dagster as dg

#: Learned models. A new one of them changes nothing by itself: what follows a new model is
#: promoted by hand (``promote_style_model``, ``fashion-assets run``).
PROMOTED_BY_HAND = ("word_vectors", "tfashion_model", "style_model")


def follow_upstream(
    *,
    promoted_by_hand: Iterable[str] = PROMOTED_BY_HAND,
    may_be_missing: Iterable[str] = (),
    some_month_of: Iterable[str] = (),
) -> dg.AutomationCondition:
    """Materialise a month when what it is made of has changed, however old the month is.

    **Why anything is wanted** (``missing or input changed or failed``):

    - ``newly_missing``: a month that was never made, or whose record was wiped.
    - ``any_deps_updated``: an input was made anew by another run. Not ``eager()``: that adds
      ``in_latest_time_window``, by which a late post of an old month would never flow down. A new version of a model
      in ``promoted_by_hand`` does not count, for it would set off every month that there is: its promotion is a
      decision, see ``jobs.promote_style_model``.
    - ``first_failure``: the step failed, for the first time since an input changed or the month was made. Its retry
      fails without being asked for again. ``execution_failed()`` alone is level-triggered: it asks on every tick for
      ever (368,000 failed runs in fourteen days in one house); its edge alone asks after every failed retry, which is
      the same, slower.

    **How long it is wanted** (``since`` … ``handled``):

    - from the moment it became so until it is requested (``newly_requested``), so a wish outlives the ticks on which it
      is held back. What is wanted for something that is seen on the tick after the request came after it, and stays
      wanted: a run that fails, or an input that changes, within the 30 seconds between two ticks;
    - or until somebody else made it (``newly_updated``: a person, a backfill, ``fashion-assets run``), unless an input
      changed while that run was under way (``changed during a run``: it may have read the input before) or right after
      (``changed after it was made``). Dagster's ``since_last_handled`` loses both;
    - from a blank state (``initial_evaluation``): switching automation on, or a new version of this condition, does
      not stampede a history that lies there already.

    **What holds it back** until it is over:

    - ``~any_deps_missing``, ``~any_deps_in_progress``: never start on half of the inputs. Inputs in ``may_be_missing``
      need not be there. Of those in ``some_month_of`` one month is enough (``something_of_each``): a table over all
      months would wait for ever for the months before the first crawl.
    - ``~in_progress``: never two runs of one month; a backfill that is under way counts.
    - ``~any_deps_unsound``: a blocking check of an input failed, crashed or has not answered yet; nothing is made of
      that month, also not by another run (``blocking=True`` alone holds within one run). A check that was never run on
      the month holds nothing: one that a release adds would otherwise stop every old month. That is why this is not
      ``all_deps_blocking_checks_passed``.
    """
    condition = dg.AutomationCondition
    updated, newer = condition.any_deps_updated(), condition.any_deps_match(condition.newly_updated())
    for name in promoted_by_hand:
        updated = updated.ignore(dg.AssetSelection.assets(name))
        newer = newer.ignore(dg.AssetSelection.assets(name))
    missing = condition.any_deps_missing()
    there = condition.all_deps_match(~condition.missing() | condition.will_be_requested())
    for name in may_be_missing:
        missing = missing.ignore(dg.AssetSelection.assets(name))
        there = there.ignore(dg.AssetSelection.assets(name))
    for name in some_month_of:
        missing = missing.ignore(dg.AssetSelection.assets(name))
    requested, made = condition.newly_requested(), condition.newly_updated()
    begun, failed = condition.initial_evaluation(), condition.execution_failed()

    # Dagster tells the memories of two ``since`` apart by the kinds of their operands alone: no two have the same pair
    # here: and-or, and-and, deps-update, or-or.
    # A run that fails between two ticks after a failure before it shows no edge, but it was requested on the last one.
    failure = ((failed.newly_true() | (failed & requested)) & ~made).with_label("a run has failed")
    # True from the first failure until the next change or success, so that its edge is there once.
    first_failure = failure.since(updated | made).newly_true().with_label("first_failure")
    wanted = (condition.newly_missing() | updated | first_failure).with_label(
        "missing or input changed or failed"
    )
    changed_during_a_run = (
        (updated & condition.in_progress()).since(requested & ~updated).with_label("changed during a run")
    )
    # Both operands carry their times, which Dagster compares within a tick; through "and" and "or" they get lost.
    changed_after_it = newer.since(made).with_label("changed after it was made")
    handled = begun | (requested & ~wanted) | (made & ~changed_during_a_run & ~changed_after_it)
    unsound = condition.any_checks_match(
        (condition.check_failed() | condition.execution_failed() | condition.in_progress())
        & ~condition.will_be_requested(),
        blocking_only=True,
    )
    return (
        wanted.since(handled.with_label("handled"))
        & ~missing
        & there.with_label("something_of_each")
        & ~condition.any_deps_in_progress()
        & ~condition.in_progress()
        & ~condition.any_deps_match(unsound).with_label("any_deps_unsound")
    ).with_label("follow_upstream")
