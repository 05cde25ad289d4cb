"""Ways of finding styles, compared: one partition of ``style_experiments`` per way, and the page over all of them."""

from datetime import datetime
from typing import Any

import dagster as dg
import pandas as pd
from pydantic import Field

from fashion_assets.defs.compute import compute
from fashion_assets.defs.faults import asset
from fashion_assets.defs.landing import PLATFORM_ZONE
from fashion_assets.defs.metadata import picture, preview
from fashion_assets.defs.partitions import STYLE_VARIANTS
from fashion_assets.defs.resources import Encoders, LakeReader
from fashion_assets.settings import Settings
from fashion_assets.storage.files import write_text_atomic
from fashion_assets.styles.experiments.clusterers import row_limit
from fashion_assets.styles.experiments.experiment import ExperimentParams, nothing_to_judge, run_experiment
from fashion_assets.styles.experiments.rows import NO_JOINT_SPACE, SampledVectors
from fashion_assets.styles.experiments.table import curve_of, experiment_table, ranked, read_experiments
from fashion_assets.styles.experiments.variants import Modality, variant_of
from fashion_assets.styles.experiments.verdict import Limits


class ExperimentConfig(dg.Config):
    """What is tried, on how many posts, and from where on a figure speaks against a variant."""

    k_min: int = Field(default=2, ge=2, le=1000, description="Smallest number of clusters tried")
    k_max: int = Field(
        default=200,
        ge=2,
        le=1000,
        description="Largest number of clusters tried; at most a third of the posts",
    )
    max_rows: int = Field(
        default=20_000,
        ge=100,
        description="Posts that a variant is judged on, a month-stratified sample of them all: it compares ways, it "
        "assigns no post",
    )
    bootstraps: int = Field(
        default=3, ge=0, le=100, description="Bootstraps of the stability figure; 0: none"
    )
    seeds: int = Field(
        default=2,
        ge=0,
        le=100,
        description="Other seeds of the stability figure, with UMAP fitted anew; 0: none",
    )
    stability_rows: int = Field(
        default=1_500, ge=50, description="Posts that stability is asked on: each draw costs a fit, or a UMAP"
    )
    largest_share_limit: float = Field(
        default=Limits.largest_share,
        gt=0,
        le=1,
        description="Share of one cluster above which a variant fails (the reference's extreme distributions)",
    )
    entropy_limit: float = Field(
        default=Limits.entropy, ge=0, le=1, description="Normalised entropy below which a variant fails"
    )
    noise_limit: float = Field(
        default=Limits.noise,
        ge=0,
        le=1,
        description="Share of posts in no cluster above which a variant fails",
    )
    month_share_limit: float = Field(
        default=Limits.month_share,
        gt=0,
        le=1,
        description="Share of one cluster in one month above which a variant is doubtful",
    )
    stability_limit: float = Field(
        default=Limits.stability,
        ge=0,
        le=1,
        description="Mean adjusted Rand index, over bootstraps or over seeds, below which a variant is doubtful",
    )
    silhouette_limit: float = Field(
        default=Limits.silhouette, ge=-1, le=1, description="Silhouette below which a variant is doubtful"
    )

    def params(self) -> ExperimentParams:
        """The same for the domain package."""
        return ExperimentParams(
            k_min=self.k_min,
            k_max=self.k_max,
            max_rows=self.max_rows,
            bootstraps=self.bootstraps,
            seeds=self.seeds,
            stability_rows=self.stability_rows,
            limits=Limits(
                largest_share=self.largest_share_limit,
                entropy=self.entropy_limit,
                noise=self.noise_limit,
                month_share=self.month_share_limit,
                stability=self.stability_limit,
                silhouette=self.silhouette_limit,
            ),
        )


_ALL_MONTHS = dg.AllPartitionMapping()


@asset(
    partitions_def=STYLE_VARIANTS,
    group_name="styles",
    kinds={"parquet"},
    deps=[
        dg.AssetDep(asset, partition_mapping=_ALL_MONTHS)
        for asset in ("cleaned_posts", "text_embeddings", "multimodal_embeddings")
    ],
    **compute(Settings(), "text_encoder"),
)
def style_experiments(
    context: dg.AssetExecutionContext,
    config: ExperimentConfig,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
    encoders: dg.ResourceParam[Encoders],
) -> dg.MaterializeResult:
    """One way of finding styles over all months: silhouettes over k, balance, stability, and a verdict in words."""
    variant, params = variant_of(context.partition_key), config.params()
    bound = row_limit(variant.clusterer, reduced=variant.reduction != "none")
    limit = params.max_rows if bound is None else min(params.max_rows, bound)
    posts = _sample(variant.modality, settings, lake, encoders, limit)
    if posts is None:
        result, n_posts, model_id = nothing_to_judge(NO_JOINT_SPACE), 0, ""
    else:
        result = run_experiment(posts.vectors, posts.months, variant, params, settings.random_seed)
        n_posts, model_id = posts.n_posts, posts.model_id
    table = experiment_table(variant, result, n_posts, model_id)
    row = table.to_pylist()[0]
    others = [other for other in read_experiments(lake.lake) if other["variant"] != variant.key]
    return dg.MaterializeResult(
        value=table, metadata={**_figures(row), **_pictures(row, ranked([row, *others]))}
    )


