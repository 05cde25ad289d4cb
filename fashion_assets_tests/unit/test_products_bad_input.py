"""Every bad input of product cards gets a sentence and a place, and no card is lost."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_assets.products.cards import clean_products, read_product_cards
from fashion_assets.products.heads import AttributeHead
from fashion_assets.products.pictures import open_product_images
from fashion_assets.products.predict import predict_products
from fashion_assets.products.vectors import join_vectors
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.test_products_cards import picture, write_shop


def clean(folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    raw = read_product_cards(folder)
    with open_product_images(folder) as images:
        products, quarantined = clean_products(raw, images)
    assert len(products) + len(quarantined) == len(raw)
    return products, quarantined


def test_each_refused_card_has_a_place_and_a_reason(tmp_path: Path) -> None:
    csv = (
        "id,title,characteristics,gender\n"
        "1,dress,{},Women\n"
        ",coat,{},Women\n"
        "1,hat,{},Men\n"
        "3,,{},Women\n"
        "4,skirt,{broken,Women\n"
        "5,shoe,{},Women\n"
        "6,shoe,{},Women\n"
        "7,!!! 100 %,,Women\n"
        '8,shirt,"[1, 2]",Women\n'
        "9,shirt,__import__('os').getcwd(),Women\n"
    )
    truncated = picture(5, 64)[:-400]
    write_shop(tmp_path, csv, {"1.jpg": picture(), "5.jpg": truncated, "6.jpg": b""})
    products, quarantined = clean(tmp_path)
    assert products["id"].tolist() == ["1"]
    found = {row["source_row"]: (row["column"], row["reason"]) for row in quarantined.to_dict("records")}
    expected = {
        3: ("id", "the id is empty"),
        4: ("id", "already that of the card at products.csv:2"),
        5: ("title", "neither text nor picture"),
        6: ("characteristics", "neither JSON nor a Python dictionary"),
        7: ("image", "images/5.jpg cannot be used"),
        8: ("image", "images/6.jpg is an empty file"),
        9: ("title", "neither text nor picture"),
        10: ("characteristics", "holds a list, not a dictionary"),
        11: ("characteristics", "neither JSON nor a Python dictionary"),
    }
    assert set(found) == set(expected)
    for row, (column, words) in expected.items():
        assert found[row][0] == column and words in found[row][1], (row, found[row])
    assert set(quarantined["source_file"]) == {"products.csv"}
    assert '"title": "hat"' in quarantined[quarantined["source_row"] == 4]["raw"].iloc[0]


def test_an_empty_text_with_a_picture_and_a_text_without_one_are_kept(tmp_path: Path) -> None:
    write_shop(tmp_path, "id,title\n1,\n2,coat\n", {"1.jpg": picture()})
    products, quarantined = clean(tmp_path)
    assert quarantined.empty
    assert products["text"].tolist() == ["", "coat"]
    assert products["image_path"].tolist() == ["images/1.jpg", None]


def test_a_refused_card_does_not_reserve_its_id(tmp_path: Path) -> None:
    write_shop(tmp_path, "id,title,characteristics\n1,dress,{broken\n1,dress,{}\n")
    products, quarantined = clean(tmp_path)
    assert products["source_row"].tolist() == [3] and quarantined["source_row"].tolist() == [2]


def test_an_unclosed_quote_costs_one_card_not_all_that_follow(tmp_path: Path) -> None:
    lines = ['1,"dress,red', *(f"{number},coat,blue" for number in range(2, 30))]
    write_shop(tmp_path, "id,title,colour\n" + "\n".join(lines) + "\n")
    products, quarantined = clean(tmp_path)
    assert len(products) == 28
    assert quarantined["source_row"].tolist() == [2]
    assert "quote in this row is never closed" in quarantined["reason"][0]
    assert "dress" in quarantined["raw"][0]


def test_rows_of_another_width_and_nul_bytes_are_refused(tmp_path: Path) -> None:
    write_shop(tmp_path, "id,title\n1,dress,extra\n2\n3,co\0at\n\n4,hat\n")
    products, quarantined = clean(tmp_path)
    assert products["id"].tolist() == ["4"]
    assert quarantined["source_row"].tolist() == [2, 3, 4]
    assert "3 fields where the header has 2" in quarantined["reason"][0]
    assert "1 fields where the header has 2" in quarantined["reason"][1]
    assert quarantined["column"].tolist()[2] == "title" and "NUL byte" in quarantined["reason"][2]


def test_a_damaged_entry_of_the_zip_is_a_broken_picture(tmp_path: Path) -> None:
    write_shop(tmp_path, "id,title\n1,dress\n2,coat\n")
    content = picture(3, 40)
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        archive.writestr("1.jpg", content)
        archive.writestr("2.jpg", picture())
    stored = bytearray((tmp_path / "images.zip").read_bytes())
    stored[stored.index(content[:30]) + 200] ^= 0xFF
    (tmp_path / "images.zip").write_bytes(bytes(stored))
    products, quarantined = clean(tmp_path)
    assert products["id"].tolist() == ["2"]
    assert "images.zip/1.jpg cannot be read" in quarantined["reason"][0]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("products.csv", b"", "products.csv is empty"),
        ("products.csv", b"name,colour\ndress,red\n", "products.csv has no id column: it has name, colour"),
        ("products.csv", b"id,title,title\n1,a,b\n", "names the column 'title' more than once"),
        (
            "products.csv",
            "id,title\n1,ok\n2,платье\n".encode("cp1251"),
            "products.csv:3 is not utf-8-sig text",
        ),
        ("products.parquet", b"no parquet", "not a readable Parquet file"),
        ("products.csv.gz", b"no gzip", "products.csv.gz cannot be read"),
        ("notes.txt", b"hello", "has no product cards"),
    ],
)
def test_files_that_cannot_be_read_as_a_whole_are_named(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        read_product_cards(tmp_path)


def test_a_missing_folder_an_unknown_label_and_a_broken_zip(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a folder"):
        read_product_cards(tmp_path / "nowhere")
    write_shop(tmp_path, "id,title,gender\n1,dress,Women\n")
    with pytest.raises(UserError, match=r"label column seasn is in no card file .* gender"):
        read_product_cards(tmp_path, ["gender", "seasn"])
    with pytest.raises(UserError, match="no text encoding"):
        read_product_cards(tmp_path, encoding="klingon")
    (tmp_path / "images.zip").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"images\.zip .* is not a readable zip"):
        open_product_images(tmp_path)


def test_a_label_column_with_one_class_gives_a_constant_head_that_says_so() -> None:
    head = AttributeHead("gender").fit(np.eye(4), ["Women"] * 3 + [None])
    assert head.note_.startswith(
        "the label column gender holds one value only (Women, 3 products): nothing was learnt"
    )
    assert head.predict(np.eye(4)).tolist() == ["Women"] * 4


def test_a_label_column_without_any_label_is_a_sentence() -> None:
    with pytest.raises(UserError, match="label column season is empty for all 3 products"):
        AttributeHead("season").fit(np.eye(3), [None, "", float("nan")])


def test_vectors_of_another_encoder_are_refused() -> None:
    head = AttributeHead("gender", model_id="local:cbow@1").fit(np.eye(4), ["a", "b", "a", "b"])
    with pytest.raises(UserError, match=r"trained on vectors of 'local:cbow@1', these are of 'st:other'"):
        head.predict(np.eye(4), model_id="st:other")
    with pytest.raises(UserError, match="trained on 4 numbers per product, these vectors have 3"):
        head.predict(np.eye(3))
    vectors = join_vectors(["1"], None, np.eye(1, 4), text_model_id="st:other")
    with pytest.raises(UserError, match="encode the products with the first"):
        predict_products([head], pd.DataFrame({"id": ["1"]}), vectors)


def test_a_missing_picture_or_text_is_predicted_from_the_other_and_marked() -> None:
    rng = np.random.default_rng(0)
    labels = ["a", "b"] * 40
    side = np.array([[3.0, 1.0] if label == "a" else [1.0, 3.0] for label in labels]) + rng.normal(
        0, 0.2, (80, 2)
    )
    train = join_vectors([str(i) for i in range(80)], side, side, image_model_id="i", text_model_id="t")
    head = AttributeHead("kind", model_id=train.model_id, image_width=2, regularisation=1.0).fit(
        train.matrix, labels
    )
    image = np.array([[3.0, 1.0], [0.0, 0.0], [3.0, 1.0], [0.0, 0.0]])
    text = np.array([[3.0, 1.0], [1.0, 3.0], [0.0, 0.0], [0.0, 0.0]])
    vectors = join_vectors(
        ["both", "text", "image", "none"], image, text, image_model_id="i", text_model_id="t"
    )
    found = predict_products(
        [head], pd.DataFrame({"id": ["both", "text", "image", "none", "unseen"]}), vectors
    )
    assert found["inputs"].tolist() == ["image+text", "text", "image", "none", "none"]
    assert found["label"].tolist()[:3] == ["a", "b", "a"]
    assert found["abstained"].tolist() == [False, False, False, True, True]
