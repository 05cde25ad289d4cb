"""Product heads on real products: what names say, what pictures say, both; by product family and by random rows.

    python benchmarks/products.py --products ../shared/data/products \\
        --onnx ../shared/data/weights/mobilenet_v2_imagenet.onnx

Prints per attribute and on average accuracy, macro-F1 over the classes with 5 or more test items (and which of them
score 0), the expected calibration error before and after, the share of products with every attribute right (and with
the joint decoder), the same on random rows, and wall and processor seconds of all heads on ready vectors, for

- `baseline`: TF-IDF of words and pairs of words of the name, logistic regression (C 10)
- `text`: our heads without pictures, `pictures`: without names (also on pictures of at least 200 pixels alone)
- `both`.

Vectors are made by local:visual and the ONNX network and kept in --cache. Random rows show what near-identical products
on both sides lend. `--limit 1500` tries it all on a draw of products.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.products.cards import label_columns_of
from fashion_assets.products.embedding import embed_products
from fashion_assets.products.evaluation import FREQUENT_ITEMS, all_attributes_right, evaluate_attribute
from fashion_assets.products.features import ProductFeatures, product_features
from fashion_assets.products.heads import HeadConfig
from fashion_assets.products.heads.together import fit_together
from fashion_assets.products.intake import take_in_products
from fashion_assets.products.pictures import open_product_images
from fashion_assets.products.reliability import expected_calibration_error
from fashion_assets.products.splits import product_split
from fashion_assets.products.training import train_attribute

LARGE_PIXELS = 200


def main() -> None:
    """Run what is asked for and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=Path, required=True)
    parser.add_argument("--onnx", type=Path, help="a picture network beside local:visual")
    parser.add_argument("--labels", help="columns with commas; left out, all but the year")
    parser.add_argument("--kinds", default="kernel,logistic")
    parser.add_argument("--only", default="baseline,text,pictures,both")
    parser.add_argument("--cache", type=Path, help="folder for vectors; left out, a temporary one")
    parser.add_argument("--limit", type=int, help="products drawn at most")
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    labels = args.labels.split(",") if args.labels else None
    products = take_in_products(args.products, labels).products
    if args.limit is not None and args.limit < len(products):
        products = products.sample(args.limit, random_state=args.seed).sort_index().reset_index(drop=True)
    attributes = [name.removeprefix("label_") for name in label_columns_of(products) if name != "label_year"]
    split = product_split(products, seed=args.seed)
    print(f"{len(products):,} products, {pd.Series(split).value_counts().to_dict()}")
    sections = args.only.split(",")
    if "baseline" in sections:
        rows = np.where(np.random.default_rng(args.seed).random(len(split)) < 0.2, "test", "train")
        for name, side in (("families", split), ("random rows", rows)):
            print_table(f"baseline, {name}", baseline(products, attributes, side), products, attributes)
    if {"text", "pictures", "both"} & set(sections):
        with tempfile.TemporaryDirectory() as temporary:
            features = vectors(products, args.products, args.onnx, args.cache or Path(temporary))
        large = large_pictures(products, args.products)
        config = HeadConfig(kinds=tuple(args.kinds.split(",")), seed=args.seed)
        views = {"text": blank(features, "image"), "pictures": blank(features, "text"), "both": features}
        for name in [section for section in views if section in sections]:
            heads(name, products, views[name], split, attributes, config, large)


def vectors(products: pd.DataFrame, source: Path, onnx: Path | None, cache: Path) -> ProductFeatures:
    """Features with pictures by local:visual and the network."""
    specs = ["local:visual", *([f"onnx:{onnx}"] if onnx else [])]
    began = time.monotonic()
    embedded = embed_products(
        products,
        source,
        text_encoder=load_encoder("local:cbow"),
        image_encoders=[load_encoder(spec) for spec in specs],
        cache=EmbeddingCache(cache),
    )
    print(f"vectors: {embedded.new:,} new, {embedded.reused:,} reused, {time.monotonic() - began:.0f} s")
    return product_features(products, embedded.vectors)


def blank(features: ProductFeatures, side: str) -> ProductFeatures:
    """The features with nothing on ``side``, "image" or "text"."""
    matrix = features.vectors.matrix.copy()
    for name, columns in features.vectors.blocks.items():
        if (name == "image") == (side == "image"):
            matrix[:, columns] = 0
    nothing = ("",) * len(features)
    said = (features.titles, features.texts) if side == "image" else (nothing, nothing)
    return ProductFeatures(replace(features.vectors, matrix=matrix), *said)


