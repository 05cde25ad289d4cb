"""Our softmax regression against scikit-learn's, same loss, same rows: CPU seconds and what they reach.

    OMP_NUM_THREADS=1 python benchmarks/classifier_speed.py

Made rows of the size of the real products: 13,000 x (1,500 numbers + 20,000 sparse n-grams), 120 classes whose sizes
fall by a power law. Both have 10,000 rows to learn from; accuracy is on the rest. scikit-learn gets the same CSR rows.
"""

from __future__ import annotations

import argparse
import time
import warnings

import numpy as np
import scipy.sparse
from sklearn.linear_model import LogisticRegression

from fashion_assets.products.classifiers import CLASSIFIERS


def made_rows(
    n: int, dense: int, ngrams: int, classes: int, seed: int
) -> tuple[scipy.sparse.csr_matrix, np.ndarray]:
    """CSR rows [dense | n-grams] and their classes."""
    generator = np.random.default_rng(seed)
    shares = 1 / np.arange(1, classes + 1)
    codes = generator.choice(classes, n, p=shares / shares.sum())
    axes = generator.normal(size=(60, dense))
    numbers = (generator.normal(size=(classes, 60))[codes] * 0.7 + generator.normal(size=(n, 60))) @ axes
    numbers = numbers / numbers.std() + 0.5 * generator.normal(size=(n, dense))
    # 80 n-grams a row by Zipf's law, a tenth of them from the 40 of the class.
    popular = 1 / np.arange(1, ngrams + 1)
    drawn = generator.choice(ngrams, (n, 80), p=popular / popular.sum())
    own = generator.integers(0, ngrams, (classes, 40))
    drawn[:, :8] = np.take_along_axis(own[codes], generator.integers(0, 40, (n, 8)), axis=1)
    terms = scipy.sparse.csr_matrix(
        (np.full(drawn.size, 1 / np.sqrt(80)), (np.repeat(np.arange(n), 80), drawn.ravel())), (n, ngrams)
    )
    left = scipy.sparse.csr_matrix(numbers / np.sqrt(dense))
    return scipy.sparse.hstack([left, terms], format="csr", dtype=np.float32), codes


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=13_000)
    parser.add_argument("--dense", type=int, default=1500)
    parser.add_argument("--ngrams", type=int, default=20_000)
    parser.add_argument("--classes", type=int, default=120)
    parser.add_argument("--C", type=float, default=10.0)
    arguments = parser.parse_args()
    rows, codes = made_rows(arguments.rows, arguments.dense, arguments.ngrams, arguments.classes, 0)
    split = arguments.rows * 10 // 13
    ours = CLASSIFIERS["logistic"](C=arguments.C, class_weight_power=0.0)
    contestants = {
        "ours, tol 1e-4": ours,
        "ours, tol 1e-6": CLASSIFIERS["logistic"](C=arguments.C, class_weight_power=0.0, tol=1e-6),
        "scikit-learn, tol 1e-2": LogisticRegression(C=arguments.C, tol=1e-2, max_iter=300),
        "scikit-learn, tol 1e-4": LogisticRegression(C=arguments.C, tol=1e-4, max_iter=300),
    }
    for name, model in contestants.items():
        began = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(rows[:split], codes[:split])
        seconds = time.process_time() - began
        steps = int(np.max(model.n_iter_))
        probabilities = model.predict_proba(rows[:split])
        place = np.searchsorted(model.classes_, codes[:split])
        loss = -np.log(np.maximum(probabilities[np.arange(split), place], 1e-12)).sum() * arguments.C
        loss += 0.5 * float(np.square(model.coef_, dtype=np.float64).sum())
        accuracy = float(np.mean(model.predict(rows[split:]) == codes[split:]))
        print(
            f"{name:24} {seconds:7.1f} CPU s {steps:4} steps  objective {loss:12.1f}  accuracy {accuracy:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
