"""What is fresh, stale, failed, missing or being made, of every asset partition, by Dagster's own records.

Belongs here: the states and why. Does not belong here: how they are shown (``cli.status``), what a run would do about
them (``planning``, which is asked).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import dagster as dg

from fashion_assets.defs.dead_runs import is_killed
from fashion_assets.defs.planning import Node, Planner


class State(StrEnum):
    """The state of an asset partition; ``open`` is made when somebody asks for it (closing a month, a variant)."""

    fresh = "fresh"
    stale = "stale"
    failed = "failed"
    missing = "missing"
    running = "running"
    open = "open"


#: States that a ``fashion-assets run`` would do something about.
WANTING = frozenset({State.stale, State.failed, State.missing})


class Standing(NamedTuple):
    """The state of one asset partition, and why it is not fresh; ``kind``: month, whole or static."""

    asset: str
    partition: str | None
    kind: str
    state: State
    reason: str


def standings(planner: Planner, instance: dg.DagsterInstance) -> list[Standing]:
    """The standing of every partition that can be made now, upstream first; assets without input are left out."""
    assets = [asset for asset in planner.order if planner.can_be_made(asset)]
    planned = set(planner.plan())
    attempts = _attempts(planner, instance, assets)
    runs = _runs(instance, attempts.values())
    found = []
    for asset in assets:
        partitions = planner.partitions(asset)
        kind = "month" if planner.is_monthly(asset) else "whole" if partitions == [None] else "static"
        for partition in partitions:
            node = Node(asset, partition)
            run = runs.get(attempts.get(node, ""))
            state, reason = _state(planner, node, node in planned, run)
            found.append(Standing(asset, partition, kind, state, reason))
    return found


def _state(planner: Planner, node: Node, planned: bool, run: dg.DagsterRun | None) -> tuple[State, str]:
    """``run``: the newest that was to make ``node`` and has not."""
    if run is not None and not run.is_finished and not is_killed(run):
        return State.running, f"run {run.run_id[:8]}"
    if not planned:
        made = node.partition in planner.records(node.asset)
        return (State.fresh, "") if made else (State.open, "made when it is asked for by its name")
    if run is not None and not run.is_success:
        ended = "was canceled" if run.status == dg.DagsterRunStatus.CANCELED else "failed"
        return State.failed, f"run {run.run_id[:8]} {ended if run.is_finished else 'was killed'}"
    if (check := planner.failed_check(node)) is not None:
        return State.failed, f"blocking check {check} failed"
    reason = planner.reason(node) or "what it is made of, or is made with, is not fresh"
    return (State.missing if reason == "missing" else State.stale), reason


def _attempts(planner: Planner, instance: dg.DagsterInstance, assets: list[str]) -> dict[Node, str]:
    """Node -> the newest run that was to make it, where nothing was made since that run was planned."""
    attempts: dict[Node, str] = {}
    whole = [dg.AssetKey(asset) for asset in assets if planner.partitions(asset) == [None]]
    for record in instance.get_asset_records(whole):
        entry = record.asset_entry
        made = entry.last_materialization_record
        if entry.last_run_id and (made is None or made.run_id != entry.last_run_id):
            attempts[Node(entry.asset_key.to_user_string(), None)] = entry.last_run_id
    for asset in assets:
        if planner.partitions(asset) != [None]:
            storage = instance.event_log_storage
            look_up = storage.get_latest_asset_partition_materialization_attempts_without_materializations
            unmade = look_up(dg.AssetKey(asset))
            attempts |= {Node(asset, partition): run_id for partition, (run_id, _) in unmade.items()}
    return attempts


def _runs(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> dict[str, dg.DagsterRun]:
    wanted = sorted(set(run_ids))
    if not wanted:
        return {}
    return {run.run_id: run for run in instance.get_runs(dg.RunsFilter(run_ids=wanted))}
