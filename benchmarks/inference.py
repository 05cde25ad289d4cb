"""Products a second through all heads: our numpy heads against the exported ONNX file, batches of 1 and 64.

    OMP_NUM_THREADS=1 python benchmarks/inference.py --products ../shared/data/products --cache /tmp/vectors \\
        --image-encoder onnx:../shared/data/weights/mobilenet_v2_imagenet.onnx

Heads are trained on the training families (or loaded: --model-dir), exported, and given the vectors and titles of test
products; making vectors is not counted, cutting titles into n-grams is. Both sides take turns; medians of --rounds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from real_products import add_arguments, load

from fashion_assets.products.export import HeadsSession, export_heads
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads import AttributeHead
from fashion_assets.products.model_folder import ModelFolder, head_folder

ATTRIBUTES = ["gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "usage"]


def seconds(task: Callable[[ProductFeatures], object], batches: list[ProductFeatures]) -> float:
    """CPU seconds over all batches."""
    began = time.process_time()
    for batch in batches:
        task(batch)
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--kinds", nargs="+", default=["kernel", "logistic"])
    parser.add_argument("--model-dir", type=Path, help="heads of this folder, trained on the same vectors")
    parser.add_argument("--count", type=int, default=256, help="products per turn")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    products = load(arguments, ATTRIBUTES)
    train, test = np.flatnonzero(products.split == "train"), np.flatnonzero(products.split == "test")
    features = products.features
    for kind in arguments.kinds if arguments.model_dir is None else ["model folder"]:
        if arguments.model_dir is not None:
            folder = ModelFolder.open(arguments.model_dir)
            heads = [AttributeHead.load(head_folder(folder.root, name)) for name in folder.attributes]
        else:
            # n-grams are learnt on the training products of all attributes alike: one vocabulary, one input.
            train_features = features.take(train)
            labelled = (
                products.table.iloc[train][[f"label_{name}" for name in ATTRIBUTES]].notna().all(axis=1)
            )
            chosen = np.flatnonzero(labelled.to_numpy())
            heads = [
                AttributeHead(name, kind=kind).fit(
                    train_features.take(chosen), products.labels(name)[train][chosen]
                )
                for name in ATTRIBUTES
            ]
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / "heads.onnx"
            report = export_heads(heads, path)
            session = HeadsSession(path, threads=1)
        print(
            f"\n{kind}: {len(heads)} heads in {report.megabytes:.1f} MB, {report.nodes} nodes, largest difference of a "
            f"probability {report.largest_difference:.1e}"
        )
        for size in (1, 64):
            batches = [
                features.take(test[first : first + size])
                for first in range(0, arguments.count // (8 if size == 1 else 1), size)
            ]

            def ours(batch: ProductFeatures, heads: list[AttributeHead] = heads) -> object:
                return [head.decide(batch) for head in heads]

            count = sum(len(batch) for batch in batches)
            turns = [
                (seconds(ours, batches), seconds(session.predict_proba, batches))
                for _ in range(arguments.rounds)
            ]
            left, right = (count / statistics.median(side) for side in zip(*turns, strict=True))
            print(f"batches of {size:2}: heads {left:8.1f}/s, ONNX {right:8.1f}/s, {right / left:.2f} x")


if __name__ == "__main__":
    main()
