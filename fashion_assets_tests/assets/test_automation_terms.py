"""The automation condition, term by term, on an ephemeral instance."""

from __future__ import annotations

import dagster as dg
import pytest

from fashion_assets.defs.automation import follow_upstream

MONTHS = dg.MonthlyPartitionsDefinition(start_date="2024-01-01", end_date="2024-05-01")
OLD, NEW = "2024-01-01", "2024-04-01"


@dg.asset(partitions_def=MONTHS)
def upper() -> None: ...


@dg.asset(partitions_def=MONTHS, deps=[upper], automation_condition=follow_upstream())
def lower() -> None: ...


@dg.asset_check(asset=upper, blocking=True)
def upper_is_sound() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@pytest.fixture
def instance() -> dg.DagsterInstance:
    return dg.DagsterInstance.ephemeral()


def materialise(instance: dg.DagsterInstance, asset: str, month: str) -> None:
    instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=month))


def requested(
    instance: dg.DagsterInstance, cursor: object = None, checked: bool = False
) -> tuple[set[str], object]:
    defs = dg.Definitions([upper, lower], asset_checks=[upper_is_sound] if checked else None)
    result = dg.evaluate_automation_conditions(defs, instance, cursor=cursor)  # type: ignore[arg-type]
    return set(result.get_requested_partitions(dg.AssetKey("lower"))), result.cursor


def test_a_late_month_flows_down(instance: dg.DagsterInstance) -> None:
    """Plain eager() would only ever ask for the latest month."""
    _, cursor = requested(instance)
    materialise(instance, "upper", OLD)
    months, _ = requested(instance, cursor)
    assert months == {OLD}


def test_nothing_starts_while_an_input_is_missing(instance: dg.DagsterInstance) -> None:
    months, _ = requested(instance)
    assert months == set()


def test_a_changed_input_is_asked_for_once(instance: dg.DagsterInstance) -> None:
    _, cursor = requested(instance)
    materialise(instance, "upper", NEW)
    months, cursor = requested(instance, cursor)
    assert months == {NEW}
    materialise(instance, "lower", NEW)
    months, cursor = requested(instance, cursor)
    assert months == set()
    materialise(instance, "upper", NEW)
    months, cursor = requested(instance, cursor)
    assert months == {NEW}
    # It was requested and has not come (the run failed): it is not asked for again on every tick.
    months, cursor = requested(instance, cursor)
    assert months == set()


def test_a_failed_blocking_check_holds_what_is_below(instance: dg.DagsterInstance) -> None:
    _, cursor = requested(instance, checked=True)
    materialise(instance, "upper", NEW)
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey("upper"), check_name="upper_is_sound", passed=False, blocking=True
        )
    )
    months, _ = requested(instance, cursor, checked=True)
    assert months == set()
