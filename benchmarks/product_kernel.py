"""The kernel machine of product heads with other constants: what each is worth on the validation families.

    python benchmarks/product_kernel.py --products ../shared/data/products --cache /tmp/vectors \\
        --image-encoder onnx:../shared/data/weights/mobilenet_v2_imagenet.onnx

Fitted on the training families; mean accuracy and macro-F1 over the attributes, before calibration and adjustment, for
the ridge lambda, the share of names beside pictures, and the principal axes kept of each block of vectors. Test
families play no part.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from real_products import RealProducts, add_arguments, load

from fashion_assets.products.heads import similarity, space
from fashion_assets.products.heads.kernel import KernelBench
from fashion_assets.products.heads.least_squares import REGULARISATION
from fashion_assets.products.labels import label_codes
from fashion_assets.products.macro_f1 import macro_f1

ATTRIBUTES = ["gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "usage"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--attributes", nargs="+", default=ATTRIBUTES)
    parser.add_argument("--lambdas", nargs="+", type=float, default=[0.05, 0.1, 0.3])
    parser.add_argument("--text-shares", nargs="+", type=float, default=[0.3, 0.4, 0.5])
    parser.add_argument("--axes", nargs="+", type=int, default=[128, 384, 768])
    arguments = parser.parse_args()
    products = load(arguments, arguments.attributes)
    print(f"{'':28} accuracy  macro-F1")
    for ridge in arguments.lambdas:
        show(f"lambda {ridge:g}", products, arguments.attributes, ridge)
    whole = similarity.TEXT_SHARE + similarity.IMAGE_SHARE
    for share in arguments.text_shares:
        with constants(similarity, TEXT_SHARE=share, IMAGE_SHARE=whole - share):
            show(
                f"names {share:g}, pictures {whole - share:g}", products, arguments.attributes, REGULARISATION
            )
    for axes in arguments.axes:
        with constants(space, MAX_AXES=axes):
            show(f"{axes} axes", products, arguments.attributes, REGULARISATION)


@contextmanager
def constants(module: object, **values: float) -> Iterator[None]:
    """The module with other constants, until the end of the block."""
    before = {name: getattr(module, name) for name in values}
    try:
        for name, value in values.items():
            setattr(module, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(module, name, value)


def show(title: str, products: RealProducts, attributes: list[str], ridge: float) -> None:
    """A line of means over the attributes."""
    train, held = (np.flatnonzero(products.split == part) for part in ("train", "validation"))
    rows = np.concatenate([train, held])
    fitted = space.FeatureSpace().fit(products.features.take(train))
    bench = KernelBench(fitted.transform(products.features.take(rows)), ridge)
    figures = []
    for attribute in attributes:
        classes, codes = label_codes(products.labels(attribute))
        own = codes[rows]
        said = bench.prepare(own, len(classes)).held_out(len(train), slice(len(train), len(rows)))
        truth = own[len(train) :]
        known = truth >= 0
        guess = said.argmax(axis=1)[known]
        figures.append((float((guess == truth[known]).mean()), macro_f1(truth[known], guess)))
    accuracy, f1 = np.mean(figures, axis=0)
    print(f"{title:28} {accuracy:.4f}    {f1:.4f}", flush=True)


if __name__ == "__main__":
    main()
