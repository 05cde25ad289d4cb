"""Every page with payloads in every text that people write, in a real browser: nothing runs, nothing is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fashion_assets.reports
from fashion_assets.products.schemas import QUARANTINED_PRODUCTS
from fashion_assets.products.statistics import product_statistics
from fashion_assets.reports.atlas import render_style_atlas
from fashion_assets.reports.experiments import render_experiments
from fashion_assets.reports.monthly import render_monthly_report
from fashion_assets.reports.product_eda import render_product_eda
from fashion_assets.reports.product_heads import render_heads
from fashion_assets.reports.quarantine import quarantine_summary
from fashion_assets_tests.integration.test_report_browser import browser, open_page, requested
from fashion_assets_tests.unit.test_products_statistics import table
from fashion_assets_tests.unit.test_reports_demo import HOSTILE, atlas_frame, report_data
from fashion_assets_tests.unit.test_reports_experiments import MOMENT, made_rows
from fashion_assets_tests.unit.test_reports_product_heads import record

pytestmark = pytest.mark.browser
__all__ = ["browser"]  # a fixture

EVIL = " ".join(HOSTILE)


def monthly(folder: Path) -> str:
    """With reasons as they come out of quarantined rows of a crawl file of an evil name."""
    rows = [
        {"column": one, "reason": f"{one} is no date.", "source_file": f"{one}.csv", "source_row": 3}
        for one in HOSTILE
    ]
    data = replace(
        report_data(folder, hostile=True), quarantine_reasons=quarantine_summary(pd.DataFrame(rows))
    )
    return render_monthly_report(data)


def atlas(folder: Path) -> str:
    return render_style_atlas(atlas_frame(60, hostile=True))


def experiments(folder: Path) -> str:
    texts = {"model_id": EVIL, "verdict": EVIL, "k_reason": EVIL, "faults": HOSTILE, "notes": HOSTILE}
    return render_experiments([{**row, **texts} for row in made_rows()], MOMENT)


def product_heads(folder: Path) -> str:
    def hostile(value: Any, key: str = "") -> Any:
        """The record with its labels and sentences replaced; what the page reads by name stays."""
        if isinstance(value, dict):
            return {name: hostile(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [hostile(one, key) for one in value]
        return EVIL if isinstance(value, str) and key != "split" else value

    made = hostile(vars(record()))
    heads = [type(record())(**{**made, "attribute": one, "kind": one, "note": EVIL}) for one in HOSTILE]
    return render_heads(heads, MOMENT)


def product_eda(folder: Path) -> str:
    rows = [
        {
            "title": one,
            "text": one,
            "description": one,
            "shop": one,
            "characteristics": json.dumps({one: one}),
            "extra": json.dumps({one: one}),
            "image_path": f"images/{one}.jpg",
            f"label_{EVIL}": one,
            "label_kind": one,
        }
        for one in HOSTILE
    ]
    refused = pd.DataFrame(
        [(one, one, 1, one, one, "{}") for one in HOSTILE], columns=QUARANTINED_PRODUCTS.names
    )
    return render_product_eda(
        product_statistics(table(rows)), refused, MOMENT, unnamed_pictures=HOSTILE, title=EVIL
    )


PAGES: dict[str, Callable[[Path], str]] = {
    page.__name__: page for page in (monthly, atlas, experiments, product_heads, product_eda)
}


def test_every_template_is_among_the_pages() -> None:
    templates = Path(fashion_assets.reports.__file__).parent / "templates"
    assert {path.name.removesuffix(".html.j2") for path in templates.glob("*.html.j2")} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_nothing_in_a_text_has_an_effect(browser: Any, tmp_path: Path, name: str) -> None:
    from selenium.common.exceptions import NoAlertPresentException

    path = tmp_path / f"{name}.html"
    page = PAGES[name](tmp_path)
    assert "__xss" in page, "the payloads are not on the page"
    open_page(browser, path, page)
    # Events that payloads wait for: pointing, focus, a click, an image that fails.
    browser.execute_script(
        """
        for (const one of document.querySelectorAll("body *"))
          for (const event of ["mouseover", "mouseenter", "focus", "error", "load", "toggle", "click"])
            one.dispatchEvent(new Event(event, {bubbles: false}));
        """
    )
    with pytest.raises(NoAlertPresentException):
        browser.switch_to.alert  # noqa: B018
    assert browser.execute_script("return typeof window.__xss") == "undefined"
    assert browser.title != "owned"
    assert requested(browser) == [path.as_uri()]
    assert browser.get_log("browser") == []  # where a policy had to stop something, it says so here
    outside = browser.execute_script(
        """
        const own = ["", "#"], found = [];
        for (const one of document.querySelectorAll("*"))
          for (const attribute of one.attributes) {
            const value = attribute.value.trim();
            if (attribute.name.startsWith("on")) found.push(one.tagName + " " + attribute.name);
            if (["src", "href", "xlink:href", "action", "srcset", "srcdoc", "data"].includes(attribute.name)
                && !value.startsWith("#") && !value.startsWith("data:image/") && value !== "data:,")
              found.push(one.tagName + " " + attribute.name + " " + value.slice(0, 60));
          }
        return found;
        """
    )
    assert outside == []


@pytest.mark.parametrize("name", PAGES)
def test_the_policy_stops_a_script_that_got_through(browser: Any, tmp_path: Path, name: str) -> None:
    """Escaping is the first wall; here it is torn down on purpose, and the second holds."""
    path = tmp_path / f"{name}.html"
    page = PAGES[name](tmp_path).replace(
        "</body>",
        "<script>window.__xss = 1</script><img src=x onerror='window.__xss = 2'>"
        "<a id='out' href='javascript:window.__xss=3'>x</a><img src='http://evil.example/x.png'></body>",
    )
    open_page(browser, path, page)
    browser.execute_script("document.getElementById('out').click()")
    assert browser.execute_script("return typeof window.__xss") == "undefined"
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        one["params"]["requestId"]
        for one in messages
        if one["method"] == "Network.requestWillBeSent" and "evil.example" in one["params"]["request"]["url"]
    }
    blocked = {
        one["params"]["requestId"]
        for one in messages
        if one["method"] == "Network.loadingFailed" and one["params"].get("blockedReason") == "csp"
    }
    assert asked <= blocked
    stopped = " ".join(entry["message"] for entry in browser.get_log("browser"))
    assert "Content Security Policy" in stopped
