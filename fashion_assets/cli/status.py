"""``fashion-assets status``: months x assets as a table, and what the last runs did."""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fashion_assets.cli.options import DataDir, settings_of
from fashion_assets.storage.terminal_text import for_terminal

if TYPE_CHECKING:
    import dagster as dg
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from fashion_assets.defs.status import Standing
    from fashion_assets.settings import Settings

#: State -> what stands in the table, told apart also without colour.
MARKS = {"fresh": "●", "stale": "◐", "failed": "✗", "missing": "·", "running": "▶", "open": "○"}
COLOURS = {
    "fresh": "green",
    "stale": "yellow",
    "failed": "bold red",
    "missing": "red",
    "running": "cyan",
    "open": "dim",
}
MEANINGS = {
    "fresh": "as its inputs are",
    "stale": "to be made anew",
    "failed": "the last run of it failed",
    "missing": "never made",
    "running": "being made or queued",
    "open": "made when asked for",
}
#: Reasons that are shown in full; further ones are counted.
SHOWN_REASONS = 12
#: Runs that ``--runs`` shows.
SHOWN_RUNS = 20
#: Columns of the runs that may go over two lines; of the others no digit and no letter may be lost.
_FOLDED = ("ended (UTC)", "months")


class StatusFormat(StrEnum):
    """How the states are printed."""

    table = "table"
    json = "json"
    csv = "csv"


def status(
    data_dir: DataDir = Path("data"),
    format: Annotated[
        StatusFormat, typer.Option("--format", help="table, json or csv.")
    ] = StatusFormat.table,
    runs: Annotated[
        bool, typer.Option("--runs", help="What the last runs did: counts, seconds, memory, outcome, checks.")
    ] = False,
    limit: Annotated[
        int, typer.Option(min=1, help="How many runs --runs shows, of the two newest months with runs.")
    ] = SHOWN_RUNS,
) -> None:
    """What is fresh, stale, failed, missing or being made, month by month.

    Exit code 0: nothing is to be done. 1: something is stale, failed or missing (fashion-assets run makes it). With
    --runs: 1 if the newest run failed.
    """
    from fashion_assets.defs.run_history import history_named

    settings = settings_of(data_dir)
    if runs:
        with history_named():
            code = _print_runs(settings, format, limit)
        raise typer.Exit(code)
    from fashion_assets.defs.status import WANTING

    with history_named():
        found = _standings(settings)
    if format is StatusFormat.table:
        from rich.console import Console

        _print_table(Console(), found)
    else:
        fields = ("asset", "partition", "kind", "state", "reason")
        _print_rows([dict(zip(fields, one, strict=True)) for one in found], format)
    raise typer.Exit(1 if any(one.state in WANTING for one in found) else 0)


def _standings(settings: Settings) -> list[Standing]:
    from fashion_assets.definitions import build_definitions
    from fashion_assets.defs.runner import planner_of
    from fashion_assets.defs.status import standings
    from fashion_assets.posts.landed import landed_months

    instance = _instance(settings)
    planner, _ = planner_of(build_definitions(settings), instance, settings, landed_months(settings.lake))
    return standings(planner, instance)


def _instance(settings: Settings) -> dg.DagsterInstance:
    """The run history; UserError where nothing was ever run, as looking makes none."""
    from fashion_assets.defs.runner import existing_instance
    from fashion_assets.storage.errors import UserError

    if not os.environ.get("DAGSTER_HOME") and not settings.dagster_home.is_dir():
        raise UserError(
            f"nothing has been run in {settings.root} yet; start with fashion-assets run --data-dir {settings.data_dir}"
        )
    return existing_instance(settings)


