"""The page of a product set: complete, self-contained, and nothing on a card can reach out of it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest

from fashion_assets.products.schemas import QUARANTINED_PRODUCTS
from fashion_assets.products.statistics import product_statistics
from fashion_assets.reports.product_eda import explore_products, render_product_eda
from fashion_assets.reports.product_eda_charts import column_chart_svg, heat_map_svg, rank_chart_svg
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.test_products_cards import picture, write_shop
from fashion_assets_tests.unit.test_products_statistics import shop, table

MOMENT = datetime(2026, 1, 2, 3, 4)
NOBODY = pd.DataFrame(columns=QUARANTINED_PRODUCTS.names)


def charts(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(found) for found in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def test_the_page_shows_every_label_column_with_its_charts() -> None:
    page = render_product_eda(product_statistics(shop()), NOBODY, MOMENT, title="Shop")
    assert re.findall(r'<article class="card" id="(.*?)">\s*<h3>(.*?)</h3>', page) == [
        ("attribute-0", "kind"),
        ("attribute-1", "season"),
    ]
    assert len(charts(page)) == 2 * 2 + 2 + 4
    assert "Near-empty:</b> a (4), b (1)." in page and "The field rating is of no use" in page
    assert "None." in page and "Made 2026-01-02 03:04" in page
    assert "<script" not in page and "http:" not in page and "https:" not in page


def test_refused_cards_and_pictures_without_card_are_counted_and_placed() -> None:
    rows = [("1", "a.csv", 3, "image", "broken & cut", "{}"), ("2", "a.csv", 9, "image", "other", "{}")]
    refused = pd.DataFrame(rows, columns=QUARANTINED_PRODUCTS.names)
    unnamed = [f"images/{number}.jpg" for number in range(70)]
    page = render_product_eda(product_statistics(shop()), refused, MOMENT, unnamed_pictures=unnamed)
    assert re.search(r"<td>image</td><td class=\"n\">2</td><td>a\.csv:3</td><td>broken &amp; cut</td>", page)
    assert "images/59.jpg, and 10 more" in page
    assert re.search(r"cards arrived</dt><dd>8</dd>.*?refused</dt><dd>2</dd>", page, re.DOTALL)


def test_nothing_on_a_card_reaches_out_of_the_page() -> None:
    evil = "\"><script>alert('x')</script>\u202e</svg>"
    row = {
        "title": evil,
        "text": evil,
        "shop": evil,
        "extra": '{"\\"><script>alert(1)</script>": "\\"><img src=x>"}',
        f"label_{evil}": evil,
    }
    refused = pd.DataFrame([(evil, evil, 1, evil, evil, "{}")], columns=QUARANTINED_PRODUCTS.names)
    found = product_statistics(table([row, row]))
    page = render_product_eda(found, refused, MOMENT, unnamed_pictures=[evil], title=evil)
    assert "<script" not in page and "<img" not in page and "\u202e" not in page
    assert len(charts(page)) == 8


def test_an_empty_set_has_a_page() -> None:
    page = render_product_eda(product_statistics(table([])), NOBODY, MOMENT)
    assert "The cards have no label column." in page and "Nothing stands out." not in page


@pytest.mark.parametrize("source", ["folder", "zip"])
def test_a_folder_or_a_zip_is_explored(tmp_path: Path, source: str) -> None:
    import shutil

    folder = write_shop(
        tmp_path / "shop", "id,title,kind\n1,hat,a\n2,,a\n", {"1.jpg": picture(), "9.jpg": b""}
    )
    place = folder if source == "folder" else Path(shutil.make_archive(str(tmp_path / "shop"), "zip", folder))
    taken = explore_products(place, tmp_path / "page.html", MOMENT)
    page = (tmp_path / "page.html").read_text("utf-8")
    assert (taken.arrived, len(taken.products)) == (2, 1) and f"<h1>{place.name}</h1>" in page
    assert "images/9.jpg" in page and "neither text nor picture" in page
    with pytest.raises(UserError, match="is not a folder or a zip"):
        explore_products(tmp_path / "nowhere", tmp_path / "page.html", MOMENT)


def test_charts_say_what_they_show() -> None:
    ranks = ElementTree.fromstring(rank_chart_svg([100, 4, 1], title="sizes"))
    assert "class 3 of 3: 1 products" in "".join(ranks.itertext())
    assert "2 have fewer than 5" in "".join(ranks.itertext())
    columns = ElementTree.fromstring(column_chart_svg(["a", "b"], [3, 0], title="t", counted="families"))
    assert "a: 3 families" in "".join(columns.itertext())
    heat = pd.DataFrame([[0.25, float("nan")]], index=["row"], columns=["one", "two"])
    shown = "".join(ElementTree.fromstring(heat_map_svg(heat, title="t")).itertext())
    assert "row and one: 0.250" in shown and "–" in shown
    for empty in (
        rank_chart_svg([], title="t"),
        column_chart_svg([], [], title="t"),
        heat_map_svg(pd.DataFrame(), title="t"),
    ):
        assert "".join(ElementTree.fromstring(empty).itertext())
