"""Group ``keywords``: word vectors, the trained word classifier, and the fashion words of each post."""

from typing import TYPE_CHECKING

import dagster as dg
import numpy as np
import pandas as pd

from fashion_assets.defs.compute import compute
from fashion_assets.defs.faults import asset
from fashion_assets.defs.landing import count_landed_posts
from fashion_assets.defs.metadata import escaped, picture, preview
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.resources import (
    Encoders,
    LakeReader,
    load_tfashion,
    recipe_path,
    tfashion_path,
    user_dictionary_path,
    word_scores_path,
    word_vectors_path,
)
from fashion_assets.defs.stored_files import stored_file
from fashion_assets.defs.training_posts import training_posts, training_version
from fashion_assets.settings import Settings
from fashion_assets.storage.months import month_of_key
from fashion_assets.tfashion.model import WEIGHTS

if TYPE_CHECKING:
    from fashion_assets.encoders.cbow import CbowModel
    from fashion_assets.keywords.streaming import KeywordTally, WordScores


@asset(deps=["cleaned_posts"], group_name="keywords", kinds={"gensim"})
def word_vectors(
    settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[LakeReader]
) -> dg.MaterializeResult:
    """CBOW word vectors with character n-grams, learned without labels from every month's words.

    New months do not retrain it, since that would make every embedding anew: it is trained when it is
    missing, when the corpus has doubled, or when it is asked for.
    """
    from fashion_assets.encoders.cbow_training import train_or_lexicon

    posts = training_posts(settings, lake.lake)
    model, origin = train_or_lexicon([post.words for post in posts], seed=settings.random_seed)
    model.save(word_vectors_path(settings))
    months = lake.months("cleaned_posts")
    return dg.MaterializeResult(
        metadata={
            "model_id": model.model_id,
            "origin": origin,
            "posts": len(posts),
            "landed_posts": count_landed_posts(settings),
            "vocabulary": len(model.words),
            "dimension": model.vectors.shape[1],
            "months": f"{months[0]} to {months[-1]}" if months else "none",
            "path": dg.MetadataValue.path(word_vectors_path(settings)),
            **stored_file(word_vectors_path(settings)),
            "nearest_words": dg.MetadataValue.md(_neighbour_table(model)),
        },
    )


@asset(deps=["cleaned_posts"], group_name="keywords", kinds={"parquet"})
def keyword_training_words(
    settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[LakeReader]
) -> dg.MaterializeResult:
    """Words with their label, family and fold: from the files given, the project's lists, a general dictionary, and
    everyday words of the posts themselves. What was dropped, outvoted or in conflict is listed with the reason.
    """
    from fashion_assets.keywords.user_dictionary import read_user_dictionary
    from fashion_assets.reports.charts import bar_chart_png
    from fashion_assets.tfashion.recipe import read_recipe
    from fashion_assets.tfashion.train import labelled_words

    recipe = read_recipe(recipe_path(settings))
    reviewed = read_user_dictionary(user_dictionary_path(settings)).terms
    words = labelled_words(
        recipe,
        training_posts(settings, lake.lake),
        user_terms=[term for term, facet in reviewed.items() if facet],
        seed=settings.random_seed,
    )
    used = words[words["state"] == "used"]
    states = words.groupby(["state", "origin"]).size().sort_values(ascending=False)
    return dg.MaterializeResult(
        value=words,
        data_version=dg.DataVersion(training_version(settings)),
        metadata={
            "fashion_words": int(used["label"].sum()),
            "other_words": int((~used["label"]).sum()),
            "landed_posts": count_landed_posts(settings),
            "states": preview(states.rename("words").reset_index(), rows=30),
            "not_used": preview(
                words[words["state"].isin(["conflict", "overruled"])], ["word", "origin", "reason"], rows=15
            ),
            **picture(
                bar_chart_png(
                    [f"{origin} ({state})" for state, origin in states.index],
                    states.tolist(),
                    title="where the words come from, and what became of them",
                )
            ),
        },
    )


@asset(
    deps=["word_vectors", "cleaned_posts"],
    group_name="keywords",
    kinds={"pytorch"},
    **compute(Settings(), "text_encoder"),
)
def tfashion_model(
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
    encoders: dg.ResourceParam[Encoders],
    keyword_training_words: pd.DataFrame,
) -> dg.MaterializeResult:
    """The word classifier: the best head by F1 on unseen word families, calibrated, with its card.

    The card tells the figures of the published split beside those of an honest one where there are files.
    """
    from fashion_assets.reports.charts import epoch_chart_png
    from fashion_assets.tfashion.recipe import read_recipe
    from fashion_assets.tfashion.train import train

    trained = train(
        read_recipe(recipe_path(settings)),
        keyword_training_words,
        training_posts(settings, lake.lake),
        encoders.words,
        seed=settings.random_seed,
    )
    trained.model.save(tfashion_path(settings))
    epochs = trained.learned.epochs()
    figures = trained.learned.candidate_table()
    judged = {
        name: f"{split['f1']['value']:.3f} ({split['f1']['lo']:.3f} to {split['f1']['hi']:.3f})"
        for name in ("honest_split", "family_split")
        if (split := trained.model.story.get(name))
    }
    reference = {} if trained.reference is None else {"reference_split": preview(trained.reference, rows=5)}
    return dg.MaterializeResult(
        metadata={
            "model_id": trained.model.model_id,
            "encoder": trained.model.facts.vectors.model_id,
            "head": trained.model.head.name,
            "threshold": float(trained.model.threshold),
            "heads_tried": preview(figures.round(4)),
            "epochs": preview(epochs.round(4), rows=len(epochs)),
            **{f"f1_{name}": text for name, text in judged.items()},
            **reference,
            "path": dg.MetadataValue.path(tfashion_path(settings)),
            **stored_file(tfashion_path(settings) / WEIGHTS),
            **picture(epoch_chart_png(epochs, f"training of the {trained.model.head.name} head")),
        },
    )


