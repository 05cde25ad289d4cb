"""What ``fashion-assets run`` and ``sql`` print: refused files, failed checks, the closing table, what to try next."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.table import Table

from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.terminal_text import for_terminal

if TYPE_CHECKING:
    import pandas as pd

    from fashion_assets.defs.runner import CheckFailure, RunSummary
    from fashion_assets.posts.landing import LandingResult

#: Rows of a result shown on a terminal; csv and json print all.
SHOWN_ROWS = 200
#: Failed checks that a run names; further ones are counted.
SHOWN_CHECKS = 10


def file_messages(landing: LandingResult) -> Iterator[str]:
    """A sentence for each file that was not landed, or was landed with a remark."""
    for file in landing.files:
        if file.status in ("refused", "waiting"):
            yield _named(file.name, f"{file.status}: {file.reason}", str(file.reason))
        elif file.status == "landed":
            yield from (_named(file.name, note, note) for note in file.notes)


def _named(name: str, shown: str, sentence: str) -> str:
    """The sentence alone where it names its file, else with the name before it."""
    return sentence if sentence.startswith(name) else f"{name}: {shown}"


def check_lines(settings: Settings, failed: list[CheckFailure]) -> Iterator[str]:
    """A line for each check that was not passed: month, asset, check and what it found."""
    from fashion_assets.defs.runner import shown_partition

    if not failed:
        return
    yield f"{len(failed)} check{'s were' if len(failed) > 1 else ' was'} not passed; someone should look:"
    for one in failed[:SHOWN_CHECKS]:
        where = shown_partition(one.partition) if one.partition else ""
        found = one.found.removeprefix(f"{where}: ")
        yield "  " + " ".join(filter(None, (where, one.asset, f"{one.check}: {found}")))
    if len(failed) > SHOWN_CHECKS:
        more = len(failed) - SHOWN_CHECKS
        yield f"  and {more} more: {_program()} status --runs --data-dir {settings.data_dir}"


def product_lines(settings: Settings) -> Iterator[str]:
    """How many product cards arrived, were kept and were refused; nothing where there are no products."""
    lake = Lake(settings.lake)
    kept, refused = _rows(lake, "products"), _rows(lake, "quarantined_products")
    if kept is None or refused is None:
        return
    counts = f"Products: {kept + refused} cards arrived, {kept} kept, {refused} refused"
    if refused and settings.warehouse.exists():
        statement = "select id, source_file, source_row, reason from quarantined_products"
        counts += f'; {_program()} sql "{statement}" --data-dir {settings.data_dir} shows them'
    yield counts


def closing_table(settings: Settings, summary: RunSummary) -> Table:
    """Kept, quarantined and styles per month, the sum, and the seconds."""
    lake = Lake(settings.lake)
    table = Table(title=f"{summary.made} assets x months made in {summary.seconds:.0f} s")
    for column in ("month", "posts kept", "quarantined", "styles"):
        table.add_column(column, justify="left" if column == "month" else "right")
    kept_total = refused_total = 0
    months = lake.months("cleaned_posts")
    for month in months:
        rows = [
            _rows(lake, asset, month) for asset in ("cleaned_posts", "quarantined_posts", "style_profiles")
        ]
        table.add_row(month, *("-" if n is None else str(n) for n in rows))
        kept_total, refused_total = kept_total + (rows[0] or 0), refused_total + (rows[1] or 0)
    table.add_section()
    table.add_row(
        f"{len(months)} month{'s' if len(months) != 1 else ''}", str(kept_total), str(refused_total), ""
    )
    return table


def _rows(lake: Lake, asset: str, month: str | None = None) -> int | None:
    """Rows of a stored table; None where it is not there or damaged, as of a month that this run had not to make."""
    try:
        return lake.row_count(asset, month)
    except UserError:
        return None


def next_commands(settings: Settings) -> Iterator[str]:
    """The newest report, the warehouse, and two or three commands to go on with."""
    lake = Lake(settings.lake)
    for month in reversed(lake.months("cleaned_posts")):
        report = settings.reports / month / "style_report.html"
        if report.exists() and _rows(lake, "cleaned_posts", month):
            yield f"Newest report: {report}"
            break
    if settings.warehouse.exists():
        yield f"Warehouse:     {settings.warehouse}"
        yield "Try next:"
        styles = "select month, name, share from style_profiles order by month, share desc"
        statement = styles if lake.months("style_profiles") else "show tables"
        program = _program()
        yield f'  {program} sql "{statement}" --data-dir {settings.data_dir}'
        yield f"  make ui DATA_DIR={settings.data_dir}      # the asset graph on http://127.0.0.1:3000"
        yield f"  {program} doctor --data-dir {settings.data_dir}"


def _program() -> str:
    """As this process was called, unless the plain name would do: after `make demo` the environment is not active."""
    return "fashion-assets" if shutil.which("fashion-assets") else sys.argv[0]


def frame_table(frame: pd.DataFrame, title: str | None = None) -> Table:
    """The first rows of a result for a terminal: names and cells as they are, and no command to it."""
    from rich.text import Text

    more = "1 row" if len(frame) == 1 else f"{len(frame)} rows"
    more += f", the first {SHOWN_ROWS} shown" if len(frame) > SHOWN_ROWS else ""
    table = Table(title=title, caption=more, title_justify="left")
    for column in frame.columns:
        table.add_column(Text(for_terminal(str(column))))
    for row in frame.head(SHOWN_ROWS).itertuples(index=False):
        table.add_row(*(Text("" if value is None else for_terminal(str(value))) for value in row))
    return table
