"""One line of JSON per run: what it made of which months, how long it took, how it ended.

Belongs here: the line, made from Dagster's own event log once the run is over, whoever started it and however it ended.
One mechanism for all: ``fashion-assets run`` writes the lines that are due after its runs, the daemon's sensor every
half minute, ``fashion-assets status --runs`` before it shows them. A killed run has its line as soon as it counts as
failed: at the next command line, or by the daemon's run monitoring. A line is written once (lock, and by run id).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from fashion_assets.defs.process_memory import PEAK_MEMORY
from fashion_assets.defs.records import FINISHED
from fashion_assets.defs.run_tags import PID
from fashion_assets.defs.step_errors import INTERRUPTED_SENTENCE, is_interrupted, sentence_of
from fashion_assets.settings import Settings
from fashion_assets.storage.locks import locked

_EVENTS = {
    dg.DagsterEventType.ASSET_MATERIALIZATION,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_START,
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_UP_FOR_RETRY,
    dg.DagsterEventType.RUN_FAILURE,
}
_STEP_ENDS = {dg.DagsterEventType.STEP_SUCCESS, dg.DagsterEventType.STEP_FAILURE}
#: Tag of Dagster -> who started the run; the first that is there.
_STARTERS = {
    PID: "command line",
    "dagster/auto_materialize": "automation",
    "dagster/sensor_name": "sensor",
    "dagster/schedule_name": "schedule",
    "dagster/backfill": "backfill",
}
#: Metadata of assets that count what was computed before and taken again, and what was computed.
_REUSED, _NEW = ("reused", "words_reused"), ("new", "words_scored")
#: Lines that are written at a time: the first look at a long history takes some more.
_AT_A_TIME = 500
#: How far back a look goes beyond the newest line: runs end while others are written.
_OVERLAP = timedelta(hours=6)


def record_summaries(instance: dg.DagsterInstance, settings: Settings) -> int:
    """Write a line for each finished run that has none; returns how many. The oldest come first."""
    with locked(settings.run_summaries / ".lock"):
        files = _files(settings)
        newest = _lines(files[-1:])
        ended = [datetime.fromisoformat(line["ended"]) for line in newest]
        # By a clock that went back since, the newest line may lie ahead.
        after = min(max(ended), datetime.now(UTC)) - _OVERLAP if ended else None
        written = {line["run_id"] for line in newest}
        n_written = 0
        for record in _finished_after(instance, after):
            if n_written == _AT_A_TIME:
                break
            path = settings.run_summaries / f"{_time(_ended(record))[:7]}.jsonl"
            if path not in files[-1:] and path.exists():
                written |= {line["run_id"] for line in _lines([path])}
            if record.dagster_run.run_id in written:
                continue
            line = summary_of(instance, record)
            # A line that a killed process left half is ended first.
            text = "" if not path.exists() or path.read_bytes().endswith(b"\n") else "\n"
            with path.open("a", encoding="utf-8") as file:
                file.write(text + json.dumps(line, ensure_ascii=False) + "\n")
            n_written += 1
    return n_written


def _finished_after(instance: dg.DagsterInstance, after: datetime | None) -> Iterator[dg.RunRecord]:
    """The finished runs that changed after that moment, the oldest first, read in pages of ``_AT_A_TIME``.

    More than a page of them may have their line already: a backfill ends hundreds of runs within ``_OVERLAP``.
    """
    while True:
        page = instance.get_run_records(
            dg.RunsFilter(statuses=FINISHED, updated_after=after),
            limit=_AT_A_TIME,
            order_by="update_timestamp",
            ascending=True,
        )
        yield from page
        if len(page) < _AT_A_TIME:
            return
        after = page[-1].update_timestamp


def summary_of(instance: dg.DagsterInstance, record: dg.RunRecord) -> dict[str, Any]:
    """The line of one finished run, as docs/operations.md describes it."""
    run = record.dagster_run
    entries = instance.all_logs(run.run_id, of_type=_EVENTS)
    events = [entry.dagster_event for entry in entries if entry.dagster_event is not None]
    made = [_made(event) for event in events if event.is_step_materialization]
    failures = [event for event in events if event.is_step_failure]
    checks = [
        event.asset_check_evaluation_data
        for event in events
        if event.event_type == dg.DagsterEventType.ASSET_CHECK_EVALUATION
    ]
    began = record.start_time or record.create_timestamp.timestamp()
    ended = _ended(record)
    peaks = [one["peak_memory_mb"] for one in made] + [_peak_of_failed(event) for event in failures]
    return {
        "run_id": run.run_id,
        "job": run.job_name,
        "by": next((who for tag, who in _STARTERS.items() if tag in run.tags), "person"),
        "months": sorted({one["partition"][:7] for one in made if (one["partition"] or "")[:4].isdigit()})
        or _months_asked(run.tags),
        "began": _time(began),
        "ended": _time(ended),
        "seconds": round(ended - began, 3),
        "outcome": run.status.value,
        "error": _error(events, failures),
        "made": made,
        "arrived": _total(made, "raw_posts", "rows_arrived"),
        "kept": _total(made, "cleaned_posts", "kept"),
        "quarantined": _total(made, "quarantined_posts", "quarantined"),
        "cache": {
            "hits": sum(one["reused"] or 0 for one in made),
            "made": sum(one["new"] or 0 for one in made),
        },
        "steps": _seconds(entries),
        "failed_steps": [str(event.step_key) for event in failures],
        "failed_checks": [check.check_name for check in checks if not check.passed],
        "peak_memory_mb": max((peak for peak in peaks if peak is not None), default=None),
    }


def _ended(record: dg.RunRecord) -> float:
    return record.end_time or record.update_timestamp.timestamp()


def _made(event: dg.DagsterEvent) -> dict[str, Any]:
    stored = event.step_materialization_data.materialization
    metadata: dict[str, Any] = {name: value.value for name, value in stored.metadata.items()}
    rows, reused, new = (
        metadata.get("dagster/row_count"),
        _first(metadata, _REUSED),
        _first(metadata, _NEW),
    )
    if new is None and reused is not None and isinstance(rows, int):
        new = rows - reused
    figures: dict[str, Any] = {
        name: metadata.get(name) for name in ("rows_arrived", "kept", "quarantined") if name in metadata
    }
    return {
        "asset": stored.asset_key.to_user_string(),
        "partition": stored.partition,
        "rows": rows,
        "reused": reused,
        "new": new,
        "peak_memory_mb": metadata.get(PEAK_MEMORY),
        **figures,
    }


def _seconds(entries: Iterable[dg.EventLogEntry]) -> dict[str, float]:
    """Seconds of each step that ended, from its first start: those that failed too, and what tries in between took."""
    began: dict[str, float] = {}
    seconds = {}
    for entry in entries:
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        if event.event_type == dg.DagsterEventType.STEP_START:
            began.setdefault(event.step_key, entry.timestamp)
        elif event.event_type in _STEP_ENDS and event.step_key in began:
            seconds[event.step_key] = round(max(0.0, entry.timestamp - began[event.step_key]), 3)
    return seconds


def _peak_of_failed(event: dg.DagsterEvent) -> float | None:
    """What ``faults.judged`` told with the fault; nothing of a step that was interrupted, or tried to the end."""
    told = event.step_failure_data.user_failure_data
    peak = told.metadata.get(PEAK_MEMORY) if told is not None else None
    return peak.value if isinstance(peak, dg.FloatMetadataValue) else None


def _first(metadata: Mapping[str, Any], names: Iterable[str]) -> int | None:
    found = next((metadata[name] for name in names if name in metadata), None)
    return found if isinstance(found, int) else None


def _total(made: list[dict[str, Any]], asset: str, figure: str) -> int | None:
    """The figure over the run's months; None where it did not make the asset."""
    found = [one[figure] for one in made if one["asset"] == asset and figure in one]
    return sum(found) if found else None


