"""The automation condition, term by term, on an ephemeral instance."""

from collections.abc import Callable

import dagster as dg
import pytest

from fashion_assets.defs.automation import follow_upstream

MONTHS = dg.MonthlyPartitionsDefinition(start_date="2024-01-01", end_date="2024-05-01")
OLD, NEW = "2024-01-01", "2024-04-01"
FAULTY: set[str] = set()


@dg.asset(partitions_def=MONTHS)
def upper() -> None: ...


@dg.asset(partitions_def=MONTHS)
def style_model() -> None: ...


@dg.asset(partitions_def=MONTHS, deps=[upper], automation_condition=follow_upstream())
def lower(context: dg.AssetExecutionContext) -> None:
    if context.partition_key in FAULTY:
        raise RuntimeError("the disk is full")


@dg.asset(partitions_def=MONTHS, deps=[upper, style_model], automation_condition=follow_upstream())
def clusters() -> None: ...


@dg.asset(
    deps=[lower, style_model],
    automation_condition=follow_upstream(
        promoted_by_hand=(), some_month_of=["lower"], may_be_missing=["style_model"]
    ),
)
def trends() -> None: ...


@dg.asset(
    deps=[lower, style_model],
    automation_condition=follow_upstream(promoted_by_hand=(), some_month_of=["lower", "style_model"]),
)
def atlas() -> None: ...


@dg.asset_check(asset=upper, blocking=True, partitions_def=MONTHS)
def upper_is_sound(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=context.partition_key not in FAULTY)


DEFINITIONS = dg.Definitions(
    [upper, style_model, lower, clusters, trends, atlas], asset_checks=[upper_is_sound]
)


