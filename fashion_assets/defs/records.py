"""Dagster's own records: what was made last (one row per asset partition, one query per asset), which runs go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

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
        )
    return records
