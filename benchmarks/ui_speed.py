"""How fast the UI answers with 60 months of every asset and check recorded.

    python -m benchmarks.ui_speed [--months 60] [--postgres] [--rounds 3]

Records one run per month that materialised every asset (static partitions and unpartitioned assets once a month too)
with metadata as large as ours may be: a full preview, a picture at the bound of `png_markdown`, the real column schema;
and one evaluation of every check. Then starts code location and webserver as deploy/ does, and opens pages in headless
Chromium. Per page: seconds from navigation to first paint and to the content named in `PAGES`, the slowest GraphQL
answer, and CPU seconds of the webserver; for the first visit, and as the median of later ones, when the browser has the
UI's scripts. Aim: the asset page's content under 2 s. --postgres keeps the history in a PostgreSQL server of its own.
On a disk that is slow to sync, TMPDIR=/dev/shm records faster and reads the same.
"""

from __future__ import annotations

import argparse
import base64
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData

from fashion_assets.defs.runner import write_dagster_home
from fashion_assets.reports.png_charts import MAX_METADATA_BYTES
from fashion_assets.settings import Settings
from fashion_assets.storage.months import key_of_month, shift_month
from fashion_assets_tests.integration.postgres_server import postgres_server
from fashion_assets_tests.integration.ui_processes import PROJECT, UI, chromium, dagster_ui

NEWEST = "2023-12"
GROUP = "/locations/__repository__@fashion_assets/asset-groups/posts/lineage"
#: Page -> (address, texts that are its content).
PAGES = {
    "asset": ("/assets/cleaned_posts", ["Latest materialization", "measured"]),
    "asset, largest": ("/assets/monthly_style_report", ["Latest materialization", "measured"]),
    "asset, one partition": (
        f"/assets/cleaned_posts?view=partitions&partition={NEWEST}-01",
        ["Materialized (", "measured"],
    ),
    "asset, events": ("/assets/cleaned_posts?view=events", [f"{NEWEST}-01"]),
    "asset, checks": ("/assets/cleaned_posts?view=checks", ["Succeeded", "Latest execution"]),
    "unpartitioned asset": ("/assets/style_trends", ["Latest materialization", "measured"]),
    "graph of a group": (GROUP, ["cleaned_posts", "% filled"]),
    "graph of all": ("/asset-groups", ["Global asset lineage", "warehouse"]),
    "runs": ("/runs", ["Success"]),
}


def metadata(asset: str, noise: bytes) -> dict[str, Any]:
    """Metadata of one materialisation, as large as ours are allowed to be."""
    from fashion_assets.defs.io_managers import table_schema
    from fashion_assets.defs.schemas import SCHEMAS

    row = "| " + " | ".join(["x" * 60] * 6) + " |"
    picture = base64.b64encode(noise).decode()[: MAX_METADATA_BYTES - 40]
    values: dict[str, Any] = {f"count_{number}": number for number in range(6)}
    values |= {
        "measured": 0.5,
        "dagster/row_count": 50_000,
        "path": dg.MetadataValue.path(f"/data/lake/{asset}/2024-01.parquet"),
        "preview": dg.MetadataValue.md("\n".join([row] * 10)),
        "picture": dg.MetadataValue.md(f"![chart](data:image/png;base64,{picture})"),
    }
    if asset in SCHEMAS:
        values["dagster/column_schema"] = table_schema(SCHEMAS[asset])
    return values


