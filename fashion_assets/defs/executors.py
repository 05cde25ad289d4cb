"""How the steps of one run are executed."""

from __future__ import annotations

import dagster as dg

from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError

#: Loaded once in the fork server, then shared by every step: what costs seconds to import.
_PRELOADED = ["fashion_assets.definitions", "pandas", "pyarrow.parquet", "cv2", "sklearn.cluster", "umap"]


def executor_of(settings: Settings) -> dg.ExecutorDefinition:
    """In-process unless configured otherwise.

    A run is a process of its own already. A process per step costs about two seconds each before any heavy
    import, more than most steps of a month work; where months are large and cores many, ``multiprocess`` forks
    steps from a server that has the heavy modules loaded. ``kubernetes`` is for clusters where a step has to be
    placed: only there does the GPU that `compute` asks for reach the step alone. Raises UserError if dagster-k8s is
    not installed.
    """
    if settings.executor == "in_process":
        return dg.in_process_executor
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
