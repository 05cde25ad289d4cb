"""The figures of a product set: known by hand for small sets, corrected for chance on random ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fashion_assets.products.associations import cramers_v, mutual_information
from fashion_assets.products.schemas import PRODUCTS
from fashion_assets.products.statistics import findings, product_statistics
from fashion_assets.products.text import text_language


def table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Products with what ``rows`` give and nothing else."""
    labels = sorted({key for row in rows for key in row if key.startswith("label_")})
    frame = pd.DataFrame(rows, columns=[*PRODUCTS.names, *labels], dtype=object)
    frame["id"] = [str(number) for number in range(len(rows))]
    for name in ("title", "description", "text"):
        frame[name] = frame[name].fillna("")
    return frame.where(frame.notna(), None)


def shop() -> pd.DataFrame:
    words = ["hat", "coat", "scarf", "skirt", "glove", "belt"]
    return table(
        [
            {
                "title": word,
                "text": word + " warm" * (row % 2),
                "shop": "Mode",
                "extra": f'{{"rating": "5", "sale": "{row % 2}"}}',
                "characteristics": '{"material": "silk"}' if row < 2 else None,
                "image_path": None if row == 5 else f"images/{row}.jpg",
                "image_digest": None if row == 5 else str(row // 2),
                "image_width": None if row == 5 else 60,
                "image_height": None if row == 5 else 80,
                "label_kind": "a" if row < 4 else "b" if row == 4 else None,
                "label_season": ["x", "y"][row % 2],
            }
            for row, word in enumerate(words)
        ]
    )


def test_fields_with_one_value_and_classes_with_one_example_are_found() -> None:
    found = product_statistics(shop())
    fields = found.fields.set_index("field")
    assert fields.loc["rating", "verdict"] == "one value only: tells nothing"
    assert fields.loc["shop", "verdict"] == "one value only: tells nothing"
    assert fields.loc["description", "verdict"] == "empty on every card"
    assert fields.loc["title", "verdict"] == "different on every card"
    assert fields.loc["sale", ["filled", "distinct", "top_share", "verdict"]].tolist() == [
        6,
        2,
        0.5,
        "varies",
    ]
    assert fields.loc["characteristics: material", "filled"] == 2
    kind = found.attributes.to_dict("records")[0]
    assert (kind["classes"], kind["labelled"], kind["single"], kind["near_empty"]) == (2, 5, 1, 2)
    assert kind["blank_share"] == pytest.approx(1 / 6) and kind["largest_share"] == pytest.approx(0.8)
    assert kind["effective"] == pytest.approx(np.exp(-0.8 * np.log(0.8) - 0.2 * np.log(0.2)))
    assert found.classes[found.classes["attribute"] == "kind"][["label", "count"]].values.tolist() == [
        ["a", 4],
        ["b", 1],
    ]
    assert (found.without_picture, found.same_file, found.picture_sizes) == (1, 4, {"60 x 80": 5})
    assert found.words.tolist() == [1, 2, 1, 2, 1, 2] and sorted(found.family_sizes.tolist()) == [1, 1, 2, 2]
    assert found.label_association.loc["season", "season"] == pytest.approx(1)
    assert found.field_information.loc["sale", "season"] == pytest.approx(1)
    sentences = findings(found)
    assert "The field rating is of no use: one value only: tells nothing (5)." in sentences
    assert any(sentence.startswith("kind: 1 of 2 classes have one example") for sentence in sentences)
    assert "kind is blank on 1 product." in sentences and "No picture: 1 product." in sentences
    assert not any("text language" in sentence for sentence in sentences)


def test_a_label_column_with_one_class_is_said() -> None:
    found = findings(product_statistics(table([{"title": "hat", "text": "hat", "label_kind": "a"}])))
    assert "kind has one class only (a): there is nothing to learn." in found


def test_no_products_and_no_labels_are_figures_too() -> None:
    empty = product_statistics(table([]))
    assert (empty.n, len(empty.attributes), len(empty.classes), empty.languages) == (0, 0, 0, {})
    bare = product_statistics(table([{"title": "hat", "text": "hat"}]))
    assert bare.label_association.empty and bare.languages == {"English": 1}


def test_both_measures_are_0_for_chance_and_1_where_one_determines_the_other() -> None:
    rng = np.random.default_rng(0)
    fine = pd.Series(rng.integers(0, 40, 3000).astype(str))
    coarse = fine.map(lambda name: str(int(name) % 4))
    chance = pd.Series(rng.integers(0, 40, 3000).astype(str))
    assert cramers_v(fine, coarse) == pytest.approx(1, abs=0.02)
    assert mutual_information(fine, coarse) == pytest.approx(1, abs=1e-9)
    assert cramers_v(fine, chance) < 0.05 and abs(mutual_information(fine, chance)) < 0.02
    assert np.isnan(cramers_v(fine, coarse.map(lambda _: "one")))
    assert np.isnan(mutual_information(fine, coarse.map(lambda _: "one")))


def test_cramers_v_is_that_of_the_published_formula() -> None:
    """Hand-made: a 2 x 2 table of 30, 10, 10, 30 has chi2 = 20 and phi2 = .25."""
    pairs = [("a", "x")] * 30 + [("a", "y")] * 10 + [("b", "x")] * 10 + [("b", "y")] * 30
    frame = pd.DataFrame(pairs)
    side = 2 - 1 / 79
    assert cramers_v(frame[0], frame[1]) == pytest.approx(np.sqrt((0.25 - 1 / 79) / (side - 1)))


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["x", "y", None])), min_size=1, max_size=30)
)
def test_measures_are_symmetric_and_within_bounds(pairs: list[tuple[str, str | None]]) -> None:
    frame = pd.DataFrame(pairs, dtype=object)
    for measure in (cramers_v, mutual_information):
        there, back = measure(frame[0], frame[1]), measure(frame[1], frame[0])
        assert (np.isnan(there) and np.isnan(back)) or there == pytest.approx(back, abs=1e-6)
        assert np.isnan(there) or there <= 1 + 1e-9


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Red dress for women", "English"),
        ("Платье для девочек", "Russian"),
        ("法式复古连衣裙", "Chinese"),
        ("法式 ins 连衣裙", "Chinese"),
        ("платье dress", "mixed"),
        ("12 / 30 %", "none"),
        ("ملابس نسائية", "other"),
    ],
)
def test_the_language_is_told_by_script(text: str, language: str) -> None:
    assert text_language(text) == language


def test_an_article_number_says_nothing_of_a_label() -> None:
    rng = np.random.default_rng(0)
    number = pd.Series([f"A{row}" for row in range(160)], dtype=object)
    kind = pd.Series(rng.choice(list("abcdefgh"), 160), dtype=object)
    assert np.isnan(mutual_information(number, kind)) and np.isnan(mutual_information(kind, number))
    shop = table(
        [
            {
                "title": f"coat {row}" if row > 3 else "coat",
                "shop": f"shop {row % 3}",
                "characteristics": f'{{"number": "A{row}"}}',
                "label_kind": label,
            }
            for row, label in enumerate(kind)
        ]
    )
    told = product_statistics(shop).field_information
    assert "shop" in told.index and not {"title", "characteristics: number"} & set(told.index)
