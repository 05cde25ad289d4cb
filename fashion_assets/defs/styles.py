"""Group ``styles``: the model as of a month, the style of each post, the profile of each style."""

import dagster as dg
import pandas as pd
import pyarrow as pa

from fashion_assets.defs.metadata import picture, preview
from fashion_assets.defs.partitions import MONTH_BEFORE, MONTHS, STYLE_VARIANTS
from fashion_assets.defs.resources import LakeReader, style_model_path
from fashion_assets.settings import Settings
from fashion_assets.storage.months import month_of_key, shift_month


@dg.asset(
    partitions_def=MONTHS,
    group_name="styles",
    kinds={"umap", "scikitlearn"},
    # The window of earlier months is read through the lake, which names a missing one. As Dagster edges those
    # months would count as missing dependencies for ever wherever they lie before the first crawl.
    deps=[
        "multimodal_embeddings",
        "text_embeddings",
        dg.AssetDep("style_model", partition_mapping=MONTH_BEFORE),
    ],
)
def style_model(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
) -> dg.MaterializeResult:
    """The styles as of a month: UMAP and k-means on the months up to it, ids carried over from the month before.

    k is where the exact silhouette is highest. Once fitted, a model stays as it is: a late post is assigned
    by it and does not silently refit history.
    """
    from fashion_assets.reports.charts import silhouette_chart_png
    from fashion_assets.styles.model import StyleModel, StyleParams, fit_style_model

    month = month_of_key(context.partition_key)
    first = shift_month(month, 1 - settings.style_window)
    window = [known for known in lake.months("raw_posts") if first <= known <= month]
    tables = lake.lake.read_months("multimodal_embeddings", window)
    copies = _copies(lake, window)
    earlier = style_model_path(settings, shift_month(month, -1))
    model = fit_style_model(
        pa.concat_tables(tables.values()),
        month,
        text_dim=_text_dimension(lake, month),
        previous=StyleModel.load(earlier) if earlier.exists() else None,
        params=StyleParams(seed=settings.random_seed, k_min=settings.style_k_min, k_max=settings.style_k_max),
        copies=copies,
    )
    model.save(style_model_path(settings, month))
    return dg.MaterializeResult(
        metadata={
            "window": f"{window[0]} to {window[-1]}",
            "modality": model.modality,
            "styles": model.k,
            "why_this_k": model.k_reason,
            "silhouette_micro": model.silhouette_micro,
            "silhouette_macro": model.silhouette_macro,
            "silhouette_unreduced": model.silhouette_unreduced,
            "fitted_on": model.n_fit,
            "posts_of_copied_pictures": len(copies),
            "ids_kept": model.n_kept_ids,
            "ids_new": model.n_new_ids,
            "path": dg.MetadataValue.path(style_model_path(settings, month)),
            **picture(silhouette_chart_png(model.silhouette_curve, model.k)),
        }
    )


def _copies(lake: LakeReader, window: list[str]) -> dict[str, str]:
    """Which posts of the window show nothing but another post's pictures, and whose."""
    from fashion_assets.media.copies import COLUMNS, copied_posts

    # Columns by name: the thumbprints beside them are a kilobyte a picture.
    pictures = pd.concat([lake.lake.read("post_images", month, COLUMNS).to_pandas() for month in window])
    garments = pd.concat(
        [lake.lake.read("garment_images", month, ["image_id", "kept"]).to_pandas() for month in window]
    )
    return copied_posts(pictures, kept=set(garments.loc[garments["kept"], "image_id"]))


def _text_dimension(lake: LakeReader, month: str) -> int:
    """The multimodal vector is [text | image]; the text table says where the first block ends."""
    return int(lake.lake.read("text_embeddings", month).schema.field("vector").type.list_size)