@asset(
    partitions_def=MONTHS,
    group_name="keywords",
    kinds={"parquet"},
    deps=["cleaned_posts", "tfashion_model"],
)
def fashion_keywords(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
    encoders: dg.ResourceParam[Encoders],
) -> dg.MaterializeResult:
    """Fashion keywords of each post in order, with facet, source and score, and its RAKE phrases.

    Each distinct word is scored once ever per model and joined back. Posts pass through in batches.
    """
    from fashion_assets.defs.io_managers import to_frame
    from fashion_assets.keywords.extract import extract_keywords_stream
    from fashion_assets.keywords.schemas import FASHION_KEYWORDS
    from fashion_assets.keywords.streaming import KeywordTally, WordScores, WordScoreStore
    from fashion_assets.keywords.user_dictionary import read_user_dictionary
    from fashion_assets.storage.tables import TableStream

    scorer = load_tfashion(settings, encoders.words)
    reviewed = read_user_dictionary(user_dictionary_path(settings)).terms
    scores = WordScores(scorer, WordScoreStore(word_scores_path(settings), scorer.model_id))
    tally = KeywordTally()
    columns = ["post_id", "month", "title", "body", "tags"]
    month = month_of_key(context.partition_key)
    batches = (to_frame(batch) for batch in lake.lake.batches("cleaned_posts", month, columns))
    extracted = extract_keywords_stream(
        batches, scores, engine=settings.tokenizer, user_terms=tuple(reviewed), facet_of=reviewed
    )
    stream = TableStream(FASHION_KEYWORDS, map(tally.add, extracted), lambda: _told(tally, scores))
    return dg.MaterializeResult(value=stream)


def _told(tally: "KeywordTally", scores: "WordScores") -> dict[str, object]:
    from fashion_assets.reports.charts import bar_chart_png

    facets = tally.posts_by_facet.most_common()
    return {
        "model_id": scores.scorer.model_id,
        "posts": tally.n_posts,
        "posts_without_keyword": tally.n_posts_without_keyword,
        "distinct_keywords": len(tally.posts_by_keyword),
        "words_scored": scores.n_scored,
        "words_reused": scores.n_reused,
        "top_keywords": ", ".join(tally.top_keywords()),
        **picture(
            bar_chart_png(
                [facet or "none" for facet, _ in facets],
                [count for _, count in facets],
                title="posts that name a facet",
            )
        ),
    }


@asset(deps=["cleaned_posts"], group_name="keywords", kinds={"parquet"})
def new_words(
    settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[LakeReader]
) -> dg.MaterializeResult:
    """Terms that the dictionary cuts apart though posts use them whole, to be reviewed by a person.

    ``fashion-assets keywords accept TERM --facet F`` puts one into the data root's user dictionary.
    """
    from fashion_assets.defs.io_managers import to_frame
    from fashion_assets.keywords.lexicon import load_lexicon
    from fashion_assets.keywords.new_words import discover_new_words
    from fashion_assets.keywords.user_dictionary import read_user_dictionary
    from fashion_assets.posts.text import emoji_words

    months = lake.months("cleaned_posts")
    texts = (
        text
        for month in months
        for batch in lake.lake.batches("cleaned_posts", month, ["text"])
        for text in to_frame(batch)["text"]
    )
    dictionary = read_user_dictionary(user_dictionary_path(settings))
    known = [*load_lexicon().terms(), *dictionary.terms, *emoji_words()]
    found = discover_new_words(texts, known=known)
    return dg.MaterializeResult(
        value=found,
        # An accepted term is proposed no longer.
        data_version=dg.DataVersion(dictionary.digest),
        metadata={
            "proposed": len(found),
            "posts_read": found.attrs["n_read"],
            "share_counted": found.attrs["share"],
            "months": len(months),
            "accepted_so_far": len(dictionary.terms),
            "preview": preview(found, ["word", "parts", "n_posts", "pmi", "score", "example"], rows=20),
        },
    )


def _neighbour_table(model: "CbowModel", words: int = 10, neighbours: int = 5) -> str:
    """The most frequent words and their nearest neighbours: a person sees at once whether the vectors make sense."""
    unit = model.vectors / np.maximum(np.linalg.norm(model.vectors, axis=1, keepdims=True), 1e-12)
    rows = []
    for index in np.argsort(-model.counts, kind="stable")[:words]:
        nearest = np.argsort(-(unit @ unit[index]), kind="stable")
        near = [model.words[other] for other in nearest if other != index][:neighbours]
        rows.append(f"| {escaped(model.words[index])} | {escaped(', '.join(near))} |")
    return "\n".join(["| word | nearest |", "| --- | --- |", *rows])
