"""How a style model is fitted: the settings of a scan, of a month that goes on, and of the choice between them."""

from __future__ import annotations

from dataclasses import dataclass, field

from fashion_assets.styles.identity import MIN_OVERLAP
from fashion_assets.styles.living import ContinuationParams
from fashion_assets.styles.reduction import Reduction


@dataclass(frozen=True)
class StyleParams:
    """How a model is fitted.

    k_min 4: fewer styles than a report's top five say nothing. k_max 40: more are not told apart by a reader.
    max_fit_rows 20,000: UMAP takes 40 s for them; all others are assigned by the centroids. max_warm_rows 120,000:
    without UMAP twelve months of 10,000 posts take seconds. min_multimodal_share 0.5: under it most posts would not be
    seen by the fit at all. full_scan: scan anew although there is a month to go on from; ids go on where the posts do.
    """

    seed: int = 7
    k_min: int = 4
    k_max: int = 40
    n_neighbors: int = 15
    n_components: int = 10
    reduction: Reduction = "umap"
    max_fit_rows: int = 20_000
    max_warm_rows: int = 120_000
    min_multimodal_share: float = 0.5
    min_overlap: float = MIN_OVERLAP
    full_scan: bool = False
    continuation: ContinuationParams = field(default_factory=ContinuationParams)
