"""Asset checks: counts add up, embeddings come from the configured model and no other, no style swallows the month.

Belongs here: checks that read what is in the lake. Every check on a monthly asset carries ``partitions_def``.
"""

from collections.abc import Callable
from typing import Literal

import dagster as dg
import pandas as pd
import pyarrow as pa

from fashion_assets.defs.compute import compute
from fashion_assets.defs.partitions import MONTHS, STYLE_VARIANTS
from fashion_assets.defs.resources import Encoders, LakeReader
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.months import month_of_key, shift_month

#: Above this share one style holds so much of a month that the month's styles say little (the reference
#: discarded variants for such "extreme distributions").
DOMINANT_SHARE = 0.5

#: A month in which more than this share of rows is refused has an input that someone should look at.
HIGH_QUARANTINE_RATE = 0.2


@dg.asset_check(
    asset="cleaned_posts", blocking=True, partitions_def=MONTHS, additional_deps=["quarantined_posts"]
)
def kept_and_quarantined_add_up(
    context: dg.AssetCheckExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
) -> dg.AssetCheckResult:
    """Rows landed = older crawls + kept + quarantined; nothing is lost and nothing doubled. Blocks."""
    from fashion_assets.posts.raw import arrival_counts

    month = month_of_key(context.partition_key)
    arrived = arrival_counts(settings.lake, month)
    kept, quarantined = len(lake.frame("cleaned_posts", month)), len(lake.frame("quarantined_posts", month))
    return dg.AssetCheckResult(
        passed=arrived["rows"] == arrived["superseded"] + kept + quarantined,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{month}: {arrived['rows']} rows arrived = {arrived['superseded']} older crawls + {kept} kept "
        f"+ {quarantined} quarantined",
        metadata={
            **{f"arrived_{key}": value for key, value in arrived.items()},
            "kept": kept,
            "quarantined": quarantined,
        },
    )


@dg.asset_check(asset="quarantined_posts", partitions_def=MONTHS, additional_deps=["cleaned_posts"])
def quarantine_rate(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeReader]
) -> dg.AssetCheckResult:
    """Warns when more than a fifth of the month was refused."""
    month = month_of_key(context.partition_key)
    refused, kept = len(lake.frame("quarantined_posts", month)), len(lake.frame("cleaned_posts", month))
    rate = refused / max(refused + kept, 1)
    return dg.AssetCheckResult(
        passed=rate <= HIGH_QUARANTINE_RATE,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{month}: {refused} of {refused + kept} rows were refused ({rate:.1%})",
        metadata={"rate": rate, "limit": HIGH_QUARANTINE_RATE},
    )


def _configured_model_check(asset: str, modality: Literal["text", "image"]) -> dg.AssetChecksDefinition:
    """A blocking check that all vectors of a month come from the encoder that is configured now."""

    # The id says in which precision the network computes, so it is asked for where the vectors are made.
    needs = compute(Settings(), "text_encoder" if modality == "text" else "image_encoder")

    @dg.asset_check(asset=asset, name=f"{asset}_one_model", blocking=True, partitions_def=MONTHS, **needs)
    def one_model(
        context: dg.AssetCheckExecutionContext,
        lake: dg.ResourceParam[LakeReader],
        encoders: dg.ResourceParam[Encoders],
    ) -> dg.AssetCheckResult:
        from fashion_assets.encoders.tables import model_ids_of

        month = month_of_key(context.partition_key)
        table = lake.lake.read(asset, month, columns=["model_id", "vector"])
        missing = table["vector"].null_count
        configured = (encoders.text if modality == "text" else encoders.image).model_id
        models = model_ids_of(table)
        others = [model for model in models if model != configured]
        description = (
            f"{month}: {table.num_rows} vectors of {', '.join(models) or 'no model'}; {missing} missing"
        )
        if others:
            description += (
                f"; the configured encoder is {configured}: set FASHION_{modality.upper()}_ENCODER back, or encode all "
                f'months with it: fashion-assets run --select "{asset}+" --force'
            )
        return dg.AssetCheckResult(
            passed=not others and missing == 0,
            severity=dg.AssetCheckSeverity.ERROR,
            description=description,
        )

    return one_model


