"""Styles: groups of posts that look and read alike, their identity over the months, and what each one is
like.

Belongs here: the exact silhouette, the choice of k, the clusterer, the style model that a month stores, the
assignment of posts to it, the profile of each style, and the experiments that compare ways to find styles.
Does not belong here: how vectors are made (`encoders/`), series and forecasts over months (`trends/`), pages
and pictures (`reports/`), and anything that knows of Dagster or of a path. Importing this package imports
neither scikit-learn nor UMAP: the names below are fetched on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fashion_assets.styles.clusterer import StyleClusterer
    from fashion_assets.styles.silhouette import silhouette_samples, silhouette_score

__all__ = ["StyleClusterer", "silhouette_samples", "silhouette_score"]

_HOME = {
    "StyleClusterer": "fashion_assets.styles.clusterer",
    "silhouette_samples": "fashion_assets.styles.silhouette",
    "silhouette_score": "fashion_assets.styles.silhouette",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
