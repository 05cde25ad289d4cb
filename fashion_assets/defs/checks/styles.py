"""Checks of styles: none swallows the month, they are told apart, and their ids go on."""

from typing import TYPE_CHECKING

from fashion_assets.defs.checks.factory import Check, Finding, Look
from fashion_assets.defs.resources import style_model_path

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Above this share one style holds so much of a month that the month's styles say little (the reference discarded
#: variants for such "extreme distributions").
DOMINANT_SHARE = 0.5
#: The month's silhouette may fall to this part of what the model had where it was fitted: a month has its own posts,
#: but styles that are half as distinct are no longer the model's.
SILHOUETTE_KEPT = 0.5
#: Posts with a style that a silhouette needs.
MIN_POSTS = 50
#: At least this share of last month's posts belongs to styles that the month's model still has; under it, lines of most
#: styles end in the charts at once.
RETAINED_SHARE = 0.5


def no_dominant_style(look: Look) -> Finding:
    """One style holds at most half of the month's posts with a style."""
    import pyarrow.compute as pc

    styles = look.lake.read("style_clusters", look.month, columns=["style_id"])["style_id"]
    assigned = styles.filter(pc.greater_equal(styles, 0))
    counts = [item["counts"] for item in pc.value_counts(assigned).to_pylist()]
    largest = max(counts, default=0) / max(len(assigned), 1)
    return Finding(
        largest <= DOMINANT_SHARE or len(assigned) < MIN_POSTS,
        f"the largest of {len(counts)} styles holds {largest:.1%} of the {len(assigned)} assigned posts",
        {"largest_share": largest, "limit": DOMINANT_SHARE},
    )


def style_silhouette(look: Look) -> Finding:
    """The exact silhouette of the month's styles, among the vectors themselves, is above zero and at least half of what
    the model had on the posts that it was fitted on.
    """
    from fashion_assets.styles.model import StyleModel
    from fashion_assets.styles.silhouette import silhouette_score

    model = StyleModel.load(style_model_path(look.settings, look.month))
    vectors, styles = _assigned(look, model.modality, model.text_dim)
    kinds = len(set(styles.tolist()))
    if len(styles) < MIN_POSTS or not 2 <= kinds < len(styles):
        return Finding(True, f"{len(styles)} posts in {kinds} styles: too few to tell")
    score = silhouette_score(vectors, styles)
    fitted = model.silhouette_unreduced
    limit = max(0.0, SILHOUETTE_KEPT * fitted) if fitted is not None else 0.0
    return Finding(
        score > limit,
        f"silhouette {score:.3f} of {len(styles)} posts in {kinds} styles (limit {limit:.3f}"
        + (f"; the model had {fitted:.3f})" if fitted is not None else ")"),
        {"silhouette": score, "limit": limit},
    )


def _assigned(
    look: Look, modality: str, text_dim: int
) -> tuple["npt.NDArray[np.float32]", "npt.NDArray[np.int32]"]:
    """Vectors (n, d) and style ids (n,) of the posts that were assigned by ``modality``, in the columns of it."""
    import pyarrow.compute as pc

    from fashion_assets.encoders.tables import vectors_of

    clusters = look.lake.read("style_clusters", look.month, columns=["post_id", "style_id", "modality"])
    clusters = clusters.filter(
        pc.and_(
            pc.greater_equal(clusters["style_id"], 0),
            pc.fill_null(pc.equal(clusters["modality"], modality), False),
        )
    )
    posts = look.lake.read("multimodal_embeddings", look.month, columns=["post_id", "vector"])
    places = pc.index_in(clusters["post_id"], value_set=posts["post_id"])
    known = pc.is_valid(places)
    vectors = vectors_of(posts.select(["vector"]))[places.filter(known).to_numpy()]
    columns = {"text": slice(0, text_dim), "image": slice(text_dim, None)}.get(modality, slice(None))
    return vectors[:, columns], clusters["style_id"].filter(known).to_numpy()


def style_ids_retained(look: Look) -> Finding:
    """At least half of the posts that last month's model knew by style are of styles that go on in this month's."""
    from fashion_assets.styles.model import StyleModel

    model = StyleModel.load(style_model_path(look.settings, look.month))
    if model.previous_month is None:
        return Finding(True, f"{model.k} styles, the first of all")
    path = style_model_path(look.settings, model.previous_month)
    if not path.exists():
        return Finding(True, f"{model.k} styles; the model of {model.previous_month} is not there any more")
    previous = StyleModel.load(path)
    still = set(model.style_ids.tolist())
    kept = [style in still for style in previous.style_ids.tolist()]
    retained = float(previous.style_sizes[kept].sum()) / max(float(previous.style_sizes.sum()), 1.0)
    return Finding(
        retained >= RETAINED_SHARE,
        f"{sum(kept)} of {previous.k} styles of {previous.month} go on, with {retained:.1%} of its posts",
        {"retained_share": retained, "limit": RETAINED_SHARE},
    )


def no_extreme_distribution(look: Look) -> Finding:
    """No cluster of the variant, or few, hold nearly all posts, in all or in one month."""
    row = look.lake.read("style_experiments", look.partition).to_pylist()[0]
    figures = ("largest_share", "normalised_entropy", "largest_month_share")
    return Finding(
        not row["extreme"],
        f"{row['level']}: {row['verdict']}",
        {name: row[name] for name in figures if row[name] == row[name]},
    )


STYLE_CHECKS = [
    Check("style_clusters", "no_dominant_style", no_dominant_style),
    Check("style_clusters", "style_silhouette", style_silhouette),
    Check("style_model", "style_ids_retained", style_ids_retained),
    Check("style_experiments", "no_extreme_distribution", no_extreme_distribution),
]
