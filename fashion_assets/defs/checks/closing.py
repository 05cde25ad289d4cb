"""Checks on time: the latest month that should be closed is, and what came after a month was closed.

Dagster's freshness policies look at the last materialisation of any partition: a late post of 2019 would make them
green. What has to be there is one certain month.
"""

from datetime import datetime

from dagster._core.scheduler.instigation import InstigatorType

from fashion_assets.defs.checks.factory import Check, Finding, Look
from fashion_assets.defs.closing import CLOSE_SCHEDULE, closing_record
from fashion_assets.defs.landing import PLATFORM_ZONE
from fashion_assets.defs.resources import LakeReader


def latest_closed_month(look: Look) -> Finding:
    """The latest month that is due is closed and its report is there. Looked at every day.

    Where nobody closes months, by hand or by schedule, none is overdue. Where the schedule is on, a first close that
    failed must not stay unseen, nor that nothing arrives any more.
    """
    from fashion_assets.reports.closing import latest_due_month

    due = latest_due_month(datetime.now(PLATFORM_ZONE))
    closed = look.lake.months("closed_month")
    last = closed[-1] if closed else "none"
    report = look.settings.reports / due / "style_report.html"
    arrived = look.lake.months("cleaned_posts")
    if not closed and not (_closes_by_itself(look) and arrived and arrived[0] <= due):
        passed, found = True, "no month has been closed here, so none is overdue"
    elif due not in closed and due not in arrived:
        passed = False
        found = (
            f"{due} is due and none of its posts has arrived; the newest month with posts is "
            f"{arrived[-1] if arrived else 'none'}, the last closed one {last}: does the crawler still deliver?"
        )
    elif due not in closed:
        passed = False
        found = (
            f"{due} is due and not closed; the last closed month is {last}: start job close_month for {due}"
        )
    elif not report.exists():
        passed, found = False, f"{due} is closed but {report} is not there: materialise monthly_style_report"
    else:
        passed, found = True, f"{due} is closed and its report is there"
    return Finding(passed, found, {"due": due, "last_closed": last})


def _closes_by_itself(look: Look) -> bool:
    """Whether the schedule of the close is on: by its switch in the UI, where nobody touched that by the setting."""
    if look.instance.schedule_storage is None:  # as in a notebook: nothing runs by itself
        return look.settings.automation
    schedules = look.instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    switches = [state.is_running for state in schedules if state.name == CLOSE_SCHEDULE]
    return any(switches) if switches else look.settings.automation


def nothing_came_after_closing(look: Look) -> Finding:
    """A closed month has the posts that it was closed with; else its report says how many came later."""
    from fashion_assets.reports.closing import closing_sentence

    record = closing_record(LakeReader(look.settings), look.month)
    posts = look.lake.row_count("cleaned_posts", look.month)
    return Finding(
        record is None or record["posts"] == posts,
        closing_sentence(record, posts),
        {"posts": posts, "posts_when_closed": record["posts"] if record else posts},
    )


CLOSING_CHECKS = [
    Check("cleaned_posts", "nothing_came_after_closing", nothing_came_after_closing),
    Check("warehouse", "latest_closed_month", latest_closed_month, severity="ERROR"),
]
