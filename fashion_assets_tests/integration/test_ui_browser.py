"""The real daemon and webserver: a file arrives, its month appears, a person opens, materialises and looks."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fashion_assets.defs.runner import prepare_dagster_home
from fashion_assets.sample.make import make_sample
from fashion_assets.settings import Settings
from fashion_assets_tests.integration.ui_processes import (
    UI,
    NoBrowser,
    chromium,
    dagster_ui,
    free_port,
    webserver,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MONTH = "2024-01-01"
SENSOR = "/locations/__repository__@fashion_assets/sensors/incoming_sensor"
GROUP = "/locations/__repository__@fashion_assets/asset-groups/{}/lineage"
#: For a page to show what it is to show: a second or two, much more on a busy machine.
PAGE_SECONDS = 180.0
#: Two looks of the sensor are half a minute apart, then the daemon starts a process; the machine may be busy.
ARRIVAL_SECONDS = 600.0
RUN_SECONDS = 400.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root whose ``incoming/`` is empty, with made posts beside it."""
    folder = tmp_path_factory.mktemp("ui")
    make_sample(folder / "made", months=1, posts_per_month=40, products=0, seed=5)
    (folder / "incoming").mkdir()
    prepare_dagster_home(Settings(data_dir=folder))
    return folder


@pytest.fixture(scope="module")
def ui(root: Path) -> Iterator[UI]:
    environment = {"DAGSTER_HOME": str(root / "dagster_home"), "FASHION_DATA_DIR": str(root)}
    with dagster_ui(root, environment) as running:
        yield running


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    try:
        with chromium(tmp_path_factory.mktemp("chromium")) as driver:
            yield driver
    except NoBrowser as reason:
        pytest.skip(str(reason))


def within(seconds: float, condition: Callable[[], Any], what: str, browser: Any) -> Any:
    """What ``condition`` gives when it gives something; fails with what the page shows when time is over."""
    from selenium.common.exceptions import (
        ElementClickInterceptedException,
        ElementNotInteractableException,
        StaleElementReferenceException,
    )

    # React drew the page anew in between, or what moves in or out still lies over the element.
    passing = (
        StaleElementReferenceException,
        ElementClickInterceptedException,
        ElementNotInteractableException,
    )
    end = time.monotonic() + seconds
    while True:
        try:
            found = condition()
        except passing:
            found = None
        if found:
            return found
        assert time.monotonic() < end, f"{what}; the page shows: {page_text(browser)[-1500:]}"
        time.sleep(0.2)


def page_text(browser: Any) -> str:
    text = browser.execute_script("return document.body ? document.body.innerText : ''")
    return re.sub(r"\s*\n\s*", "\n", str(text))


def shows(browser: Any, *texts: str, seconds: float = PAGE_SECONDS, reload: bool = False) -> str:
    """The page's text, once all ``texts`` are in it; ``reload`` for pages that do not follow by themselves."""
    loaded, patience = time.monotonic(), 5.0

    def all_there() -> str | None:
        nonlocal loaded, patience
        page = page_text(browser)
        if all(text in page for text in texts):
            return page
        if reload and time.monotonic() - loaded > patience:
            browser.refresh()
            # On a busy machine a page may need longer to draw itself than it was given: the next one gets more.
            loaded, patience = time.monotonic(), min(2 * patience, 60.0)
        return None

    return str(within(seconds, all_there, f"no {texts} on {browser.current_url}", browser))


def press(browser: Any, label: str, seconds: float = PAGE_SECONDS) -> None:
    """Click the button that says ``label``, when it is there and can be clicked."""

    def clicked() -> bool:
        for button in browser.find_elements("xpath", f"//button[contains(normalize-space(), '{label}')]"):
            if button.is_displayed() and button.is_enabled():
                button.click()
                return True
        return False

    within(seconds, clicked, f"no button {label!r}", browser)


@pytest.fixture(scope="module")
def arrived(ui: UI, root: Path, browser: Any) -> str:
    """The page of the month's ``raw_posts``: its file was dropped, then the sensor turned on by a click."""
    browser.get(ui.address(SENSOR))
    shows(browser, "incoming_sensor", "Sensor has never run", "Running")

    def switches(*, on: bool) -> list[Any]:
        found = browser.find_elements("css selector", "input[type=checkbox]")
        return [switch for switch in found if switch.is_enabled() and switch.is_selected() == on]

    def turned_on() -> bool:
        off = switches(on=False)
        if off:
            browser.execute_script("arguments[0].click()", off[0])
        return bool(off)

    shutil.copy2(root / "made" / "incoming" / "crawl_2024-01.csv", root / "incoming" / "crawl_2024-01.csv")
    within(PAGE_SECONDS, turned_on, "no switch that is off", browser)
    within(PAGE_SECONDS, lambda: switches(on=True), "the sensor is not turned on", browser)
    browser.get(ui.address(f"/assets/raw_posts?view=partitions&partition={MONTH}"))
    texts = ("Materialized (1)", "rows_arrived", "crawl_2024-01.csv")
    return shows(browser, *texts, seconds=ARRIVAL_SECONDS, reload=True)


