"""The heads on the real products, with lower bounds under what benchmarks/products.py prints."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fashion_assets.products.evaluation import all_attributes_right
from fashion_assets.products.features import product_features
from fashion_assets.products.heads import HeadConfig
from fashion_assets.products.heads.together import fit_together
from fashion_assets.products.intake import take_in_products
from fashion_assets.products.reliability import expected_calibration_error
from fashion_assets.products.splits import product_split
from fashion_assets.products.training import train_attribute
from fashion_assets.products.vectors import join_vectors

LABELS = ["gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "usage"]


@pytest.mark.slow
@pytest.mark.real_data
def test_names_alone_beat_the_published_figures_on_unseen_families(real_data: Path) -> None:
    products = take_in_products(real_data / "products", LABELS).products
    features = product_features(products, join_vectors(products["id"], {}))
    split = product_split(products)
    config = HeadConfig(kinds=("kernel",))
    trained = {name: train_attribute(name, products, features, split, config=config) for name in LABELS}
    accuracy = np.mean([one.metrics.accuracy.value for one in trained.values() if one.metrics])
    macro = np.mean([one.metrics.macro_f1_frequent.value for one in trained.values() if one.metrics])
    together = fit_together(trained, products, split)
    assert together is not None and accuracy > 0.92 and macro > 0.82
    tables = together[1]
    ids = sorted(set.intersection(*(set(table["id"]) for table in tables.values())))
    columns = {
        part: {name: table.set_index("id")[part].reindex(ids).tolist() for name, table in tables.items()}
        for part in ("truth", "predicted")
    }
    # TF-IDF of names with logistic regression: .56 to .58.
    assert all_attributes_right(columns["truth"], columns["predicted"], resamples=10)[0].value > 0.58
    for name, one in trained.items():
        assert expected_calibration_error(one.calibration_after) < 0.05, name
