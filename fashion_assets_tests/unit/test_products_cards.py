"""Product cards: reading files as they come, cleaning, and pictures in folders and zips."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fashion_assets.products import pictures
from fashion_assets.products.cards import clean_products, label_columns_of, read_product_cards
from fashion_assets.products.intake import take_in_products
from fashion_assets.products.pictures import open_product_images
from fashion_assets.products.schemas import QUARANTINED_PRODUCTS, products_schema
from fashion_assets.storage.errors import UserError


def picture(seed: int = 0, size: int = 12) -> bytes:
    from PIL import Image

    pixels = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG")
    return stream.getvalue()


def write_shop(folder: Path, csv: str, pictures: dict[str, bytes] | None = None) -> Path:
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "products.csv").write_text(csv, "utf-8")
    for name, content in (pictures or {}).items():
        (folder / "images" / name).write_bytes(content)
    return folder


def test_a_card_is_read_with_its_labels_and_cleaned(tmp_path: Path) -> None:
    shop = write_shop(
        tmp_path,
        "id,productDisplayName,description,characteristics,shop,gender,year\n"
        "0007,Red T-shirt 42 cm,<p>Soft &amp; <b>warm</b></p>,"
        "\"{'ткань': 'хлопок', 'size': ['S', 'M']}\",Mode,Women,2012\n",
        {"0007.jpg": picture()},
    )
    raw = read_product_cards(shop)
    assert label_columns_of(raw) == ["label_gender"]  # numbers are no labels unless they are asked for
    assert json.loads(raw["extra"][0]) == {"year": "2012"}
    with open_product_images(shop) as images:
        products, quarantined = clean_products(raw, images)
    assert quarantined.empty
    card = products.iloc[0]
    assert (card["id"], card["title"], card["shop"], card["label_gender"]) == (
        "0007",
        "Red T-shirt 42 cm",
        "Mode",
        "Women",
    )
    assert card["description"] == "Soft & warm"
    assert json.loads(card["characteristics"]) == {"ткань": "хлопок", "size": ["S", "M"]}
    assert card["text"] == "Red T-shirt Soft warm ткань хлопок size S M"
    assert card["image_path"] == "images/0007.jpg" and len(card["image_digest"]) == 64
    assert card["source_row"] == 2
    assert (
        pa.Table.from_pandas(
            products, schema=products_schema(["label_gender"]), preserve_index=False
        ).num_rows
        == 1
    )
    assert pa.Table.from_pandas(quarantined, schema=QUARANTINED_PRODUCTS, preserve_index=False).num_rows == 0


def test_a_zip_is_read_without_unpacking_and_unnamed_pictures_are_counted(tmp_path: Path) -> None:
    write_shop(tmp_path, "id,title\n1,dress\n2,coat\n")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for name in ("images/1.jpg", "images/99.jpg", "images/readme.txt", "__MACOSX/images/1.jpg"):
            archive.writestr(name, picture())
    before = sorted(path.name for path in tmp_path.rglob("*"))
    raw = read_product_cards(tmp_path)
    with open_product_images(tmp_path) as images:
        products, _ = clean_products(raw, images)
        assert len(images) == 2
        assert images.unnamed(raw["id"]) == ["images.zip/images/99.jpg"]
    assert products["image_path"].tolist() == ["images.zip/images/1.jpg", None]
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize("prefix", ["", "shop/"])
def test_a_zip_may_hold_cards_and_pictures(tmp_path: Path, prefix: str) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("3.jpg", picture(3))
    source = tmp_path / "X.zip"
    with zipfile.ZipFile(source, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(prefix + "cards.csv", "id,title\n1,dress\n2,coat\n3,hat\n")
        archive.writestr(prefix + "images/old/left.csv", "no,cards\n")
        archive.writestr(prefix + "images/1.jpg", picture(1))
        archive.writestr(prefix.replace("/", "\\") + "images\\2.jpg", picture(2))
        archive.writestr(prefix + "more.zip", inner.getvalue())
        archive.writestr("__MACOSX/9.jpg", b"")
    found = take_in_products(source)
    assert found.sentences() == ["3 cards arrived: 3 kept, 0 refused"]
    assert found.products["source_file"].unique().tolist() == [prefix + "cards.csv"]
    assert found.products["image_path"].tolist() == [
        prefix + "images/1.jpg", prefix + "images/2.jpg", prefix + "more.zip/3.jpg",
    ]  # fmt: skip
    assert found.products["image_hash"].nunique() == 3 and found.products["image_width"].tolist() == [12] * 3


def test_pictures_may_lie_beside_the_cards(tmp_path: Path) -> None:
    write_shop(tmp_path, "id,title\n1,dress\n")
    (tmp_path / "1.jpg").write_bytes(picture())
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "1.jpg").write_bytes(picture())
    with open_product_images(tmp_path) as images:
        assert (images.path_of("1"), len(images)) == ("1.jpg", 1)


def test_a_picture_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shop(tmp_path, "id,title\n1,dress\n")
    with zipfile.ZipFile(tmp_path / "images.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1.jpg", b"0" * 5000)
    monkeypatch.setattr(pictures, "MAX_PICTURE_BYTES", 4000)
    found = take_in_products(tmp_path)
    assert "images.zip/1.jpg unpacks to 5,000 bytes" in found.quarantined["reason"][0]


def test_a_loose_picture_wins_over_one_in_the_zip(tmp_path: Path) -> None:
    write_shop(tmp_path, "id,title\n1,dress\n", {"1.jpg": picture(1)})
    with zipfile.ZipFile(tmp_path / "more.zip", "w") as archive:
        archive.writestr("1.jpg", picture(2))
    with open_product_images(tmp_path) as images:
        assert images.path_of("1") == "images/1.jpg"
        assert images.unnamed(["1"]) == ["more.zip/1.jpg"]


def test_parquet_cards_with_nested_characteristics_and_ids_as_numbers(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([1.0, 2.0]),
            "name": ["платье", None],
            "filters": [{"цвет": "красный"}, {"цвет": None}],
            "attributes": ['{"стиль": "boho"}', None],
            "season": ["лето", None],
        }
    )
    pq.write_table(table, tmp_path / "cards.parquet")
    raw = read_product_cards(tmp_path)
    assert raw["id"].tolist() == ["1", "2"] and raw["source_row"].tolist() == [1, 2]
    products, quarantined = clean_products(raw)
    assert len(products) + len(quarantined) == 2
    assert json.loads(products.iloc[0]["characteristics"]) == {"стиль": "boho", "цвет": "красный"}
    assert products.iloc[0]["label_season"] == "лето"


def test_labels_may_be_named_and_several_files_are_read(tmp_path: Path) -> None:
    write_shop(tmp_path, "id,title,year\n1,dress,2012\n")
    (tmp_path / "more.csv").write_text("﻿sku,name,season\n2,coat,Fall\n", "utf-8")
    raw = read_product_cards(tmp_path, ["year", "season"])
    assert raw[["source_file", "id", "label_year", "label_season"]].values.tolist() == [
        ["more.csv", "2", None, "Fall"],
        ["products.csv", "1", "2012", None],
    ]


def test_free_text_columns_are_no_labels(tmp_path: Path) -> None:
    lines = "".join(f"{i},dress,made of cloth number {i},{'red' if i % 2 else 'blue'}\n" for i in range(40))
    write_shop(tmp_path, "id,title,story,colour\n" + lines)
    assert label_columns_of(read_product_cards(tmp_path)) == ["label_colour"]


def test_blank_labels_are_unknown_and_na_is_a_value(tmp_path: Path) -> None:
    write_shop(tmp_path, "id,title,usage\n1,dress,\n2,dress,nan\n3,dress,NA\n4,dress,Casual\n")
    products, _ = clean_products(read_product_cards(tmp_path))
    assert products["label_usage"].tolist() == [None, None, "NA", "Casual"]


def test_utf16_and_gzip_files_are_read(tmp_path: Path) -> None:
    import gzip

    (tmp_path / "a.csv").write_bytes("id,title\n1,платье\n".encode("utf-16"))
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress("id,title\n2,连衣裙\n".encode()))
    assert read_product_cards(tmp_path)["title"].tolist() == ["платье", "连衣裙"]
    (tmp_path / "a.csv").write_bytes("id,title\n1,连衣裙\n".encode("gb18030"))
    (tmp_path / "b.csv.gz").unlink()
    assert read_product_cards(tmp_path, encoding="gb18030")["title"].tolist() == ["连衣裙"]


def test_quoted_line_breaks_keep_the_line_where_a_card_starts(tmp_path: Path) -> None:
    write_shop(tmp_path, 'id,title\n1,"red\ndress"\n2,coat\n')
    raw = read_product_cards(tmp_path)
    assert raw["source_row"].tolist() == [2, 4] and raw["title"].tolist() == ["red\ndress", "coat"]


@pytest.mark.real_data
def test_the_real_products_are_all_kept_or_refused(real_data: Path) -> None:
    folder = real_data / "products"
    raw = read_product_cards(folder)
    assert [name.removeprefix("label_") for name in label_columns_of(raw)] == [
        "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "usage",
    ]  # fmt: skip
    found = take_in_products(folder)
    products, quarantined = found.products, found.quarantined
    assert found.unnamed_pictures == ()
    assert len(products) + len(quarantined) == len(raw) == 13_375
    assert len(quarantined) == 0, quarantined["reason"].head().tolist()
    assert products["image_digest"].notna().all() and (products["text"] != "").all()
    assert pd.isna(products["label_usage"]).sum() == 18


@pytest.mark.parametrize(
    "header",
    [
        "商品ID,商品标题,商品描述,店铺,性别",
        "产品编号,标题,描述,店铺名称,性别",
        "Артикул,Название,Описание,Магазин,性别",
        "SKU,Product Title,Product_Description,Shop title,性别",
    ],
)
def test_fields_are_found_by_the_names_of_three_languages(tmp_path: Path, header: str) -> None:
    raw = read_product_cards(write_shop(tmp_path, f"{header}\n7,红裙,纯棉,小店,女\n"))
    assert raw.loc[0, ["id", "title", "description", "shop"]].tolist() == ["7", "红裙", "纯棉", "小店"]
    assert label_columns_of(raw) == ["label_性别"]


def test_columns_of_a_predictions_file_are_no_labels(tmp_path: Path) -> None:
    shop = write_shop(
        tmp_path,
        "id,title,sex,sex_confidence,sex_abstained,is_abstained,inputs,decided\n"
        "1,red dress,women,sure,False,no,image+text,alone\n2,blue shirt,men,unsure,True,yes,text,alone\n",
    )
    raw = read_product_cards(shop)
    assert label_columns_of(raw) == ["label_sex", "label_is_abstained"]  # there is no label `is`
    assert json.loads(raw["extra"][0])["inputs"] == "image+text"
    for wanted in (["sex", "inputs"], ["sex", "sex_abstained"]):
        with pytest.raises(UserError, match=f"{wanted[1]} cannot be a label.*rename it"):
            read_product_cards(shop, wanted)
    assert label_columns_of(read_product_cards(shop, ["sex_abstained"])) == ["label_sex_abstained"]
