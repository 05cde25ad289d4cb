"""The code location: ``build_definitions(settings)`` and the module-level ``defs`` that Dagster loads."""

from __future__ import annotations

import dagster as dg

from fashion_assets.defs import (
    closing,
    embeddings,
    experiments,
    keywords,
    media,
    posts,
    product_evaluation,
    product_finetuning,
    product_models,
    product_taxonomy,
    products,
    reports,
    styles,
    trends,
    warehouse,
)
from fashion_assets.defs.automation import follow_upstream
from fashion_assets.defs.checks import build_checks
from fashion_assets.defs.executors import executor_of
from fashion_assets.defs.faults import JudgedIOManager
from fashion_assets.defs.io_managers import LakeIOManager, table_schema
from fashion_assets.defs.jobs import JOBS
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.process_memory import give_back_what_is_freed
from fashion_assets.defs.resources import Encoders, LakeReader
from fashion_assets.defs.run_summaries import run_summaries_sensor
from fashion_assets.defs.schedules import SCHEDULES
from fashion_assets.defs.schemas import SCHEMAS
from fashion_assets.defs.sensors import follow_upstream_sensor, incoming_sensor
from fashion_assets.defs.versions import code_version
from fashion_assets.settings import Settings

#: Made by landing, by training, by closing or by choice; automation must not make them anew on its own.
_NOT_AUTOMATED = frozenset(
    {
        "raw_posts",
        "closed_month",
        "word_vectors",
        "keyword_training_words",
        "tfashion_model",
        "style_model",
        "style_experiments",
        "style_experiments_report",
        "products",
        "quarantined_products",
        "category_projection",
        "projected_products",
        "product_finetuning",
    }
)

_MODULES = [
    posts,
    keywords,
    media,
    embeddings,
    styles,
    experiments,
    trends,
    products,
    product_models,
    product_evaluation,
    product_taxonomy,
    product_finetuning,
    reports,
    closing,
    warehouse,
]


def build_definitions(settings: Settings | None = None) -> dg.Definitions:
    """Fresh definitions over ``settings`` (default: from the environment), so that a test can bring its own.

    The process from then on gives back the memory that it frees: every one that makes assets comes by here.
    """
    give_back_what_is_freed()
    settings = settings or Settings()
    loaded = [
        found for found in dg.load_assets_from_modules(_MODULES) if isinstance(found, dg.AssetsDefinition)
    ]
    specs = {spec.key.to_user_string(): spec for definition in loaded for spec in definition.specs}
    monthly = {name for name, spec in specs.items() if spec.partitions_def == MONTHS}
    products = {name for name, spec in specs.items() if spec.group_name == "products"}
    of_months = follow_upstream(may_be_missing=["closed_month"])
    # Months before the first crawl never are; products may not have been delivered.
    of_everything = follow_upstream(
        promoted_by_hand=(), may_be_missing=sorted(products), some_month_of=sorted(monthly)
    )
    of_products = follow_upstream(promoted_by_hand=())

    def condition_of(name: str) -> dg.AutomationCondition:
        if name in monthly:
            return of_months
        return of_products if name in products else of_everything

    def complete(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.to_user_string()
        changes: dict[str, object] = {"code_version": code_version(name, settings)}
        if name not in _NOT_AUTOMATED:
            changes["automation_condition"] = condition_of(name)
        if name in SCHEMAS:
            changes["metadata"] = {**spec.metadata, "dagster/column_schema": table_schema(SCHEMAS[name])}
        return spec.replace_attributes(**changes)  # type: ignore[arg-type]

    return dg.Definitions(
        assets=dg.map_asset_specs(complete, loaded),
        asset_checks=build_checks(lambda asset: specs[asset].partitions_def),
        jobs=list(JOBS),
        schedules=list(SCHEDULES),
        sensors=[incoming_sensor, follow_upstream_sensor, run_summaries_sensor],
        executor=executor_of(settings),
        resources={
            "settings": settings,
            "lake": LakeReader(settings),
            "encoders": Encoders(settings),
            "io_manager": JudgedIOManager(LakeIOManager(settings.lake, SCHEMAS)),
        },
    )


defs = build_definitions()
