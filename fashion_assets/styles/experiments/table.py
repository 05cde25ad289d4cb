"""`style_experiments` as a table: one row per variant with its figures, its curve, its months and its scatter."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fashion_assets.storage.lake import Lake
from fashion_assets.styles.experiments.experiment import ExperimentResult
from fashion_assets.styles.experiments.variants import TAKES_K, VARIANTS, Variant

ASSET = "style_experiments"

STYLE_EXPERIMENTS = pa.schema(
    [
        ("variant", pa.string()),
        ("modality", pa.string()),
        ("reduction", pa.string()),
        ("clusterer", pa.string()),
        ("model_id", pa.string()),
        ("level", pa.string()),
        ("verdict", pa.string()),
        ("extreme", pa.bool_()),
        ("faults", pa.list_(pa.string())),
        ("notes", pa.list_(pa.string())),
        ("n_posts", pa.int64()),
        ("n_rows", pa.int64()),
        ("best_k", pa.int32()),
        ("k_reason", pa.string()),
        ("silhouette_micro", pa.float64()),
        ("silhouette_macro", pa.float64()),
        ("silhouette_with_noise", pa.float64()),
        ("silhouette_unreduced", pa.float64()),
        ("largest_share", pa.float64()),
        ("normalised_entropy", pa.float64()),
        ("gini", pa.float64()),
        ("noise_share", pa.float64()),
        ("largest_month_share", pa.float64()),
        ("ari_bootstraps", pa.list_(pa.float64())),
        ("ari_seeds", pa.list_(pa.float64())),
        ("stability_rows", pa.int64()),
        ("curve_k", pa.list_(pa.int32())),
        ("curve_micro", pa.list_(pa.float64())),
        ("curve_macro", pa.list_(pa.float64())),
        ("curve_with_noise", pa.list_(pa.float64())),
        ("cluster_sizes", pa.list_(pa.int64())),
        ("months", pa.list_(pa.string())),
        ("month_posts", pa.list_(pa.int64())),
        ("month_shares", pa.list_(pa.list_(pa.float64()))),
        ("map_x", pa.list_(pa.float32())),
        ("map_y", pa.list_(pa.float32())),
        ("map_cluster", pa.list_(pa.int32())),
    ]
)
"""Lists that begin with `curve_`, `month` or `map_` are parallel; clusters go by falling size, -1 is noise."""

_ORDER = {"passes": 0, "doubtful": 1, "fails": 2, "none": 3}


def experiment_table(variant: Variant, result: ExperimentResult, n_posts: int, model_id: str) -> pa.Table:
    """The one row of `STYLE_EXPERIMENTS` that a variant is; `n_posts` had what its modality compares."""
    shown = result.shown
    row = {
        "variant": variant.key,
        **variant._asdict(),
        "model_id": model_id,
        "level": result.verdict.level,
        "verdict": result.verdict.sentence,
        "extreme": result.verdict.extreme,
        "faults": result.verdict.faults,
        "notes": result.notes,
        "n_posts": n_posts,
        "n_rows": len(result.labels),
        "best_k": result.k,
        "k_reason": result.reason,
        **{f"silhouette_{name}": value for name, value in result.silhouette.items()},
        "silhouette_unreduced": result.silhouette_unreduced,
        **result.balance,
        "noise_share": result.noise,
        "largest_month_share": result.months.largest,
        "ari_bootstraps": result.stability.bootstraps,
        "ari_seeds": result.stability.seeds,
        "stability_rows": result.stability.n_rows,
        "curve_k": result.curve["k"].tolist(),
        **{f"curve_{name}": result.curve[name].tolist() for name in ("micro", "macro", "with_noise")},
        "cluster_sizes": np.bincount(result.labels[result.labels >= 0]).tolist(),
        "months": result.months.months,
        "month_posts": result.months.posts.tolist(),
        "month_shares": result.months.shares.tolist(),
        "map_x": result.positions[:, 0].tolist(),
        "map_y": result.positions[:, 1].tolist(),
        "map_cluster": result.labels[shown].tolist(),
    }
    return pa.Table.from_pylist([row], schema=STYLE_EXPERIMENTS)


def curve_of(row: Mapping[str, Any]) -> pd.DataFrame:
    """The curve by which k was chosen: k with micro and macro, or with micro alone where a method leaves posts out.

    There micro counts the posts in no cluster as 0, as the choice did.
    """
    if row["clusterer"] in TAKES_K:
        return pd.DataFrame({"k": row["curve_k"], "micro": row["curve_micro"], "macro": row["curve_macro"]})
    return pd.DataFrame({"k": row["curve_k"], "micro": row["curve_with_noise"]})


def read_experiments(lake: Lake) -> list[dict[str, Any]]:
    """The rows of all variants that have been made, as `ranked`."""
    stored = [variant.key for variant in VARIANTS if lake.path(ASSET, variant.key).exists()]
    return ranked([row for key in stored for row in lake.read(ASSET, key).to_pylist()])


def ranked(rows: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows, best verdict first, then by silhouette with noise counted, then by name."""

    def place(row: Mapping[str, Any]) -> tuple[int, float, str]:
        score = row["silhouette_with_noise"]
        return _ORDER[row["level"]], -score if math.isfinite(score) else math.inf, row["variant"]

    return [dict(row) for row in sorted(rows, key=place)]
