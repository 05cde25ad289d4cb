"""Dagster's own records: what was made last (one row per asset partition, one query per asset), which checks it has not
passed, which runs go on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

#: Statuses of runs that have ended, and of those that wait or are at work.
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
UNFINISHED = [status for status in dg.DagsterRunStatus if status not in FINISHED]


@dataclass(frozen=True)
class Record:
    """The newest materialisation of an asset partition."""

    storage_id: int
    code_version: str | None
    data_version: str | None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""


def newest_records(
    instance: dg.DagsterInstance, asset: str, *, partitioned: bool
) -> dict[str | None, Record]:
    """The newest materialisation of each partition of ``asset``, under None where it has no partitions."""
    key = dg.AssetKey(asset)
    if not partitioned:
        event = instance.get_latest_materialization_event(key)
        found = instance.fetch_materializations(key, limit=1).records if event else []
    else:
        ids = instance.get_latest_storage_id_by_partition(key, dg.DagsterEventType.ASSET_MATERIALIZATION)
        if not ids:
            return {}
        wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=list(ids.values()))
        found = instance.fetch_materializations(wanted, limit=len(ids)).records
    records: dict[str | None, Record] = {}
    for entry in found:
        made = entry.asset_materialization
        if made is None:
            continue
        tags = made.tags or {}
        records[made.partition] = Record(
            entry.storage_id,
            tags.get("dagster/code_version"),
            tags.get("dagster/data_version"),
            {name: value.value for name, value in made.metadata.items()},
            entry.run_id,
        )
    return records


def data_version(instance: dg.DagsterInstance, asset: str, partition: str) -> str | None:
    """The data version of a partition as it was last made; None if it never was."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[partition])
    found = instance.fetch_materializations(wanted, limit=1).records
    made = found[0].asset_materialization if found else None
    return (made.tags or {}).get("dagster/data_version") if made is not None else None


@dataclass(frozen=True)
class FailedCheck:
    """A check of an asset partition whose newest answer is no (given at ``storage_id``), or that ``run_id`` was to
    answer and has not: it crashed, or the process was killed.
    """

    name: str
    storage_id: int
    run_id: str | None = None

    def concerns(self, made: Record) -> bool:
        """Whether it is about the partition as it was made last. A run that was to make it anew and never came so far
        (canceled, or failed above it) planned its checks too, and says nothing of what is there.
        """
        return self.storage_id > made.storage_id if self.run_id is None else self.run_id == made.run_id


def failed_checks(
    instance: dg.DagsterInstance, keys: Collection[dg.AssetCheckKey]
) -> dict[tuple[str, str | None], list[FailedCheck]]:
    """(asset, partition) -> those of ``keys`` that it has not passed, by name."""
    found: dict[tuple[str, str | None], list[FailedCheck]] = {}
    if not keys:
        return found
    looked_at = instance.event_log_storage.get_asset_check_partition_info(sorted(keys))
    planned = AssetCheckExecutionRecordStatus.PLANNED
    runs = {one.latest_planned_run_id for one in looked_at if one.latest_execution_status == planned}
    ended = {
        run.run_id
        for run in (instance.get_runs(dg.RunsFilter(run_ids=sorted(runs))) if runs else ())
        if run.is_finished
    }
    for one in looked_at:
        crashed = one.latest_execution_status == planned and one.latest_planned_run_id in ended
        if crashed or one.latest_execution_status == AssetCheckExecutionRecordStatus.FAILED:
            node = (one.check_key.asset_key.to_user_string(), one.partition_key)
            run = one.latest_planned_run_id if crashed else None
            check = FailedCheck(one.check_key.name, one.latest_check_event_storage_id, run)
            found.setdefault(node, []).append(check)
    for checks in found.values():
        checks.sort(key=lambda check: check.name)
    return found
