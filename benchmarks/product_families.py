"""Families of near-identical products, and whether the stored split keeps them whole.

Printed are the families, the largest of them, the seconds that finding and splitting take, and the pairs that stand on
two sides of the split, found by comparing everything with everything: names (the same after normalisation; three
quarters of five words or more shared) and pictures (the same file; perceptual hash within 8 bits and thumbprint cosine
of .985 or more). Beside it the same count for a random split. Last, what the limits of ``near_names`` and
``picture_groups`` were set by.

    python benchmarks/product_families.py --products FOLDER_OR_ZIP [--seed 7]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.media.hashing import MAX_DISTANCE, MIN_COSINE, thumbprint_vectors
from fashion_assets.products import near_names, picture_groups
from fashion_assets.products.cards import label_columns_of
from fashion_assets.products.families import families_of, family_name
from fashion_assets.products.intake import take_in_products
from fashion_assets.products.near_names import MIN_SHARED, MIN_WORDS
from fashion_assets.products.splits import product_split

#: Rows compared with all others at a time.
BLOCK = 500


def same_names(names: list[str], rows: slice) -> npt.NDArray[np.bool_]:
    """(block, n) True where two products have one name."""
    codes = pd.factorize(np.array(names, dtype=object))[0]
    named = np.array([bool(name) for name in names])
    return (codes[rows, None] == codes[None, :]) & named[rows, None]


def similar_names(words: npt.NDArray[np.float32], rows: slice) -> npt.NDArray[np.bool_]:
    """(block, n) True where two long names share most words; ``words`` (n, v) of 0 and 1."""
    counts = words.sum(axis=1)
    shared = words[rows] @ words.T
    either = counts[rows, None] + counts[None, :] - shared
    long = (counts[rows, None] >= MIN_WORDS) & (counts[None, :] >= MIN_WORDS)
    return np.asarray(long & (shared >= MIN_SHARED * np.maximum(either, 1)), dtype=np.bool_)


def same_pictures(
    codes: npt.NDArray[np.uint64], thumbs: npt.NDArray[np.float32], rows: slice
) -> npt.NDArray[np.bool_]:
    """(block, n) True where two pictures are near-identical."""
    near = np.bitwise_count(codes[rows, None] ^ codes[None, :]) <= MAX_DISTANCE
    return np.asarray(near & (thumbs[rows] @ thumbs.T >= MIN_COSINE), dtype=np.bool_)


def straddling(products: pd.DataFrame, sides: dict[str, npt.NDArray[np.object_]]) -> pd.DataFrame:
    """Rows: kind of near-identity; columns: pairs in all, and those torn apart by each split."""
    shown = products[products["image_hash"].notna()].index.to_numpy()
    names = [family_name(title) for title in products["title"]]
    vocabulary = {
        word: number for number, word in enumerate(sorted({w for name in names for w in name.split()}))
    }
    words = np.zeros((len(names), len(vocabulary)), np.float32)
    for row, name in enumerate(names):
        words[row, [vocabulary[word] for word in name.split()]] = 1
    digests = pd.factorize(products["image_digest"].to_numpy()[shown])[0]
    codes = np.array([int(text, 16) for text in products["image_hash"].to_numpy()[shown]], dtype=np.uint64)
    thumbs = thumbprint_vectors(products["image_thumbprint"].to_numpy()[shown].tolist())
    every = np.arange(len(names))
    kinds: dict[str, tuple[npt.NDArray[np.intp], Callable[[slice], npt.NDArray[np.bool_]]]] = {
        "same name": (every, lambda rows: same_names(names, rows)),
        "most words shared": (every, lambda rows: similar_names(words, rows)),
        "same file": (shown, lambda rows: digests[rows, None] == digests[None, :]),
        "near-identical picture": (shown, lambda rows: same_pictures(codes, thumbs, rows)),
    }
    table = []
    for kind, (members, alike) in kinds.items():
        counts = dict.fromkeys(["pairs", *sides], 0)
        for start in range(0, len(members), BLOCK):
            rows = slice(start, min(start + BLOCK, len(members)))
            first, second = np.nonzero(alike(rows))
            later = second > first + start
            one, other = members[first[later] + start], members[second[later]]
            counts["pairs"] += len(one)
            for name, side in sides.items():
                counts[name] += int((side[one] != side[other]).sum())
        table.append({"near-identity": kind} | counts)
    return pd.DataFrame(table)


def print_name_limits(products: pd.DataFrame, column: str) -> None:
    """The largest family by the limits of shared words, and how many pairs of names are of one label of ``column``."""
    names = [family_name(title) for title in products["title"]]
    known = sorted(set(names) - {""})
    for words, shared in ((MIN_WORDS, MIN_SHARED), (MIN_WORDS, 0.7), (MIN_WORDS - 1, MIN_SHARED)):
        with (
            patch.object(near_names, "MIN_WORDS", words),
            patch.object(near_names, "MIN_SHARED", shared),
        ):
            sizes = np.bincount(families_of(products))
            pairs = list(near_names.near_identical_names(known))
        told = ""
        if column in products:
            of_name = pd.Series(products[column].to_numpy(), index=names).groupby(level=0).agg(set)
            alike = [bool(of_name[known[one]] & of_name[known[other]]) for one, other in pairs]
            told = f", {np.mean(alike):.1%} of {len(pairs):,} pairs of names share a {column}"
        print(f"names of {words} words that share {shared}: the largest family has {sizes.max()}{told}")


def print_picture_limits(products: pd.DataFrame) -> None:
    """How many names stand beside one picture file, and beside one group of copies, and the largest groups."""
    names = [family_name(title) for title in products["title"]]
    columns = [products[f"image_{name}"].tolist() for name in ("digest", "hash", "thumbprint")]
    files = picture_groups.picture_groups(names, columns[0], None, None)
    alike = picture_groups.picture_groups(names, None, columns[1], columns[2])
    with patch.object(picture_groups, "MIN_COSINE", picture_groups.SAME_PICTURE):
        copies = picture_groups.picture_groups(names, None, columns[1], columns[2])
    with patch.object(picture_groups, "MAX_GROUP_SHARE", 1.0):
        whole = picture_groups.picture_groups(names, None, columns[1], columns[2])
    for what, groups in (
        ("one file", files),
        ("one group of copies", copies),
        ("one group of near-identical pictures", alike),
        ("one such group before large ones are taken apart", whole),
    ):
        most = max((len({names[row] for row in group}) for group in groups), default=0)
        largest = max((len(group) for group in groups), default=0)
        print(f"{what}: at most {most} different names, {largest} products")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--products", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--column", default="label_articleType", help="Label that pairs of names should share."
    )
    options = parser.parse_args()
    start = time.process_time()
    taken = take_in_products(options.products)
    products = taken.products.reset_index(drop=True)
    print(*taken.sentences(), sep="\n")
    print(f"reading cards and pictures: {time.process_time() - start:.1f} CPU s")
    start = time.process_time()
    families = families_of(products)
    print(f"finding families: {time.process_time() - start:.1f} CPU s")
    sizes = np.bincount(families)
    print(f"{len(products):,} products, {len(sizes):,} families, the largest of {sizes.max()}")
    start = time.process_time()
    split = product_split(products, seed=options.seed)
    print(f"finding families and splitting: {time.process_time() - start:.1f} CPU s")
    shuffled = np.random.default_rng(options.seed).permutation(split)
    print(pd.Series(split).value_counts(normalize=True).round(4).to_string())
    for name in label_columns_of(products):
        counts = pd.crosstab(products[name], split)
        large = counts[counts.sum(axis=1) >= 50]
        shares = large["test"] / large.sum(axis=1)
        print(
            f"{name}: test share of the {len(large)} classes with 50 or more: {shares.min():.3f} to {shares.max():.3f}"
        )
    print_name_limits(products, options.column)
    print_picture_limits(products)
    print(
        straddling(products, {"torn by the family split": split, "torn by a random one": shuffled}).to_string(
            index=False
        )
    )


if __name__ == "__main__":
    main()