def test_a_dropped_file_becomes_a_month_in_the_ui(arrived: str, ui: UI, root: Path, browser: Any) -> None:
    rows = pq.read_metadata(root / "lake" / "raw_posts" / "2024-01.parquet").num_rows
    assert rows >= 40 and f"dagster/row_count\n{rows}\n" in arrived
    browser.get(ui.address("/runs"))
    shows(browser, "incoming_sensor", "Success")
    # One run of the sensor, for exactly that month.
    runs = ui.graphql("{runsOrError{... on Runs{results{status tags{key value}}}}}")["runsOrError"]["results"]
    tags = [{tag["key"]: tag["value"] for tag in run["tags"]} for run in runs]
    asked = [tag for tag in tags if tag.get("dagster/sensor_name") == "incoming_sensor"]
    assert [tag["dagster/partition"] for tag in asked] == [MONTH]


def test_the_graph_opens(arrived: str, ui: UI, browser: Any) -> None:
    browser.get(ui.address("/asset-groups"))
    shows(browser, "Global asset lineage", "posts", "embeddings", "styles", "trends", "warehouse")
    browser.get(ui.address(GROUP.format("posts")))
    names = ("raw_posts", "cleaned_posts", "quarantined_posts")

    def nodes() -> dict[str, str] | None:
        """The text of each asset's node, once all three are drawn with what happened to them.

        The month that arrived is counted on its node, and a node has its checks: both may be drawn after the rest.
        """
        texts = browser.execute_script(
            "return [...document.querySelectorAll('svg foreignObject')].map(node => node.textContent || '')"
        )
        drawn = {
            name: text for name in names for text in texts if text.startswith(name) and "% filled" in text
        }
        if len(drawn) < len(names) or "Asset checks" not in drawn["cleaned_posts"]:
            return None
        return None if "Partitions0% filled" in drawn["raw_posts"] else drawn

    within(PAGE_SECONDS, nodes, "the assets of group posts are not drawn with month and checks", browser)


def test_a_person_materialises_a_month_and_sees_check_and_plot(
    arrived: str, ui: UI, root: Path, browser: Any
) -> None:
    from selenium.webdriver.common.keys import Keys

    browser.get(ui.address("/assets/cleaned_posts"))
    shows(browser, "Never materialized")
    press(browser, "Materialize…")
    # cleaned and quarantined posts come of one step.
    shows(browser, "Additional assets will be materialized", "quarantined_posts")
    press(browser, "Confirm")
    shows(browser, "Partition selection")
    press(browser, "Show all partitions")
    box = "input[placeholder^='ex: 2019-01-01']"

    def typed() -> bool:
        fields = browser.find_elements("css selector", box)
        if fields:
            fields[0].click()
            fields[0].send_keys(Keys.CONTROL, "a")
            fields[0].send_keys(MONTH, Keys.ENTER)
        return bool(fields)

    within(PAGE_SECONDS, typed, "no box for partitions", browser)
    press(browser, "Launch 1 run")
    # The dialog closes when the server has taken the request.
    within(
        PAGE_SECONDS,
        lambda: "Partition selection" not in page_text(browser),
        "the dialog stays open",
        browser,
    )
    browser.get(ui.address(f"/assets/cleaned_posts?view=partitions&partition={MONTH}"))
    made = ("Materialized (1)", "share_kept", "picture")
    page = shows(browser, *made, seconds=RUN_SECONDS, reload=True)
    kept = pq.read_metadata(root / "lake" / "cleaned_posts" / "2024-01.parquet").num_rows
    assert f"kept\n{kept}" in page

    def opened() -> bool:
        for link in browser.find_elements("xpath", "//*[text()='[Show Markdown]']"):
            if link.is_displayed():
                link.click()
                return True
        return False

    within(PAGE_SECONDS, opened, "the picture has no link", browser)
    width = within(
        PAGE_SECONDS,
        lambda: browser.execute_script(
            "const images = [...document.images].filter(i => i.src.startsWith('data:image/png') && i.complete);"
            "return images.length ? images[0].naturalWidth : 0"
        ),
        "the plot is not drawn",
        browser,
    )
    assert width >= 300

    browser.get(ui.address("/assets/cleaned_posts?view=checks"))
    page = shows(browser, "kept_and_quarantined_add_up", "Succeeded", "Passed", MONTH)
    assert "Failed" not in page


def test_a_read_only_webserver_shows_and_does_not_launch(
    arrived: str, ui: UI, root: Path, browser: Any
) -> None:
    port = free_port()
    with webserver(root, ui.environment, port, "--read-only") as running:
        published = UI(port, ui.environment, running.popen.pid)
        browser.get(published.address(f"/assets/raw_posts?view=partitions&partition={MONTH}"))
        shows(browser, "Materialized (1)", "rows_arrived")

        def none_can_be_pressed() -> bool:
            buttons = browser.find_elements("xpath", "//button[contains(normalize-space(), 'Materialize')]")
            return not any(button.is_enabled() for button in buttons)

        within(PAGE_SECONDS, none_can_be_pressed, "a button materialises on a read-only page", browser)
        # The page is courtesy; the server is what refuses.
        answer = published.graphql(
            "mutation($p: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $p) {__typename}}",
            p={"assetSelection": [{"path": ["raw_posts"]}], "partitionNames": [MONTH]},
        )
        assert answer["launchPartitionBackfill"]["__typename"] == "UnauthorizedError"
        permissions = published.graphql("{permissions {permission value}}")["permissions"]
        assert len(permissions) >= 10 and not any(entry["value"] for entry in permissions)