def _error(events: list[dg.DagsterEvent], failures: list[dg.DagsterEvent]) -> str | None:
    if failures:
        return f"{failures[0].step_key}: {sentence_of(failures[0])}"
    if interrupted := [event for event in events if is_interrupted(event)]:
        return f"{interrupted[0].step_key}: {INTERRUPTED_SENTENCE}"
    # A run whose process is gone has no failed step, only the word of whoever found it so.
    ends = [event.message for event in events if event.event_type == dg.DagsterEventType.RUN_FAILURE]
    return ends[0] if ends else None


def _months_asked(tags: Mapping[str, str]) -> list[str]:
    asked = tags.get("dagster/partition", "")
    return [asked[:7]] if asked[:4].isdigit() else []


def _time(stamp: float) -> str:
    return datetime.fromtimestamp(stamp, UTC).isoformat(timespec="milliseconds")


def read_summaries(settings: Settings, limit: int) -> list[dict[str, Any]]:
    """The newest ``limit`` lines, the newest first, of the two newest months with runs."""
    lines = _lines(_files(settings)[-2:])
    return sorted(lines, key=lambda line: str(line["ended"]), reverse=True)[:limit]


def _files(settings: Settings) -> list[Path]:
    return sorted(settings.run_summaries.glob("*.jsonl"))


def _lines(files: Iterable[Path]) -> list[dict[str, Any]]:
    """The lines of ``files``; half a line of a process that was killed is left out, and what a person wrote there."""
    found = []
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                read = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(read, dict) and {"run_id", "ended"} <= read.keys():
                found.append(read)
    return found


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Writes one line of JSON per finished run to run_summaries/ of the data root.",
)
def run_summaries_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.SkipReason:
    """Asks for no run: it writes what is due, of whoever's runs."""
    return dg.SkipReason(f"{record_summaries(context.instance, settings)} runs summed up")
