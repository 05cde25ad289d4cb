"""k-NN and logistic regression on picture vectors of the real products, as they are and after metric learning.

    python benchmarks/product_metric_learning.py --products ../shared/data/products --cache /tmp/vectors \\
        --image-encoder onnx:../shared/data/weights/mobilenet_v2_imagenet.onnx

Everything is fitted on the training families; accuracy and macro-F1 are on the validation families, side by side. LFDA
works on the 384 principal axes that heads use, and so do the trained projections.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from real_products import add_arguments, load

from fashion_assets.products.classifiers import CLASSIFIERS
from fashion_assets.products.lfda import LocalFisherDiscriminant
from fashion_assets.products.macro_f1 import macro_f1
from fashion_assets.products.metric_losses import LOSSES, MetricProjection


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--attributes", nargs="+", default=["gender", "articleType"])
    parser.add_argument("--components", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    products = load(arguments, arguments.attributes)
    rows = products.pictures()
    ways: dict[str, Any] = {"vectors as they are": None}
    ways |= {
        f"LFDA, {kind}": LocalFisherDiscriminant(arguments.components, embedding_type=kind)
        for kind in ("weighted", "orthonormalized")
    }
    ways |= {
        name: MetricProjection(name, n_components=arguments.components, epochs=arguments.epochs)
        for name in LOSSES
    }
    for attribute in arguments.attributes:
        names = products.labels(attribute)
        train, held = products.side("train", attribute), products.side("validation", attribute)
        print(
            f"\n{attribute}: {len(set(names[train]))} classes, {len(train)} training products, {len(held)} judged"
        )
        print(f"{'':24} {'CPU s':>6} {'k-NN acc':>9} {'macro-F1':>9} {'logistic':>9} {'macro-F1':>9}")
        for name, way in ways.items():
            began = time.process_time()
            mapped = rows if way is None else way.fit(rows[train], names[train]).transform(rows)
            seconds = time.process_time() - began
            # Logistic regression feels the scale, k-NN by angle does not: all ways get the same mean square.
            mapped = (mapped / np.sqrt(np.square(mapped[train]).sum(axis=1).mean())).astype(np.float32)
            figures = []
            for classifier in (CLASSIFIERS["knn"](10), CLASSIFIERS["logistic"](C=10.0)):
                found = classifier.fit(mapped[train], names[train]).predict(mapped[held])
                figures += [float(np.mean(found == names[held])), macro_f1(names[held], found)]
            print(f"{name:24} {seconds:6.1f} " + " ".join(f"{figure:9.4f}" for figure in figures), flush=True)


if __name__ == "__main__":
    main()