def _print_rows(rows: list[dict[str, object]], format: StatusFormat) -> None:
    if format is StatusFormat.json:
        sys.stdout.write(json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
        return
    import pandas as pd

    from fashion_assets.storage.csv_text import csv_text

    sys.stdout.write(csv_text(pd.DataFrame(rows)))


def _print_table(console: Console, found: list[Standing]) -> None:
    for block in month_blocks([one for one in found if one.kind == "month"], console.width):
        console.print(block, soft_wrap=True)
    for asset, group in groupby((one for one in found if one.kind == "static"), key=lambda one: one.asset):
        states = Counter(str(one.state) for one in group)
        console.print(
            _row(asset, [f"{MARKS[state]} {n} {state}" for state, n in states.items()], list(states))
        )
    for one in found:
        if one.kind == "whole":
            console.print(_row(one.asset, [f"{MARKS[one.state]} {one.state}"], [one.state]), soft_wrap=True)
    console.print()
    legend = "   ".join(f"{MARKS[name]} {name}: {meaning}" for name, meaning in MEANINGS.items())
    console.print(legend, style="dim", highlight=False)
    reasons = list(reason_lines(found))
    for line in reasons[:SHOWN_REASONS]:
        console.print(for_terminal(line), markup=False, highlight=False, soft_wrap=True)
    if len(reasons) > SHOWN_REASONS:
        console.print(f"… and {len(reasons) - SHOWN_REASONS} more: --format csv", highlight=False)


#: Columns of an asset's name; the longest has 24.
_NAME = 26


def month_blocks(found: list[Standing], width: int) -> Iterator[Text]:
    """Assets as rows, months as columns of one mark; whole years side by side, as many as ``width`` columns hold."""
    from rich.text import Text

    states = {(one.asset, str(one.partition)[:7]): str(one.state) for one in found}
    years = sorted({month[:4] for _, month in states})
    assets = list(dict.fromkeys(one.asset for one in found))
    side_by_side = max((width - _NAME) // 13, 1)  # twelve marks and a space
    for start in range(0, len(years), side_by_side):
        shown = years[start : start + side_by_side]
        text = Text(f"{'':<{_NAME}}{''.join(f'{year:<13}' for year in shown)}\n", style="bold")
        text.append(f"{'':<{_NAME}}{'JFMAMJJASOND ' * len(shown)}\n", style="not bold dim")
        for asset in assets:
            text.append(f"{asset:<{_NAME}}", style="not bold")
            for year in shown:
                for number in range(1, 13):
                    state = states.get((asset, f"{year}-{number:02}"))
                    # A month in which nothing arrived is no fault.
                    text.append(
                        MARKS[state] if state else " ",
                        style=f"not bold {COLOURS[state] if state else ''}".strip(),
                    )
                text.append(" ")
            text.append("\n")
        yield text


def _row(name: str, cells: list[str], states: list[str]) -> Text:
    from rich.text import Text

    text = Text(f"{name:<{_NAME}}")
    for cell, state in zip(cells, states, strict=True):
        text.append(cell + "  ", style=COLOURS[state])
    return text


#: Stands in a reason for the partition that it is about.
_PLACE = "\0"


def reason_lines(found: list[Standing]) -> Iterator[str]:
    """A line for each asset and reason, failures first, with the first and last partition that it holds for."""
    order = ("failed", "missing", "stale", "running")
    reasons: dict[tuple[str, str, str], list[str]] = {}
    for one in found:
        if one.state in order:
            partition = str(one.partition or "")
            shown = partition[:7] if one.kind == "month" else partition
            # A reason that names its own month (a file that is gone) is one reason of all months.
            reason = one.reason.replace(shown, _PLACE) if shown else one.reason
            reasons.setdefault((str(one.state), one.asset, reason), []).append(shown)
    for (state, asset, reason), where in sorted(reasons.items(), key=lambda item: order.index(item[0][0])):
        span = where[0] if len(where) == 1 else f"{where[0]} … {where[-1]} ({len(where)})"
        told = "" if reason == state else f": {reason.replace(_PLACE, where[0] if len(where) == 1 else '…')}"
        yield f"{MARKS[state]} {asset} {span}".rstrip() + f" {state}{told}"


def _print_runs(settings: Settings, format: StatusFormat, limit: int) -> int:
    """Print the summaries of the last runs; 1 if the newest failed."""
    from fashion_assets.defs.run_summaries import read_summaries, record_summaries

    record_summaries(_instance(settings), settings)
    summaries = read_summaries(settings, limit)
    if format is not StatusFormat.table:
        _print_rows([dict(one) for one in summaries], format)
    else:
        from rich.console import Console

        console = Console()
        table = _runs_table(summaries)
        # In a narrower window lines are broken by the terminal, and nothing is lost.
        needed = table.__rich_measure__(console, console.options.update(max_width=1000)).minimum
        table.width = needed if needed > console.width else None
        console.print(table, crop=False)
        for line in _run_lines(summaries):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
    return 1 if summaries and summaries[0]["outcome"] != "SUCCESS" else 0


def _runs_table(summaries: list[dict[str, Any]]) -> Table:
    """A row per run; 80 columns hold those of ordinary months."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    counts = ("arrived", "kept", "quarantined")
    for column in (
        "ended (UTC)",
        "run",
        "by",
        "months",
        "made",
        "arrived",
        "kept",
        "refused",
        "s",
        "MB",
        "outcome",
    ):
        table.add_column(column, no_wrap=column not in _FOLDED, overflow="fold")
    for one in summaries:
        months = one["months"]
        good = one["outcome"] == "SUCCESS"
        table.add_row(
            str(one["ended"])[5:16].replace("T", " "),
            str(one["run_id"])[:8],
            # The table has no room for both words.
            str(one["by"]).removesuffix(" line"),
            months[0] if len(months) == 1 else f"{months[0]} … {months[-1]}" if months else "",
            str(len(one["made"])),
            *("" if one.get(name) is None else str(one[name]) for name in counts),
            f"{one['seconds']:.0f}",
            f"{one['peak_memory_mb']:.0f}" if one["peak_memory_mb"] else "",
            Text(str(one["outcome"]).lower(), style="green" if good else "bold red"),
        )
    return table


def _run_lines(summaries: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each run that failed, and for each in which checks were not passed, with their names."""
    for one in summaries:
        run, months = one["run_id"][:8], one["months"]
        if one["error"]:
            yield f"{run} {one['error']}"
        if failed := one.get("failed_checks"):
            where = f" of {months[0]}" if len(months) == 1 else ""
            yield f"{run} not passed{where}: {', '.join(failed)}"
