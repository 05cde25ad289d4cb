"""How the steps of one run are executed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.in_process import InProcessExecutor

from fashion_assets.defs.step_errors import is_interrupted
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from dagster._core.execution.context.system import PlanOrchestrationContext
    from dagster._core.execution.plan.plan import ExecutionPlan

#: Loaded once in the fork server, then shared by every step: what costs seconds to import.
_PRELOADED = ["fashion_assets.definitions", "pandas", "pyarrow.parquet", "cv2", "sklearn.cluster", "umap"]


class _EndingInProcessExecutor(InProcessExecutor):
    """Dagster's own, but that a run ends when it is asked to.

    Where a step with a retry policy is interrupted (Terminate in the UI, Ctrl-C), Dagster asks for another try of it.
    Its own executor then waits, begins the step again and goes on: a run that a person had terminated ended as SUCCESS.
    """

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        with closing(super().execute(plan_context, execution_plan)) as events:  # type: ignore[type-var]
            for event in events:
                yield event
                if is_interrupted(event):
                    raise dg.DagsterExecutionInterruptedError


@dg.executor(name="in_process")
def ending_in_process_executor(_: dg.InitExecutorContext) -> InProcessExecutor:
    """All steps in the process of the run, which ends when it is asked to."""
    return _EndingInProcessExecutor(RetryMode.ENABLED)


def executor_of(settings: Settings) -> dg.ExecutorDefinition:
    """In-process unless configured otherwise.

    A run is a process of its own already. A process per step costs about two seconds each before any heavy
    import, more than most steps of a month work; where months are large and cores many, ``multiprocess`` forks
    steps from a server that has the heavy modules loaded. ``kubernetes`` is for clusters where a step has to be
    placed: only there does the GPU that `compute` asks for reach the step alone. Raises UserError if dagster-k8s is
    not installed.
    """
    if settings.executor == "in_process":
        return ending_in_process_executor
    if settings.executor == "kubernetes":
        try:
            from dagster_k8s import k8s_job_executor
        except ImportError as fault:
            raise UserError(
                "FASHION_EXECUTOR=kubernetes needs dagster-k8s; install fashion-assets[k8s]"
            ) from fault
        return k8s_job_executor.configured({"max_concurrent": settings.workers})
    return dg.multiprocess_executor.configured(
        {"max_concurrent": settings.workers, "start_method": {"forkserver": {"preload_modules": _PRELOADED}}}
    )
