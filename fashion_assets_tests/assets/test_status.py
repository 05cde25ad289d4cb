"""States of asset partitions by Dagster's own records, and the table of them."""

from __future__ import annotations

import csv
import io
import json
import os
import socket
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from fashion_assets.cli import app
from fashion_assets.cli.status import month_blocks, reason_lines
from fashion_assets.definitions import build_definitions
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.planning import Planner
from fashion_assets.defs.run_tags import BEGAN, HOST, PID, process_began
from fashion_assets.defs.status import Standing, State, standings
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.months import key_of_month

HEADER = "poster_id,post_id,post_title,post_date,post_content,post_fetch_time"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def looked_at(
    settings: Settings, instance: dg.DagsterInstance, months: list[str]
) -> dict[tuple[str, str | None], Standing]:
    sources = {f"raw_posts/{key_of_month(month)}": "same" for month in months}
    graph = build_definitions(settings).resolve_asset_graph()
    planner = Planner(graph, instance, settings, months, sources, 10)
    found = standings(planner, instance)
    return {
        (one.asset, one.partition[:7] if one.kind == "month" and one.partition else one.partition): one
        for one in found
    }


def make(settings: Settings, instance: dg.DagsterInstance, asset: str, month: str, **tags: str) -> None:
    """A materialisation as a run records it."""
    versions = {
        spec.key.to_user_string(): spec.code_version
        for spec in build_definitions(settings).resolve_all_asset_specs()
    }
    tags = {"dagster/code_version": versions[asset] or "", "dagster/data_version": "same", **tags}
    instance.report_runless_asset_event(
        dg.AssetMaterialization(asset, partition=key_of_month(month), tags=tags)
    )


def attempt(instance: dg.DagsterInstance, status: dg.DagsterRunStatus, month: str, **tags: str) -> str:
    """A run that was to make raw_posts of ``month`` and has not."""

    @dg.asset(name="raw_posts", partitions_def=MONTHS)
    def raw_posts() -> None: ...

    job = dg.Definitions([raw_posts]).resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(
        job, tags={"dagster/partition": key_of_month(month), **tags}, status=dg.DagsterRunStatus.NOT_STARTED
    )
    instance.add_run_tags(run.run_id, tags)
    if status is dg.DagsterRunStatus.FAILURE:
        instance.report_run_failed(run)
    elif status is dg.DagsterRunStatus.CANCELED:
        instance.report_run_canceled(run)
    else:
        instance.handle_new_event(
            dg.EventLogEntry(
                error_info=None,
                level=20,
                user_message="",
                run_id=run.run_id,
                timestamp=1.0,
                dagster_event=dg.DagsterEvent("PIPELINE_START", run.job_name),
            )
        )
    return run.run_id


def test_made_stale_missing_and_open(settings: Settings, instance: dg.DagsterInstance) -> None:
    make(settings, instance, "raw_posts", "2024-01")
    make(settings, instance, "cleaned_posts", "2024-01")
    make(settings, instance, "quarantined_posts", "2024-01")
    make(settings, instance, "raw_posts", "2024-02", **{"dagster/data_version": "older"})
    make(settings, instance, "cleaned_posts", "2024-02")
    make(settings, instance, "quarantined_posts", "2024-02")
    found = looked_at(settings, instance, ["2024-01", "2024-02", "2024-03"])
    assert found["raw_posts", "2024-01"].state is State.fresh
    assert found["cleaned_posts", "2024-01"].state is State.fresh
    assert found["raw_posts", "2024-02"][3:] == (State.stale, "new input")
    assert found["cleaned_posts", "2024-02"].state is State.stale, "what it is made of is to be made anew"
    assert found["raw_posts", "2024-03"].state is State.missing
    assert found["closed_month", "2024-01"].state is State.open, "closing is a decision"
    assert found["warehouse", None].state is State.missing and found["warehouse", None].kind == "whole"
    variants = {one.state for one in found.values() if one.asset == "style_experiments"}
    assert variants == {State.missing, State.open}, "a plain run makes some variants only"
    assert not any(asset.startswith("product") for asset, _ in found), "no products were delivered"


