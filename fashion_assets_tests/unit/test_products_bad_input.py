"""Every bad input of product cards gets a sentence and a place, and no card is lost."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_assets.products.cards import clean_products, read_product_cards
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads import AttributeHead
from fashion_assets.products.intake import take_in_products
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


def test_cards_to_predict_are_kept_with_what_they_have_and_marked(tmp_path: Path) -> None:
    write_shop(
        tmp_path,
        "id,title,gender\n1,,Women\n2,coat,\n3,hat,Men\n4,,\n5,100 %,Men\n6,skirt,Women\n",
        {"1.jpg": picture(), "3.jpg": b"no picture", "4.jpg": b"", "6.jpg": picture()},
    )
    learnt = take_in_products(tmp_path)
    assert learnt.products["id"].tolist() == ["2", "6"]
    assert learnt.quarantined.set_index("id")["column"].to_dict() == {
        "1": "title", "3": "image", "4": "image", "5": "title",
    }  # fmt: skip
    predicted = take_in_products(tmp_path, purpose="prediction")
    assert predicted.products["id"].tolist() == ["1", "2", "3", "6"]
    assert predicted.products["image_path"].tolist() == ["images/1.jpg", None, None, "images/6.jpg"]
    notes = predicted.products["note"].tolist()
    assert "has no text" in notes[0] and "no picture is named 2" in notes[1] and notes[3] is None
    assert "images/3.jpg cannot be used" in notes[2]
    assert predicted.quarantined["id"].tolist() == ["4", "5"]
    assert "no text either" in predicted.quarantined["reason"][0]
    for found in (learnt, predicted):
        assert found.arrived == 6 == len(found.products) + len(found.quarantined)


def test_cards_without_a_single_text_are_learned_from_their_pictures(tmp_path: Path) -> None:
    write_shop(tmp_path, "id,title,gender\n1,,Women\n2,100 %,Men\n", {"1.jpg": picture(), "2.jpg": picture()})
    taken = take_in_products(tmp_path)
    assert taken.products["id"].tolist() == ["1", "2"] and taken.quarantined.empty
    assert taken.products["note"].str.contains("only its picture is known").all()


def test_what_happened_to_the_cards_is_told_in_sentences(tmp_path: Path) -> None:
    rows = "1,dress\n1,coat\n2,hat\n3,shoe\n4,skirt\n"
    pictures = {f"{name}.jpg": picture() for name in (1, 2, 77, 78)}
    write_shop(tmp_path, "id,title\n" + rows, pictures | {"4.jpg": b""})
    assert take_in_products(tmp_path, purpose="prediction").sentences() == [
        "5 cards arrived: 4 kept, 1 refused",
        "products.csv:3:id: the id 1 is already that of the card at products.csv:2; keep one of the two",
        "product 3: no picture is named 3; only its text is known",
        "product 4: the picture images/4.jpg is an empty file; put a good copy there or delete it",
        "2 pictures of 5 not used (images/77.jpg, images/78.jpg): no card has that id, or its card has another "
        "picture; a picture is named after its card's id",
    ]


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
    with pytest.raises(UserError, match=r"label column Gender is in no card file .* did you mean gender\?"):
        read_product_cards(tmp_path, ["Gender"])
    with pytest.raises(UserError, match="no text encoding"):
        read_product_cards(tmp_path, encoding="klingon")
    (tmp_path / "images.zip").write_bytes(b"no zip")
    with pytest.raises(UserError, match=r"images\.zip is not a readable zip"):
        open_product_images(tmp_path)


def features(image: np.ndarray | None, texts: list[str], encoder: str = "i") -> ProductFeatures:
    """Products with picture vectors (zeros: none) and texts ("": none)."""
    given = np.zeros((len(texts), 2)) if image is None else image
    vectors = join_vectors(
        [str(row) for row in range(len(texts))], {"image": given}, model_ids={"image": encoder}
    )
    return ProductFeatures(vectors, tuple(texts), tuple(texts))


def test_a_label_column_with_one_class_gives_a_constant_head_that_says_so() -> None:
    four = features(np.eye(4), ["dress"] * 4)
    head = AttributeHead("gender").fit(four, ["Women"] * 3 + [None])
    assert "every labelled product has gender 'Women': nothing was learnt" in head.note_
    assert head.predict(four).tolist() == ["Women"] * 4


def test_a_label_column_without_any_label_is_a_sentence() -> None:
    with pytest.raises(UserError, match="label column season is empty for all 3 products"):
        AttributeHead("season").fit(features(np.eye(3), ["hat"] * 3), [None, "", float("nan")])


@pytest.fixture(scope="module")
def two_sided() -> AttributeHead:
    """A head that can tell two classes by the picture and by the words."""
    rng = np.random.default_rng(0)
    labels = ["a", "b"] * 40
    side = np.array([[3.0, 1.0] if label == "a" else [1.0, 3.0] for label in labels])
    texts = ["warm coat" if label == "a" else "light dress" for label in labels]
    noise = rng.normal(0, 0.2, (80, 2))
    return AttributeHead("kind", kind="logistic").fit(features(side + noise, texts), labels)


def test_vectors_of_another_encoder_are_refused(two_sided: AttributeHead) -> None:
    with pytest.raises(UserError, match=r"trained on vectors of 'image=i', these are of 'image=other'"):
        two_sided.predict(features(np.eye(2), ["coat"] * 2, encoder="other"))
    with pytest.raises(UserError, match="trained on 2 image numbers per product, these vectors have 3"):
        two_sided.predict(features(np.eye(3), ["coat"] * 3))
    with pytest.raises(UserError, match="encode the products with the first"):
        predict_products([two_sided], features(np.eye(2), ["coat"] * 2, encoder="other"))


def test_a_missing_picture_or_text_is_predicted_from_the_other_and_marked(two_sided: AttributeHead) -> None:
    image = np.array([[3.0, 1.0], [0.0, 0.0], [3.0, 1.0], [0.0, 0.0]])
    found = predict_products([two_sided], features(image, ["warm coat", "light dress", "", ""]))
    assert found["inputs"].tolist() == ["image+text", "text", "image", "none"]
    assert found["label"].tolist()[:3] == ["a", "b", "a"]
    assert found["abstained"].tolist() == [False, False, False, True]


@pytest.mark.parametrize("kind", ["logistic", "kernel"])
def test_a_side_that_no_product_of_the_training_had_is_no_input(kind: str) -> None:
    labels, texts = ["a", "b"] * 20, ["warm coat", "light dress"] * 20
    pictures = np.array([[3.0, 1.0], [1.0, 3.0]] * 20) + np.random.default_rng(0).normal(0, 0.2, (40, 2))
    shown = features(np.array([[3.0, 1.0], [3.0, 1.0]]), ["warm coat", ""])
    by_text = AttributeHead("kind", kind=kind).fit(features(np.zeros((40, 2)), texts), labels)
    by_picture = AttributeHead("kind", kind=kind).fit(features(pictures, [""] * 40), labels)
    assert predict_products([by_text], shown)["inputs"].tolist() == ["text", "none"]
    assert predict_products([by_text], shown)["abstained"].tolist()[1]
    assert predict_products([by_picture], shown)["inputs"].tolist() == ["image", "image"]
    assert predict_products([by_text, by_picture], shown)["inputs"].tolist()[0] == "image+text"
