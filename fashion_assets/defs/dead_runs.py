"""Runs of command lines whose process is gone, or goes: ended, and their pool slots freed.

Without this a killed run would hold its slot and its month for ever. Runs that the daemon started are looked after by
Dagster's own run monitoring.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import dagster as dg

from fashion_assets.defs.records import UNFINISHED
from fashion_assets.defs.run_tags import BEGAN, HOST, PID, process_began, tags_of_this_process
from fashion_assets.settings import Settings


def close_dead_runs(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Fail the runs of command lines that were killed, and free their pool slots; returns how many.

    To be called by whoever has the data root for himself (``run_lock``): then no other command line of it is alive, on
    whatever host it was. Of an instance that other data roots share, only runs of this host can be judged.
    """
    alone = Path(instance.root_directory).resolve() == settings.dagster_home.resolve()
    here = socket.gethostname()
    closed = 0
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        host = run.tags.get(HOST)
        if host is None or not (is_killed(run) or (alone and host != here)):
            continue
        where = "" if host == here else f" on {host}"
        _close(instance, run, f"the process of this run{where} is gone; it was killed")
        closed += 1
    return closed


def close_broken_off(instance: dg.DagsterInstance) -> None:
    """Fail the run of this process that Dagster has not ended itself, as where Ctrl-C came before its first step.

    To the daemon it would be at work still: it would hold up its month.
    """
    tags = tags_of_this_process()
    mine = {name: tags[name] for name in (PID, HOST, BEGAN)}
    for run in instance.get_runs(dg.RunsFilter(statuses=UNFINISHED, tags=mine)):
        _close(instance, run, "the command that it belongs to has ended before it")


def _close(instance: dg.DagsterInstance, run: dg.DagsterRun, reason: str) -> None:
    instance.report_run_failed(run, reason)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def is_killed(run: dg.DagsterRun) -> bool:
    """Whether an unfinished run of a command line on this host has lost its process."""
    return run.tags.get(HOST) == socket.gethostname() and not _alive(int(run.tags[PID]), run.tags.get(BEGAN))


def _alive(pid: int, began: str | None) -> bool:
    """Whether the process is there, and is the one that began then (if that is known)."""
    if began and process_began(pid) not in ("", began):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
