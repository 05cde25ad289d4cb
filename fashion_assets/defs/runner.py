"""Runs a plan in this process, month after month, on the instance that the UI shows.

Belongs here: what ``fashion-assets run`` does between landing and the closing table. In-process, because a
process per step costs about two seconds each before any heavy import, more than most steps work.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dagster as dg

from fashion_assets.defs.batch_run import run_batch
from fashion_assets.defs.compute import limit_pools
from fashion_assets.defs.dead_runs import close_broken_off, close_dead_runs
from fashion_assets.defs.interrupts import Interrupted, noticed_interrupts
from fashion_assets.defs.landing import count_landed_posts, land
from fashion_assets.defs.planning import Batch, Planner
from fashion_assets.defs.resources import user_dictionary_path
from fashion_assets.defs.run_history import history_named
from fashion_assets.defs.run_lock import one_run_at_a_time
from fashion_assets.defs.run_summaries import record_summaries
from fashion_assets.defs.run_tags import IN_ORDER
from fashion_assets.defs.selection import resolve_selection
from fashion_assets.defs.step_errors import sentence_of
from fashion_assets.defs.training_posts import training_version
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest, write_text_atomic
from fashion_assets.storage.months import key_of_month, month_of_key, parse_months

if TYPE_CHECKING:
    from fashion_assets.posts.landing import LandingResult

logger = logging.getLogger(__name__)

#: Written once into a new run-history folder. One step at a time per pool, since DuckDB has one writer; how many
#: of pool gpu is FASHION_GPU_POOL (``limit_pools``). Runs that go on from month to month take turns (``IN_ORDER``), and
#: of one month there is one at a time. The coordinator (``run_order``) has the limits: in ``concurrency.runs`` they
#: would replace what it holds back.
#: Step faults are retried by the assets' own policy; a run is started again only where its process or host died. One
#: that nobody sees end (its host is gone) ends after six hours.
DAGSTER_YAML = f"""\
telemetry:
  enabled: false
nux:
  enabled: false
concurrency:
  pools:
    granularity: op
    default_limit: 1
run_coordinator:
  module: fashion_assets.defs.run_order
  class: NewestReportsFirst
  config:
    max_concurrent_runs: 2
    tag_concurrency_limits:
      - key: {IN_ORDER}
        limit: 1
      - key: dagster/partition
        value:
          applyLimitPerUniqueValue: true
        limit: 1
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  max_runtime_seconds: 21600
  poll_interval_seconds: 30
  free_slots_after_run_end_seconds: 60
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
"""
#: SHA-256 of what earlier versions wrote; such a file is nobody's own and is replaced.
_EARLIER_YAML = frozenset(
    {
        "a563b94fdbbbea33b7709f9d6a3db945f5a5f0236b607cec2f4228f1aa29a096",
        "13ed69f887946e2b9d18839bbf8977339538f91428596ddcdfa23fef22d71ac8",
        "2238a65208348ea981beb255f7cd1fcbeb6f3a4976dca1c91b94d28cf085c923",
    }
)


@dataclass(frozen=True)
class CheckFailure:
    """A check that an asset has not passed in this run, and its own sentence about what it found."""

    partition: str | None
    asset: str
    check: str
    found: str


@dataclass
class RunSummary:
    """What a run did, for the closing table; it fills up as the run goes on."""

    landing: LandingResult
    made: int = 0
    months: list[str] = field(default_factory=list)
    seconds: float = 0.0
    nothing_to_do: bool = False
    #: Sentences about what could not be looked at.
    notes: list[str] = field(default_factory=list)
    #: Most checks hold nothing up, so that nothing else would tell of them.
    failed_checks: list[CheckFailure] = field(default_factory=list)


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The instance of the data root (``dagster_home/``), or that of ``DAGSTER_HOME`` where it is set; with the
    pool limits of the settings.
    """
    if not os.environ.get("DAGSTER_HOME"):
        write_dagster_home(settings)
    instance = existing_instance(settings)
    limit_pools(instance, settings)
    return instance


def existing_instance(settings: Settings) -> dg.DagsterInstance:
    """The same instance as it is, for those who only look."""
    if not os.environ.get("DAGSTER_HOME"):
        os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    return dg.DagsterInstance.get()


def prepare_dagster_home(settings: Settings) -> None:
    """Make the run-history folder with its ``dagster.yaml``, unless it is there; set the pool limits in it."""
    write_dagster_home(settings)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        limit_pools(instance, settings)


