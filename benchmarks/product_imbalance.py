"""What helps against rare classes on the real products: class weights, or rows repeated, drawn (SMOTE) or left out.

    python benchmarks/product_imbalance.py --products ../shared/data/products --cache /tmp/vectors \\
        --image-encoder onnx:../shared/data/weights/mobilenet_v2_imagenet.onnx

Logistic regression on picture vectors, fitted on the training families, judged by macro-F1 on the validation families
(that is what chooses); what wins and plain class weights of power 1/2 are judged once more on the test families. Last,
class weights of the kernel machine on picture and name: the same comparison, and the macro-F1 of the head that wins and
of one without weights on the test families.
"""

from __future__ import annotations

import argparse

from real_products import add_arguments, load

from fashion_assets.products.classifiers import CLASSIFIERS
from fashion_assets.products.heads import HeadConfig
from fashion_assets.products.macro_f1 import macro_f1
from fashion_assets.products.resampling import Resampling, bounds_grid, compare_resampling
from fashion_assets.products.training import train_attribute


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    parser.add_argument("--attributes", nargs="+", default=["gender", "usage", "articleType"])
    parser.add_argument("--C", type=float, default=10.0)
    arguments = parser.parse_args()
    products = load(arguments, arguments.attributes)
    rows = products.pictures()
    for attribute in arguments.attributes:
        names = products.labels(attribute)
        train, held, test = (products.side(side, attribute) for side in ("train", "validation", "test"))
        logistic = CLASSIFIERS["logistic"](C=arguments.C)
        grid = bounds_grid(names[train], lowers=(10, 50, 200), uppers=(500,), methods=("repeat", "smote"))
        table = compare_resampling(logistic, rows[train], names[train], rows[held], names[held], grid=grid)
        print(f"\n{attribute}: {len(set(names[train]))} classes, {len(train)} training products")
        print(table.round(4).to_string(index=False))
        best = table.iloc[0]
        x, y, power = rows[train], names[train], float(best["class_weight_power"])
        if best["way"] == "resampling":
            bounds = (
                None if value != value or value is None else int(value)
                for value in (best["lower"], best["upper"])
            )
            x, y = Resampling(*bounds, best["method"]).apply(x, y)
        won = logistic.set_params(class_weight_power=power).fit(x, y)
        plain = CLASSIFIERS["logistic"](C=arguments.C, class_weight_power=0.5).fit(rows[train], names[train])
        figures = [macro_f1(names[test], one.predict(rows[test])) for one in (won, plain)]
        print(f"test families: what won {figures[0]:.4f}, class weights of power .5 {figures[1]:.4f}")
        weighed, equal = (
            train_attribute(
                attribute,
                products.table,
                products.features,
                products.split,
                config=HeadConfig(kinds=("kernel",), resampling=way),
            )
            for way in ("auto", "none")
        )
        columns = ["class_weight_power", "macro_f1", "accuracy", "seconds", "chosen"]
        print(f"kernel machine:\n{weighed.imbalance[columns].round(4).to_string(index=False)}")
        judged = [one.metrics.macro_f1.value for one in (weighed, equal) if one.metrics is not None]
        print(f"test families: what won {judged[0]:.4f}, no weights {judged[1]:.4f}")


if __name__ == "__main__":
    main()