def large_pictures(products: pd.DataFrame, source: Path) -> np.ndarray:
    """(n,) True where the longer side of the picture has at least ``LARGE_PIXELS``."""
    import io

    from PIL import Image

    with open_product_images(source) as images:
        paths = products["image_path"]
        return np.array(
            [
                bool(path) and max(Image.open(io.BytesIO(images.read(path))).size) >= LARGE_PIXELS
                for path in paths
            ]
        )


def baseline(products: pd.DataFrame, attributes: list[str], split: np.ndarray) -> dict[str, pd.DataFrame]:
    """Attribute -> row, truth, predicted of the test products, learnt from all others."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    known, test = np.flatnonzero(split != "test"), np.flatnonzero(split == "test")
    titles = products["title"].to_numpy()
    model = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit(titles[known])
    rows = model.transform(titles)
    found = {}
    for name in attributes:
        labels = products[f"label_{name}"].to_numpy(dtype=object)
        learnt = known[[labels[row] is not None for row in known]]
        head = LogisticRegression(C=10, max_iter=200).fit(rows[learnt], labels[learnt].astype(str))
        found[name] = pd.DataFrame(
            {"row": test, "truth": labels[test], "predicted": head.predict(rows[test])}
        )
    return found


def heads(
    name: str,
    products: pd.DataFrame,
    features: ProductFeatures,
    split: np.ndarray,
    attributes: list[str],
    config: HeadConfig,
    large: np.ndarray,
) -> None:
    """Train all heads on ``features`` and print what they are worth."""
    began, cpu = time.monotonic(), time.process_time()
    trained = {one: train_attribute(one, products, features, split, config=config) for one in attributes}
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    print(f"\n{name}: {len(attributes)} heads in {wall:.0f} s, {cpu:.0f} s of processor time")
    tested = {one: head.test.assign(row=head.test_rows) for one, head in trained.items()}
    print_table(name, tested, products, attributes)
    print("  calibration error before and after; on random rows accuracy and macro-F1 (5+)")
    figures = []
    for one, head in trained.items():
        before, after = map(expected_calibration_error, (head.calibration_before, head.calibration_after))
        random = head.splits.set_index("split").loc["rows"]
        figures.append((before, after, random["accuracy"], random["macro_f1_frequent"]))
        print(
            f"  {one:15} {head.kind:9} {before:.3f} -> {after:.3f};  {figures[-1][2]:.3f} / {figures[-1][3]:.3f}"
        )
    mean, worst = np.mean(figures, axis=0), np.max(figures, axis=0)
    print(
        f"  {'mean':15} {'':9} {mean[0]:.3f} -> {mean[1]:.3f};  {mean[2]:.3f} / {mean[3]:.3f}\n"
        f"  {'largest error':15} {'':9} {worst[0]:.3f} -> {worst[1]:.3f}"
    )
    if name == "pictures" and all(large[table["row"]].any() for table in tested.values()):
        seen = {one: table[large[table["row"]]].reset_index(drop=True) for one, table in tested.items()}
        print_table("pictures, the larger ones alone", seen, products, attributes)
    if len(attributes) > 1:
        together = fit_together(trained, products, split)
        if together is not None:
            decided = {one: table.assign(row=trained[one].test_rows) for one, table in together[1].items()}
            print_table(
                f"{name}, decided jointly (strength {together[0].strength_})", decided, products, attributes
            )


def print_table(
    title: str, tested: dict[str, pd.DataFrame], products: pd.DataFrame, attributes: list[str]
) -> None:
    """Accuracy and macro-F1 by attribute and on average, and the share of products right in all."""
    print(f"\n{title}\n  {'attribute':15} accuracy  macro-F1 (5+)")
    figures = []
    for name in attributes:
        table = tested[name]
        metrics = evaluate_attribute(table["truth"], table["predicted"], attribute=name, resamples=10)
        figures.append((metrics.accuracy.value, metrics.macro_f1_frequent.value))
        found = metrics.per_class
        missed = found.loc[(found["support"] >= FREQUENT_ITEMS) & (found["f1"] == 0), "label"].tolist()
        never = f"  never right: {', '.join(missed)}" if missed else ""
        print(f"  {name:15} {figures[-1][0]:.3f}     {figures[-1][1]:.3f}{never}")
    accuracy, f1 = np.mean(figures, axis=0)
    rows = sorted(set.union(*(set(table["row"].tolist()) for table in tested.values())))
    guess = {name: tested[name].set_index("row")["predicted"].reindex(rows).tolist() for name in attributes}
    truth = {name: products[f"label_{name}"].to_numpy(dtype=object)[rows] for name in attributes}
    right, counted = all_attributes_right(truth, guess, resamples=10)
    print(f"  {'mean':15} {accuracy:.3f}     {f1:.3f}\n  all right       {right.value:.3f} of {counted:,}")


if __name__ == "__main__":
    main()
