"""Each run leaves one line, whoever started it and however it ended."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs import run_summaries
from fashion_assets.defs.dead_runs import close_dead_runs
from fashion_assets.defs.run_summaries import read_summaries, record_summaries, run_summaries_sensor
from fashion_assets.defs.run_tags import HOST, PID
from fashion_assets.defs.runner import StepFailed, run_pipeline
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError

MONTH = "2024-05-01"
HEADER = "poster_id,post_id,post_title,post_date,post_content,post_fetch_time"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    rows = [f"u{n},p{n},新中式,2024-05-0{n},马面裙 {n},2024-06-01 10:00:00" for n in range(1, 8)]
    rows.append("u9,p9,坏日期,2024-02-30,马面裙,2024-06-01 10:00:00")
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "crawl.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return Settings(data_dir=tmp_path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


def materialise(settings: Settings, instance: dg.DagsterInstance, **tags: str) -> str:
    """A run as the UI or the daemon starts it, of raw and cleaned posts."""
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey(name) for name in ("raw_posts", "cleaned_posts", "quarantined_posts")],
        partition_key=MONTH,
        instance=instance,
        tags=tags,
        raise_on_error=False,
    )
    return result.run_id


def lines(settings: Settings) -> list[dict[str, Any]]:
    return read_summaries(settings, 100)


def test_a_run_of_the_daemon_is_summed_up_by_its_sensor(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    run_id = materialise(settings, instance, **{"dagster/sensor_name": "incoming_sensor"})
    context = dg.build_sensor_context(instance=instance, resources={"settings": settings})
    assert "1 runs" in str(run_summaries_sensor(context))
    (line,) = lines(settings)
    assert (line["run_id"], line["by"], line["outcome"], line["error"]) == (run_id, "sensor", "SUCCESS", None)
    assert (line["months"], line["arrived"], line["kept"], line["quarantined"]) == (["2024-05"], 8, 7, 1)
    assert line["steps"].keys() >= {"raw_posts", "clean_month", "cleaned_posts_checks"}
    assert {one["asset"]: one["rows"] for one in line["made"]} == {
        "raw_posts": 8,
        "cleaned_posts": 7,
        "quarantined_posts": 1,
    }
    assert line["peak_memory_mb"] > 50 and line["seconds"] > 0 and line["failed_checks"] == []
    assert "0 runs" in str(run_summaries_sensor(context)) and len(lines(settings)) == 1


def test_a_run_that_failed_says_why(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise UserError("the posts of 2024-05 cannot be read")

    monkeypatch.setattr("fashion_assets.posts.cleaning.clean_posts", refuse)
    materialise(settings, instance)
    record_summaries(instance, settings)
    (line,) = lines(settings)
    assert line["peak_memory_mb"] > 50
    assert (line["outcome"], line["by"], line["failed_steps"]) == ("FAILURE", "person", ["clean_month"])
    assert line["error"] == "clean_month: the posts of 2024-05 cannot be read"
    assert line["steps"].keys() >= {"raw_posts", "clean_month"}, "what failed took its time too"
    assert (line["arrived"], line["kept"]) == (8, None), "what was made before it counts"


def test_a_run_that_stores_no_table_tells_its_memory_also_when_it_fails(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The warehouse and the reports write their files themselves; a report has a month's pictures in memory."""
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    for _ in range(2):
        selected = [dg.AssetKey("warehouse")]
        job.execute_in_process(asset_selection=selected, instance=instance, raise_on_error=False)
        monkeypatch.setattr("fashion_assets.defs.warehouse.publish_tables", lambda *_: 1 / 0)
    record_summaries(instance, settings)
    failed, well = lines(settings)
    assert (failed["outcome"], well["outcome"]) == ("FAILURE", "SUCCESS")
    assert failed["peak_memory_mb"] >= well["peak_memory_mb"] > 50


def test_a_run_that_was_killed_has_its_line_once_it_is_found(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(
        job,
        status=dg.DagsterRunStatus.STARTED,
        tags={HOST: socket.gethostname(), PID: "4194999", "dagster/partition": MONTH},
    )
    assert record_summaries(instance, settings) == 0, "not known to be over"
    assert close_dead_runs(instance, settings) == 1 and record_summaries(instance, settings) == 1
    (line,) = lines(settings)
    assert (line["run_id"], line["outcome"], line["months"]) == (run.run_id, "FAILURE", ["2024-05"])
    assert "killed" in line["error"] and line["by"] == "command line"


def test_the_command_line_sums_up_its_runs_also_when_one_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    defs = build_definitions(settings)
    run_pipeline(defs, settings, select="raw_posts")
    monkeypatch.setattr("fashion_assets.posts.cleaning.clean_posts", lambda *_: 1 / 0)
    with pytest.raises(StepFailed):
        run_pipeline(defs, settings, select="cleaned_posts")
    newest, first = lines(settings)
    assert (first["outcome"], newest["outcome"]) == ("SUCCESS", "FAILURE")
    assert first["by"] == newest["by"] == "command line" and "division by zero" in newest["error"]


def test_more_runs_than_are_read_at_a_time_all_have_their_lines(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_summaries, "_AT_A_TIME", 2)
    runs = set()
    for _ in range(5):
        run = instance.create_run_for_job(
            build_definitions(settings).resolve_implicit_global_asset_job_def(),
            status=dg.DagsterRunStatus.STARTED,
        )
        instance.report_run_failed(run, "lost")
        runs.add(run.run_id)
    assert [record_summaries(instance, settings) for _ in range(4)] == [2, 2, 1, 0]
    assert {line["run_id"] for line in lines(settings)} == runs


def test_processes_at_the_same_time_and_half_a_line_leave_one_line_a_run(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    first = materialise(settings, instance)
    record_summaries(instance, settings)
    (file,) = settings.run_summaries.glob("*.jsonl")
    with file.open("a") as handle:
        handle.write('{"run_id": "half')
    second = materialise(settings, instance)
    with ThreadPoolExecutor(4) as pool:
        written = sum(pool.map(lambda _: record_summaries(instance, settings), range(4)))
    assert written == 1 and [line["run_id"] for line in lines(settings)] == [second, first]
    # The second may have ended in another month, which has a file of its own.
    files = sorted(settings.run_summaries.glob("*.jsonl"))
    written_lines = [line for one in files for line in one.read_text().splitlines()]
    whole = [line for line in written_lines if not line.endswith("half")]
    assert [json.loads(line)["run_id"] for line in whole] == [first, second]


def test_after_a_clock_that_went_back_runs_are_still_summed_up(
    settings: Settings, instance: dg.DagsterInstance
) -> None:
    settings.run_summaries.mkdir(parents=True)
    ahead = {"run_id": "of a clock that was wrong", "ended": "2099-11-01T00:00:00+00:00"}
    (settings.run_summaries / "2099-11.jsonl").write_text(json.dumps(ahead) + "\n", encoding="utf-8")
    run_id = materialise(settings, instance)
    assert record_summaries(instance, settings) == 1
    assert [line["run_id"] for line in lines(settings)].count(run_id) == 1
    assert record_summaries(instance, settings) == 0


def test_a_line_that_a_person_wrote_is_left_out(settings: Settings, instance: dg.DagsterInstance) -> None:
    settings.run_summaries.mkdir(parents=True)
    (settings.run_summaries / "2024-05.jsonl").write_text('{"run_id": "mine"}\n[]\n', encoding="utf-8")
    run_id = materialise(settings, instance)
    assert record_summaries(instance, settings) == 1
    assert [line["run_id"] for line in lines(settings)] == [run_id]
