"""What a run says about itself: what was landed, which checks were not passed, and that its own notes may be lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from typer.testing import CliRunner, Result

from fashion_assets.cli import app
from fashion_assets.definitions import build_definitions
from fashion_assets.defs import runner
from fashion_assets.defs.executors import executor_of
from fashion_assets.defs.faults import asset
from fashion_assets.defs.interrupts import Interrupted
from fashion_assets.defs.run_summaries import read_summaries, summary_of
from fashion_assets.defs.run_table import SHOWN_CHECKS, check_lines, product_lines
from fashion_assets.defs.runner import CheckFailure, StepFailed, run_pipeline
from fashion_assets.posts.cleaning import clean_posts
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.lake import Lake

HEADER = "poster_id,post_id,post_title,post_date,post_content,post_fetch_time"
SELECT = "raw_posts,cleaned_posts,quarantined_posts"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A crawl in GB18030 in which most rows have an impossible date."""
    monkeypatch.setenv("DAGSTER_HOME", "")
    rows = [f"u{n},p{n},新中式,2024-05-0{n},马面裙 {n},2024-06-01 10:00:00" for n in range(1, 4)]
    rows += [f"u{n},p{n},坏日期,2024-05-3{n},马面裙,2024-06-01 10:00:00" for n in range(4, 10)]
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "big5.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="gb18030")
    return Settings(data_dir=tmp_path)


def command(settings: Settings, *arguments: str) -> Result:
    return CliRunner().invoke(
        app, [*arguments, "--data-dir", str(settings.data_dir)], env={"COLUMNS": "80", "NO_COLOR": "1"}
    )


