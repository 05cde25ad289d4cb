"""The asset graph is public interface: names, groups, partitions; and the code location loads light."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from typing import Any

import dagster as dg
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.partitions import ATTRIBUTES, MONTHS, STYLE_VARIANTS
from fashion_assets.defs.schedules import monthly_close
from fashion_assets.settings import Settings

GRAPH = {
    "raw_posts": ("posts", "month"),
    "cleaned_posts": ("posts", "month"),
    "quarantined_posts": ("posts", "month"),
    "fashion_keywords": ("keywords", "month"),
    "word_vectors": ("keywords", None),
    "keyword_training_words": ("keywords", None),
    "tfashion_model": ("keywords", None),
    "new_words": ("keywords", None),
    "post_images": ("media", "month"),
    "garment_images": ("media", "month"),
    "text_embeddings": ("embeddings", "month"),
    "image_embeddings": ("embeddings", "month"),
    "multimodal_embeddings": ("embeddings", "month"),
    "style_experiments": ("styles", "variant"),
    "style_experiments_report": ("reports", None),
    "style_model": ("styles", "month"),
    "style_clusters": ("styles", "month"),
    "style_profiles": ("styles", "month"),
    "style_lineage": ("styles", None),
    "style_registry": ("styles", None),
    "style_trends": ("trends", None),
    "keyword_trends": ("trends", None),
    "weekly_trends": ("trends", None),
    "products": ("products", None),
    "quarantined_products": ("products", None),
    "product_embeddings": ("products", None),
    "product_eda": ("products", None),
    "product_split": ("products", None),
    "attribute_classifiers": ("products", "attribute"),
    "product_report": ("products", None),
    "product_finetuning": ("products", None),
    "projected_products": ("products", None),
    "product_predictions": ("products", None),
    "product_evaluation": ("products", None),
    "category_projection": ("products", None),
    "monthly_style_report": ("reports", "month"),
    "closed_month": ("reports", "month"),
    "style_atlas": ("reports", None),
    "warehouse": ("warehouse", None),
}
PARTITIONS = {MONTHS: "month", STYLE_VARIANTS: "variant", ATTRIBUTES: "attribute"}


@pytest.fixture(scope="module")
def specs() -> dict[str, dg.AssetSpec]:
    return {
        spec.key.to_user_string(): spec for spec in build_definitions(Settings()).resolve_all_asset_specs()
    }


def test_names_groups_and_partitions_are_as_published(specs: dict[str, dg.AssetSpec]) -> None:
    found = {}
    for name, spec in specs.items():
        kind = next(
            (label for definition, label in PARTITIONS.items() if spec.partitions_def == definition), None
        )
        found[name] = (spec.group_name, kind)
    assert found == GRAPH


def test_every_asset_says_what_it_holds_and_has_a_version(specs: dict[str, dg.AssetSpec]) -> None:
    for name, spec in specs.items():
        assert spec.description and len(spec.description) > 30, name
        assert spec.code_version, name


def test_tables_with_a_schema_show_their_columns(specs: dict[str, dg.AssetSpec]) -> None:
    columns = specs["cleaned_posts"].metadata["dagster/column_schema"].columns
    assert {"post_id", "month", "author", "text", "tags"} <= {column.name for column in columns}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """The assets whose code version differs between two sets of settings."""
    one, other = (
        {
            spec.key.to_user_string(): spec.code_version
            for spec in build_definitions(Settings(**values)).resolve_all_asset_specs()
        }
        for values in (before, after)
    )
    return {name for name in one if one[name] != other[name]}


def test_a_setting_changes_the_version_of_what_depends_on_it_and_no_other() -> None:
    assert changed({}, {"min_garment_share": 0.1}) == {"garment_images"}
    # Styles are pinned; those that were fitted on other crops must not be given these.
    assert changed({}, {"crop": "person"}) == {"garment_images", "style_model"}


def test_precision_counts_where_a_network_computes() -> None:
    half = {"precision": "float16"}
    assert not changed({}, half)
    with_network = {"image_encoder": "timm:x"}
    of_pictures = {
        "image_embeddings",
        "multimodal_embeddings",
        "style_model",
        "product_embeddings",
        "product_finetuning",
    }
    assert changed(with_network, with_network | half) == of_pictures


def test_where_and_how_fast_changes_no_version() -> None:
    network = {"image_encoder": "timm:x", "text_encoder": "st:y"}
    ways = {"engine": "ray", "ray_encoders": 3, "gpu_pool": 3, "torch_compile": True}
    assert not changed(network, network | ways)


def test_every_check_has_the_partitions_of_its_asset(specs: dict[str, dg.AssetSpec]) -> None:
    """A check without them would look at no month, and the UI would show one answer for all."""
    checks = [spec for step in build_definitions(Settings()).asset_checks or [] for spec in step.check_specs]
    monthly = [check for check in checks if specs[check.asset_key.to_user_string()].partitions_def == MONTHS]
    assert len(checks) >= 40 and len(monthly) >= 25
    for check in checks:
        of_asset = specs[check.asset_key.to_user_string()].partitions_def
        assert check.partitions_def == of_asset, check.name


def test_what_would_make_figures_wrong_blocks_and_what_is_only_unusual_does_not() -> None:
    checks = [spec for step in build_definitions(Settings()).asset_checks or [] for spec in step.check_specs]
    for check in checks:
        sound = check.name.endswith(("_schema", "_one_model")) or check.name in (
            "kept_and_quarantined_add_up",
            "one_model_in_the_style_window",
        )
        assert check.blocking == sound, check.name


def test_only_one_step_at_a_time_writes_the_warehouse(specs: dict[str, dg.AssetSpec]) -> None:
    graph = build_definitions(Settings()).resolve_asset_graph()
    assert graph.get(dg.AssetKey("warehouse")).pools == {"duckdb"}
    assert graph.get(dg.AssetKey("image_embeddings")).pools == {"gpu"}


def test_loading_the_code_location_loads_nothing_heavy() -> None:
    heavy = [
        "torch",
        "umap",
        "sklearn",
        "ray",
        "transformers",
        "cv2",
        "gensim",
        "matplotlib",
        "scipy",
        "duckdb",
    ]
    script = (
        f"import sys, fashion_assets.definitions; print([name for name in {heavy} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_jobs_and_schedules_resolve() -> None:
    definitions = build_definitions(Settings())
    assert definitions.resolve_job_def("month").partitions_def == MONTHS
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance, scheduled_execution_time=datetime(2024, 7, 3, 4)) as moment,
    ):
        request = monthly_close(moment)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == "2024-06-01"
