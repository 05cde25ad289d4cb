"""Joint decoding of attributes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_assets.products.evaluation import all_attributes_right
from fashion_assets.products.heads import HeadConfig, JointDecoder
from fashion_assets.products.heads.together import decide_together, fit_together
from fashion_assets.products.training import train_attribute
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.products_made import made_products, made_split

CLASSES = {"kind": ["sandal", "shirt"], "group": ["apparel", "footwear"]}
LABELS = {"kind": ["sandal"] * 40 + ["shirt"] * 60, "group": ["footwear"] * 40 + ["apparel"] * 60}
# The kind is sure, the group leans the wrong way by a little.
HELD = {"kind": np.array([[0.95, 0.05], [0.05, 0.95]]), "group": np.array([[0.51, 0.49], [0.49, 0.51]])}
TRUTH = {"kind": ["sandal", "shirt"], "group": ["footwear", "apparel"]}


@pytest.fixture
def decoder() -> JointDecoder:
    return JointDecoder().fit(LABELS, CLASSES, HELD, TRUTH)


def test_a_sure_attribute_corrects_one_that_wavers(decoder: JointDecoder) -> None:
    found = decoder.decode(HELD)
    assert decoder.strength_ > 0 and found["group"].argmax(axis=1).tolist() == [1, 0]
    assert found["kind"].argmax(axis=1).tolist() == [0, 1]
    assert found["group"].sum(axis=1) == pytest.approx([1, 1])


def test_heads_that_are_right_are_left_alone() -> None:
    right = {"kind": HELD["kind"], "group": HELD["group"][:, ::-1]}
    decoder = JointDecoder().fit(LABELS, CLASSES, right, TRUTH)
    assert decoder.strength_ == 0.0
    assert decoder.decode(right)["group"] is not None
    assert np.array_equal(decoder.decode(right)["group"], right["group"])


def test_attributes_that_know_nothing_of_each_other_do_not_speak() -> None:
    labels = {"kind": ["sandal", "shirt"] * 50, "group": ["footwear", "footwear", "apparel", "apparel"] * 25}
    decoder = JointDecoder().fit(labels, CLASSES, HELD, TRUTH)
    assert abs(decoder.pmi_["kind", "group"]).max() < 1e-3


def test_it_is_the_same_after_saving_and_loading(decoder: JointDecoder, tmp_path: Path) -> None:
    decoder.save(tmp_path)
    again = JointDecoder.load(tmp_path)
    assert again.strength_ == decoder.strength_
    assert np.array_equal(again.decode(HELD)["group"], decoder.decode(HELD)["group"])


def test_heads_are_decided_together_as_they_were_tested() -> None:
    products, features = made_products(300, noise=1.2)
    # The group follows from the kind, and its head hears pictures of noise.
    products["label_group"] = np.where(products["label_kind"] == "shoes", "footwear", "apparel")
    split = made_split(300)
    config = HeadConfig(kinds=("kernel",))
    trained = {
        name: train_attribute(name, products, features, split, config=config)
        for name in ("kind", "group", "season")
    }
    found = fit_together(trained, products, split)
    assert found is not None
    decoder, tested = found
    assert all(list(tested[name]["id"]) == list(one.test["id"]) for name, one in trained.items())
    alone = all_attributes_right(*_columns({name: one.test for name, one in trained.items()}), resamples=5)[
        0
    ].value
    assert all_attributes_right(*_columns(tested), resamples=5)[0].value >= alone - 0.05
    decoder.strength_ = 0.0
    heads = [one.head for one in trained.values()]
    for head in heads:
        for together, single in zip(
            decide_together(heads, decoder, features)[head.attribute], head.decide(features), strict=True
        ):
            assert np.array_equal(together, single)


def test_one_head_has_nobody_to_hear() -> None:
    products, features = made_products(60)
    one = train_attribute("kind", products, features, made_split(60), config=HeadConfig(kinds=("kernel",)))
    assert fit_together({"kind": one}, products, made_split(60)) is None


def _columns(tables: dict[str, pd.DataFrame]) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    return (
        {name: table["truth"].tolist() for name, table in tables.items()},
        {name: table["predicted"].tolist() for name, table in tables.items()},
    )


def test_misuse_gets_a_sentence(decoder: JointDecoder, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has not been fitted"):
        JointDecoder().decode(HELD)
    with pytest.raises(UserError, match="give two or more"):
        JointDecoder().fit(LABELS, {"kind": CLASSES["kind"]}, HELD, TRUTH)
    with pytest.raises(UserError, match="no probabilities of group over its 2 classes"):
        decoder.decode({"kind": HELD["kind"]})
    with pytest.raises(UserError, match="holds no joint decoder"):
        JointDecoder.load(tmp_path)
    decoder.save(tmp_path)
    (tmp_path / "joint.json").write_text('{"format": "other"}', "utf-8")
    with pytest.raises(UserError, match="is damaged"):
        JointDecoder.load(tmp_path)
