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
#: Two looks of the sensor are half a minute apart, then the daemon starts a process; the machine may be busy.
ARRIVAL_SECONDS = 150.0
RUN_SECONDS = 90.0


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
    from selenium.common.exceptions import StaleElementReferenceException

    end = time.monotonic() + seconds
    while True:
        try:
            found = condition()
        except StaleElementReferenceException:  # React drew the page anew in between
            found = None
        if found:
            return found
        assert time.monotonic() < end, f"{what}; the page shows: {page_text(browser)[-1500:]}"
        time.sleep(0.2)


def page_text(browser: Any) -> str:
    text = browser.execute_script("return document.body ? document.body.innerText : ''")
    return re.sub(r"\s*\n\s*", "\n", str(text))


def shows(browser: Any, *texts: str, seconds: float = 30, reload: bool = False) -> str:
    """The page's text, once all ``texts`` are in it; ``reload`` for pages that do not follow by themselves."""
    loaded = time.monotonic()

    def all_there() -> str | None:
        nonlocal loaded
        page = page_text(browser)
        if all(text in page for text in texts):
            return page
        if reload and time.monotonic() - loaded > 5:
            browser.refresh()
            loaded = time.monotonic()
        return None

    return str(within(seconds, all_there, f"no {texts} on {browser.current_url}", browser))


def press(browser: Any, label: str, seconds: float = 30) -> None:
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

    off = within(30, lambda: switches(on=False), "no switch that is off", browser)
    shutil.copy2(root / "made" / "incoming" / "crawl_2024-01.csv", root / "incoming" / "crawl_2024-01.csv")
    browser.execute_script("arguments[0].click()", off[0])
    within(30, lambda: switches(on=True), "the sensor is not turned on", browser)
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
        """The text of each asset's node, once all three are drawn with what happened to them."""
        texts = browser.execute_script(
            "return [...document.querySelectorAll('svg foreignObject')].map(node => node.textContent || '')"
        )
        drawn = {
            name: text for name in names for text in texts if text.startswith(name) and "% filled" in text
        }
        return drawn if len(drawn) == len(names) else None

    drawn = within(30, nodes, "the three assets of group posts are not drawn", browser)
    # The month that arrived is counted on its node.
    assert "Partitions0% filled" not in drawn["raw_posts"]
    assert "Asset checks" in drawn["cleaned_posts"]


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
    within(30, lambda: browser.find_elements("css selector", box), "no box for partitions", browser)
    field = browser.find_element("css selector", box)
    field.click()
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(MONTH, Keys.ENTER)
    press(browser, "Launch 1 run")
    # The dialog closes when the server has taken the request.
    within(30, lambda: "Partition selection" not in page_text(browser), "the dialog stays open", browser)
    browser.get(ui.address(f"/assets/cleaned_posts?view=partitions&partition={MONTH}"))
    made = ("Materialized (1)", "share_kept", "picture")
    page = shows(browser, *made, seconds=RUN_SECONDS, reload=True)
    kept = pq.read_metadata(root / "lake" / "cleaned_posts" / "2024-01.parquet").num_rows
    assert f"kept\n{kept}" in page
    link = within(
        30,
        lambda: [
            e for e in browser.find_elements("xpath", "//*[text()='[Show Markdown]']") if e.is_displayed()
        ],
        "the picture has no link",
        browser,
    )
    link[0].click()
    width = within(
        30,
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
        buttons = browser.find_elements("xpath", "//button[contains(normalize-space(), 'Materialize')]")
        assert not any(button.is_enabled() for button in buttons)
        # The page is courtesy; the server is what refuses.
        answer = published.graphql(
            "mutation($p: LaunchBackfillParams!) {launchPartitionBackfill(backfillParams: $p) {__typename}}",
            p={"assetSelection": [{"path": ["raw_posts"]}], "partitionNames": [MONTH]},
        )
        assert answer["launchPartitionBackfill"]["__typename"] == "UnauthorizedError"
        permissions = published.graphql("{permissions {permission value}}")["permissions"]
        assert len(permissions) >= 10 and not any(entry["value"] for entry in permissions)
