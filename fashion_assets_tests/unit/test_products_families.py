"""Families are found by name and picture, and never straddle a split."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.products.families import family_name, family_split, product_families
from fashion_assets.storage.errors import UserError


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Puma Men Red T-shirt", "Puma Men's Black T-Shirts"),
        ("Catwalk Women Silver-Toned Heels", "Catwalk Women Heels"),
        ("Nike Shorts XL", "nike shorts m"),
        ("Платье летнее чёрное 42", "Платье летнее белое 46"),
        ("新款连衣裙 黑色 均码", "新款连衣裙 酒红色"),
        ("Shoes Future Cat", "Future Cat Shoe"),
        ("Skagen Watch 42 mm", "Skagen Watch 38 mm"),
    ],
)
def test_names_of_one_family_are_the_same(one: str, other: str) -> None:
    assert family_name(one) == family_name(other) != ""


def test_colours_and_sizes_alone_are_no_name() -> None:
    assert family_name("Black / White, XL 42") == ""
    assert product_families(["Black", "Black", None, ""]).tolist() == [0, 1, 2, 3]


def test_a_typing_error_or_the_same_picture_joins_and_other_products_stay_apart() -> None:
    titles = [
        "Turtle Check Men Shirt",
        "Turtel Check Men Shirt",
        "Turtle Check Women Shirt",
        "Sunglasses Oval Frame",
        "x",
    ]
    assert product_families(titles).tolist() == [0, 0, 1, 2, 3]
    assert product_families(titles, ["p", None, "q", "q", None]).tolist() == [0, 0, 1, 1, 2]


def test_short_names_need_to_be_equal() -> None:
    assert product_families(["cap one", "cap ono"]).tolist() == [0, 1]


def test_joining_is_transitive() -> None:
    assert (
        len(set(product_families(["long name alpha", "other thing", "something else"], ["1", "1", None])))
        == 2
    )
    assert product_families(["a b c", "zzz", "a b c"], ["1", "1", None]).tolist() == [0, 0, 0]


def test_twenty_thousand_names_are_not_compared_in_pairs() -> None:
    rng = np.random.default_rng(0)
    words = ["".join(rng.choice(list("bcdfghklmnprt"), 6)) for _ in range(400)]
    titles = [" ".join(rng.choice(words, 4)) for _ in range(20_000)]
    assert len(set(product_families(titles))) > 19_000


def test_titles_and_pictures_must_be_of_the_same_products() -> None:
    with pytest.raises(UserError, match="2 titles and 1 picture hashes"):
        product_families(["a", "b"], ["x"])


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


@given(
    st.lists(st.tuples(st.text(max_size=12), st.sampled_from(["p", "q", "r", None])), min_size=1, max_size=40)
)
def test_equal_names_and_equal_pictures_share_a_family(items: list[tuple[str, str | None]]) -> None:
    titles, hashes = [title for title, _ in items], [digest for _, digest in items]
    found = product_families(titles, hashes)
    frame = pd.DataFrame({"name": [family_name(title) for title in titles], "hash": hashes, "family": found})
    assert (frame[frame["name"] != ""].groupby("name")["family"].nunique() == 1).all()
    assert (frame.dropna(subset=["hash"]).groupby("hash")["family"].nunique() == 1).all()
    assert found.max() == len(set(found)) - 1


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
