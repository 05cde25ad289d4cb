"""Attribute heads: learning, abstaining, saving, and vectors side by side."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fashion_assets.products.heads import AttributeHead
from fashion_assets.products.predict import predict_products, wide_predictions
from fashion_assets.products.schemas import PRODUCT_PREDICTIONS
from fashion_assets.products.vectors import ProductVectors, join_vectors
from fashion_assets.storage.errors import UserError


def blobs(seed: int = 0, n: int = 300, k: int = 3, noise: float = 0.4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, k, n)
    centres = np.random.default_rng(99).normal(size=(k, 8))
    return centres[codes] + rng.normal(0, noise, (n, 8)), np.array(
        [f"class {code}" for code in codes], dtype=object
    )


@pytest.mark.parametrize("k", [2, 3, 5])
def test_separable_classes_are_learnt(k: int) -> None:
    x, y = blobs(0, k=k)
    head = AttributeHead("kind", regularisation=1.0).fit(x, y)
    test_x, test_y = blobs(1, k=k)
    assert (head.predict(test_x) == test_y).mean() > 0.95
    probabilities = head.predict_proba(test_x)
    assert probabilities.shape == (300, k) and probabilities.sum(axis=1) == pytest.approx(np.ones(300))


def test_two_classes_give_the_same_probabilities_as_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    x, y = blobs(0, k=2, noise=1.5)
    head = AttributeHead("kind", regularisation=1.0, class_weight_power=0.0).fit(x, y)
    standard = (x - x.mean(axis=0)) / x.std(axis=0)
    reference = LogisticRegression(C=1.0, tol=1e-6).fit(standard, y.astype(str))
    assert head.predict_proba(x) == pytest.approx(reference.predict_proba(standard), abs=0.02)


def test_class_weights_raise_the_recall_of_a_rare_class() -> None:
    rng = np.random.default_rng(5)
    x = np.vstack([rng.normal(0, 1, (400, 3)), rng.normal(1.2, 1, (20, 3))])
    y = np.array(["many"] * 400 + ["few"] * 20)
    recall = [
        (AttributeHead("kind", class_weight_power=power).fit(x, y).predict(x)[400:] == "few").mean()
        for power in (0.0, 0.5, 1.0)
    ]
    assert recall[0] < recall[1] < recall[2]


def test_rows_without_a_label_are_left_out_and_counted() -> None:
    x, y = blobs()
    y[:50] = None
    head = AttributeHead("kind").fit(x, y)
    assert head.n_unlabelled_ == 50 and sum(head.class_counts_.values()) == 250


def test_it_abstains_below_its_threshold() -> None:
    x, y = blobs(noise=1.5)
    head = AttributeHead("kind", abstain_below=0.8).fit(x, y)
    labels, confidence, abstained = head.decide(x)
    assert (abstained == (confidence < 0.8)).all() and 0 < abstained.mean() < 1
    sure = ~abstained
    assert (labels[sure] == y[sure]).mean() > (labels == y).mean()


def test_it_is_the_same_after_saving_and_loading(tmp_path: Path) -> None:
    x, y = blobs()
    head = AttributeHead("kind", model_id="m@1", image_width=4, abstain_below=0.6).fit(x, y)
    head.save(tmp_path / "kind")
    assert sorted(path.name for path in (tmp_path / "kind").iterdir()) == ["head.json", "head.safetensors"]
    again = AttributeHead.load(tmp_path / "kind")
    assert np.array_equal(again.predict_proba(x, model_id="m@1"), head.predict_proba(x))
    assert (again.attribute, again.model_id, again.image_width, again.abstain_below) == (
        "kind",
        "m@1",
        4,
        0.6,
    )
    assert again.class_counts_ == head.class_counts_ and again.note_ == head.note_


def test_damaged_model_folders_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"holds no attribute head \(head.json is missing\)"):
        AttributeHead.load(tmp_path)
    x, y = blobs()
    AttributeHead("a").fit(x, y).save(tmp_path / "a")
    AttributeHead("b").fit(x + 1, y).save(tmp_path / "b")
    (tmp_path / "a" / "head.safetensors").write_bytes((tmp_path / "b" / "head.safetensors").read_bytes())
    with pytest.raises(UserError, match="does not belong to the weights beside it"):
        AttributeHead.load(tmp_path / "a")
    (tmp_path / "b" / "head.safetensors").write_bytes(b"\x00\x01")
    with pytest.raises(UserError, match="is damaged"):
        AttributeHead.load(tmp_path / "b")
    (tmp_path / "a" / "head.json").write_text("{", "utf-8")
    with pytest.raises(UserError, match="is damaged"):
        AttributeHead.load(tmp_path / "a")


def test_the_card_is_readable_by_people(tmp_path: Path) -> None:
    x, y = blobs()
    AttributeHead("季节", model_id="m").fit(x, y).save(tmp_path)
    text = (tmp_path / "head.json").read_text("utf-8")
    assert "季节" in text and json.loads(text)["classes"] == ["class 0", "class 1", "class 2"]


def test_misuse_gets_a_sentence() -> None:
    x, y = blobs()
    with pytest.raises(UserError, match="has not been trained"):
        AttributeHead("kind").predict(x)
    with pytest.raises(UserError, match="300 vectors and 2 labels"):
        AttributeHead("kind").fit(x, ["a", "b"])
    with pytest.raises(UserError, match=r"shape \(8,\)"):
        AttributeHead("kind").fit(x[0], y)
    x[3, 2] = np.nan
    with pytest.raises(UserError, match="row 3 of the vectors"):
        AttributeHead("kind").fit(x, y)


def test_blocks_are_normalised_apart_and_survive_a_table() -> None:
    image, text = (
        np.array([[3.0, 4.0], [0.0, 0.0], [np.nan, 1.0]]),
        np.array([[0.0, 0.0, 9.0], [1.0, 0.0, 0.0], [0.0] * 3]),
    )
    vectors = join_vectors(["a", "b", "c"], image, text, image_model_id="i", text_model_id="t")
    assert vectors.matrix.tolist()[0] == pytest.approx([0.6, 0.8, 0, 0, 1])
    assert vectors.has_image.tolist() == [True, False, False] and vectors.has_text.tolist() == [
        True,
        True,
        False,
    ]
    assert vectors.model_id == "i|t"
    again = ProductVectors.from_table(vectors.to_table())
    assert np.array_equal(again.matrix, vectors.matrix)
    assert (again.ids, again.model_id, again.image_width) == (vectors.ids, "i|t", 2)
    assert (
        again.rows(["c", "x", "a"])[2].tolist() == vectors.matrix[0].tolist() and not again.rows(["x"]).any()
    )
    mixed = pa.concat_tables([vectors.to_table(), join_vectors(["d"], None, np.ones((1, 5))).to_table()])
    with pytest.raises(UserError, match="come from 2 encoders"):
        ProductVectors.from_table(mixed)
    with pytest.raises(UserError, match="image vectors have shape"):
        join_vectors(["a"], image, None)


def test_predictions_are_a_long_table_and_a_wide_one() -> None:
    x, y = blobs()
    ids = [str(number) for number in range(300)]
    vectors = join_vectors(ids, None, x, text_model_id="t")
    heads = [
        AttributeHead(name, model_id="|t", regularisation=1.0, abstain_below=bar).fit(vectors.matrix, y)
        for name, bar in (("kind", 0.0), ("other", 1.1))
    ]
    found = predict_products(heads, pd.DataFrame({"id": ids}), vectors)
    assert list(found.columns) == PRODUCT_PREDICTIONS.names and len(found) == 600
    assert pa.Table.from_pandas(found, schema=PRODUCT_PREDICTIONS, preserve_index=False).num_rows == 600
    assert (found["label"][:300].to_numpy() == y).mean() > 0.95
    wide = wide_predictions(found)
    assert list(wide.columns) == ["id", "kind", "kind_confidence", "other", "other_confidence"]
    assert (wide["other"] == "").all() and wide["kind"].tolist() == found["label"][:300].tolist()
    assert predict_products([], pd.DataFrame({"id": ids}), vectors).empty