@pytest.mark.parametrize(
    ("status", "tags", "state", "told"),
    [
        (dg.DagsterRunStatus.FAILURE, {}, State.failed, "failed"),
        (dg.DagsterRunStatus.CANCELED, {}, State.failed, "was canceled"),
        (dg.DagsterRunStatus.STARTED, {}, State.running, "run "),
        (
            dg.DagsterRunStatus.STARTED,
            {HOST: socket.gethostname(), PID: str(os.getpid()), BEGAN: process_began(os.getpid())},
            State.running,
            "run ",
        ),
        (  # another process has the number of the killed one
            dg.DagsterRunStatus.STARTED,
            {HOST: socket.gethostname(), PID: str(os.getpid()), BEGAN: "1"},
            State.failed,
            "was killed",
        ),
        (
            dg.DagsterRunStatus.STARTED,
            {HOST: socket.gethostname(), PID: "4194999"},
            State.failed,
            "was killed",
        ),
    ],
)
def test_what_a_run_was_to_make_and_has_not(
    settings: Settings,
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus,
    tags: dict[str, str],
    state: State,
    told: str,
) -> None:
    run_id = attempt(instance, status, "2024-01", **tags)
    one = looked_at(settings, instance, ["2024-01", "2024-02"])
    standing = one["raw_posts", "2024-01"]
    assert standing.state is state and run_id[:8] in standing.reason and told in standing.reason
    assert one["raw_posts", "2024-02"].state is State.missing
    make(settings, instance, "raw_posts", "2024-01")
    mended = looked_at(settings, instance, ["2024-01", "2024-02"])["raw_posts", "2024-01"]
    assert mended.state is State.fresh, "made since"


def standing(month: str, state: State, asset: str = "raw_posts", reason: str = "") -> Standing:
    return Standing(asset, key_of_month(month), "month", state, reason)


def test_sixty_months_fold_into_whole_years() -> None:
    months = [f"{year}-{month:02}" for year in range(2020, 2025) for month in range(1, 13)]
    found = [standing(month, State.stale if month == "2022-03" else State.fresh) for month in months]
    blocks = [block.plain for block in month_blocks(found, 80)]
    assert len(blocks) == 2 and all(len(line) <= 80 for block in blocks for line in block.splitlines())
    years = [line.split() for block in blocks for line in block.splitlines() if line.strip()[:2] == "20"]
    assert years == [["2020", "2021", "2022", "2023"], ["2024"]]
    rows = [line for block in blocks for line in block.splitlines() if line.startswith("raw_posts")]
    assert rows[0].split()[1:] == ["●" * 12, "●" * 12, "●●◐" + "●" * 9, "●" * 12]
    assert len(list(month_blocks(found, 200))) == 1


def test_a_month_that_is_not_there_is_a_blank_in_its_place() -> None:
    (block,) = month_blocks([standing("2024-03", State.failed), standing("2024-05", State.fresh)], 80)
    row = block.plain.splitlines()[-1]
    assert row.removeprefix("raw_posts").split() == ["✗", "●"] and row.index("●") == row.index("✗") + 2
    assert row.index("✗") == block.plain.index("2024") + 2


def test_reasons_are_told_once_and_failures_first() -> None:
    found = [
        standing("2024-01", State.stale, reason="new input"),
        standing("2024-02", State.failed, reason="run 1 failed"),
        standing("2024-03", State.stale, reason="new input"),
        standing("2024-04", State.missing, reason="missing"),
        standing("2024-05", State.fresh),
        standing("2024-06", State.stale, reason="2024-06.parquet is gone"),
        standing("2024-07", State.stale, "cleaned_posts", "2024-07.parquet is gone"),
        standing("2024-08", State.stale, "cleaned_posts", "2024-08.parquet is gone"),
    ]
    assert list(reason_lines(found)) == [
        "✗ raw_posts 2024-02 failed: run 1 failed",
        "· raw_posts 2024-04 missing",
        "◐ raw_posts 2024-01 … 2024-03 (2) stale: new input",
        "◐ raw_posts 2024-06 stale: 2024-06.parquet is gone",
        "◐ cleaned_posts 2024-07 … 2024-08 (2) stale: ….parquet is gone",
    ]


def test_the_command_on_a_data_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing yet, then half a month: exit code 1, as json, csv and table; the runs with their counts."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.setenv("COLUMNS", "100")
    call = CliRunner()
    nothing = call.invoke(app, ["status", "--data-dir", str(tmp_path)])
    assert nothing.exit_code == 1 and "nothing has been run" in str(nothing.exception)
    assert not list(tmp_path.iterdir()), "looking makes nothing"
    rows = [f"u{n},p{n},新中式,2024-05-0{n},马面裙 {n},2024-06-01 10:00:00" for n in range(1, 8)]
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "crawl.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    made = call.invoke(app, ["run", "--data-dir", str(tmp_path), "--select", "raw_posts,cleaned_posts"])
    assert made.exit_code == 0, made.output
    found = {}
    for format in ("json", "csv", "table"):
        result = call.invoke(app, ["status", "--data-dir", str(tmp_path), "--format", format])
        assert result.exit_code == 1, result.output
        found[format] = result.stdout
    states = {one["asset"]: one["state"] for one in json.loads(found["json"]) if one["kind"] == "month"}
    assert (states["cleaned_posts"], states["fashion_keywords"]) == ("fresh", "missing")
    lines = list(csv.DictReader(io.StringIO(found["csv"])))
    assert [one["asset"] for one in lines] == [one["asset"] for one in json.loads(found["json"])]
    table = found["table"].splitlines()
    assert next(line for line in table if line.startswith("cleaned_posts")).endswith("    ●        ")
    assert any("never made" in line for line in table) and "2024" in table[0]
    runs = call.invoke(app, ["status", "--data-dir", str(tmp_path), "--runs", "--format", "json"])
    (run,) = json.loads(runs.stdout)
    assert runs.exit_code == 0 and (run["by"], run["months"]) == ("command line", ["2024-05"])
    assert (run["arrived"], run["kept"], run["quarantined"]) == (7, 7, 0)
    shown = call.invoke(app, ["status", "--data-dir", str(tmp_path), "--runs"])
    assert shown.exit_code == 0 and run["run_id"][:8] in shown.stdout and "success" in shown.stdout


