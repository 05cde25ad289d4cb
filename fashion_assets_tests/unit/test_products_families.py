"""Families are found by name and picture, and never straddle a split."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.products.families import family_name, product_families
from fashion_assets.products.near_names import MIN_SHARED, MIN_WORDS, near_identical_names
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


def test_long_names_that_share_most_words_are_one_family() -> None:
    titles = [
        "Hush Puppies Men Formal Black Shoes",
        "Hush Puppies Men Falcon Formal Brown Shoes",
        "Hush Puppies Women Casual Brown Shoes",
        "法式复古收腰连衣裙显瘦 黑色",
        "法式 复古 收腰 白色 连衣裙 显瘦 女",
    ]
    assert product_families(titles).tolist() == [0, 0, 1, 2, 2]


def test_a_text_in_the_column_of_names_takes_no_memory_of_its_length_squared() -> None:
    text = " ".join(
        f"w{'abcdefghij'[n % 10]}{'klmnopqrst'[n // 10 % 10]}{'uvxyz'[n // 100]}" for n in range(500)
    )
    tracemalloc.start()
    found = product_families([text, "Turtle Check Men Shirt", text.replace("wakz", "wakx")])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.tolist() == [0, 1, 0]
    assert peak < 1000 * len(text)


@given(st.lists(st.sets(st.sampled_from("abcdefghi"), min_size=1), max_size=12))
def test_the_join_finds_what_comparing_all_pairs_finds(words: list[set[str]]) -> None:
    names = sorted({" ".join(sorted(name)) for name in words})
    sets = [set(name.split(" ")) for name in names]
    every = {
        (i, j)
        for j in range(len(sets))
        for i in range(j)
        if min(len(sets[i]), len(sets[j])) >= MIN_WORDS
        and len(sets[i] & sets[j]) >= MIN_SHARED * len(sets[i] | sets[j])
    }
    assert set(near_identical_names(names)) == every


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
    with pytest.raises(UserError, match="2 titles and 1 picture digests"):
        product_families(["a", "b"], ["x"])


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
