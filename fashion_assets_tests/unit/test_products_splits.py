"""Splits keep families whole, give every label its share, and are stored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.products.families import families_of, family_name
from fashion_assets.products.intake import take_in_products
from fashion_assets.products.schemas import PRODUCT_SPLIT
from fashion_assets.products.splits import (
    family_split,
    product_split,
    read_split,
    split_table,
    store_first_split,
    stored_or_new_split,
    write_split,
)
from fashion_assets.storage.errors import UserError


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from("abcd")), min_size=2, max_size=80),
    st.integers(0, 5),
    st.sampled_from([0.1, 0.2, 0.5, 0.95]),
)
def test_a_family_is_never_on_both_sides(items: list[tuple[int, str]], seed: int, share: float) -> None:
    families = np.array([family for family, _ in items])
    labels = [label for _, label in items]
    if len(set(families)) < 2:
        with pytest.raises(UserError, match="cannot be split"):
            family_split(families, labels)
        return
    side = family_split(families, labels, test_share=share, seed=seed)
    assert set(side) == {"train", "test"}
    assert pd.DataFrame({"family": families, "side": side}).groupby("family")["side"].nunique().max() == 1
    assert (side == family_split(families, labels, test_share=share, seed=seed)).all()


def test_labels_are_shared_out_as_well_as_families_allow() -> None:
    rng = np.random.default_rng(2)
    families = rng.integers(0, 400, 2000)
    labels = pd.DataFrame(
        {"a": rng.choice(["x", "y", "z"], 2000, p=[0.7, 0.27, 0.03]), "b": rng.choice(["u", None], 2000)}
    )
    side = family_split(families, labels)
    test = side == "test"
    assert abs(test.mean() - 0.2) < 0.01
    for name in ("x", "y", "z"):
        assert abs(test[labels["a"] == name].mean() - 0.2) < 0.05
    assert (family_split(families, labels, seed=8) != side).any()


def test_a_label_of_one_family_only_is_kept_for_training() -> None:
    families = np.repeat(np.arange(20), 3)
    labels = np.where(families == 4, "rare", "common")
    for seed in range(10):
        assert set(family_split(families, labels, seed=seed)[families == 4]) == {"train"}


def test_a_share_outside_0_1_and_wrong_lengths_get_a_sentence() -> None:
    with pytest.raises(UserError, match="test share is 1"):
        family_split([0, 1], test_share=1.0)
    with pytest.raises(UserError, match="2 products and 3 rows of labels"):
        family_split([0, 1], ["a", "b", "c"])


def test_big_families_are_tested_as_often_as_small_ones() -> None:
    sizes = np.array([1] * 400 + [20] * 40)
    families = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.random.default_rng(0).choice(["x", "y"], len(families))
    test = family_split(families, labels) == "test"
    assert abs(test[families < 400].mean() - 0.2) < 0.05
    assert abs(test[families >= 400].mean() - 0.2) < 0.05


def cards(names: list[str]) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"id": [str(i) for i in range(len(names))], "title": names})
    frame["label_a"] = rng.choice(["x", "y", None], len(names))
    frame["label_b"] = rng.choice(list("pqrs"), len(names))
    return frame


@given(
    st.lists(st.sampled_from([f"{a} {b}" for a in ("hat", "coat", "scarf") for b in "abcdefgh"]), min_size=1)
)
def test_three_splits_of_whole_families(names: list[str]) -> None:
    products = cards(names)
    families = families_of(products)
    if len(set(families)) < 3:
        with pytest.raises(UserError, match="need one each at least"):
            product_split(products)
        return
    table = split_table(products)
    assert set(table["split"]) == {"train", "validation", "test"}
    assert (table["family"] == families).all() and table["id"].tolist() == products["id"].tolist()
    assert table.groupby("family")["split"].nunique().max() == 1


def test_every_label_column_gets_its_share_in_every_split() -> None:
    words = ["".join(np.random.default_rng(i).choice(list("abcdefghij"), 9)) for i in range(600)]
    products = cards([words[i % 600] for i in range(1500)])
    split = product_split(products)
    for name in ("label_a", "label_b"):
        for value in products[name].dropna().unique():
            of_value = split[products[name] == value]
            assert abs((of_value == "test").mean() - 0.20) < 0.02
            assert abs((of_value == "validation").mean() - 0.15) < 0.02
    assert (split == product_split(products)).all() and (split != product_split(products, seed=8)).any()


def test_a_split_is_stored_and_read_back(tmp_path: Path) -> None:
    table = split_table(
        cards(["hat", "coat", "scarf", "belt", "sock", "skirt", "glove", "jeans", "dress", "watch"])
    )
    path = write_split(tmp_path, table)
    assert path.read_text("utf-8").splitlines()[0] == "id,family,split"
    pd.testing.assert_frame_equal(read_split(tmp_path), table)
    assert pa.Table.from_pandas(table, schema=PRODUCT_SPLIT, preserve_index=False).num_rows == 10
    with pytest.raises(UserError, match=r"holds no split\.csv"):
        read_split(tmp_path / "other")
    for row in ("1,0,holdout", "1,none,test"):
        path.write_text(f"id,family,split\n{row}\n", "utf-8")
        with pytest.raises(UserError, match="is no split"):
            read_split(tmp_path)


def test_a_stored_split_stays_while_the_products_are_the_same(tmp_path: Path) -> None:
    products = cards(["hat", "coat", "scarf", "belt", "sock", "skirt", "glove", "jeans", "dress", "watch"])
    first, note = stored_or_new_split(tmp_path, products, seed=1)
    assert note == "" and not first.equals(split_table(products, seed=2))
    write_split(tmp_path, first)
    again, note = stored_or_new_split(tmp_path, products, seed=1)
    assert note == "" and again.equals(first)
    kept, note = stored_or_new_split(tmp_path, products.assign(label_kind=["a", "b"] * 5), seed=2)
    assert kept.equals(first) and "delete split.csv there" in note
    # Other products, or a family that would now stand on both sides: split anew.
    one, other = ((first["split"] == part).to_numpy().argmax() for part in ("train", "test"))
    joined = products.assign(title=products["title"].mask(products.index.isin([one, other]), "muff"))
    for changed in (products.head(9), joined):
        drawn, note = stored_or_new_split(tmp_path, changed, seed=2)
        assert note == "" and drawn.equals(split_table(changed, seed=2))
    # Of products that were too few once all were for training.
    write_split(tmp_path, first.assign(split="train"))
    assert stored_or_new_split(tmp_path, products, seed=2)[0].equals(split_table(products, seed=2))


def test_the_split_of_a_fine_tuning_is_found_beside_that_of_a_model_of_other_products(tmp_path: Path) -> None:
    names = ["hat", "coat", "scarf", "belt", "sock", "skirt", "glove", "jeans", "dress", "watch"]
    before, products = split_table(cards(names[:9])), cards(names)
    write_split(tmp_path, before)
    tuned, note = stored_or_new_split(tmp_path, products, seed=1)
    assert note == "" and not tuned.equals(split_table(products, seed=2))
    store_first_split(tmp_path, tuned)
    assert read_split(tmp_path).equals(before)
    kept, note = stored_or_new_split(tmp_path, products, seed=2)
    assert kept.equals(tuned) and f"in {tmp_path / 'finetuning'};" in note
    # What a folder has already is not stored twice.
    store_first_split(tmp_path / "new", tuned)
    store_first_split(tmp_path / "new", tuned)
    assert read_split(tmp_path / "new").equals(tuned) and not (tmp_path / "new" / "finetuning").exists()


def test_shares_that_leave_nothing_to_learn_from_get_a_sentence() -> None:
    with pytest.raises(UserError, match="leave something to learn from"):
        product_split(cards(["a b", "c d", "e f"]), test_share=0.8, validation_share=0.2)


@pytest.mark.real_data
def test_no_family_of_the_real_products_straddles(real_data: Path) -> None:
    products = take_in_products(real_data / "products").products
    split = split_table(products)
    assert split.groupby("family")["split"].nunique().max() == 1
    names = pd.Series([family_name(title) for title in products["title"]])
    assert split["split"].groupby(names[names != ""]).nunique().max() == 1
    assert split["split"].groupby(products["image_digest"]).nunique().max() == 1
    assert np.bincount(split["family"]).max() < 0.02 * len(products)
    assert (split["split"] == "test").mean() == pytest.approx(0.2, abs=0.01)
    seasons = pd.crosstab(products["label_season"], split["split"], normalize="index")
    assert seasons["test"].between(0.19, 0.21).all()
