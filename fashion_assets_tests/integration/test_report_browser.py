"""Pages in a real browser: payloads do nothing, nothing is requested, the atlas answers mouse and search."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fashion_assets.reports.atlas import render_style_atlas
from fashion_assets.reports.monthly import render_monthly_report
from fashion_assets_tests.unit.test_reports_demo import HOSTILE, atlas_frame, report_data

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    from selenium.webdriver.chrome.service import Service

    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver_path = shutil.which("chromedriver")
    if binary is None or driver_path is None:
        pytest.skip(
            "chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-sync",
        "--window-size=1280,900",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    try:
        yield driver
    finally:
        driver.quit()


def open_page(browser: Any, path: Path, page: str) -> None:
    path.write_text(page, encoding="utf-8")
    browser.get_log("performance")
    browser.get_log("browser")
    browser.get(path.as_uri())


def requested(browser: Any) -> list[str]:
    """Addresses that the page asked for, data URIs left out."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith("data:")]


def assert_untouched(browser: Any, path: Path, title: str) -> None:
    from selenium.common.exceptions import NoAlertPresentException

    with pytest.raises(NoAlertPresentException):
        browser.switch_to.alert  # noqa: B018
    assert browser.title == title
    assert browser.execute_script("return typeof window.__xss") == "undefined"
    assert requested(browser) == [path.as_uri()]


def test_hostile_month_has_no_effect(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "month.html"
    open_page(browser, path, render_monthly_report(report_data(tmp_path, hostile=True)))
    assert_untouched(browser, path, "Style report, January 2024")
    assert browser.execute_script("return [...document.images].every(i => i.complete && i.naturalWidth > 0)")
    assert browser.execute_script("return document.scripts.length") == 0
    assert browser.get_log("browser") == []


def test_month_shows_the_grid_without_scrolling_sideways(browser: Any, tmp_path: Path) -> None:
    open_page(browser, tmp_path / "month.html", render_monthly_report(report_data(tmp_path)))
    columns = (
        "return getComputedStyle(document.querySelector('.pictures')).gridTemplateColumns.split(' ').length"
    )
    assert browser.execute_script(columns) == 10
    assert browser.execute_script("return document.querySelectorAll('.pictures').length") == 5
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")


def test_chart_labels_do_not_overlap(browser: Any, tmp_path: Path) -> None:
    open_page(browser, tmp_path / "month.html", render_monthly_report(report_data(tmp_path)))
    overlaps = browser.execute_script(
        """
        const hits = [];
        for (const chart of document.querySelectorAll("svg.chart")) {
          const texts = [...chart.querySelectorAll("text")];
          const boxes = texts.map(t => t.getBoundingClientRect());
          boxes.forEach((a, i) => boxes.forEach((b, j) => {
            const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (i < j && wide > 1 && high > 4) hits.push([texts[i].textContent, texts[j].textContent]);
          }));
        }
        return hits;
        """
    )
    assert overlaps == []


def status(browser: Any) -> str:
    return str(browser.execute_script("return document.getElementById('status').textContent"))


def test_hostile_atlas_has_no_effect(browser: Any, tmp_path: Path) -> None:
    path = tmp_path / "atlas.html"
    open_page(browser, path, render_style_atlas(atlas_frame(80, hostile=True)))
    box = browser.find_element("id", "search")
    box.send_keys("<")
    browser.execute_script("document.querySelector('#results button').click()")
    assert status(browser).endswith("of 80 posts match")
    assert HOSTILE[0] in browser.execute_script("return document.getElementById('legend').textContent")
    assert_untouched(browser, path, "Style atlas")
    assert browser.get_log("browser") == []


def test_atlas_hover_search_months_and_legend(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.support.ui import Select

    points = pd.DataFrame(
        {
            "post_id": list("abcde"),
            "month": ["2024-01", "2024-02", "2024-03", "2024-01", "2024-02"],
            "style_id": [0, 0, 0, 1, 1],
            "style_name": ["新中式", "新中式", "新中式", "老钱风", "老钱风"],
            "x": [0.0, 1.0, 0.5, 0.0, 1.0],
            "y": [0.0, 1.0, 0.5, 1.0, 0.0],
            "title": ["左下", "右上", "<b>中间</b> & co", "左上", "右下"],
            "keywords": [["马面裙"], ["真丝"], ["Silk", "盘扣"], ["羊毛"], ["大衣"]],
        }
    )
    open_page(browser, tmp_path / "atlas.html", render_style_atlas(points))
    canvas, tip = browser.find_element("id", "map"), browser.find_element("id", "tip")
    assert not tip.is_displayed()
    ActionChains(browser).move_to_element(canvas).perform()
    assert tip.is_displayed()
    assert tip.find_element("id", "tip-title").text == "<b>中间</b> & co"
    assert "新中式 · 2024-03" in tip.text
    assert "盘扣" in tip.text
    ActionChains(browser).move_to_element_with_offset(canvas, 60, 40).perform()
    assert not tip.is_displayed()

    search = browser.find_element("id", "search")
    search.send_keys("silk")
    assert status(browser) == "1 of 5 posts match"
    assert browser.find_element("id", "results").text.startswith("<b>中间</b> & co")
    search.clear()
    search.send_keys("xyzzy")
    assert "No post matches" in browser.find_element("id", "results").text
    browser.find_element("id", "reset").click()
    assert status(browser) == "5 posts"

    Select(browser.find_element("id", "from")).select_by_visible_text("2024-02")
    assert status(browser) == "3 of 5 posts"
    browser.find_element("css selector", "#legend button").click()
    assert status(browser) == "1 of 5 posts"
    browser.find_element("id", "none").click()
    assert status(browser) == "0 of 5 posts"
    browser.find_element("id", "all").click()
    assert status(browser) == "3 of 5 posts"
