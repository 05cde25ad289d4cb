"""Dagster's own records: what was made last (one row per asset partition, one query per asset), which checks it has not
passed, which runs go on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import dagster as dg
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecord,
    AssetCheckExecutionRecordStatus,
)

#: Statuses of runs that have ended, and of those that wait or are at work.
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
UNFINISHED = [status for status in dg.DagsterRunStatus if status not in FINISHED]

#: Records of a check that one query gives.
_ROWS = 1000


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
    """A check whose answer about the materialisation ``made_id`` is no, or that ``run_id`` was to answer and has not:
    it crashed, or the process was killed.
    """

    name: str
    run_id: str
    made_id: int | None = None

    def concerns(self, made: Record) -> bool:
        """Whether it is about the partition as it was made last. A run that was to make it anew and never came so far
        (canceled, or failed above it) planned its checks too, and says nothing of what is there.
        """
        return self.run_id == made.run_id if self.made_id is None else self.made_id == made.storage_id


def failed_checks(
    instance: dg.DagsterInstance, keys: Collection[dg.AssetCheckKey]
) -> dict[tuple[str, str | None], list[FailedCheck]]:
    """(asset, partition) -> those of ``keys`` that it may not have passed, by name.

    Of a check that is the last answer, and each run since then that was to give one and has ended without: which of
    them is about what is there, ``FailedCheck.concerns`` tells.
    """
    rows: list[AssetCheckExecutionRecord] = []
    looked_at = instance.event_log_storage.get_asset_check_partition_info(sorted(keys)) if keys else ()
    for key, of_it in groupby(looked_at, lambda one: one.check_key):
        passed = AssetCheckExecutionRecordStatus.SUCCEEDED
        unclear = {one.partition_key for one in of_it if one.latest_execution_status != passed}
        rows += _since_the_last_answers(instance, key, unclear)
    runs = sorted({row.run_id for row in rows})
    ended = {
        run.run_id
        for run in (instance.get_runs(dg.RunsFilter(run_ids=runs)) if runs else ())
        if run.is_finished
    }
    found: dict[tuple[str, str | None], list[FailedCheck]] = {}
    for row in rows:
        target = None
        if row.status == AssetCheckExecutionRecordStatus.FAILED:
            target = row.evaluation.target_materialization_data if row.evaluation else None
        elif row.run_id not in ended:
            continue
        check = FailedCheck(row.key.name, row.run_id, target.storage_id if target else None)
        found.setdefault((row.key.asset_key.to_user_string(), row.partition), []).append(check)
    for checks in found.values():
        checks.sort(key=lambda check: check.name)
    return found


def _since_the_last_answers(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey, partitions: Collection[str | None]
) -> Iterator[AssetCheckExecutionRecord]:
    """What is recorded of a check of each partition down to its last answer, which is left out where it is yes.

    By one query, and one more for each partition with several such records: a backfill that waits, or was canceled, has
    left one of every month.
    """
    history = instance.event_log_storage.get_asset_check_execution_history
    planned, failed = AssetCheckExecutionRecordStatus.PLANNED, AssetCheckExecutionRecordStatus.FAILED
    without_yes = history(key, limit=_ROWS, status={planned, failed}) if partitions else ()
    for partition in partitions:
        of_it = [row for row in without_yes if row.partition == partition]
        if len(of_it) == 1 and len(without_yes) < _ROWS:
            yield of_it[0]
            continue
        for row in history(key, limit=_ROWS, partition_filter=PartitionKeyFilter(key=partition)):
            if row.status in (planned, failed):
                yield row
            if row.status != planned:
                break