def write_dagster_home(settings: Settings) -> None:
    """Make the folder with its ``dagster.yaml``, unless there is one that is not just an earlier version's."""
    settings.dagster_home.mkdir(parents=True, exist_ok=True)
    config = settings.dagster_home / "dagster.yaml"
    if not config.exists() or file_digest(config) in _EARLIER_YAML:
        write_text_atomic(config, DAGSTER_YAML)


def run_pipeline(
    defs: dg.Definitions,
    settings: Settings,
    *,
    months: str | None = None,
    select: str | None = None,
    force: bool = False,
    needs_input: bool = True,
    on_landing: Callable[[RunSummary], None] = lambda summary: None,
    on_plan: Callable[[list[Batch]], None] = lambda batches: None,
    on_batch: Callable[[Batch], None] = lambda batch: None,
    on_wait: Callable[[str], None] = lambda sentence: None,
) -> RunSummary:
    """Land, plan, and make what is missing or stale; a summary of what was done.

    ``needs_input``: whether it is a fault that nothing has arrived. ``on_landing`` gets the summary as soon as all is
    landed; it goes on to be filled, so that it tells what was done also where the run fails. ``on_plan`` gets the whole
    plan before it starts, ``on_batch`` each batch when it is done, ``on_wait`` a sentence if another run of the data
    root is under way: this one waits for it, and plans when it is done. Raises UserError with asset, month and reason
    when a step fails; what was made before it stays. Months and selections that cannot be read are refused before
    anything is waited for or written.
    """
    if months is not None:
        _require_months(months)
    selected = None if select is None else resolve_selection(defs.resolve_asset_graph(), select)
    with history_named(), one_run_at_a_time(settings, on_wait):
        return _run_pipeline(
            defs, settings, months, selected, force, needs_input, on_landing, on_plan, on_batch
        )


def _require_months(text: str) -> None:
    """UserError for what is no month or ends before it begins; where an open end lies, only what has landed tells."""
    for part in text.split(","):
        first, _, last = part.partition(":")
        if ":" not in part or (first.strip() and last.strip()):
            parse_months(part)
        elif end := first.strip() or last.strip():
            month_of_key(end)


def _run_pipeline(
    defs: dg.Definitions,
    settings: Settings,
    months: str | None,
    selected: set[str] | None,
    force: bool,
    needs_input: bool,
    on_landing: Callable[[RunSummary], None],
    on_plan: Callable[[list[Batch]], None],
    on_batch: Callable[[Batch], None],
) -> RunSummary:
    from fashion_assets.posts.landed import landed_months

    began = time.monotonic()
    instance = open_instance(settings)
    close_dead_runs(instance, settings)
    summary = RunSummary(land(settings))
    on_landing(summary)
    landed = landed_months(settings.lake)
    if needs_input and not landed and not settings.product_files.is_dir():
        reasons = "; ".join(f"{file.name}: {file.reason}" for file in summary.landing.files if file.reason)
        raise UserError(
            f"nothing could be landed from {settings.incoming}"
            + (
                f" ({reasons})"
                if reasons
                else "; put crawl files there, or try: fashion-assets sample " + str(settings.root)
            )
        )
    wanted = None if months is None else parse_months(months, landed)
    if (
        wanted is not None
        and (unknown := sorted(set(wanted) - set(landed)))
        and not set(wanted) & set(landed)
    ):
        raise UserError(
            f"no post of {unknown[0]} to {unknown[-1]} has arrived; landed are {', '.join(landed) or 'none'}"
        )
    planner, notes = planner_of(defs, instance, settings, landed)
    nodes = planner.plan(selected, wanted, force=force)
    batches = planner.batches(nodes)
    summary.notes += notes
    summary.notes += [
        f"{path} is damaged: its content is not what {node.asset} stored. "
        + ("It is made again." if node in nodes else "Make it again: fashion-assets run")
        for node, path in planner.damaged.items()
    ]
    if wanted is not None and (others := _months_of(batches) - set(wanted)):
        summary.notes.append(
            f"Also made, from the months {', '.join(sorted(others))}: what word vectors and styles are learned from."
        )
    summary.nothing_to_do = not batches
    on_plan(batches)
    job = defs.resolve_implicit_global_asset_job_def()
    try:
        with noticed_interrupts() as asked_to_end:
            for batch in batches:
                try:
                    _execute(job, instance, batch, summary)
                    summary.made += len(batch.assets)
                    on_batch(batch)
                except (StepFailed, KeyboardInterrupt, dg.DagsterExecutionInterruptedError):
                    if not asked_to_end():
                        raise
                if by := asked_to_end():
                    raise Interrupted(
                        f"ended by {by}; what was made stays, and the next run goes on from there"
                    )
    finally:
        _sum_up(instance, settings, summary)
    summary.months = sorted(_months_of(batches))
    summary.seconds = time.monotonic() - began
    return summary


