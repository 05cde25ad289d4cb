"""Group ``styles``: the model as of a month, the style of each post, the profile of each style."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import dagster as dg
import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pydantic import Field

from fashion_assets.defs.faults import asset
from fashion_assets.defs.io_managers import columns
from fashion_assets.defs.metadata import picture, preview, tally
from fashion_assets.defs.partitions import MONTH_BEFORE, MONTHS
from fashion_assets.defs.resources import LakeReader, style_model_path
from fashion_assets.defs.stored_files import stored_file
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.months import month_of_key, shift_month
from fashion_assets.styles.engagement import ENGAGEMENTS
from fashion_assets.styles.lineage import lineage_table, registry_table
from fashion_assets.styles.model import StyleModel, assign_styles, unseen_posts
from fashion_assets.styles.window_posts import WindowPosts, month_keys, read_window


class StyleModelConfig(dg.Config):
    """How one month's model is made; the defaults are what every run takes."""

    full_scan: bool = Field(
        default=False,
        description="Scan for styles anew although there is a month to go on from; ids go on where the posts do",
    )


@asset(
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
    config: StyleModelConfig,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
) -> dg.MaterializeResult:
    """The styles as of a month: those of the month before carried on, with what was born, died, split or merged.

    The first month's are found by UMAP and k-means, with k where the exact silhouette is highest. Once fitted, a
    model stays as it is: a late post is assigned by it and does not silently refit history.
    """
    from fashion_assets.reports.charts import silhouette_chart_png
    from fashion_assets.styles.fitting import StyleParams, fit_style_model
    from fashion_assets.styles.unchanged import taken_as_they_are

    month = month_of_key(context.partition_key)
    window = _window(settings, lake, month)
    posts = read_window(lake.lake, window)
    copies = _copies(lake, window, posts)
    previous, later = _models_beside(settings, month, set(posts.table["model_id"].unique().to_pylist()))
    dimension = _text_dimension(lake, month)
    source = next((model for model in (previous, later) if model is not None and model.k), None)
    if later is not None and source is not None:
        model = taken_as_they_are(source, posts.table, month, text_dim=dimension, arrived_after=later.month)
    else:
        model = fit_style_model(
            posts.table,
            month,
            text_dim=dimension,
            previous=previous,
            params=StyleParams(
                seed=settings.random_seed,
                k_min=settings.style_k_min,
                k_max=settings.style_k_max,
                full_scan=config.full_scan,
            ),
            copies=copies,
        )
    # Of a large window a part is read; the model knows all of its posts, so that none of them counts as late.
    model = replace(model, seen_posts=posts.keys, n_window=posts.n_posts)
    model.save(style_model_path(settings, month))
    lineage = lineage_table([(month, model.events)])
    changes = lineage[lineage["event"] != "survive"]
    return dg.MaterializeResult(
        metadata={
            "window": f"{window[0]} to {window[-1]}",
            "modality": model.modality,
            "styles": model.k,
            "why_this_k": model.k_reason,
            "silhouette_micro": model.silhouette_micro,
            "silhouette_macro": model.silhouette_macro,
            "silhouette_unreduced": model.silhouette_unreduced,
            "posts_of_the_window": posts.n_posts,
            "posts_read": posts.table.num_rows,
            "fitted_on": model.n_fit,
            "posts_of_copied_pictures": len(copies),
            "goes_on_from": model.previous_month or "no earlier month",
            "ids_kept": model.n_kept_ids,
            "ids_new": model.n_new_ids,
            "events": tally(lineage["event"]),
            "changes": preview(changes, ["event", "style_id", "other_style_ids", "evidence"], rows=20),
            "path": dg.MetadataValue.path(style_model_path(settings, month)),
            **stored_file(style_model_path(settings, month)),
            **picture(silhouette_chart_png(model.silhouette_curve, model.k)),
        }
    )


def _window(settings: Settings, lake: LakeReader, month: str) -> list[str]:
    """The months that the model as of ``month`` is fitted on."""
    first = shift_month(month, 1 - settings.style_window)
    return [known for known in lake.months("raw_posts") if first <= known <= month]


def _model_months(settings: Settings) -> list[str]:
    """Months with a stored model, oldest first."""
    return sorted(path.stem for path in style_model_path(settings, "any").parent.glob("*.safetensors"))


def _models_beside(
    settings: Settings, month: str, encoders: set[str]
) -> tuple[StyleModel | None, StyleModel | None]:
    """The newest earlier model, be it some months back, and the oldest later one if it did not go on from this month.

    With such a later one this month arrived late: its births would take ids that are given. A month that is made again
    is none such, for the model after it went on from it; nor is one whose vectors come from other ``encoders`` than the
    later model's, which will be made again after it.
    """
    months = _model_months(settings)
    earlier, following = ([known for known in months if side(known)] for side in (month.__gt__, month.__lt__))
    previous = StyleModel.load(style_model_path(settings, earlier[-1])) if earlier else None
    if not following:
        return previous, None
    try:
        later = StyleModel.load(style_model_path(settings, following[0]))
    except UserError:  # of an older version: it is made again after this one
        return previous, None
    stays = later.previous_month != month and encoders <= set(later.model_ids)
    return previous, later if stays else None


