"""The order in which queued runs begin, whoever asked for them.

Belongs here: what ``dagster.yaml`` names as its run coordinator; webserver and daemon load it too. Does not: jobs of
months, which carry their order as tags already (``jobs``). A backfill of an asset is no job: Dagster makes its runs,
the oldest month first, with no tag that depends on the month, and hands each to the coordinator.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill
from dagster._core.run_coordinator.queued_run_coordinator import RunQueueConfig

from fashion_assets.defs.run_tags import PRIORITY, newest_first

#: Assets that look back on other months, and that nothing goes on from.
_NEWEST_FIRST = frozenset({dg.AssetKey("monthly_style_report")})
_BACKFILL = "dagster/backfill"
_NOT_BEGUN = (dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED)
_BEGUN = [status for status in dg.DagsterRunStatus if status not in _NOT_BEGUN]
#: The daemon makes the runs of a backfill within a second of each other, 25 at a time.
_ALL_MADE_AFTER = timedelta(minutes=1)


class NewestReportsFirst(dg.QueuedRunCoordinator):
    """Dagster's queue, in which runs of monthly reports alone begin with the newest month, and no run of a backfill
    begins before all of them wait: a priority orders only what is in the queue.

    Its limits stand in its own ``config``: Dagster lets those of ``concurrency.runs`` replace what is said here.
    """

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        run = context.dagster_run
        month, assets = run.tags.get("dagster/partition"), run.asset_selection
        if month and assets and assets <= _NEWEST_FIRST and PRIORITY not in run.tags:
            self._instance.add_run_tags(run.run_id, newest_first(month))
        return super().submit_run(context)

    def get_run_queue_config(self) -> RunQueueConfig:
        """The limits of the configuration, and none of the runs of backfills that are not whole in the queue.

        The daemon asks before each look at the queue. A backfill that begins to come in between the two, which is a
        moment, may begin with the first month that it was given.
        """
        queue = super().get_run_queue_config()
        asked = BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED])
        held = [one.backfill_id for one in self._instance.get_backfills(asked) if self._comes_in(one)]
        limits = [{"key": _BACKFILL, "value": backfill, "limit": 0} for backfill in held]
        return queue._replace(tag_concurrency_limits=[*queue.tag_concurrency_limits, *limits])

    def _comes_in(self, backfill: PartitionBackfill) -> bool:
        """Whether the daemon is still making the runs of a backfill: not all wait, none has begun or ended, and the
        newest is young. Nothing is held for longer, be it that a person deletes a run or a killed daemon forgot one.
        """
        expected = _number_of_runs(backfill)
        tags = {_BACKFILL: backfill.backfill_id}
        if not expected or not (newest := self._instance.get_run_records(dg.RunsFilter(tags=tags), limit=1)):
            return bool(expected)
        if datetime.now(UTC) - newest[0].create_timestamp > _ALL_MADE_AFTER:
            return False
        count = self._instance.get_runs_count
        if count(dg.RunsFilter(tags=tags, statuses=_BEGUN)):
            return False
        return count(dg.RunsFilter(tags=tags, statuses=[dg.DagsterRunStatus.QUEUED])) < expected


def _number_of_runs(backfill: PartitionBackfill) -> int | None:
    """How many runs a backfill puts into the queue at once; none if that depends on runs of its own or of before."""
    if backfill.partition_names is not None:
        # Of a repeated backfill only the months that failed are run again, and Dagster says nowhere how many.
        return None if backfill.from_failure else len(backfill.partition_names)
    data = backfill.asset_backfill_data
    if data is None or not data.target_subset.asset_keys <= _NEWEST_FIRST:
        return None
    return data.target_subset.num_partitions_and_non_partitioned_assets
