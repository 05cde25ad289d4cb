"""What a step computes on: its pool, and what it asks Kubernetes and Ray for.

Belongs here: ``@dg.asset(**compute(Settings(), "text_encoder"))`` and the limits of the pools. Does not belong here:
which device an encoder takes (``networks.torch_runtime``), how a run executes its steps (``executors``).
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict

import dagster as dg

from fashion_assets.settings import Settings

#: Op tags that ask for a GPU. They are read by dagster-k8s' ``k8s_job_executor`` and dagster-ray's ``ray_executor``,
#: which give each step a container or a Ray job of its own; every other executor leaves them alone.
_GPU_TAGS: dict[str, Any] = {
    "dagster-k8s/config": {
        "container_config": {"resources": {"limits": {"nvidia.com/gpu": "1"}}},
        # Nodes with GPUs are tainted so as a rule; the limit alone picks the node.
        "pod_spec_config": {
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
        },
    },
    "dagster-ray/config": {"num_gpus": 1},
}
#: Encoders and segmenters that have no use for a GPU.
_EMBEDDED = ("local:", "grabcut")


class Compute(TypedDict):
    """Arguments of ``dg.asset`` and ``dg.asset_check``."""

    pool: str
    op_tags: dict[str, Any]


def compute(
    settings: Settings,
    *names: Literal["text_encoder", "image_encoder", "product_texts", "product_pictures", "segmenter"],
) -> Compute:
    """The arguments ``pool`` and ``op_tags`` of an asset or asset check that loads what these settings name.

    The pool is ``gpu``, with or without one: over all runs it keeps the number of steps with networks at its limit.
    The tags ask a cluster for a GPU, if the profile is ``gpu`` (which says that there are some) and one of the settings
    names a network. Where Ray encodes (FASHION_ENGINE=ray) its workers have the GPUs, so a step that only encodes asks
    for none. Tags are fixed when the code location is loaded, so the settings have to be in its environment then, as
    those of the partitions do.
    """
    mine = [name for name in names if settings.engine == "inline" or name == "segmenter"]
    named = [getattr(settings, name) for name in mine]
    specs = [spec for one in named for spec in ((one,) if isinstance(one, str) else one)]
    networks = [spec for spec in specs if not spec.startswith(_EMBEDDED)]
    return {"pool": "gpu", "op_tags": _GPU_TAGS if settings.profile == "gpu" and networks else {}}


def limit_pools(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Let ``settings.gpu_pool`` steps of pool ``gpu`` run at a time; other pools keep the instance's default of 1.

    The setting wins over a limit that was set in the UI. Storage without pools is left alone.
    """
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return
    limits = {pool.name: pool.limit for pool in storage.get_pool_limits() if not pool.from_default}
    if limits.get("gpu") != settings.gpu_pool:
        storage.set_concurrency_slots("gpu", settings.gpu_pool)