@dg.asset_check(asset="multimodal_embeddings", blocking=True, partitions_def=MONTHS)
def one_model_in_the_style_window(
    context: dg.AssetCheckExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
) -> dg.AssetCheckResult:
    """The months that the month's styles are fitted on have vectors of one pair of encoders and weights. Blocks."""
    from fashion_assets.encoders.tables import require_one_model_over

    month = month_of_key(context.partition_key)
    first = shift_month(month, 1 - settings.style_window)
    window = [known for known in lake.months("multimodal_embeddings") if first <= known <= month]
    models = {known: lake.lake.read("multimodal_embeddings", known, columns=["model_id"]) for known in window}
    try:
        found = f"{window[0]} to {month}: {require_one_model_over(models) or 'no model'}"
        passed = True
    except UserError as fault:
        found, passed = str(fault), False
    return dg.AssetCheckResult(passed=passed, severity=dg.AssetCheckSeverity.ERROR, description=found)


@dg.asset_check(asset="style_clusters", partitions_def=MONTHS)
def no_dominant_style(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeReader]
) -> dg.AssetCheckResult:
    """Warns when one style holds more than half of the month."""
    clusters = lake.frame("style_clusters", month_of_key(context.partition_key))
    shares = clusters.loc[clusters["style_id"] >= 0, "style_id"].value_counts(normalize=True)
    largest = float(shares.max()) if len(shares) else 0.0
    return dg.AssetCheckResult(
        passed=largest <= DOMINANT_SHARE,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"the largest of {len(shares)} styles holds {largest:.1%} of the assigned posts",
        metadata={"largest_share": largest, "limit": DOMINANT_SHARE},
    )


@dg.asset_check(asset="style_experiments", partitions_def=STYLE_VARIANTS)
def no_extreme_distribution(
    context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeReader]
) -> dg.AssetCheckResult:
    """Warns when one cluster, or a few, hold nearly all posts, in all or in one month."""
    row = lake.lake.read("style_experiments", context.partition_key).to_pylist()[0]
    figures = ("largest_share", "normalised_entropy", "largest_month_share")
    return dg.AssetCheckResult(
        passed=not row["extreme"],
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{row['level']}: {row['verdict']}",
        metadata={name: row[name] for name in figures if row[name] == row[name]},
    )


def _type_name(kind: pa.DataType) -> str:
    """The type as Parquet keeps it: list items are called ``element``, and there are no whole-second times."""
    return str(kind).replace("element: ", "item: ").replace("timestamp[s]", "timestamp[ms]")


def _schema_check(asset: str, schema: pa.Schema, *, monthly: bool) -> dg.AssetChecksDefinition:
    """A blocking check that the stored table has the columns and types of its schema and its key once."""
    key = (
        "image_id"
        if "image_id" in schema.names
        else "post_id"
        if "post_id" in schema.names
        else schema.names[0]
    )

    @dg.asset_check(
        asset=asset, name=f"{asset}_schema", blocking=True, partitions_def=MONTHS if monthly else None
    )
    def schema_holds(
        context: dg.AssetCheckExecutionContext, lake: dg.ResourceParam[LakeReader]
    ) -> dg.AssetCheckResult:
        partition = month_of_key(context.partition_key) if monthly else None
        # The key's column and the footer alone: a month may hold a million rows.
        columns = lake.lake.schema(asset, partition)
        stored = {field.name: _type_name(field.type) for field in columns}
        table = lake.lake.read(asset, partition, columns=[key] if key in columns.names else [])
        wrong = [field.name for field in schema if stored.get(field.name) != _type_name(field.type)]
        keys = (
            pd.Series(table[key].to_pylist()).dropna()
            if key in table.schema.names
            else pd.Series(dtype=object)
        )
        repeated = int(keys.duplicated().sum())
        return dg.AssetCheckResult(
            passed=not wrong and repeated == 0,
            severity=dg.AssetCheckSeverity.ERROR,
            description=f"{table.num_rows} rows; columns off: {', '.join(wrong) or 'none'}; repeated {key}: {repeated}",
        )

    return schema_holds


def build_checks(
    schemas: dict[str, pa.Schema], monthly: Callable[[str], bool]
) -> list[dg.AssetChecksDefinition]:
    """Every check: those above, and a schema check for each table whose rows have one key."""
    keyed = [asset for asset in schemas if asset in _KEYED]
    return [
        kept_and_quarantined_add_up,
        quarantine_rate,
        no_dominant_style,
        no_extreme_distribution,
        _configured_model_check("text_embeddings", "text"),
        _configured_model_check("image_embeddings", "image"),
        one_model_in_the_style_window,
        *[_schema_check(asset, schemas[asset], monthly=monthly(asset)) for asset in keyed],
    ]


#: Tables in which each key stands once.
_KEYED = frozenset({"cleaned_posts", "fashion_keywords", "post_images", "garment_images", "style_clusters"})
