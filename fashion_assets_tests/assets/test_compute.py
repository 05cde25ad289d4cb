"""Steps that load a network: one pool, limited by a setting, and what they ask clusters for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.compute import compute, limit_pools
from fashion_assets.defs.runner import open_instance, prepare_dagster_home
from fashion_assets.settings import Settings

ON_A_NETWORK = {
    "tfashion_model",
    "garment_images",
    "style_experiments",
    "text_embeddings",
    "image_embeddings",
    "product_embeddings",
    "product_finetuning",
    "category_projection",
    "projected_products",
}


@pytest.fixture(scope="module")
def op_tags() -> dict[str, Any]:
    """Asset -> tags of its step, of the assets in pool gpu."""
    graph = build_definitions(Settings()).resolve_asset_graph()
    return {
        key.to_user_string(): graph.get(key).assets_def.op.tags
        for key in graph.toposorted_asset_keys
        if graph.get(key).pools == {"gpu"}
    }


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test(temp_dir=str(tmp_path)) as made:
        yield made


def limits(instance: dg.DagsterInstance) -> dict[str, int]:
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_what_loads_an_encoder_shares_a_pool_and_asks_for_no_gpu_by_default(op_tags: dict[str, Any]) -> None:
    assert set(op_tags) == ON_A_NETWORK
    assert not any("dagster-k8s/config" in tags or "dagster-ray/config" in tags for tags in op_tags.values())


def test_a_network_asks_kubernetes_for_a_gpu() -> None:
    lent = Settings(profile="gpu")

    @dg.op(tags=compute(lent, "text_encoder", "image_encoder")["op_tags"])
    def encode() -> None: ...

    config = json.loads(encode.tags["dagster-k8s/config"])
    assert config["container_config"]["resources"]["limits"] == {"nvidia.com/gpu": "1"}
    for asks_for_none in (
        compute(lent, "segmenter"),
        compute(Settings(profile="gpu", engine="ray"), "text_encoder", "image_encoder"),
        compute(Settings(profile="gpu", text_encoder="local:cbow"), "text_encoder"),
        compute(Settings(profile="cpu"), "text_encoder", "image_encoder"),
    ):
        assert asks_for_none == {"pool": "gpu", "op_tags": {}}
    segments = Settings(profile="gpu", engine="ray", segmenter="segformer:some/name")
    assert compute(segments, "segmenter")["op_tags"]


def test_dagster_ray_reads_the_tag() -> None:
    configs = pytest.importorskip("dagster_ray.configs", reason="extra [ray]")

    @dg.op(tags=compute(Settings(profile="gpu"), "image_encoder")["op_tags"])
    def segment() -> None: ...

    tags = segment.tags
    assert configs.RayExecutionConfig.from_tags(tags).num_gpus == 1


def test_the_setting_is_the_limit_of_the_pool_up_and_down(instance: dg.DagsterInstance) -> None:
    instance.event_log_storage.set_concurrency_slots("duckdb", 1)
    for wanted in (3, 1, 1):
        limit_pools(instance, Settings(gpu_pool=wanted))
        assert limits(instance) == {"gpu": wanted, "duckdb": 1}
        assert instance.event_log_storage.get_concurrency_info("gpu").slot_count == wanted


def test_run_and_ui_open_the_instance_with_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path, gpu_pool=2)
    prepare_dagster_home(settings)
    monkeypatch.setenv("DAGSTER_HOME", str(settings.dagster_home))
    with dg.DagsterInstance.get() as seen:
        assert limits(seen) == {"gpu": 2}
        assert seen.global_op_concurrency_default_limit == 1  # duckdb and any other pool
    with open_instance(Settings(data_dir=tmp_path, gpu_pool=4)) as seen:
        assert limits(seen)["gpu"] == 4
