"""The comparison page in a real browser: it fits, its labels stay apart, its links lead somewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fashion_assets.reports.experiments import render_experiments
from fashion_assets_tests.integration.test_report_browser import assert_untouched, browser, open_page
from fashion_assets_tests.unit.test_reports_experiments import MOMENT, made_rows

pytestmark = pytest.mark.browser
__all__ = ["browser"]  # a fixture


def test_the_comparison_fits_and_reaches_nothing(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "experiments.html"
    open_page(browser, path, render_experiments(made_rows(), MOMENT))
    assert_untouched(browser, path, "Style experiments")
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    dead = "return [...document.querySelectorAll('a')].filter(a => !document.getElementById(a.hash.slice(1))).length"
    assert browser.execute_script(dead) == 0
    columns = (
        "return getComputedStyle(document.querySelector('.charts')).gridTemplateColumns.split(' ').length"
    )
    assert browser.execute_script(columns) == 3
    overlaps = browser.execute_script(
        """
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
    )
    assert overlaps == []
