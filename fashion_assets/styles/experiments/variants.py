"""The variants: what of a post is compared, how vectors are reduced, what groups them; their keys and words."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.reduction import Reduction

Modality = Literal["image", "text_content", "text_tags", "text_keywords", "multimodal", "joint"]
Clusterer = Literal["kmeans", "agglomerative", "hdbscan", "evoc"]

MODALITY_WORDS: dict[Modality, str] = {
    "image": "pictures",
    "text_content": "whole text",
    "text_tags": "hashtags",
    "text_keywords": "fashion keywords",
    "multimodal": "keywords and pictures side by side",
    "joint": "one space for both",
}
REDUCTION_WORDS: dict[Reduction, str] = {"none": "not reduced", "pca": "PCA", "umap": "UMAP"}
CLUSTERER_WORDS: dict[Clusterer, str] = {
    "kmeans": "k-means",
    "agglomerative": "Ward",
    "hdbscan": "HDBSCAN",
    "evoc": "EVoC",
}

TAKES_K: frozenset[Clusterer] = frozenset({"kmeans", "agglomerative"})
"""Those that are told how many clusters to make; the others find their own number and leave posts out as noise."""


class Variant(NamedTuple):
    """One way of finding styles; `key` is the partition's name, such as "image-umap-kmeans"."""

    modality: Modality
    reduction: Reduction
    clusterer: Clusterer

    @property
    def key(self) -> str:
        return "-".join(self)

    @property
    def words(self) -> str:
        """ "pictures · UMAP · k-means"."""
        return " · ".join(
            (
                MODALITY_WORDS[self.modality],
                REDUCTION_WORDS[self.reduction],
                CLUSTERER_WORDS[self.clusterer],
            )
        )


VARIANTS: tuple[Variant, ...] = tuple(
    Variant(modality, reduction, clusterer)
    for modality in get_args(Modality)
    for reduction in ("none", "pca", "umap")
    for clusterer in get_args(Clusterer)
)
"""All 72, in the order of the page."""

REFERENCE_VARIANTS: tuple[Variant, ...] = (
    Variant("image", "none", "kmeans"),
    Variant("image", "umap", "kmeans"),
    Variant("text_content", "none", "kmeans"),
    Variant("text_tags", "none", "kmeans"),
    Variant("multimodal", "none", "kmeans"),
    Variant("multimodal", "umap", "kmeans"),
)
"""The six that the reference tried, in its own table; a plain run makes these."""


def variant_of(key: str) -> Variant:
    """The variant with that key. Raises UserError for any other text."""
    found = next((variant for variant in VARIANTS if variant.key == key), None)
    if found is None:
        raise UserError(
            f"there is no variant {key!r}; expected modality-reduction-clusterer, such as {VARIANTS[0].key}"
        )
    return found
