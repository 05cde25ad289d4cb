"""What a notebook hands to the public functions: iterables of any kind, missing cells, single items, tables."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_assets.encoders import load_encoder
from fashion_assets.keywords.rake import rake_phrases
from fashion_assets.keywords.tokens import tokenize
from fashion_assets.posts.cleaning import clean_posts
from fashion_assets.posts.dates import resolve_post_date
from fashion_assets.storage.errors import UserError
from fashion_assets.styles.silhouette import silhouette_samples

TEXTS = ["法式碎花连衣裙", "通勤西装"]
PIXELS = np.random.default_rng(0).integers(0, 256, size=(60, 40, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    "texts",
    [tuple(TEXTS), np.array(TEXTS), pd.Series(TEXTS, index=[5, 9]), (text for text in TEXTS)],
    ids=["tuple", "array", "series", "generator"],
)
def test_texts_come_in_any_iterable(texts: Any) -> None:
    copies = list(texts)
    expected = load_encoder("local:cbow").encode(TEXTS)
    np.testing.assert_array_equal(load_encoder("local:cbow").encode(text for text in copies), expected)
    np.testing.assert_array_equal(
        load_encoder("local:cbow").encode(pd.Series(copies, index=[3, 7])), expected
    )
    assert tokenize(text for text in copies) == tokenize(TEXTS)


def test_missing_texts_have_no_tokens_and_no_phrases() -> None:
    column = pd.Series(["穿搭", None, np.nan], dtype=object)
    assert tokenize(column) == [["穿搭"], [], []]
    assert tokenize(column.astype("string")) == [["穿搭"], [], []]
    assert rake_phrases(None) == [] == rake_phrases(float("nan"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "texts", ["今天穿搭", b"x", None, [12], [["穿搭"]], pd.DataFrame({"text": ["穿搭"]})]
)
def test_what_is_no_list_of_texts_is_refused(texts: Any) -> None:
    with pytest.raises(UserError, match="text"):
        tokenize(texts)


def test_a_single_text_is_not_encoded_character_by_character() -> None:
    with pytest.raises(UserError, match="put a single item into a list"):
        load_encoder("local:cbow").encode("今天穿搭")


def test_pictures_come_as_paths_arrays_and_pillow_images(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    Image.fromarray(PIXELS).save(path)
    visual = load_encoder("local:visual")
    expected = visual.encode([PIXELS])
    np.testing.assert_allclose(visual.encode([path]), expected, atol=1e-5)
    np.testing.assert_array_equal(visual.encode([Image.fromarray(PIXELS)]), expected)
    np.testing.assert_array_equal(visual.encode(pixels for pixels in [PIXELS]), expected)
    cut_out = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 255, np.uint8)])
    cut_out[:20, :, 3] = 0
    np.testing.assert_array_equal(visual.encode([Image.fromarray(cut_out)]), visual.encode([cut_out]))


@pytest.mark.parametrize("items", [PIXELS, Image.fromarray(PIXELS), Path("x.png"), {"a": PIXELS}, None])
def test_a_single_picture_is_not_taken_apart(items: Any) -> None:
    with pytest.raises(UserError, match="list of items"):
        load_encoder("local:visual").encode(items)


def test_a_file_name_as_str_says_to_use_path() -> None:
    with pytest.raises(UserError, match="wrap file names in Path"):
        load_encoder("local:visual").encode(["x.png"])


@pytest.mark.parametrize("spec", [None, 5, Path("local:cbow")])
def test_a_spec_that_is_no_text_is_refused_in_a_sentence(spec: Any) -> None:
    with pytest.raises(UserError, match="there is no encoder"):
        load_encoder(spec)


def test_silhouette_takes_python_numbers_and_refuses_missing_labels() -> None:
    x = np.random.default_rng(1).normal(size=(12, 3))
    labels = np.arange(12) % 3
    np.testing.assert_array_equal(silhouette_samples(x.astype(object), labels), silhouette_samples(x, labels))
    for missing in (None, pd.NA, float("nan")):
        with pytest.raises(UserError, match="first in row 1"):
            silhouette_samples(x, np.array(["a", missing, *"ababababab"], dtype=object))
    with pytest.raises(UserError, match="common order"):
        silhouette_samples(x, np.array(["a", 1] * 6, dtype=object))
    with pytest.raises(UserError, match=r"numpy\.stack"):
        silhouette_samples(pd.Series(list(x)), labels)


def test_clean_posts_says_what_it_takes() -> None:
    row = {"post_id": "1"}
    with pytest.raises(UserError, match="data frame"):
        clean_posts([row])  # type: ignore[arg-type]
    with pytest.raises(UserError, match="post_id more than once"):
        clean_posts(pd.DataFrame([["1", "2"]], columns=["post_id", "post_id"]))


def test_an_id_dates_a_post_of_the_day_of_a_fetch_without_clock() -> None:
    assert resolve_post_date(None, "2024-05-24", "66500000aaaa") == date(2024, 5, 24)
    assert resolve_post_date(None, "2024-05-23", "66500000aaaa") is None
