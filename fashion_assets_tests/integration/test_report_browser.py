"""Pages in a real browser: payloads do nothing, nothing is requested, the atlas answers mouse and search."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fashion_assets.reports.atlas import render_style_atlas
from fashion_assets.reports.atlas_pictures import PictureSheets, picture_sheets
from fashion_assets.reports.monthly import render_monthly_report
from fashion_assets.reports.quarantine import quarantine_summary
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
        # The pages must do without any network; what they ask for is logged nevertheless.
        "--host-resolver-rules=MAP * ~NOTFOUND",
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
    """Addresses that the page asked for, without data URIs and what the browser loads for its own start page."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    return [url for url in urls if not url.startswith(("data:", "chrome:"))]


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


def test_a_column_of_what_was_left_out_is_one_word(browser: Any, tmp_path: Path) -> None:
    reason = pd.DataFrame(
        {
            "column": ["post_fetch_time"],
            "reason": ["a long sentence about the fetch time of the post " * 5],
            "source_file": ["crawl_2024-01.csv"],
            "source_row": [3],
        }
    )
    data = replace(report_data(tmp_path), quarantine_reasons=quarantine_summary(reason))
    open_page(browser, tmp_path / "month.html", render_monthly_report(data))
    lines = """
        const words = document.createRange();
        words.selectNodeContents(document.querySelector("section[aria-labelledby=left-out] td.name"));
        return words.getClientRects().length;
        """
    assert browser.execute_script(lines) == 1


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


def made_pictures(folder: Path, posts: list[str]) -> PictureSheets:
    """One plain picture per post, each in another colour."""
    from PIL import Image

    paths = {}
    for index, post in enumerate(posts):
        name = f"{index}.png"
        Image.new("RGBA", (60, 80), (30 + 40 * index, 200 - 30 * index, 90, 255)).save(folder / name)
        paths[post] = name
    return picture_sheets(posts, paths, folder)


def test_atlas_shows_the_hovered_post_s_own_picture(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    points = atlas_frame(3).assign(x=[0.0, 0.5, 1.0], y=[0.0, 0.5, 1.0])
    path = tmp_path / "atlas.html"
    open_page(browser, path, render_style_atlas(points, pictures=made_pictures(tmp_path, ["p0", "p1"])))
    picture = browser.find_element("id", "tip-picture")
    ActionChains(browser).move_to_element(browser.find_element("id", "map")).perform()
    assert picture.is_displayed()
    middle = browser.execute_script(
        "const c = arguments[0]; return [...c.getContext('2d').getImageData(c.width / 2, c.height / 2, 1, 1).data]",
        picture,
    )
    assert max(abs(a - b) for a, b in zip(middle, (70, 170, 90, 255), strict=True)) < 25
    search = browser.find_element("id", "search")
    search.send_keys(points["title"][2])
    assert status(browser) == "1 of 3 posts match"
    browser.execute_script("document.querySelector('#results button').click()")
    assert browser.find_element("id", "tip").is_displayed()
    assert not picture.is_displayed()
    assert requested(browser) == [path.as_uri()]
    assert browser.get_log("browser") == []


def test_atlas_names_stand_over_their_own_styles_in_any_month(browser: Any, tmp_path: Path) -> None:
    # In both months style 0 lies left and style 1 right below; one post of style 1 strays above style 0.
    places = [(0.1, 0.5)] * 12 + [(0.9, 0.0)] * 9 + [(0.1, 1.0)]
    points = atlas_frame(2 * len(places), 2).assign(
        style_id=2 * ([0] * 12 + [1] * 10),
        style_name=2 * (["left"] * 12 + ["right"] * 10),
        month=["2024-01"] * len(places) + ["2024-02"] * len(places),
        x=[x for x, _ in 2 * places],
        y=[y for _, y in 2 * places],
    )
    open_page(browser, tmp_path / "atlas.html", render_style_atlas(points))
    browser.execute_script("""
        window.said = {};
        const draw = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
          window.said[text] = [x / this.canvas.clientWidth, y / this.canvas.clientHeight];
          draw.apply(this, arguments);
        };
    """)
    for month in ("2024-01", "2024-02"):
        browser.execute_script(
            "window.said = {}; const to = document.getElementById('to'), from = document.getElementById('from');"
            "from.value = to.value = arguments[0]; to.dispatchEvent(new Event('change'));",
            month,
        )
        browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        said = browser.execute_script("return window.said")
        assert said["left"][0] < 0.4 < 0.6 < said["right"][0], month
        assert said["right"][1] > said["left"][1] + 0.2, month


def test_pointing_at_a_style_greys_the_others(browser: Any, tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    points = atlas_frame(2, 2).assign(x=[0.0, 1.0], y=[0.5, 0.5], style_id=[0, 1])
    open_page(browser, tmp_path / "atlas.html", render_style_atlas(points))
    count = """
        const c = document.getElementById("map"), d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        let coloured = 0;
        for (let i = 0; i < d.length; i += 4)
          if (d[i + 3] && Math.max(d[i], d[i + 1], d[i + 2]) - Math.min(d[i], d[i + 1], d[i + 2]) > 60) coloured++;
        return coloured;
    """
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    both = browser.execute_script(count)
    ActionChains(browser).move_to_element(browser.find_element("css selector", "#legend button")).perform()
    browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
    assert 0 < browser.execute_script(count) < 0.7 * both


@pytest.mark.parametrize("width", [400, 1280])
def test_pages_fit_narrow_and_wide_windows(browser: Any, tmp_path: Path, width: int) -> None:
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        pages = {
            "month.html": render_monthly_report(report_data(tmp_path)),
            "hostile.html": render_monthly_report(report_data(tmp_path, hostile=True)),
            "atlas.html": render_style_atlas(atlas_frame(200)),
        }
        for name, page in pages.items():
            open_page(browser, tmp_path / name, page)
            assert browser.execute_script("return document.documentElement.scrollWidth") <= width, name
            smallest = browser.execute_script(
                "return Math.min(...[...document.querySelectorAll('svg.chart text')]"
                ".map(t => t.getBoundingClientRect().height), 99)"
            )
            assert smallest >= 10, name
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
