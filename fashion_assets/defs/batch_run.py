"""One batch of a plan as a Dagster run in this process.

Belongs here: starting it. Does not: which batches there are (``planning``), what becomes of a failed one (``runner``).
"""

from __future__ import annotations

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.execute_in_process import core_execute_in_process, merge_run_tags

from fashion_assets.defs.executors import ending_in_process_executor
from fashion_assets.defs.planning import Batch
from fashion_assets.defs.run_tags import tags_of_this_process

_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def run_batch(job: dg.JobDefinition, instance: dg.DagsterInstance, batch: Batch) -> dg.ExecuteInProcessResult:
    """Make the batch's assets, of its partition if it has one; the result holds events, and no outputs.

    It is what ``JobDefinition.execute_in_process`` does but for the outputs: that keeps the value of every step until
    the run is over, and with them each table of a month (``benchmarks/load_history.py``). Dagster has no public
    argument for it.
    """
    assets = [dg.AssetKey(asset) for asset in batch.assets]
    ephemeral = job.as_ephemeral_job(resource_defs={}, input_values={}, asset_selection=assets)
    subset = ephemeral.with_executor_def(ending_in_process_executor)
    return core_execute_in_process(
        run_config=_QUIET,
        job=InMemoryJob(job_def=subset),
        instance=instance,
        output_capturing_enabled=False,
        raise_on_error=False,
        run_tags=merge_run_tags(job, batch.partition, tags_of_this_process(), assets, instance, _QUIET),
        asset_selection=frozenset(assets),
    )
