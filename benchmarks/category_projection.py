"""How well products find the categories of another shop without a single label of it.

    python benchmarks/category_projection.py --products DIR [--image-encoder SPEC] [--kind kernel]

The labelled products of DIR are split by family. A head of ``--label`` (articleType) and the text side are learned
on the training part; the test part plays the other shop. Its truth is a coarser column (subCategory), or a taxonomy
made by hand, whose words are not those of the labels. Printed: accuracy of text, picture and both, of the
reference's top-k mean, and of other shares of similar names, beside chance, the largest category, and the plain rule
"the category whose name is most like the name of the predicted label".
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.products.embedding import embed_products
from fashion_assets.products.features import product_features
from fashion_assets.products.heads import AttributeHead
from fashion_assets.products.intake import take_in_products
from fashion_assets.products.projecting import project_products
from fashion_assets.products.projection import ProjectionConfig
from fashion_assets.products.projection_names import name_similarities
from fashion_assets.products.projection_sides import learn_target_words
from fashion_assets.products.splits import product_split

#: Departments in the words of another shop -> article types of the public data set.
DEPARTMENTS = {
    "Shirts & Tops": "Tshirts|Shirts|Tops|Kurtis|Tunics|Sweaters|Sweatshirts|Kurtas",
    "Pants": "Jeans|Trousers|Track Pants|Capris|Leggings|Jeggings",
    "Shorts": "Shorts",
    "Skirts": "Skirts",
    "Dresses": "Dresses",
    "Outerwear": "Jackets|Blazers|Rain Jacket|Nehru Jackets|Waistcoat",
    "Traditional Clothing": "Sarees|Salwar|Churidar|Patiala|Dupatta|Kurta Sets|Salwar and Dupatta",
    "Sleepwear": "Night suits|Nightdress|Lounge Pants|Bath Robe|Baby Dolls|Lounge Shorts",
    "Hosiery": "Socks|Stockings|Tights",
    "Footwear": "Casual Shoes|Sports Shoes|Heels|Sandals|Flip Flops|Formal Shoes|Flats|Sports Sandals",
    "Handbags & Luggage": "Handbags|Backpacks|Clutches|Laptop Bag|Duffel Bag|Messenger Bag|Rucksacks|Mobile Pouch",
    "Wallets": "Wallets",
    "Timepieces": "Watches",
    "Eyewear": "Sunglasses",
    "Belts": "Belts",
    "Neckties": "Ties",
    "Hats": "Caps|Hat|Headband",
    "Scarves & Shawls": "Scarves|Stoles|Mufflers",
    "Jewelry": "Earrings|Necklace and Chains|Pendant|Bangle|Ring|Bracelet|Jewellery Set|Cufflinks",
    "Fragrances": "Perfume and Body Mist|Deodorant|Fragrance Gift Set",
    "Makeup": "Lipstick|Nail Polish|Lip Gloss|Kajal and Eyeliner|Foundation and Primer|Highlighter and Blush|"
    "Lip Liner|Eyeshadow|Compact|Mascara|Concealer|Lip Care",
}
#: Categories with fewer products are left out: nothing could be said of them.
MIN_PRODUCTS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=Path, required=True)
    parser.add_argument("--image-encoder", default="local:visual")
    parser.add_argument("--label", default="articleType")
    parser.add_argument("--coarse", default="subCategory")
    parser.add_argument("--kind", default="logistic")
    parser.add_argument("--cache", type=Path, default=Path("/tmp/category_projection_cache"))
    arguments = parser.parse_args()

    products = take_in_products(arguments.products, [arguments.label, arguments.coarse]).products
    vectors = embed_products(
        products,
        arguments.products,
        image_encoders=[load_encoder(arguments.image_encoder)],
        cache=EmbeddingCache(arguments.cache),
    ).vectors
    features = product_features(products, vectors)
    split = product_split(products)
    known = products[f"label_{arguments.label}"].notna().to_numpy()
    train, test = np.flatnonzero(known & (split != "test")), np.flatnonzero(known & (split == "test"))
    fine = products[f"label_{arguments.label}"].to_numpy(dtype=object)
    head = AttributeHead(arguments.label, kind=arguments.kind).fit(features.take(train), fine[train])
    texts = products["text"].tolist()
    department = {name: group for group, names in DEPARTMENTS.items() for name in names.split("|")}
    taxonomies = {
        f"{arguments.coarse} of the cards": products[f"label_{arguments.coarse}"].to_numpy(dtype=object),
        "departments in other words": np.array([department.get(name) for name in fine], dtype=object),
    }
    for title, truth in taxonomies.items():
        counts = pd.Series(truth[test]).value_counts()
        names = sorted(counts.index[counts >= MIN_PRODUCTS])
        rows = test[np.isin(truth[test].astype(str), names)]
        _report(
            title, head, [texts[row] for row in train], fine[train], features.take(rows), names, truth[rows]
        )


def _report(title, head, source_texts, source_labels, shop, names, truth) -> None:  # type: ignore[no-untyped-def]
    def accuracy(config: ProjectionConfig) -> float:
        found = project_products(head, source_texts, source_labels, shop, names, config=config)
        return float((found.items["target_category"].to_numpy() == truth).mean())

    default = ProjectionConfig()
    print(f"\n{title}: {len(truth):,} products, {len(names)} categories")
    words = learn_target_words(source_texts, shop.texts)
    nearest = name_similarities(names, head.classes_.tolist(), words).argmax(axis=0)
    guess = np.array(names, dtype=object)[nearest[head.predict_proba(shop).argmax(axis=1)]]
    figures = {
        "chance": 1 / len(names),
        "largest category": float(pd.Series(truth).value_counts(normalize=True).iloc[0]),
        "name most like the predicted label's": float((guess == truth).mean()),
        "projection, both sides": accuracy(default),
        "  text alone": accuracy(replace(default, image_weight=0.0)),
        "  picture alone": accuracy(replace(default, text_weight=0.0)),
        "  top 5 of each side, renormalised": accuracy(replace(default, top_k=5)),
        "  names by similarity alone": accuracy(replace(default, similarity_weight=1.0)),
        "  names by the classifier alone": accuracy(replace(default, similarity_weight=0.0)),
    }
    for name, value in figures.items():
        print(f"  {name:<40} {value:.3f}", flush=True)


if __name__ == "__main__":
    main()