def _sum_up(instance: dg.DagsterInstance, settings: Settings, summary: RunSummary) -> None:
    """End what is left of these runs and write their lines. A fault in that makes no table worse, so that it is only
    told: it must neither fail a run that succeeded nor take the place of the reason of one that failed.
    """
    try:
        close_broken_off(instance)
        record_summaries(instance, settings)
    except Exception as fault:
        logger.exception("the summaries of the runs could not be written to %s", settings.run_summaries)
        summary.notes.append(
            f"What was done is not written down in {settings.run_summaries} ({type(fault).__name__}: {fault}); the "
            "tables themselves are not touched by that. Look at the newest file there, and at the room on the disk."
        )


def planner_of(
    defs: dg.Definitions, instance: dg.DagsterInstance, settings: Settings, landed: list[str]
) -> tuple[Planner, list[str]]:
    """The planner over what has landed in the months ``landed``, and sentences about what could not be looked at."""
    sources = _source_versions(settings, landed)
    notes = []
    try:
        sources["keyword_training_words"] = training_version(settings)
    except UserError as fault:
        # A month can be made all the same by the classifier that is there.
        notes.append(f"The keyword classifier stays as it is: {fault}")
    graph = defs.resolve_asset_graph()
    return Planner(graph, instance, settings, landed, sources, count_landed_posts(settings)), notes


def _months_of(batches: list[Batch]) -> set[str]:
    return {
        month_of_key(batch.partition)
        for batch in batches
        if batch.partition and batch.partition[:4].isdigit()
    }


def _source_versions(settings: Settings, landed: list[str]) -> dict[str, str]:
    """The data version that each root asset would have now; roots without input files are left out."""
    from fashion_assets.defs.products import files_version
    from fashion_assets.keywords.user_dictionary import read_user_dictionary
    from fashion_assets.posts.month_digests import landing_digests

    versions = {"new_words": read_user_dictionary(user_dictionary_path(settings)).digest}
    versions |= {
        f"raw_posts/{key_of_month(month)}": digest
        for month, digest in landing_digests(settings.lake, landed).items()
    }
    if settings.product_files.is_dir():
        versions["products"] = versions["quarantined_products"] = files_version(settings.product_files)
    if settings.taxonomy_files.is_dir():
        version = files_version(settings.taxonomy_files)
        versions["category_projection"] = versions["projected_products"] = version
    return versions


def _execute(job: dg.JobDefinition, instance: dg.DagsterInstance, batch: Batch, summary: RunSummary) -> None:
    result = run_batch(job, instance, batch)
    summary.failed_checks += _failed_checks(result, batch)
    if result.success:
        return
    for event in result.all_events:
        if event.is_step_failure:
            where = f"{event.step_key}{f' of {shown_partition(batch.partition)}' if batch.partition else ''}"
            raise StepFailed(
                f"{where} failed: {sentence_of(event)}", event.step_failure_data.error_display_string
            )
    raise StepFailed(f"the run of {', '.join(batch.assets)} failed", "")


def _failed_checks(result: dg.ExecuteInProcessResult, batch: Batch) -> list[CheckFailure]:
    """The checks that the batch has not passed; of a step that was tried again, what it said last."""
    newest = {(one.asset_key, one.check_name): one for one in result.get_asset_check_evaluations()}
    return [
        CheckFailure(
            batch.partition,
            one.asset_key.to_user_string(),
            one.check_name,
            one.description or "no reason given",
        )
        for one in newest.values()
        if not one.passed
    ]


def shown_partition(partition: str) -> str:
    """A month as people write it; any other partition key as it is."""
    return partition[:7] if partition[:4].isdigit() else partition


class StepFailed(UserError):
    """A step of the plan failed; ``details`` holds the traceback for ``--debug``."""

    def __init__(self, message: str, details: str) -> None:
        super().__init__(message)
        self.details = details
