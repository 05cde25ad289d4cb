"""What the heads of products learn from: vectors of the registry's encoders and the words themselves."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.vectors import ProductVectors
from fashion_assets.storage.errors import UserError


@dataclass(frozen=True)
class ProductFeatures:
    """n products: their vectors, raw titles and cleaned texts ("" where a card has none), in one order.

    Word and character n-grams are no vectors here: a head fits them on its own training rows, so that nothing
    of the test products is known to it. Neither the id nor the year of a product is a feature: ids run with
    the calendar, so they would tell the season of this data set and of no other.
    """

    vectors: ProductVectors
    titles: tuple[str, ...]
    texts: tuple[str, ...]
    #: What the heads of several attributes share while these features live (``products.training``).
    shared: dict[Any, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        counts = {len(self.vectors.ids), len(self.titles), len(self.texts)}
        if len(counts) > 1:
            raise UserError(
                f"there are {len(self.vectors.ids)} vectors, {len(self.titles)} titles and {len(self.texts)} "
                "texts; give one of each per product"
            )

    def __len__(self) -> int:
        return len(self.titles)

    @property
    def has_words(self) -> npt.NDArray[np.bool_]:
        """(n,) True where the title or the text of the product says anything."""
        pairs = zip(self.titles, self.texts, strict=True)
        return np.array([bool(title.strip() or text.strip()) for title, text in pairs], dtype=bool)

    def take(self, indices: npt.ArrayLike) -> ProductFeatures:
        """The products at ``indices`` (positions or a mask), in that order."""
        rows = np.arange(len(self))[np.asarray(indices)]
        return ProductFeatures(
            self.vectors.take(rows),
            tuple(self.titles[row] for row in rows),
            tuple(self.texts[row] for row in rows),
        )


def product_features(products: pd.DataFrame, vectors: ProductVectors) -> ProductFeatures:
    """The features of ``products`` in their order; a product without a vector has zeros there.

    ``products`` has the columns id, title and text (table ``products``).
    """
    titles, texts = (tuple(products[name].fillna("").astype(str)) for name in ("title", "text"))
    return ProductFeatures(vectors.select(products["id"].astype(str).tolist()), titles, texts)
