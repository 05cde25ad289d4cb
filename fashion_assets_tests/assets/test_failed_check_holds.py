"""A month that has not passed a blocking check holds what is below it, also in the next run of the command line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.checks import posts as post_checks
from fashion_assets.defs.checks.factory import Finding, Look
from fashion_assets.defs.landing import land
from fashion_assets.defs.planning import Batch, Node
from fashion_assets.defs.records import newest_records
from fashion_assets.defs.run_tags import LANDED
from fashion_assets.defs.runner import StepFailed, open_instance, planner_of, run_pipeline
from fashion_assets.defs.status import State, standings
from fashion_assets.posts.landed import landed_months
from fashion_assets.settings import Settings

HEADER = "poster_id,post_id,post_title,post_date,post_content,post_fetch_time"
CLEANED = "raw_posts,cleaned_posts,quarantined_posts,post_images"


def arrive(settings: Settings, name: str, numbers: range, month: str = "2024-05") -> None:
    rows = [f"u{n},p{n},新中式,{month}-0{n},马面裙 {n},2024-06-01 10:00:00" for n in numbers]
    settings.incoming.mkdir(parents=True, exist_ok=True)
    (settings.incoming / name).write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("DAGSTER_HOME", "")
    made = Settings(data_dir=tmp_path)
    arrive(made, "a.csv", range(1, 8))
    return made


def no(look: Look) -> Finding:
    """Never passes."""
    return Finding(False, "made to fail")


def crashes(look: Look) -> Finding:
    """Ends without an answer."""
    raise ValueError("made to crash")


def standing_of(settings: Settings, asset: str) -> tuple[State, str]:
    with open_instance(settings) as instance:
        planner, _ = planner_of(build_definitions(settings), instance, settings, landed_months(settings.lake))
        (found,) = [one for one in standings(planner, instance) if one.asset == asset]
    return found.state, found.reason


@pytest.mark.parametrize("look", [no, crashes])
def test_the_next_run_tries_again_and_makes_nothing_below(
    settings: Settings, look: Callable[[Look], Finding]
) -> None:
    plans: list[Batch] = []
    whole = post_checks.POST_CHECKS[0]
    assert whole.name == "kept_and_quarantined_add_up" and whole.blocking
    post_checks.POST_CHECKS[0] = replace(whole, look=look)
    try:
        for _ in range(2):
            plans.clear()
            with pytest.raises(StepFailed, match="cleaned_posts_checks of 2024-05 failed"):
                run_pipeline(build_definitions(settings), settings, select=CLEANED, on_plan=plans.extend)
            assert {asset for batch in plans for asset in batch.assets} >= {"cleaned_posts", "post_images"}
    finally:
        post_checks.POST_CHECKS[0] = whole
    assert not (settings.lake / "post_images").exists()
    expected = (State.failed, "blocking check kept_and_quarantined_add_up failed")
    assert standing_of(settings, "cleaned_posts") == expected
    # What was wrong is mended.
    run_pipeline(build_definitions(settings), settings, select=CLEANED)
    assert (settings.lake / "post_images" / "2024-05.parquet").exists()
    assert standing_of(settings, "cleaned_posts") == (State.fresh, "")
    assert run_pipeline(build_definitions(settings), settings, select=CLEANED).nothing_to_do


def test_what_lands_between_two_runs_of_a_month_makes_no_count_wrong(settings: Settings) -> None:
    """The sensor lands a file while the month waits to be cleaned: its rows come with the next ``raw_posts``."""
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    with dg.DagsterInstance.ephemeral() as instance:

        def run(*assets: str) -> dict[str, dg.AssetCheckEvaluation]:
            made = job.execute_in_process(
                asset_selection=[dg.AssetKey(asset) for asset in assets],
                partition_key="2024-05-01",
                instance=instance,
                tags={LANDED: "yes"},
            )
            return {one.check_name: one for one in made.get_asset_check_evaluations()}

        land(settings)
        run("raw_posts")
        arrive(settings, "b.csv", range(5, 10))
        land(settings)
        counted = run("cleaned_posts", "quarantined_posts")["kept_and_quarantined_add_up"]
        assert counted.passed
        assert "7 rows arrived = 0 older crawls + 7 kept + 0 quarantined; 5 rows have landed since" in str(
            counted.description
        )
        run("raw_posts")
        counted = run("cleaned_posts", "quarantined_posts")["kept_and_quarantined_add_up"]
        assert counted.passed and "12 rows arrived = 3 older crawls + 9 kept + 0" in str(counted.description)
        assert newest_records(instance, "raw_posts", partitioned=True).keys() == {"2024-05-01"}


def test_a_run_that_never_came_so_far_says_nothing_of_what_is_there(settings: Settings) -> None:
    """A backfill that is canceled in the queue has planned the checks of months that passed theirs."""
    run_pipeline(build_definitions(settings), settings, select=CLEANED)
    defs = build_definitions(settings)
    job = defs.resolve_implicit_global_asset_job_def()
    with open_instance(settings) as instance:
        keys = frozenset({dg.AssetKey("cleaned_posts"), dg.AssetKey("quarantined_posts")})
        subset = job.get_subset(asset_selection=keys)
        queued = instance.create_run_for_job(
            subset, tags={"dagster/partition": "2024-05-01"}, asset_selection=keys
        )
        instance.report_run_canceled(queued)
    assert standing_of(settings, "cleaned_posts")[0] is State.fresh
    assert run_pipeline(build_definitions(settings), settings, select=CLEANED).nothing_to_do


@pytest.mark.parametrize("look", [no, crashes])
@pytest.mark.parametrize("alone", [False, True], ids=["with its asset", "the check alone"])
@pytest.mark.parametrize("ended", [True, False], ids=["canceled", "waiting"])
def test_a_run_that_never_came_so_far_does_not_lift_what_failed(
    settings: Settings, look: Callable[[Look], Finding], alone: bool, ended: bool
) -> None:
    """A month that failed its check is queued again, and canceled: its check is planned anew and never answered."""
    whole = post_checks.POST_CHECKS[0]
    post_checks.POST_CHECKS[0] = replace(whole, look=look)
    try:
        defs = build_definitions(settings)
        with pytest.raises(StepFailed):
            run_pipeline(defs, settings, select=CLEANED)
        job = defs.resolve_implicit_global_asset_job_def()
        check = dg.AssetCheckKey(dg.AssetKey("cleaned_posts"), whole.name)
        keys = frozenset() if alone else frozenset(map(dg.AssetKey, ("cleaned_posts", "quarantined_posts")))
        with open_instance(settings) as instance:
            for _ in range(2):
                queued = instance.create_run_for_job(
                    job.get_subset(asset_selection=keys, asset_check_selection=frozenset({check})),
                    tags={"dagster/partition": "2024-05-01"},
                )
                if ended:
                    instance.report_run_canceled(queued)
            planner, _ = planner_of(defs, instance, settings, landed_months(settings.lake))
        planned = planner.plan({"cleaned_posts", "quarantined_posts", "post_images"})
        assert planner.failed_check(Node("cleaned_posts", "2024-05-01")) == whole.name
        assert [node.asset for node in planned] == ["cleaned_posts", "quarantined_posts", "post_images"]
    finally:
        post_checks.POST_CHECKS[0] = whole
