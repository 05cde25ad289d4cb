"""From products of another shop and the names of its categories to one category each.

Text side: word vectors without labels on the texts of both shops, then a classifier on the labelled ones. Picture
side: the head that was trained, given the picture alone. Both over the labels of that head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads import AttributeHead
from fashion_assets.products.projection import ProjectionConfig, average_sides, project_items
from fashion_assets.products.projection_names import name_distributions, spoken
from fashion_assets.products.projection_sides import learn_target_words, train_side
from fashion_assets.products.text import clean_text

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Projection:
    """``items`` (``PROJECTED_PRODUCTS``), and what led there: the products' distributions (n, k) and the targets'
    (c, k) over ``labels`` (k,).
    """

    items: pd.DataFrame
    probabilities: FloatArray
    targets: FloatArray
    labels: tuple[str, ...]


def project_products(
    head: AttributeHead,
    training_texts: Sequence[str],
    training_labels: Sequence[object],
    features: ProductFeatures,
    categories: Sequence[str],
    *,
    config: ProjectionConfig | None = None,
    seed: int = 7,
    on_step: Callable[[str], None] = lambda words: None,
) -> Projection:
    """The category among ``categories`` (c,) of each product in ``features`` (n,).

    ``training_texts`` and ``training_labels`` (m,) are the cleaned texts and labels that the text side learns from; the
    labels are those of ``head``. A product with one side only is judged by that, one with neither has no category.
    """
    config = config or ProjectionConfig()
    labels = tuple(map(str, head.classes_))
    on_step("learning the words of both shops")
    words = learn_target_words(training_texts, features.texts, seed=seed)
    on_step("learning labels from texts")
    side = train_side(words.encode(list(training_texts)), training_labels, labels)
    text = side.probabilities(words.encode(list(features.texts)))
    on_step("reading pictures")
    image = picture_probabilities(head, features)
    on_step("reading category names")
    named = side.probabilities(words.encode([clean_text(spoken(name)) for name in categories]))
    # A name without a known word says nothing of any label.
    named[named.sum(axis=1) == 0] = 1 / len(labels)
    targets = name_distributions(categories, labels, named, words, similarity_weight=config.similarity_weight)
    averaged = average_sides(image, text, config)
    present = np.column_stack([image.sum(axis=1) > 0, text.sum(axis=1) > 0])
    inputs = ["+".join(np.array(["image", "text"])[row]) or "none" for row in present]
    items = project_items(
        features.vectors.ids, averaged, categories, targets, labels, inputs=inputs, config=config
    )
    return Projection(items, averaged, targets, labels)


def picture_probabilities(head: AttributeHead, features: ProductFeatures) -> FloatArray:
    """(n, k) what the head says of the pictures alone; zeros for products without one."""
    vectors = features.vectors
    pictures = np.zeros_like(vectors.matrix)
    columns = vectors.blocks.get("image", slice(0, 0))
    pictures[:, columns] = vectors.matrix[:, columns]
    blank = ("",) * len(features)
    alone = ProductFeatures(replace(vectors, matrix=pictures), blank, blank)
    found = np.zeros((len(features), len(head.classes_)))
    seen = vectors.has("image")
    if seen.any():
        found[seen] = head.predict_proba(alone.take(seen))
    return found
