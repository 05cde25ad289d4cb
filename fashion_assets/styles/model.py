"""`StyleModel`, what the asset `style_model` holds for a month: centroids with ids that last, and how to use
them.

Belongs here: what a model holds, assigning a month's posts. Does not: fitting (`fitting.py`), the bytes of a model
(`model_file.py`), names and pictures (`profiles.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fashion_assets.networks.cores import one_blas_thread
from fashion_assets.storage.errors import UserError
from fashion_assets.styles.centroids import Nearest, nearest_two
from fashion_assets.styles.lineage import StyleEvent
from fashion_assets.styles.schemas import STYLE_CLUSTERS, frame_of
from fashion_assets.styles.window import Modality, Posts, read_posts


@dataclass(frozen=True)
class StyleModel:
    """The styles as of `month`. Rows of all centroid arrays follow `style_ids`, ascending.

    A centroid row is zero if no post of that style had the modality. `style_max_ages` are how many months before
    `month` the posts go back that a style's centroid rests on, `retired_*` the dead styles that may return (centroids
    of `modality`), `seen_posts` the keys (`post_keys`) of all posts of the window, `events` what became of last
    month's styles. `weights` are the mean lengths of the text and the image block in posts that have both.

    `silhouette_curve` is of the last full scan, made in `scan_month` on `n_scanned` posts. `silhouette_*` are None if
    there is one style only; micro and macro are taken where the styles were found: in the reduced space by a scan,
    among the vectors themselves in a month that goes on from the last; `unreduced` is the micro silhouette among the
    vectors themselves, the harder figure.
    """

    month: str
    modality: Modality
    style_ids: npt.NDArray[np.int32]
    joint_centroids: npt.NDArray[np.float32]
    text_centroids: npt.NDArray[np.float32]
    image_centroids: npt.NDArray[np.float32]
    style_sizes: npt.NDArray[np.int64]
    style_max_ages: npt.NDArray[np.int32]
    retired_ids: npt.NDArray[np.int32]
    retired_centroids: npt.NDArray[np.float32]
    seen_posts: npt.NDArray[np.uint64]
    weights: tuple[float, float]
    model_ids: tuple[str, ...]
    events: tuple[StyleEvent, ...]
    silhouette_curve: pd.DataFrame
    k_reason: str
    reduction: str
    note: str
    silhouette_micro: float | None
    silhouette_macro: float | None
    silhouette_unreduced: float | None
    scan_month: str
    n_scanned: int
    next_style_id: int
    n_window: int
    n_usable: int
    n_fit: int
    n_kept_ids: int
    n_new_ids: int
    previous_month: str | None
    seed: int

    @property
    def k(self) -> int:
        """Number of styles."""
        return len(self.style_ids)

    @property
    def text_dim(self) -> int:
        """Columns of the text block, which comes first in a joint vector."""
        return int(self.text_centroids.shape[1])

    def centroids(self, modality: Modality) -> npt.NDArray[np.float32]:
        """The unit centroids (k, d) that posts of this modality are compared with."""
        return {
            "multimodal": self.joint_centroids,
            "text": self.text_centroids,
            "image": self.image_centroids,
        }[modality]

    def to_bytes(self) -> bytes:
        """The model as a safetensors file; the same model gives the same bytes."""
        from fashion_assets.styles.model_file import model_to_bytes

        return model_to_bytes(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> StyleModel:
        """The model that `to_bytes` wrote; UserError if the bytes are something else."""
        from fashion_assets.styles.model_file import model_from_bytes

        return model_from_bytes(data)

    def save(self, path: Path) -> None:
        """Write the model to `path`, all or nothing."""
        from fashion_assets.storage.files import write_bytes_atomic

        write_bytes_atomic(path, self.to_bytes())

    @classmethod
    def load(cls, path: Path) -> StyleModel:
        """The model at `path`; UserError if there is none or it is something else."""
        if not path.is_file():
            raise UserError(
                f"there is no style model at {path}; materialise style_model for that month first."
            )
        try:
            return cls.from_bytes(path.read_bytes())
        except UserError as error:
            raise UserError(f"{path}: {error}") from error


def assign_styles(model: StyleModel, table: pa.Table, month: str) -> pd.DataFrame:
    """STYLE_CLUSTERS: one row per row of `table` (`multimodal_embeddings`), in its order. A transform, never
    a refit.

    A post is compared with the centroids of what it has: joint ones if it has both modalities and the model
    was fitted on both; else those of the model's own modality before the other. A post that has nothing to
    compare gets style -1 and nulls. Raises UserError if the vectors come from other encoders than the
    model's.
    """
    posts = read_posts(table, model.text_dim)
    check_same_space(model, posts)
    with one_blas_thread():  # as in `fit_style_model`
        nearest, modality = by_model(model, posts)
    style_of = np.append(model.style_ids, np.int32(-1))  # index -1, no centroid, reads the last
    runner_up = pd.array(style_of[nearest.second], dtype="Int32")
    runner_up[nearest.second < 0] = pd.NA
    return frame_of(
        {
            "post_id": posts.post_ids,
            "month": [month] * len(posts.post_ids),
            "style_id": style_of[nearest.first],
            "distance": nearest.distance,
            "runner_up": runner_up,
            "runner_up_distance": nearest.second_distance,
            "margin": nearest.second_distance - nearest.distance,
            "modality": modality,
            "model_month": [model.month] * len(posts.post_ids),
        },
        STYLE_CLUSTERS,
    )


def post_key(post_ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    """The 64-bit key of each post id (n,), the same on every machine."""
    return pd.util.hash_array(np.asarray(post_ids, dtype=object))


def post_keys(post_ids: Sequence[str]) -> npt.NDArray[np.uint64]:
    """Sorted 64-bit keys (n,) of post ids, the same on every machine."""
    return np.sort(post_key(post_ids))


def unseen_posts(model: StyleModel, keys: npt.NDArray[np.uint64]) -> int:
    """How many of these posts (`post_key`), which lie in the model's window now, arrived after it was fitted."""
    return int((~np.isin(keys, model.seen_posts)).sum())