def test_ctrl_c_ends_the_run_also_where_dagster_loses_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is raised within a destructor, or comes between two steps, is forgotten: the next month would begin."""
    row = "u0,p0,新中式,2024-04-01,马面裙,2024-06-01 10:00:00"
    (settings.incoming / "april.csv").write_text(f"{HEADER}\n{row}\n", encoding="utf-8")

    def interrupted(*arguments: Any) -> Any:
        with suppress(dg.DagsterExecutionInterruptedError):  # as Python does with what a destructor raises
            signal.raise_signal(signal.SIGINT)
        return clean_posts(*arguments)

    monkeypatch.setattr("fashion_assets.posts.cleaning.clean_posts", interrupted)
    defs = build_definitions(settings)
    with pytest.raises(Interrupted, match=r"ended by Ctrl-C; what was made stays"):
        run_pipeline(defs, settings, select=SELECT)
    lake = Lake(settings.lake)
    assert lake.months("raw_posts") == lake.months("cleaned_posts") == ["2024-04"], "May has not begun"
    monkeypatch.undo()
    monkeypatch.setenv("DAGSTER_HOME", "")
    run_pipeline(defs, settings, select=SELECT)
    assert lake.months("cleaned_posts") == ["2024-04", "2024-05"]


def test_ctrl_c_before_the_first_step_leaves_no_run_that_seems_to_be_at_work(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the daemon it would hold up its month, for hours."""

    def interrupted(**_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    module = "dagster._core.execution.execute_in_process"
    monkeypatch.setattr(f"{module}.ExecuteRunWithPlanIterable", interrupted)
    with pytest.raises(Interrupted, match="ended by Ctrl-C"):
        run_pipeline(build_definitions(settings), settings, select=SELECT)
    with runner.open_instance(settings) as instance:
        [run] = instance.get_runs()
    assert run.status == dg.DagsterRunStatus.FAILURE
    [line] = read_summaries(settings, 5)
    assert line["error"] == "the command that it belongs to has ended before it"


def test_an_interrupted_step_is_not_tried_again_and_says_so(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster asks for another try of a step with a retry policy, also where the process was asked to end."""
    tries = []

    def interrupted_once(*arguments: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            signal.raise_signal(signal.SIGTERM)
        return clean_posts(*arguments)

    monkeypatch.setattr("fashion_assets.posts.cleaning.clean_posts", interrupted_once)
    with pytest.raises(Interrupted, match="ended by SIGTERM"):
        run_pipeline(build_definitions(settings), settings, select=SELECT)
    assert len(tries) == 1 and not Lake(settings.lake).months("cleaned_posts")
    [line] = read_summaries(settings, 5)
    assert line["outcome"] == "FAILURE" and "clean_month: it was interrupted" in line["error"]
    assert run_pipeline(build_definitions(settings), settings, select=SELECT).made == 2
    assert Lake(settings.lake).months("cleaned_posts") == ["2024-05"]


def test_a_terminated_run_is_canceled(settings: Settings, tmp_path: Path) -> None:
    """What the UI's Terminate does, in a run that the daemon has started: no step is made after it."""
    made = []

    @asset()
    def first() -> None:
        made.append("first")
        if len(made) == 1:
            context = dg.AssetExecutionContext.get()
            context.instance.report_run_canceling(context.run)
            signal.raise_signal(signal.SIGINT)

    @asset()
    def other() -> None:
        made.append("other")

    job = dg.Definitions(
        assets=[first, other],
        executor=executor_of(settings),
        jobs=[dg.define_asset_job("both", "*")],
    ).resolve_job_def("both")
    with dg.instance_for_test(temp_dir=str(tmp_path)) as instance:
        run = instance.create_run_for_job(job)
        execute_run(InMemoryJob(job), run, instance)
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.CANCELED
        [record] = instance.get_run_records()
        line = summary_of(instance, record)
    assert made == ["first"]
    assert line["outcome"] == "CANCELED" and "first: it was interrupted" in line["error"]


def test_summaries_that_cannot_be_written_fail_no_run(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(runner, "record_summaries", full)
    defs = build_definitions(settings)
    summary = run_pipeline(defs, settings, select="raw_posts")
    assert summary.made == 1 and Lake(settings.lake).months("raw_posts") == ["2024-05"]
    (note,) = summary.notes
    assert "No space left on device" in note and str(settings.run_summaries) in note
    assert any(one.exc_info for one in caplog.records), "the traceback is in the log"
    monkeypatch.setattr("fashion_assets.posts.cleaning.clean_posts", lambda *_: 1 / 0)
    with pytest.raises(StepFailed, match="division by zero"):
        run_pipeline(defs, settings, select="cleaned_posts")


def test_checks_that_hold_nothing_up_are_told_at_the_end_and_among_the_runs(settings: Settings) -> None:
    ran = command(settings, "run", "--select", SELECT)
    assert ran.exit_code == 0, ran.output
    (line,) = [line for line in ran.stdout.splitlines() if "quarantine_rate" in line]
    assert line.startswith("  2024-05 quarantined_posts quarantine_rate: 6 of 9 rows were refused")
    assert "not passed; someone should look" in ran.stdout
    runs = command(settings, "status", "--runs").stdout
    assert any("not passed of 2024-05:" in line and "quarantine_rate" in line for line in runs.splitlines())


def test_what_was_found_is_told_also_where_a_later_step_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fashion_assets.posts.cleaning.clean_posts", lambda *_: 1 / 0)
    ran = command(settings, "run", "--select", SELECT)
    assert isinstance(ran.exception, StepFailed)
    assert ran.stdout.count("big5.csv") == 1 and "gb18030" in ran.stdout.lower()


def test_failed_checks_and_notes_are_told_before_the_fault_of_a_later_batch(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object, on_landing: object, **options: object) -> None:
        summary = runner.RunSummary(runner.land(settings))
        on_landing(summary)  # type: ignore[operator]
        summary.notes.append("A note.")
        summary.failed_checks.append(CheckFailure("2024-05-01", "cleaned_posts", "month_volume", "too few"))
        raise StepFailed("warehouse failed: full", "")

    monkeypatch.setattr(runner, "run_pipeline", fails)
    ran = command(settings, "run")
    assert isinstance(ran.exception, StepFailed)
    assert "A note." in ran.stdout and "2024-05 cleaned_posts month_volume: too few" in ran.stdout


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"months": ""}, "'' is not a month"),
        ({"months": "2024-13"}, "'2024-13' is not a month"),
        ({"months": "2024-01,2024-05:2024-1"}, "'2024-1' is not a month"),
        ({"months": "2024-1:"}, "'2024-1' is not a month"),
        ({"months": "2024-05:2024-01"}, "ends before it begins"),
        ({"select": "nope"}, "there is no asset 'nope'"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_waited_for_or_written(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, asked: dict[str, str], said: str
) -> None:
    @contextmanager
    def never(*_: object) -> Iterator[None]:
        raise AssertionError("it waited for the lock")
        yield

    monkeypatch.setattr(runner, "one_run_at_a_time", never)
    with pytest.raises(UserError, match=said):
        run_pipeline(build_definitions(settings), settings, **asked)  # type: ignore[arg-type]
    assert [path.name for path in settings.root.iterdir()] == ["incoming"]


@pytest.mark.parametrize("months", ["2024-05:", ":2024-05", ":", " 2024-05 : "])
def test_open_ends_are_for_what_has_landed_to_tell(settings: Settings, months: str) -> None:
    summary = run_pipeline(build_definitions(settings), settings, months=months, select="raw_posts")
    assert summary.months == ["2024-05"]


def test_a_line_for_each_failed_check_but_not_for_hundreds(settings: Settings) -> None:
    failed = [
        CheckFailure("2024-05-01", "cleaned_posts", f"check_{n}", f"2024-05: found {n}") for n in range(12)
    ]
    lines = list(check_lines(settings, failed))
    assert lines[0].startswith("12 checks were not passed")
    assert lines[1] == "  2024-05 cleaned_posts check_0: found 0" and len(lines) == SHOWN_CHECKS + 2
    assert "and 2 more" in lines[-1] and "status --runs" in lines[-1]
    whole = CheckFailure(None, "tfashion_model", "better_than_before", "worse")
    assert list(check_lines(settings, [whole]))[1] == "  tfashion_model better_than_before: worse"
    assert list(check_lines(settings, [])) == []


def test_refused_product_cards_are_counted_with_how_to_see_them(settings: Settings) -> None:
    assert list(product_lines(settings)) == []
    lake = Lake(settings.lake)
    lake.write("products", None, pa.table({"id": ["a", "b"]}))
    lake.write("quarantined_products", None, pa.table({"id": ["c"], "reason": ["no title"]}))
    assert list(product_lines(settings)) == ["Products: 3 cards arrived, 2 kept, 1 refused"]
    settings.warehouse.touch()
    (line,) = product_lines(settings)
    assert 'sql "select' in line and "from quarantined_products" in line


def test_a_month_that_is_not_whole_fails_no_run_that_had_not_to_make_it(settings: Settings) -> None:
    """A month whose file was lost, or cut short, is told as one that is not there in the table at the end."""
    run_pipeline(build_definitions(settings), settings, select=SELECT)
    lake = Lake(settings.lake)
    for month in ("2024-03", "2024-06"):
        lake.write("cleaned_posts", month, lake.read("cleaned_posts", "2024-05"))
        lake.write("quarantined_posts", month, lake.read("quarantined_posts", "2024-05"))
    lake.path("quarantined_posts", "2024-03").unlink()
    lake.path("cleaned_posts", "2024-06").write_bytes(b"PAR1 and no more")
    ran = command(settings, "run", "--select", SELECT, "--force")
    assert ran.exit_code == 0, ran.output
    cells = [line.replace("│", " ").split() for line in ran.stdout.splitlines() if line.startswith("│")]
    assert cells == [
        ["2024-03", "3", "-", "-"],
        ["2024-05", "3", "6", "-"],
        ["2024-06", "-", "6", "-"],
        ["3", "months", "6", "12"],
    ]


def test_the_other_run_that_is_waited_for_is_named_as_it_is(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waits(*_: object, on_wait: Callable[[str], None], **__: object) -> runner.RunSummary:
        on_wait("Another run is at work on /srv/[/b] and [red].")
        raise UserError("it was enough")

    monkeypatch.setattr(runner, "run_pipeline", waits)
    ran = command(settings, "run")
    assert str(ran.exception) == "it was enough"
    assert "/srv/[/b] and [red]." in ran.stderr
