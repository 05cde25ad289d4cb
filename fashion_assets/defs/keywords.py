"""Group ``keywords``: fashion words per post, and the word vectors learned from them."""

from typing import TYPE_CHECKING

import dagster as dg
import numpy as np
import pandas as pd

from fashion_assets.defs.landing import count_landed_posts
from fashion_assets.defs.metadata import picture, preview
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.resources import LakeReader, word_vectors_path
from fashion_assets.settings import Settings

if TYPE_CHECKING:
    from fashion_assets.encoders.cbow import CbowModel


@dg.asset(partitions_def=MONTHS, group_name="keywords", kinds={"parquet"})
def fashion_keywords(
    settings: dg.ResourceParam[Settings], cleaned_posts: pd.DataFrame
) -> dg.MaterializeResult:
    """Fashion keywords of each post in order, with facet, source and score, and its RAKE phrases.

    Each distinct word of the month is scored once and joined back.
    """
    from fashion_assets.keywords.extract import extract_keywords
    from fashion_assets.keywords.facets import facet_counts, top_keywords
    from fashion_assets.reports.charts import bar_chart_png

    keywords = extract_keywords(cleaned_posts, engine=settings.tokenizer)
    facets = facet_counts(keywords).sort_values("n_posts", ascending=False)
    return dg.MaterializeResult(
        value=keywords,
        metadata={
            "posts": len(keywords),
            "posts_without_keyword": int((keywords["keywords"].str.len() == 0).sum()),
            "distinct_keywords": keywords["keywords"].explode().nunique(),
            "top_keywords": ", ".join(top_keywords(keywords, 20)["keyword"]),
            "preview": preview(keywords, ["post_id", "keywords", "facets", "phrases"]),
            **picture(
                bar_chart_png(
                    facets["facet"].tolist(), facets["n_posts"].tolist(), title="posts that name a facet"
                )
            ),
        },
    )


@dg.asset(deps=[fashion_keywords], group_name="keywords", kinds={"gensim"})
def word_vectors(
    settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[LakeReader]
) -> dg.MaterializeResult:
    """CBOW word vectors with character n-grams, learned without labels from every month's tokens.

    New months do not retrain it, since that would make every embedding anew: it is trained when it is
    missing, when the corpus has doubled, or when it is asked for.
    """
    from fashion_assets.encoders.cbow_training import train_or_lexicon

    months = lake.months("fashion_keywords")
    tokens = lake.frames("fashion_keywords", months)["tokens"].tolist() if months else []
    model, origin = train_or_lexicon(tokens, seed=settings.random_seed)
    model.save(word_vectors_path(settings))
    return dg.MaterializeResult(
        metadata={
            "model_id": model.model_id,
            "origin": origin,
            "posts": len(tokens),
            "landed_posts": count_landed_posts(settings),
            "vocabulary": len(model.words),
            "dimension": model.vectors.shape[1],
            "months": f"{months[0]} to {months[-1]}" if months else "none",
            "path": dg.MetadataValue.path(word_vectors_path(settings)),
            "nearest_words": dg.MetadataValue.md(_neighbour_table(model)),
        },
    )


def _neighbour_table(model: "CbowModel", words: int = 10, neighbours: int = 5) -> str:
    """The most frequent words and their nearest neighbours: a person sees at once whether the vectors make sense."""
    unit = model.vectors / np.maximum(np.linalg.norm(model.vectors, axis=1, keepdims=True), 1e-12)
    rows = []
    for index in np.argsort(-model.counts, kind="stable")[:words]:
        nearest = np.argsort(-(unit @ unit[index]), kind="stable")
        near = [model.words[other] for other in nearest if other != index][:neighbours]
        rows.append(f"| {model.words[index]} | {', '.join(near)} |")
    return "\n".join(["| word | nearest |", "| --- | --- |", *rows])
