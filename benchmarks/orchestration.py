"""How much of a run is orchestration: the assets by Dagster, against the same domain calls made directly.

    python benchmarks/orchestration.py [--months 3] [--posts-per-month 300]

Both sides start from the same landed sample in one process, each with an empty embedding cache, after a warm-up that
pays UMAP's one-time compilation for both. Direct: each asset function's body by hand, tables kept in memory and
written to the lake as the assets do. Aim: orchestration (total minus direct) at most 30 % of the total.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.io_managers import as_arrow, to_frame
from fashion_assets.defs.landing import land
from fashion_assets.defs.resources import (
    Encoders,
    LakeReader,
    load_tfashion,
    style_model_path,
    tfashion_path,
    word_scores_path,
    word_vectors_path,
)
from fashion_assets.defs.runner import run_pipeline
from fashion_assets.defs.schemas import SCHEMAS
from fashion_assets.sample.make import make_sample
from fashion_assets.settings import Settings

ASSETS = (
    "raw_posts,cleaned_posts,quarantined_posts,post_images,garment_images,word_vectors,keyword_training_words,"
    "tfashion_model,fashion_keywords,new_words,"
    "text_embeddings,image_embeddings,multimodal_embeddings,style_model,style_clusters,style_profiles,"
    "monthly_style_report,style_trends,keyword_trends,warehouse"
)


def warm_up() -> None:
    """UMAP compiles at its first fit; neither side shall pay for it."""
    import umap

    rows = np.random.default_rng(0).normal(size=(60, 8)).astype(np.float32)
    umap.UMAP(n_neighbors=5, metric="cosine", random_state=7, n_jobs=1).fit_transform(rows)


def timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def by_dagster(settings: Settings) -> None:
    os.environ.pop("DAGSTER_HOME", None)
    run_pipeline(build_definitions(settings), settings, select=ASSETS)


def directly(settings: Settings) -> None:
    """The same domain calls in the same order, with the same files written, and nothing around them."""
    from fashion_assets.defs.training_posts import training_posts
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.encoders.cbow_training import train_or_lexicon
    from fashion_assets.encoders.content import content_hashes
    from fashion_assets.encoders.multimodal import combine
    from fashion_assets.encoders.tables import embedding_table
    from fashion_assets.keywords.extract import extract_keywords_stream
    from fashion_assets.keywords.lexicon import load_lexicon
    from fashion_assets.keywords.new_words import discover_new_words
    from fashion_assets.keywords.schemas import FASHION_KEYWORDS
    from fashion_assets.keywords.streaming import WordScores, WordScoreStore
    from fashion_assets.media.garments import garment_images
    from fashion_assets.media.pictures import describe_pictures
    from fashion_assets.media.segmentation import load_segmenter
    from fashion_assets.posts.cleaning import clean_posts
    from fashion_assets.posts.landed import landed_months, read_media_manifest
    from fashion_assets.posts.raw import collect_raw_posts
    from fashion_assets.storage.tables import TableStream
    from fashion_assets.styles.fitting import StyleParams, fit_style_model
    from fashion_assets.styles.model import StyleModel, assign_styles
    from fashion_assets.styles.profiles import profile_styles
    from fashion_assets.tfashion.recipe import Recipe
    from fashion_assets.tfashion.train import labelled_words, train
    from fashion_assets.trends.keyword_counts import count_keywords
    from fashion_assets.trends.tables import keyword_trends, style_trends

    land(settings)
    reader = LakeReader(settings)
    lake, encoders, cache = reader.lake, Encoders(settings), EmbeddingCache(settings.embedding_cache)
    months = landed_months(settings.lake)

    def keep(asset: str, month: str | None, table: object) -> None:
        lake.write(asset, month, as_arrow(table, SCHEMAS.get(asset), asset))

    for month in months:
        raw = collect_raw_posts(settings.lake, month)
        kept, refused = clean_posts(raw)
        manifest = read_media_manifest(settings.lake)
        manifest = manifest[manifest["post_id"].isin(kept["post_id"])]
        images = describe_pictures(manifest, settings.media, month, workers=settings.workers)
        usable = images[images["status"] == "ok"]
        garments = garment_images(
            usable,
            settings.media,
            settings.crops,
            load_segmenter(settings.segmenter),
            month,
            workers=settings.workers,
        )
        for asset, table in (
            ("raw_posts", raw),
            ("cleaned_posts", kept),
            ("quarantined_posts", refused),
            ("post_images", images),
            ("garment_images", garments),
        ):
            keep(asset, month, table)
    seed, recipe = settings.random_seed, Recipe()
    posts = training_posts(settings, lake)
    train_or_lexicon([post.words for post in posts], seed=seed)[0].save(word_vectors_path(settings))
    labelled = labelled_words(recipe, training_posts(settings, lake), seed=seed)
    keep("keyword_training_words", None, labelled)
    trained = train(recipe, labelled, training_posts(settings, lake), encoders.words, seed=seed)
    trained.model.save(tfashion_path(settings))
    scorer = load_tfashion(settings, encoders.words)
    columns = ["post_id", "month", "title", "body", "tags"]
    for month in months:
        scores = WordScores(scorer, WordScoreStore(word_scores_path(settings), scorer.model_id))
        batches = map(to_frame, lake.batches("cleaned_posts", month, columns))
        extracted = extract_keywords_stream(batches, scores, engine=settings.tokenizer)
        lake.write_stream("fashion_keywords", month, TableStream(FASHION_KEYWORDS, extracted))
    texts = reader.frames("cleaned_posts", months)["text"]
    keep("new_words", None, discover_new_words(texts, known=load_lexicon().terms()))
    previous: StyleModel | None = None
    for month in months:
        words, kept = reader.frame("fashion_keywords", month), reader.frame("cleaned_posts", month)
        garments, images = reader.frame("garment_images", month), reader.frame("post_images", month)
        texts, ids = words["keywords"].map(" ".join).tolist(), words["post_id"].tolist()
        hashes = content_hashes(texts)
        vectors = cache.encode_missing(encoders.text, hashes, texts).vectors
        text = embedding_table(ids, ids, month, hashes, encoders.text.model_id, vectors)
        shown = garments[garments["kept"].astype(bool)]
        hashes = content_hashes(shown["crop_path"])
        crops = [settings.crops / path for path in shown["crop_path"]]
        vectors = cache.encode_missing(encoders.image, hashes, crops).vectors
        image_ids, post_ids = shown["image_id"].tolist(), shown["post_id"].tolist()
        image = embedding_table(image_ids, post_ids, month, hashes, encoders.image.model_id, vectors)
        both = combine(text, image, kept["post_id"].tolist(), month)
        for asset, table in (
            ("text_embeddings", text),
            ("image_embeddings", image),
            ("multimodal_embeddings", both),
        ):
            lake.write(asset, month, table)
        window = lake.read_months("multimodal_embeddings", [known for known in months if known <= month])
        params = StyleParams(
            seed=settings.random_seed, k_min=settings.style_k_min, k_max=settings.style_k_max
        )
        dimension = text.schema.field("vector").type.list_size
        previous = fit_style_model(
            pa.concat_tables(window.values()), month, text_dim=dimension, previous=previous, params=params
        )
        previous.save(style_model_path(settings, month))
        clusters = assign_styles(previous, both, month)
        keep("style_clusters", month, clusters)
        profiles = profile_styles(clusters, kept, words, garments, month, images=images, vectors=both)
        keep("style_profiles", month, profiles)
        _report(settings, reader, month)
    keep("style_trends", None, style_trends(reader.frames("style_profiles", months), months))
    keep("keyword_trends", None, keyword_trends(count_keywords(lake, months)))
    _publish(settings, reader)


def _report(settings: Settings, reader: LakeReader, month: str) -> None:
    """The report as its asset makes it; the asset function is called without a run around it."""
    import dagster as dg

    from fashion_assets.defs.reports import monthly_style_report

    context = dg.build_asset_context(partition_key=f"{month}-01")
    monthly_style_report(context, settings=settings, lake=reader)


def _publish(settings: Settings, reader: LakeReader) -> None:
    from fashion_assets.defs.warehouse import warehouse

    warehouse(settings=settings)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--months", type=int, default=3)
    parser.add_argument("--posts-per-month", type=int, default=300)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        make_sample(
            base / "sample", months=options.months, posts_per_month=options.posts_per_month, products=0
        )
        roots = {name: base / name for name in ("direct", "dagster")}
        for root in roots.values():
            shutil.copytree(base / "sample", root)
        warm_up()
        direct = timed(lambda: directly(Settings(data_dir=roots["direct"])))
        total = timed(lambda: by_dagster(Settings(data_dir=roots["dagster"])))
    print(f"domain calls made directly   {direct:7.1f} s")
    print(f"the same as assets           {total:7.1f} s")
    share = (total - direct) / total
    print(
        f"orchestration                {total - direct:7.1f} s = {share:.0%} of the total (aim: at most 30 %)"
    )


if __name__ == "__main__":
    main()