def _figures(row: dict[str, Any]) -> dict[str, str | int | float]:
    """The figures that are known: a NaN says nothing in the UI."""
    figures = {
        "level": row["level"],
        "verdict": row["verdict"],
        "best_k": row["best_k"],
        "why_this_k": row["k_reason"],
        "silhouette_micro": row["silhouette_micro"],
        "silhouette_macro": row["silhouette_macro"],
        "silhouette_with_noise": row["silhouette_with_noise"],
        "silhouette_unreduced": row["silhouette_unreduced"],
        "largest_share": row["largest_share"],
        "normalised_entropy": row["normalised_entropy"],
        "gini": row["gini"],
        "noise_share": row["noise_share"],
        "largest_month_share": row["largest_month_share"],
        "ari_bootstraps": ", ".join(f"{value:.3f}" for value in row["ari_bootstraps"]),
        "ari_seeds": ", ".join(f"{value:.3f}" for value in row["ari_seeds"]),
        "posts": f"{row['n_rows']} of {row['n_posts']}",
        "notes": " ".join(row["notes"]),
    }
    return {name: value for name, value in figures.items() if value == value and value != ""}


def _pictures(row: dict[str, Any], board: list[dict[str, Any]]) -> dict[str, dg.MarkdownMetadataValue]:
    """Silhouette curve and scatter of the variant, and the leaderboard so far."""
    from fashion_assets.reports.charts import silhouette_chart_png
    from fashion_assets.reports.experiment_charts import scatter_png

    words = variant_of(row["variant"]).words
    drawn = {
        "curve": silhouette_chart_png(curve_of(row), row["best_k"]),
        "scatter": scatter_png(row["map_x"], row["map_y"], row["map_cluster"], words),
        "leaderboard": _leaderboard(board),
    }
    return {name: shown["picture"] for name, png in drawn.items() if (shown := picture(png))}


def _leaderboard(rows: list[dict[str, Any]]) -> bytes:
    from fashion_assets.reports.experiment_charts import leaderboard_png

    return leaderboard_png(
        [variant_of(row["variant"]).words for row in rows],
        [row["silhouette_with_noise"] for row in rows],
        [row["level"] for row in rows],
        [row["verdict"] for row in rows],
    )


@asset(group_name="reports", kinds={"html"}, deps=[dg.AssetDep(style_experiments)])
def style_experiments_report(
    settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[LakeReader]
) -> dg.MaterializeResult:
    """One HTML page that compares all ways of finding styles that were tried: leaderboard, charts, reasons."""
    from fashion_assets.reports.experiments import render_experiments

    rows = read_experiments(lake.lake)
    path = settings.reports / "style_experiments.html"
    write_text_atomic(path, render_experiments(rows, datetime.now(PLATFORM_ZONE)))
    board = pd.DataFrame(rows, columns=_BOARD_COLUMNS)
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.path(path),
            "dagster/row_count": len(rows),
            "passes": int((board["level"] == "passes").sum()),
            "leaderboard": preview(board, rows=len(board)),
            **picture(_leaderboard(rows)),
        }
    )


_BOARD_COLUMNS = [
    "level",
    "variant",
    "best_k",
    "silhouette_with_noise",
    "largest_share",
    "noise_share",
    "verdict",
]


def _sample(
    modality: Modality, settings: Settings, lake: LakeReader, encoders: Encoders, limit: int
) -> SampledVectors | None:
    """The vectors of what ``modality`` compares; texts that no asset embeds go through the text encoder, once ever."""
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.encoders.content import content_hashes
    from fashion_assets.styles.experiments.rows import sample_texts, sample_vectors

    if modality not in ("text_content", "text_tags"):
        return sample_vectors(lake.lake, modality, limit, settings.random_seed)
    sampled = sample_texts(lake.lake, modality, limit, settings.random_seed)
    encoded = EmbeddingCache(settings.embedding_cache).encode_missing(
        encoders.text, content_hashes(sampled.texts), sampled.texts
    )
    return SampledVectors(sampled.months, sampled.n_posts, encoded.vectors, encoders.text.model_id)
