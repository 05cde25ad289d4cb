"""What the card of a product model says, and the file of its test predictions."""

from __future__ import annotations

import warnings

import pandas as pd

from fashion_assets.products.evaluation import Estimate
from fashion_assets.products.head_record import HeadRecord
from fashion_assets.products.joint_figures import JointFigures
from fashion_assets.products.model_card import card_text
from fashion_assets.products.predict import judged_predictions


def card(attributes: int, joint: JointFigures) -> str:
    records = [HeadRecord(f"label {number}", "digest", "kernel", ["a", "b"]) for number in range(attributes)]
    return card_text(records, [], "vectors", 10, joint, "2024-05-01")


def test_a_model_of_one_attribute_says_nothing_of_all_attributes() -> None:
    assert "every label" not in card(1, JointFigures()) and "all are right" not in card(1, JointFigures())
    assert "No test product has all 2 labels: how often all are right is not known." in card(
        2, JointFigures()
    )


def test_one_product_that_has_every_label_is_one() -> None:
    figures = JointFigures(Estimate(1.0, 0.2, 1.0), Estimate(1.0, 0.2, 1.0), 1)
    assert "of 1 test product that has every label" in figures.sentences(2)[0]


def test_an_attribute_without_test_products_has_no_column_and_warns_nobody() -> None:
    columns = ["id", "truth", "predicted", "confidence", "abstained"]
    judged = pd.DataFrame([["1", "a", "b", 0.5, True], ["2", "a", "a", 0.9, False]], columns=columns)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        wide = judged_predictions({"rare": judged.iloc[:0], "sex": judged}, None)
        none = judged_predictions({"rare": judged.iloc[:0]}, None)
    assert wide.columns.tolist() == ["id", "sex", "sex_confidence", "sex_abstained", "decided"]
    assert wide["sex"].tolist() == ["b", "a"] and wide["sex_abstained"].tolist() == [True, False]
    assert none.empty and "id" in none