class Ticks:
    """One evaluation after the other; ``asked`` holds what each one requested."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self._cursor: object = None
        self.tick()

    def tick(self, asset: str = "lower") -> set[str | None]:
        result = dg.evaluate_automation_conditions(DEFINITIONS, self.instance, cursor=self._cursor)  # type: ignore[arg-type]
        self._cursor = result.cursor
        return set(result.get_requested_partitions(dg.AssetKey(asset)))

    def made(self, asset: str, *months: str | None) -> None:
        """As another run records it."""
        for month in months:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=month))

    def run(self, asset: str, month: str, expected: bool = True) -> None:
        """A real run of one asset partition and its checks."""
        key = dg.AssetKey(asset)
        job = DEFINITIONS.resolve_implicit_global_asset_job_def()
        ran = job.execute_in_process(
            asset_selection=[key], partition_key=month, instance=self.instance, raise_on_error=False
        )
        assert ran.success is expected

    def under_way(self, asset: str, month: str) -> Callable[[], None]:
        """A run that has begun to make the partition; calling the result ends it well."""
        key, job = dg.AssetKey(asset), DEFINITIONS.resolve_implicit_global_asset_job_def()
        run = self.instance.create_run_for_job(
            job,
            asset_selection=frozenset({key}),
            tags={"dagster/partition": month},
            status=dg.DagsterRunStatus.NOT_STARTED,
        )
        self.instance.report_dagster_event(
            dg.DagsterEvent(
                event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
                job_name=job.name,
                event_specific_data=planned(key, month),
            ),
            run.run_id,
        )
        started = event(dg.DagsterEventType.RUN_START, job.name)
        self.instance.report_dagster_event(started, run.run_id)

        def end() -> None:
            materialised = dg.AssetMaterialization(asset, partition=month)
            self.instance.report_dagster_event(
                dg.DagsterEvent(
                    event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION.value,
                    job_name=job.name,
                    event_specific_data=stored(materialised),
                ),
                run.run_id,
            )
            self.instance.report_dagster_event(event(dg.DagsterEventType.RUN_SUCCESS, job.name), run.run_id)

        return end


def event(kind: dg.DagsterEventType, job: str) -> dg.DagsterEvent:
    return dg.DagsterEvent(event_type_value=kind.value, job_name=job)


def planned(key: dg.AssetKey, month: str) -> object:
    from dagster._core.events import AssetMaterializationPlannedData

    return AssetMaterializationPlannedData(key, partition=month)


def stored(materialised: dg.AssetMaterialization) -> object:
    from dagster._core.events import StepMaterializationData

    return StepMaterializationData(materialised)


@pytest.fixture
def ticks() -> Ticks:
    FAULTY.clear()
    return Ticks(dg.DagsterInstance.ephemeral())


def test_a_late_month_flows_down(ticks: Ticks) -> None:
    """Plain eager() would only ever ask for the latest month."""
    ticks.made("upper", OLD)
    assert ticks.tick() == {OLD}


def test_switching_it_on_does_not_stampede_the_history() -> None:
    instance = dg.DagsterInstance.ephemeral()
    for month in MONTHS.get_partition_keys():
        instance.report_runless_asset_event(dg.AssetMaterialization("upper", partition=month))
    ticks = Ticks(instance)
    assert ticks.tick() == set()


def test_nothing_starts_while_an_input_is_missing(ticks: Ticks) -> None:
    ticks.made("upper", OLD)
    assert ticks.tick("clusters") == set()
    ticks.made("style_model", OLD)
    assert ticks.tick("clusters") == {OLD}, "the wish is kept until the model is there"


def test_a_changed_input_is_asked_for_once(ticks: Ticks) -> None:
    ticks.made("upper", NEW)
    assert ticks.tick() == {NEW}
    assert ticks.tick() == set()
    ticks.made("lower", NEW)
    assert ticks.tick() == set()
    ticks.made("upper", NEW)
    assert ticks.tick() == {NEW}


def test_what_somebody_else_made_is_not_made_again(ticks: Ticks) -> None:
    ticks.made("upper", OLD)
    ticks.made("lower", OLD)
    assert ticks.tick() == set()


def test_a_failure_is_tried_again_once_and_not_for_ever(ticks: Ticks) -> None:
    FAULTY.add(NEW)
    ticks.made("upper", NEW)
    assert ticks.tick() == {NEW}
    ticks.run("lower", NEW, expected=False)
    assert ticks.tick() == {NEW}
    for _ in range(3):
        ticks.run("lower", NEW, expected=False)
        assert ticks.tick() == set()
    # A change is a new occasion, with one retry of its own.
    ticks.made("upper", NEW)
    assert ticks.tick() == {NEW}
    ticks.run("lower", NEW, expected=False)
    assert ticks.tick() == {NEW}
    FAULTY.clear()
    ticks.run("lower", NEW)
    assert ticks.tick() == set()
    FAULTY.add(NEW)
    ticks.run("lower", NEW, expected=False)
    assert ticks.tick() == {NEW}, "after a success the next failure is a first one"


def test_a_change_during_a_run_is_not_lost(ticks: Ticks) -> None:
    ticks.made("upper", NEW)
    assert ticks.tick() == {NEW}
    end = ticks.under_way("lower", NEW)
    assert ticks.tick() == set()
    ticks.made("upper", NEW)
    assert ticks.tick() == set(), "never two runs of one month"
    end()
    assert ticks.tick() == {NEW}
    assert ticks.tick() == set()


def test_a_change_between_the_request_and_its_run_is_not_lost(ticks: Ticks) -> None:
    ticks.made("upper", NEW)
    assert ticks.tick() == {NEW}
    ticks.made("upper", NEW)
    end = ticks.under_way("lower", NEW)
    assert ticks.tick() == set()
    end()
    assert ticks.tick() == {NEW}


def test_a_change_after_somebody_else_made_it_counts(ticks: Ticks) -> None:
    ticks.made("lower", OLD)
    ticks.made("upper", OLD)
    assert ticks.tick() == {OLD}


def test_a_change_before_the_run_is_not_asked_for_twice(ticks: Ticks) -> None:
    ticks.made("upper", NEW)
    end = ticks.under_way("lower", NEW)
    end()
    assert ticks.tick() == set()


def test_inputs_in_progress_are_waited_for(ticks: Ticks) -> None:
    ticks.made("upper", NEW)
    end = ticks.under_way("upper", NEW)
    assert ticks.tick() == set()
    end()
    assert ticks.tick() == {NEW}


@pytest.mark.parametrize("month", [OLD, NEW])
def test_a_failed_blocking_check_holds_its_month_until_it_passes(ticks: Ticks, month: str) -> None:
    other = OLD if month == NEW else NEW
    FAULTY.add(month)
    ticks.run("upper", month, expected=False)
    ticks.run("upper", other)
    assert ticks.tick() == {other}
    assert ticks.tick() == set()
    FAULTY.clear()
    ticks.run("upper", month)
    assert ticks.tick() == {month}


def test_a_check_that_never_ran_on_a_month_does_not_hold_it(ticks: Ticks) -> None:
    """A release that adds a check would otherwise stop every old month."""
    ticks.made("upper", OLD)
    assert ticks.tick() == {OLD}


def test_a_refreshed_model_sets_off_no_month(ticks: Ticks) -> None:
    months = MONTHS.get_partition_keys()
    ticks.made("upper", *months)
    ticks.made("style_model", *months)
    assert ticks.tick("clusters") == set(months), "a first model is what the months waited for"
    ticks.made("clusters", *months)
    assert ticks.tick("clusters") == set()
    ticks.made("style_model", *months)
    assert ticks.tick("clusters") == set()
    ticks.made("upper", OLD)
    assert ticks.tick("clusters") == {OLD}


def test_a_table_over_all_months_follows_though_months_before_the_first_crawl_are_missing(
    ticks: Ticks,
) -> None:
    ticks.made("lower", NEW)
    assert ticks.tick("trends") == {None}
    ticks.made("lower", OLD, NEW)
    end = ticks.under_way("lower", OLD)
    assert ticks.tick("trends") == set(), "one time for all months that are being made"
    end()
    assert ticks.tick("trends") == {None}


def test_a_table_over_all_months_waits_for_one_month_of_each_input(ticks: Ticks) -> None:
    ticks.made("lower", NEW)
    assert ticks.tick("atlas") == set(), "no style model of any month"
    ticks.made("style_model", OLD)
    assert ticks.tick("atlas") == {None}