def _copies(lake: LakeReader, window: list[str], posts: WindowPosts) -> dict[str, str]:
    """Which of the posts that are read show nothing but another one's pictures, and whose."""
    from fashion_assets.media.copies import COLUMNS, copied_posts
    from fashion_assets.storage.row_picks import rows_of_posts

    read = set(posts.table["post_id"].to_pylist())
    # Columns by name: the thumbprints beside them are a kilobyte a picture.
    pictures = rows_of_posts(lake.lake, "post_images", window, read, COLUMNS).to_pandas()
    shown, kept = set(pictures["image_id"]), set[str]()
    for month in window:
        garments = lake.lake.read("garment_images", month, ["image_id", "kept"]).to_pandas()
        kept |= shown.intersection(garments.loc[garments["kept"].astype(bool), "image_id"])
    return copied_posts(pictures, kept=kept)


def _text_dimension(lake: LakeReader, month: str) -> int:
    """The multimodal vector is [text | image]; the text table says where the first block ends."""
    return int(lake.lake.read("text_embeddings", month).schema.field("vector").type.list_size)


@asset(partitions_def=MONTHS, group_name="styles", kinds={"parquet"}, deps=[style_model])
def style_clusters(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
    multimodal_embeddings: pa.Table,
) -> dg.MaterializeResult:
    """The style of each post by the month's model: distance, runner-up and margin. An assignment, not a refit."""
    from fashion_assets.reports.charts import bar_chart_png

    month = month_of_key(context.partition_key)
    model = StyleModel.load(style_model_path(settings, month))
    clusters = assign_styles(model, multimodal_embeddings, month)
    unseen = _unseen(settings, lake, model, partial(month_keys, lake.lake))
    assigned = clusters[clusters["style_id"] >= 0]
    sizes = assigned["style_id"].value_counts()
    return dg.MaterializeResult(
        value=clusters,
        metadata={
            "assigned": len(assigned),
            "unassigned": len(clusters) - len(assigned),
            "styles": len(sizes),
            "largest_share": float(sizes.max() / len(assigned)) if len(assigned) else 0.0,
            "by_modality": tally(assigned["modality"]),
            "model_is_stale": unseen > 0,
            "posts_the_model_has_not_seen": unseen,
            "preview": preview(clusters),
            **picture(
                bar_chart_png(
                    [f"style {i}" for i in sizes.index[:20]], sizes.tolist()[:20], title="posts per style"
                )
            ),
        },
    )


def _unseen(
    settings: Settings, lake: LakeReader, model: StyleModel, keys: Callable[[str], npt.NDArray[np.uint64]]
) -> int:
    """Posts of the model's window that arrived after it was fitted; ``keys`` gives those of a month."""
    embedded = lake.lake.partitions("multimodal_embeddings")
    months = [known for known in _window(settings, lake, model.month) if known in embedded]
    return sum(unseen_posts(model, keys(known)) for known in months)


@asset(group_name="styles", kinds={"parquet"}, deps=[style_model])
def style_lineage(settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """What became of each style from month to month: survive, born, return, split, merge, dead, with the evidence."""
    months = _model_months(settings)
    # One model at a time: each knows the keys of all posts of its window.
    table = lineage_table(
        (month, StyleModel.load(style_model_path(settings, month)).events) for month in months
    )
    changes = table[table["event"] != "survive"].sort_values("month", ascending=False, kind="stable")
    return dg.MaterializeResult(
        value=table,
        metadata={
            "models": len(months),
            "events": tally(table["event"]),
            "newest_changes": preview(changes, rows=20),
        },
    )


@asset(group_name="styles", kinds={"parquet"}, deps=["style_profiles"])
def style_registry(
    settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[LakeReader], style_lineage: pd.DataFrame
) -> dg.MaterializeResult:
    """Every style that ever was: name, first and last month, parents, and how it ended. An id is never used again.

    The metadata name the models whose window holds posts that they have not seen, as those came late.
    """
    profiles = lake.frames("style_profiles", lake.months("style_profiles"))
    table = registry_table(style_lineage, profiles[["style_id", "month", "name"]])
    models = (StyleModel.load(style_model_path(settings, month)) for month in _model_months(settings))
    keys = cache(partial(month_keys, lake.lake))  # a month lies in the windows of twelve models
    stale = {model.month: unseen for model in models if (unseen := _unseen(settings, lake, model, keys))}
    return dg.MaterializeResult(
        value=table,
        metadata={
            "styles": len(table),
            "living": int(table["end"].isna().sum()),
            "stale_models": ", ".join(f"{month}: {n} posts" for month, n in stale.items()) or "none",
            "preview": preview(table, rows=20),
        },
    )


@asset(
    partitions_def=MONTHS,
    group_name="styles",
    kinds={"parquet"},
    ins={
        "cleaned_posts": columns("post_id", "content_hash", *ENGAGEMENTS),
        "fashion_keywords": columns("post_id", "keywords", "facets"),
        "garment_images": columns("post_id", "image_id", "digest", "garment_share", "kept"),
        "post_images": columns("image_id", "duplicate_group"),
        "multimodal_embeddings": columns("post_id", "vector"),
    },
)
def style_profiles(
    context: dg.AssetExecutionContext,
    style_clusters: pd.DataFrame,
    cleaned_posts: pd.DataFrame,
    fashion_keywords: pd.DataFrame,
    garment_images: pd.DataFrame,
    post_images: pd.DataFrame,
    multimodal_embeddings: pa.Table,
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
        vectors=multimodal_embeddings,
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