def record(instance: dg.DagsterInstance, months: int) -> tuple[int, int]:
    """Write one run per month; returns how many materialisations and check evaluations were recorded."""
    from fashion_assets.definitions import defs

    graph = defs.resolve_asset_graph()
    noise = np.random.default_rng(0).bytes(MAX_METADATA_BYTES)
    made = checked = 0
    for number in range(months):
        month = shift_month(NEWEST, number - months + 1)
        key, run_id = key_of_month(month), str(uuid.uuid4())
        instance.add_run(
            dg.DagsterRun(
                job_name="month",
                run_id=run_id,
                status=dg.DagsterRunStatus.SUCCESS,
                tags={"dagster/partition": key},
            )
        )

        def report(kind: DagsterEventType, step: str, data: Any, run_id: str = run_id) -> None:
            event = DagsterEvent(kind.value, "month", step_key=step, event_specific_data=data)
            instance.report_dagster_event(event, run_id)

        for asset in graph.toposorted_asset_keys:
            name = asset.to_user_string()
            partitions = graph.get(asset).partitions_def
            partition: str | None = None
            if isinstance(partitions, dg.TimeWindowPartitionsDefinition):
                partition = key
            elif partitions is not None:
                keys = partitions.get_partition_keys()
                partition = keys[number % len(keys)]
            event = dg.AssetMaterialization(
                asset,
                metadata=metadata(name, noise),
                partition=partition,
                tags={"dagster/data_version": uuid.uuid4().hex},
            )
            report(DagsterEventType.ASSET_MATERIALIZATION, name, StepMaterializationData(event))
            made += 1
        for check in graph.asset_check_keys:
            evaluation = AssetCheckEvaluation(
                asset_key=check.asset_key,
                check_name=check.name,
                passed=True,
                metadata={"rows": dg.MetadataValue.int(50_000)},
                partition=key,
            )
            report(DagsterEventType.ASSET_CHECK_EVALUATION, check.name, evaluation)
            checked += 1
    return made, checked


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def visit(browser: Any, ui: UI, address: str, texts: list[str]) -> tuple[float, ...]:
    """Seconds to first paint, to content, of the slowest answer, of the webserver's CPU; MB and number of answers."""
    browser.get("about:blank")
    before = cpu_seconds(ui.pid)
    browser.get(ui.address(address))
    there = "const t = document.body.innerText; return arguments[0].every(x => t.includes(x)) ? performance.now() : 0"
    end = time.monotonic() + 60
    while not (content := browser.execute_script(there, texts)):
        if time.monotonic() > end:
            shown = browser.execute_script("return document.body.innerText")[-1500:]
            raise SystemExit(f"{address} does not show {texts}: {shown}")
        time.sleep(0.02)
    paint = browser.execute_script(
        "return (performance.getEntriesByType('paint')[0] || {startTime: 0}).startTime"
    )
    answers = browser.execute_script(
        "return performance.getEntriesByType('resource').filter(e => e.name.includes('/graphql'))"
        ".map(e => [e.duration, e.decodedBodySize])"
    )
    used = cpu_seconds(ui.pid) - before
    slowest, size = max(a[0] for a in answers) / 1000, sum(a[1] for a in answers) / 1e6
    return paint / 1000, content / 1000, slowest, used, size, len(answers)


def measure(ui: UI, folder: Path, rounds: int) -> Iterator[tuple[str, list[tuple[float, ...]]]]:
    """Each page with its visits, the first one of a new browser."""
    for number, (page, (address, texts)) in enumerate(PAGES.items()):
        with chromium(folder / f"profile-{number}") as browser:
            yield page, [visit(browser, ui, address, texts) for _ in range(rounds + 1)]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", action="store_true")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="ui-speed-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        settings = Settings(data_dir=folder)
        environment = {"FASHION_DATA_DIR": str(folder), "DAGSTER_HOME": str(settings.dagster_home)}
        if options.postgres:
            server = stack.enter_context(postgres_server())
            server.create_database("dagster")
            environment |= server.environment("dagster") | {"DAGSTER_LOGS_DIR": str(folder / "logs")}
            settings.dagster_home.mkdir()
            shutil.copyfile(
                PROJECT / "deploy" / "compose" / "dagster.yaml", settings.dagster_home / "dagster.yaml"
            )
        else:
            write_dagster_home(settings)
        os.environ.update(environment)
        began = time.perf_counter()
        with dg.DagsterInstance.get() as instance:
            made, checked = record(instance, options.months)
        size = (
            int(server.ask("dagster", "select pg_database_size('dagster')")[0][0])
            if options.postgres
            else int(
                subprocess.run(
                    ["du", "-sb", settings.dagster_home], capture_output=True, check=True
                ).stdout.split()[0]
            )
        )
        print(
            f"{made:,} materialisations and {checked:,} check evaluations of {options.months} months in "
            f"{'PostgreSQL' if options.postgres else 'SQLite'}: {size / 1e6:.0f} MB, "
            f"{(time.perf_counter() - began) / (made + checked) * 1000:.1f} ms each to write"
        )
        ui = stack.enter_context(dagster_ui(folder, environment, daemon=False))
        columns = (
            "content, first",
            "content, later",
            "first paint",
            "slowest GraphQL",
            "webserver CPU",
            "GraphQL MB",
            "queries",
        )
        print(f"{'page':22}" + "".join(f"{column:>17}" for column in columns))
        for page, visits in measure(ui, folder, options.rounds):
            later = visits[1:]
            middle = [statistics.median(column) for column in zip(*later, strict=True)]
            seconds = "".join(
                f"{value:15.2f} s" for value in (visits[0][1], *(middle[i] for i in (1, 0, 2, 3)))
            )
            print(f"{page:22}{seconds}{middle[4]:17.2f}{middle[5]:17.0f}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