@dg.asset(partitions_def=MONTHS, group_name="styles", kinds={"parquet"}, deps=[style_model])
def style_clusters(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], multimodal_embeddings: pa.Table
) -> dg.MaterializeResult:
    """The style of each post by the month's model: distance, runner-up and margin. An assignment, not a refit."""
    from fashion_assets.reports.charts import bar_chart_png
    from fashion_assets.styles.model import StyleModel, assign_styles

    month = month_of_key(context.partition_key)
    clusters = assign_styles(StyleModel.load(style_model_path(settings, month)), multimodal_embeddings, month)
    assigned = clusters[clusters["style_id"] >= 0]
    sizes = assigned["style_id"].value_counts()
    return dg.MaterializeResult(
        value=clusters,
        metadata={
            "assigned": len(assigned),
            "unassigned": len(clusters) - len(assigned),
            "styles": len(sizes),
            "largest_share": float(sizes.max() / len(assigned)) if len(assigned) else 0.0,
            "by_modality": str(assigned["modality"].value_counts().to_dict()),
            "preview": preview(clusters),
            **picture(
                bar_chart_png(
                    [f"style {i}" for i in sizes.index[:20]], sizes.tolist()[:20], title="posts per style"
                )
            ),
        },
    )


@dg.asset(partitions_def=MONTHS, group_name="styles", kinds={"parquet"})
def style_profiles(
    context: dg.AssetExecutionContext,
    style_clusters: pd.DataFrame,
    cleaned_posts: pd.DataFrame,
    fashion_keywords: pd.DataFrame,
    garment_images: pd.DataFrame,
    post_images: pd.DataFrame,
) -> dg.MaterializeResult:
    """Each style of the month: name, share with 95 % interval, engagement, keywords, representatives."""
    from fashion_assets.reports.charts import bar_chart_png
    from fashion_assets.styles.profiles import profile_styles

    profiles = profile_styles(
        style_clusters,
        cleaned_posts,
        fashion_keywords,
        garment_images,
        month_of_key(context.partition_key),
        images=post_images,
    ).sort_values("share", ascending=False)
    top = profiles.head(12)
    return dg.MaterializeResult(
        value=profiles,
        metadata={
            "styles": len(profiles),
            "top_styles": ", ".join(
                f"{row.name_} {row.share:.0%}" for row in top.rename(columns={"name": "name_"}).itertuples()
            ),
            "preview": preview(profiles, ["style_id", "name", "n_posts", "share", "keywords"], rows=12),
            **picture(
                bar_chart_png(
                    [f"style {i}" for i in top["style_id"]],
                    top["share"].tolist(),
                    title="share of posts",
                    as_percent=True,
                )
            ),
        },
    )


@dg.asset(
    partitions_def=STYLE_VARIANTS,
    group_name="styles",
    kinds={"parquet"},
    deps=[dg.AssetDep("multimodal_embeddings", partition_mapping=dg.AllPartitionMapping())],
)
def style_experiments(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
) -> dg.MaterializeResult:
    """Silhouette curve, balance and a verdict in words for one modality and reduction, over all months."""
    from fashion_assets.encoders.tables import vectors_of
    from fashion_assets.reports.charts import silhouette_chart_png
    from fashion_assets.styles.experiments import experiment_ks, run_experiment

    modality, reduction = context.partition_key.split("-")
    asset = {"image": "image_embeddings", "text": "text_embeddings", "multimodal": "multimodal_embeddings"}[
        modality
    ]
    table = pa.concat_tables(lake.lake.read_months(asset, lake.months(asset)).values())
    result = run_experiment(
        vectors_of(table),
        ks=experiment_ks(settings.style_k_min, settings.style_k_max),
        reduction=reduction,
        seed=settings.random_seed,
    )
    return dg.MaterializeResult(
        value=result.curve.assign(variant=context.partition_key, verdict=result.verdict),
        metadata={
            "verdict": result.verdict,
            "best_k": result.best_k,
            "silhouette_macro": float(result.curve["macro"].max()) if len(result.curve) else 0.0,
            "largest_share": result.balance["largest_share"],
            "normalised_entropy": result.balance["normalised_entropy"],
            "gini": result.balance["gini"],
            **picture(silhouette_chart_png(result.curve, result.best_k)),
        },
    )
