"""A head in the model's folder is taken over only where it is the one that its record tells of."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fashion_assets.products import model_training
from fashion_assets.products.features import ProductFeatures, product_features
from fashion_assets.products.head_record import HeadRecord
from fashion_assets.products.heads import AttributeHead, HeadConfig
from fashion_assets.products.model_folder import MANIFEST, head_folder
from fashion_assets.products.model_training import train_or_reuse
from fashion_assets.products.vectors import join_vectors
from fashion_assets.reports.product_heads import render_heads

CONFIG = HeadConfig(kinds=("logistic",), abstain_below=0.3)


@pytest.fixture
def shop() -> tuple[pd.DataFrame, ProductFeatures, npt.NDArray[np.object_]]:
    """Products of two kinds, their features and split."""
    generator = np.random.default_rng(5)
    labels = np.array(["a", "b"])[np.arange(60) % 2]
    products = pd.DataFrame({"id": np.arange(60).astype(str), "title": "", "text": "", "label_kind": labels})
    rows = generator.normal(size=(60, 4)) + np.where(labels == "a", 2.0, -2.0)[:, None]
    features = product_features(products, join_vectors(products["id"].tolist(), {"image": rows}))
    return products, features, np.repeat(np.array(["train", "validation", "test"], dtype=object), 20)


def test_a_head_that_was_written_without_its_record_is_trained_anew(
    shop: tuple[pd.DataFrame, ProductFeatures, npt.NDArray[np.object_]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def train(config: HeadConfig) -> bool:
        return train_or_reuse(tmp_path, "kind", *shop, config)[1]

    assert not train(CONFIG)
    (tmp_path / MANIFEST).write_text("{}", "utf-8")
    assert train(CONFIG) and (tmp_path / MANIFEST).is_file()

    class Killed(Exception):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(model_training, "save_held_out", killed)
        train(replace(CONFIG, abstain_below=0.9))
    # The new head lies there without a record: neither it nor the folder counts.
    assert not (tmp_path / MANIFEST).exists()
    assert AttributeHead.load(head_folder(tmp_path, "kind")).abstain_below == 0.9
    assert not train(CONFIG)
    assert AttributeHead.load(head_folder(tmp_path, "kind")).abstain_below == 0.3
    assert HeadRecord.load(head_folder(tmp_path, "kind")).attribute == "kind"


def test_the_epochs_of_a_perceptron_are_drawn_in_the_report(
    shop: tuple[pd.DataFrame, ProductFeatures, npt.NDArray[np.object_]], tmp_path: Path
) -> None:
    record, _ = train_or_reuse(tmp_path, "kind", *shop, HeadConfig(kinds=("mlp",)))
    assert [row["epoch"] for row in record.history] == list(range(1, len(record.history) + 1))
    page = render_heads([record], datetime(2026, 1, 1))
    assert "validation loss at 1:" in page and "training loss at 1:" in page
