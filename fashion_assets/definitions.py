"""The code location: ``build_definitions(settings)`` and the module-level ``defs`` that Dagster loads."""

from __future__ import annotations

import dagster as dg

from fashion_assets.defs import (
    embeddings,
    experiments,
    keywords,
    media,
    posts,
    products,
    reports,
    styles,
    trends,
    warehouse,
)
from fashion_assets.defs.automation import follow_upstream
from fashion_assets.defs.checks import build_checks
from fashion_assets.defs.executors import executor_of
from fashion_assets.defs.io_managers import LakeIOManager, table_schema
from fashion_assets.defs.jobs import month_job, publication_job
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.resources import Encoders, LakeReader
from fashion_assets.defs.schedules import monthly_close, monthly_publication
from fashion_assets.defs.schemas import SCHEMAS
from fashion_assets.defs.sensors import incoming_sensor
from fashion_assets.defs.versions import code_version
from fashion_assets.settings import Settings

#: Made by landing, by training or by choice; automation must not make them anew on its own.
_NOT_AUTOMATED = frozenset(
    {
        "raw_posts",
        "word_vectors",
        "keyword_training_words",
        "tfashion_model",
        "style_model",
        "style_experiments",
        "style_experiments_report",
        "products",
        "quarantined_products",
        "category_projection",
    }
)

_MODULES = [posts, keywords, media, embeddings, styles, experiments, trends, products, reports, warehouse]


def build_definitions(settings: Settings | None = None) -> dg.Definitions:
    """Fresh definitions over ``settings`` (default: from the environment), so that a test can bring its own."""
    settings = settings or Settings()
    condition = follow_upstream()

    def complete(spec: dg.AssetSpec) -> dg.AssetSpec:
        name = spec.key.to_user_string()
        changes: dict[str, object] = {"code_version": code_version(name, settings)}
        if name not in _NOT_AUTOMATED:
            changes["automation_condition"] = condition
        if name in SCHEMAS:
            changes["metadata"] = {**spec.metadata, "dagster/column_schema": table_schema(SCHEMAS[name])}
        return spec.replace_attributes(**changes)  # type: ignore[arg-type]

    loaded = [
        found for found in dg.load_assets_from_modules(_MODULES) if isinstance(found, dg.AssetsDefinition)
    ]
    assets = dg.map_asset_specs(complete, loaded)
    specs = [spec for definition in assets for spec in definition.specs]
    monthly = {spec.key.to_user_string() for spec in specs if spec.partitions_def == MONTHS}
    return dg.Definitions(
        assets=assets,
        asset_checks=build_checks(SCHEMAS, monthly.__contains__),
        jobs=[month_job, publication_job],
        schedules=[monthly_close, monthly_publication],
        sensors=[incoming_sensor, dg.AutomationConditionSensorDefinition("follow_upstream", target="*")],
        executor=executor_of(settings),
        resources={
            "settings": settings,
            "lake": LakeReader(settings),
            "encoders": Encoders(settings),
            "io_manager": LakeIOManager(settings.lake, SCHEMAS),
        },
    )


defs = build_definitions()
