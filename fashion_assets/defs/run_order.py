"""The order in which queued runs begin, whoever asked for them: the newest month first for reports.

Belongs here: what ``dagster.yaml`` names as its run coordinator; webserver and daemon load it too. Does not: jobs of
months, which carry their order as tags already (``jobs``). A backfill of an asset is no job: Dagster makes its runs,
the oldest month first, with no tag that depends on the month, and hands each to the coordinator.
"""

from __future__ import annotations

import dagster as dg

from fashion_assets.defs.run_tags import PRIORITY, newest_first

#: Assets that look back on other months, and that nothing goes on from.
_NEWEST_FIRST = frozenset({dg.AssetKey("monthly_style_report")})


class NewestReportsFirst(dg.QueuedRunCoordinator):
    """Dagster's queue, in which runs of monthly reports alone begin with the newest month."""

    def submit_run(self, context: dg.SubmitRunContext) -> dg.DagsterRun:
        run = context.dagster_run
        month, assets = run.tags.get("dagster/partition"), run.asset_selection
        if month and assets and assets <= _NEWEST_FIRST and PRIORITY not in run.tags:
            self._instance.add_run_tags(run.run_id, newest_first(month))
        return super().submit_run(context)
