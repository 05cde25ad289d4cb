"""Checks of vectors: of one encoder, the one that is configured, and lying where those of the months before lie."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal

from fashion_assets.defs.checks.factory import Check, Finding, Look
from fashion_assets.defs.compute import compute
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.months import shift_month

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

#: Months before that the vectors are compared with: enough to even out one month's campaigns, few enough to read.
REFERENCE_MONTHS = 3
#: Vectors that both sides of a comparison need.
MIN_VECTORS = 100
#: Centroids further apart than this part of the vectors' own spread are no season: on data whose styles come and go
#: months lie under 0.3 apart; blank crops or another text field, over 0.8.
CENTROID_SHIFT = 0.5


def _one_model(asset: str, modality: Literal["text", "image"]) -> Check:
    def one_model(look: Look) -> Finding:
        """All vectors of the month come from the encoder that is configured now; others cannot be compared."""
        from fashion_assets.encoders.tables import model_ids_of

        table = look.lake.read(asset, look.month, columns=["model_id"])
        configured = (look.encoders.text if modality == "text" else look.encoders.image).model_id
        models = model_ids_of(table)
        others = [model for model in models if model != configured]
        found = f"{table.num_rows} vectors of {', '.join(models) or 'no model'}"
        if others:
            found += (
                f"; the configured encoder is {configured}: set FASHION_{modality.upper()}_ENCODER back, or encode all "
                f'months with it: fashion-assets run --select "{asset}+" --force'
            )
        return Finding(not others, found)

    # The id says in which precision the network computes, so it is asked for where the vectors are made.
    needs = compute(Settings(), "text_encoder" if modality == "text" else "image_encoder")
    return Check(asset, f"{asset}_one_model", one_model, severity="ERROR", blocking=True, compute=needs)


def one_model_in_the_style_window(look: Look) -> Finding:
    """The months that the month's styles are fitted on have vectors of one pair of encoders and weights."""
    from fashion_assets.encoders.tables import require_one_model_over

    first = shift_month(look.month, 1 - look.settings.style_window)
    window = [known for known in look.lake.months("multimodal_embeddings") if first <= known <= look.month]
    models = {known: look.lake.read("multimodal_embeddings", known, columns=["model_id"]) for known in window}
    try:
        return Finding(True, f"{window[0]} to {look.month}: {require_one_model_over(models) or 'no model'}")
    except UserError as fault:
        return Finding(False, str(fault))


def _drift(asset: str) -> Callable[[Look], Finding]:
    def embedding_drift(look: Look) -> Finding:
        """Vectors lie where those of the three months before lie: the centroids are less than half of the spread apart,
        and the index of the distances to the centroid (PSI) is at most 0.25 and what chance adds.
        """
        from fashion_assets.trends.drift import centroid_shift, cloud_of, distance_stability, distances_to

        models = _models(look, asset, look.month)
        earlier = [
            month
            for month in look.earlier(asset, REFERENCE_MONTHS)
            if _models(look, asset, month) == models  # vectors of another encoder lie elsewhere by nature
        ]
        now = cloud_of(_vectors(look, asset, [look.month]))
        before = cloud_of(_vectors(look, asset, earlier))
        if now is None or before is None or min(now.n, before.n) < MIN_VECTORS:
            found = (
                f"{now.n if now else 0} vectors, {before.n if before else 0} of the same encoder before them"
            )
            return Finding(True, f"{found}: under {MIN_VECTORS} tell nothing")
        shift = centroid_shift(before, now)
        stability = distance_stability(
            distances_to(before.centroid, _vectors(look, asset, earlier)),
            distances_to(before.centroid, _vectors(look, asset, [look.month])),
        )
        return Finding(
            shift <= CENTROID_SHIFT and not stability.changed,
            f"centroid moved by {shift:.2f} of the spread (limit {CENTROID_SHIFT}); PSI of distances "
            f"{stability.psi:.3f} (limit {stability.limit:.3f}); against {', '.join(earlier)}",
            {"shift": shift, "psi": stability.psi, "limit": stability.limit},
        )

    return embedding_drift


def _models(look: Look, asset: str, month: str) -> list[str]:
    from fashion_assets.encoders.tables import model_ids_of

    return model_ids_of(look.lake.read(asset, month, columns=["model_id"]))


def _vectors(look: Look, asset: str, months: list[str]) -> Iterator["npt.NDArray[np.float32]"]:
    """The months' vectors in parts, so that a year of pictures needs no more memory than a day's."""
    import pyarrow as pa

    from fashion_assets.encoders.tables import vectors_of

    for month in months:
        for batch in look.lake.batches(asset, month, columns=["vector"]):
            yield vectors_of(pa.Table.from_batches([batch]))


EMBEDDING_CHECKS = [
    _one_model("text_embeddings", "text"),
    _one_model("image_embeddings", "image"),
    Check(
        "multimodal_embeddings",
        "one_model_in_the_style_window",
        one_model_in_the_style_window,
        severity="ERROR",
        blocking=True,
    ),
    Check("text_embeddings", "text_embedding_drift", _drift("text_embeddings")),
    Check("image_embeddings", "image_embedding_drift", _drift("image_embeddings")),
]
