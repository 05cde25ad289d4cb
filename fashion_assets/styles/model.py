"""`StyleModel`, what the asset `style_model` holds for a month: centroids with ids that last, and how to use
them.

Belongs here: fitting on a window, assigning a month's posts. Does not: the bytes of a model
(`model_file.py`), the search for groups (`partition.py`), the matching of ids (`identity.py`), names and
pictures (`profiles.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.centroids import Nearest, nearest_two, settle, spherical_centroids
from fashion_assets.styles.identity import MIN_OVERLAP, carry_ids, first_ids
from fashion_assets.styles.partition import PartitionParams, find_partition
from fashion_assets.styles.reduction import Reduction
from fashion_assets.styles.schemas import STYLE_CLUSTERS, frame_of
from fashion_assets.styles.selection import scan_k
from fashion_assets.styles.silhouette import silhouette_score
from fashion_assets.styles.window import Modality, Posts, choose_modality, read_posts, stratified_rows


@dataclass(frozen=True)
class StyleParams:
    """How a model is fitted.

    k_min 4: fewer styles than a report's top five say nothing. k_max 40: more are not told apart by a reader.
    max_fit_rows 20,000: UMAP takes 40 s for them; all others are assigned by the centroids.
    min_multimodal_share 0.5: under it most posts would not be seen by the fit at all.
    """

    seed: int = 7
    k_min: int = 4
    k_max: int = 40
    n_neighbors: int = 15
    n_components: int = 10
    reduction: Reduction = "umap"
    max_fit_rows: int = 20_000
    min_multimodal_share: float = 0.5
    min_overlap: float = MIN_OVERLAP


@dataclass(frozen=True)
class StyleModel:
    """The styles as of `month`. Rows of all centroid arrays follow `style_ids`, ascending.

    A centroid row is zero if no post of that style had the modality. `weights` are the mean lengths of the
    text and the image block in posts that have both. `silhouette_*` are None if there is one style only;
    micro and macro are taken where k was chosen (the reduced space), `unreduced` is the micro silhouette of the same
    styles among the vectors themselves, the harder figure.
    """

    month: str
    modality: Modality
    style_ids: npt.NDArray[np.int32]
    joint_centroids: npt.NDArray[np.float32]
    text_centroids: npt.NDArray[np.float32]
    image_centroids: npt.NDArray[np.float32]
    style_sizes: npt.NDArray[np.int64]
    weights: tuple[float, float]
    model_ids: tuple[str, ...]
    silhouette_curve: pd.DataFrame
    k_reason: str
    reduction: str
    note: str
    silhouette_micro: float | None
    silhouette_macro: float | None
    silhouette_unreduced: float | None
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


def fit_style_model(
    table: pa.Table,
    month: str,
    *,
    text_dim: int,
    previous: StyleModel | None = None,
    params: StyleParams | None = None,
    copies: Mapping[str, str] | None = None,
) -> StyleModel:
    """The styles of a window of `multimodal_embeddings` as of `month`, with the ids of `previous` where they
    go on.

    Of posts that show the same pictures (`copies`: post -> the post that stands for it, see
    `media.copies.copied_posts`) one is fitted on, unless the fit looks at texts alone; `assign_styles` counts them
    all. Fitted on posts with both modalities if they are at least `min_multimodal_share` of all that have any,
    else on text or on images, whichever more posts have; `.modality` says which. The same posts in any order,
    the same `previous` and the same parameters give the same model. A window of few or identical posts gives
    one style, an empty one none, and `k_reason` says so. Raises UserError for mixed encoders, wrong widths,
    repeated posts, NaN.
    """
    params = params or StyleParams()
    posts = read_posts(table, text_dim, ordered=True)
    if previous is not None:
        _same_space(previous, posts)
    modality = choose_modality(posts, params.min_multimodal_share)
    usable = np.flatnonzero(posts.having(modality))
    if modality != "text":
        usable = _standing(usable, posts, copies or {})
    if not len(usable):
        return _without_posts(month, posts, modality, previous, params)
    fit_rows = stratified_rows(posts.months, usable, params.max_fit_rows, params.seed)
    unit = posts.rows_of(modality)[fit_rows]
    known = _by_model(previous, posts)[0].first[fit_rows] if previous is not None and previous.k else None
    partition = find_partition(
        unit,
        PartitionParams(
            k_range=(params.k_min, params.k_max),
            reduction=params.reduction,
            n_components=params.n_components,
            n_neighbors=params.n_neighbors,
            seed=params.seed,
        ),
        known,
    )
    labels, _ = settle(unit, partition.labels)
    k = int(labels.max()) + 1
    if previous is None or known is None:
        found = first_ids(labels, k, next_id=previous.next_style_id if previous is not None else 0)
    else:
        found = carry_ids(
            labels, known, k, previous.style_ids, previous.next_style_id, min_overlap=params.min_overlap
        )
    order = np.argsort(found.ids)

    def means(rows: npt.NDArray[np.float32], having: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        return spherical_centroids(rows[fit_rows], np.where(having[fit_rows], labels, -1), k)[order]

    both = posts.having("multimodal")
    return StyleModel(
        month=month,
        modality=modality,
        style_ids=found.ids[order],
        joint_centroids=means(posts.joint, both),
        text_centroids=means(posts.text, posts.has_text),
        image_centroids=means(posts.image, posts.has_image),
        style_sizes=np.bincount(labels, minlength=k)[order].astype(np.int64),
        weights=_weights(posts.joint[both], text_dim),
        model_ids=(posts.model_id,) if posts.model_id else (),
        silhouette_curve=partition.curve,
        k_reason=partition.reason,
        reduction=partition.reduction,
        note=partition.note,
        silhouette_micro=partition.micro,
        silhouette_macro=partition.macro,
        silhouette_unreduced=silhouette_score(unit, labels) if 1 < k < len(unit) else None,
        next_style_id=found.next_id,
        n_window=len(posts.post_ids),
        n_usable=len(usable),
        n_fit=len(fit_rows),
        n_kept_ids=found.n_kept,
        n_new_ids=found.n_new,
        previous_month=previous.month if previous is not None else None,
        seed=params.seed,
    )


def _standing(rows: npt.NDArray[np.intp], posts: Posts, copies: Mapping[str, str]) -> npt.NDArray[np.intp]:
    """The rows without those whose pictures an earlier one of them shows."""
    first: dict[str, int] = {}
    for row in rows.tolist():
        post_id = posts.post_ids[row]
        first.setdefault(copies.get(post_id, post_id), row)
    return np.fromiter(first.values(), dtype=np.intp, count=len(first))


def assign_styles(model: StyleModel, table: pa.Table, month: str) -> pd.DataFrame:
    """STYLE_CLUSTERS: one row per row of `table` (`multimodal_embeddings`), in its order. A transform, never
    a refit.

    A post is compared with the centroids of what it has: joint ones if it has both modalities and the model
    was fitted on both; else those of the model's own modality before the other. A post that has nothing to
    compare gets style -1 and nulls. Raises UserError if the vectors come from other encoders than the
    model's.
    """
    posts = read_posts(table, model.text_dim)
    _same_space(model, posts)
    nearest, modality = _by_model(model, posts)
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


def _by_model(model: StyleModel, posts: Posts) -> tuple[Nearest, npt.NDArray[np.object_]]:
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
        found = nearest_two(posts.rows_of(kind)[rows], model.centroids(kind))
        nearest.first[rows], nearest.distance[rows] = found.first, found.distance
        nearest.second[rows], nearest.second_distance[rows] = found.second, found.second_distance
        modality[rows[found.first >= 0]] = kind
    return nearest, modality


def _same_space(model: StyleModel, posts: Posts) -> None:
    """UserError unless the posts' vectors can be compared with the model's centroids."""
    columns = posts.joint.shape[1]
    if columns != model.joint_centroids.shape[1] or posts.text.shape[1] != model.text_dim:
        raise UserError(
            f"the vectors have {columns} columns, {posts.text.shape[1]} of them text, but the style model of "
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


def _weights(joint: npt.NDArray[np.float32], text_dim: int) -> tuple[float, float]:
    """Mean lengths of the two blocks of joint unit rows; (0, 0) without rows."""
    if not len(joint):
        return 0.0, 0.0
    blocks = (joint[:, :text_dim], joint[:, text_dim:])
    text, image = (float(np.linalg.norm(block, axis=1).mean()) for block in blocks)
    return text, image


def _without_posts(
    month: str, posts: Posts, modality: Modality, previous: StyleModel | None, params: StyleParams
) -> StyleModel:
    """Last month's styles unchanged, or no style at all, for a window that has nothing to fit on."""
    nothing = f"none of the {len(posts.post_ids)} posts of the window has a text or picture vector"
    if previous is not None:
        return replace(
            previous,
            month=month,
            k_reason=f"{nothing}; the {previous.k} styles of {previous.month} are carried on.",
            n_window=len(posts.post_ids),
            n_usable=0,
            n_fit=0,
            n_kept_ids=previous.k,
            n_new_ids=0,
            previous_month=previous.month,
        )
    return StyleModel(
        month=month,
        modality=modality,
        style_ids=np.zeros(0, np.int32),
        joint_centroids=posts.joint[:0],
        text_centroids=posts.text[:0],
        image_centroids=posts.image[:0],
        style_sizes=np.zeros(0, np.int64),
        weights=(0.0, 0.0),
        model_ids=(posts.model_id,) if posts.model_id else (),
        silhouette_curve=scan_k(posts.joint, [], params.seed),
        k_reason=f"no style: {nothing}.",
        reduction="none",
        note="",
        silhouette_micro=None,
        silhouette_macro=None,
        silhouette_unreduced=None,
        next_style_id=0,
        n_window=len(posts.post_ids),
        n_usable=0,
        n_fit=0,
        n_kept_ids=0,
        n_new_ids=0,
        previous_month=None,
        seed=params.seed,
    )
