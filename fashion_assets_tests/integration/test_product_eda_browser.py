"""The product page in a real browser: it fits, its labels stay apart, and it reaches nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fashion_assets.products.statistics import product_statistics
from fashion_assets.reports.product_eda import render_product_eda
from fashion_assets_tests.integration.test_report_browser import assert_untouched, browser, open_page
from fashion_assets_tests.unit.test_products_statistics import shop, table
from fashion_assets_tests.unit.test_reports_product_eda import MOMENT, NOBODY

pytestmark = pytest.mark.browser
__all__ = ["browser"]  # a fixture

_OVERLAPS = """
const hits = [];
for (const chart of document.querySelectorAll("svg.chart")) {
  const boxes = [...chart.querySelectorAll("text")].map(t => t.getBoundingClientRect());
  boxes.forEach((a, i) => boxes.forEach((b, j) => {
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (i < j && wide > 1 && high > 4) hits.push([i, j]);
  }));
}
return hits;
"""


@pytest.mark.parametrize("long_names", [False, True])
def test_the_page_fits_and_reaches_nothing(browser: Any, tmp_path: Path, long_names: bool) -> None:
    products = shop()
    if long_names:
        rows = [
            {
                "title": f"name {i}",
                "text": "w " * i,
                "label_a_column_with_a_very_long_name": f"class {'长' * i} {i % 7}",
            }
            for i in range(40)
        ]
        products = table(rows)
    path = tmp_path / "eda.html"
    open_page(browser, path, render_product_eda(product_statistics(products), NOBODY, MOMENT, title="Shop"))
    assert_untouched(browser, path, "Shop: what the data is like")
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.execute_script(_OVERLAPS) == []