def by_model(model: StyleModel, posts: Posts) -> tuple[Nearest, npt.NDArray[np.object_]]:
    """Nearest rows of `model.style_ids` per post, and the modality that each was compared by (None for
    none).
    """
    n = len(posts.post_ids)
    modality = np.full(n, None, dtype=object)
    nearest = Nearest(
        np.full(n, -1, np.int32),
        np.full(n, np.nan, np.float32),
        np.full(n, -1, np.int32),
        np.full(n, np.nan, np.float32),
    )
    preference: dict[Modality, tuple[Modality, ...]] = {
        "multimodal": ("multimodal", "text", "image"),
        "text": ("text", "image"),
        "image": ("image", "text"),
    }
    for kind in preference[model.modality]:
        rows = np.flatnonzero((nearest.first < 0) & posts.having(kind))
        found = nearest_two(posts.unit(kind, rows), model.centroids(kind))
        nearest.first[rows], nearest.distance[rows] = found.first, found.distance
        nearest.second[rows], nearest.second_distance[rows] = found.second, found.second_distance
        modality[rows[found.first >= 0]] = kind
    return nearest, modality


def check_same_space(model: StyleModel, posts: Posts) -> None:
    """UserError unless the posts' vectors can be compared with the model's centroids."""
    columns = posts.vectors.shape[1]
    if columns != model.joint_centroids.shape[1] or posts.text_dim != model.text_dim:
        raise UserError(
            f"the vectors have {columns} columns, {posts.text_dim} of them text, but the style model of "
            f"{model.month} has {model.joint_centroids.shape[1]} and {model.text_dim}; expected the same "
            f"encoders. "
            f"Materialise style_model again from its first month on."
        )
    if posts.model_id and model.model_ids and posts.model_id not in model.model_ids:
        raise UserError(
            f"the vectors were made by {posts.model_id}, but the style model of {model.month} was fitted on "
            f"{', '.join(model.model_ids)}; expected the same encoders. Materialise style_model again from "
            f"its first "
            f"month on."
        )