def run_line(number: int, **values: object) -> dict[str, object]:
    """A line of the run summaries, as ``summary_of`` makes it."""
    return {
        "run_id": f"{number:08}-0000",
        "by": "command line",
        "months": ["2024-05"],
        "ended": f"2024-06-01T10:{number:02}:00.000+00:00",
        "seconds": 123.4,
        "outcome": "SUCCESS",
        "error": None,
        "made": [{}] * 14,
        "arrived": 12345,
        "kept": 12000,
        "quarantined": 345,
        "failed_checks": [],
        "peak_memory_mb": 1234.0,
        **values,
    }


@pytest.mark.parametrize("arguments", [["status"], ["status", "--runs"], ["run"]])
def test_a_run_history_that_does_not_answer_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """A full disk, a mount that is only read: SQLite raises what looks like a fault of ours."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    for name in ("runs.db", "history/runs.db"):  # no file can be opened where a folder is
        (tmp_path / "dagster_home" / name).mkdir(parents=True)
    answer = CliRunner().invoke(app, [*arguments, "--data-dir", str(tmp_path)])
    assert isinstance(answer.exception, UserError)
    said = str(answer.exception)
    assert said.startswith(f"the run history of {tmp_path / 'dagster_home'} does not answer (unable to open")


def test_a_damaged_run_history_is_told_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")
    history = tmp_path / "dagster_home" / "history"
    history.mkdir(parents=True)
    (history / "runs.db").write_bytes(b"no database at all, but as long as the header of one" * 100)
    answer = CliRunner().invoke(app, ["status", "--data-dir", str(tmp_path)])
    assert isinstance(answer.exception, UserError)
    assert "(file is not a database)" in str(answer.exception) and "move away" in str(answer.exception)


def test_runs_are_whole_in_eighty_columns_and_as_many_as_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path)
    settings.run_summaries.mkdir(parents=True)
    settings.dagster_home.mkdir()
    lines = [run_line(number) for number in range(1, 25)]
    lines[-1] |= {
        "outcome": "CANCELED",
        "by": "automation",
        "failed_checks": ["month_volume", "repeated_texts"],
    }
    (settings.run_summaries / "2024-06.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    monkeypatch.setattr("fashion_assets.defs.runner.existing_instance", lambda settings: None)
    monkeypatch.setattr("fashion_assets.defs.run_summaries.record_summaries", lambda *_: 0)
    asked = ["status", "--runs", "--data-dir", str(tmp_path)]
    for columns, limit, n_runs in (
        ("80", (), 20),
        ("80", ("--limit", "3"), 3),
        ("30", ("--limit", "24"), 24),
    ):
        shown = CliRunner().invoke(app, [*asked, *limit], env={"COLUMNS": columns, "NO_COLOR": "1"})
        assert shown.exit_code == 1, shown.output
        assert "…" not in shown.stdout, "nothing is cut"
        assert "canceled" in shown.stdout and "outcome" in shown.stdout
        assert shown.stdout.count("success") == n_runs - 1
        assert (
            shown.stdout.count("12345") == shown.stdout.count("12000") == n_runs and "arrived" in shown.stdout
        )
    assert "00000024 not passed of 2024-05: month_volume, repeated_texts" in shown.stdout
    narrow = CliRunner().invoke(app, asked, env={"COLUMNS": "80", "NO_COLOR": "1"}).stdout
    assert all(len(line.rstrip()) <= 80 for line in narrow.splitlines())


@pytest.mark.parametrize("arguments", [["status"], ["run"]])
def test_a_postgresql_that_does_not_answer_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """dagster-postgres tries some times and then raises a class of its own."""
    pytest.importorskip("dagster_postgres", reason="extra [postgres]")
    address = "{postgres_url: 'postgresql+psycopg2://nobody:secret@127.0.0.1:1/none'}"
    (tmp_path / "dagster.yaml").write_text(f"storage:\n  postgres: {address}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setattr("dagster_postgres.utils.time.sleep", lambda _: None)
    answer = CliRunner().invoke(app, [*arguments, "--data-dir", str(tmp_path)])
    assert isinstance(answer.exception, UserError)
    said = str(answer.exception)
    assert said.startswith(f"the run history of {tmp_path} does not answer (") and "refused" in said
    assert "secret" not in said
