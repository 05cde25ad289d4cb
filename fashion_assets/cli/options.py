"""What the commands share: the data root's option, its settings, and files that a user names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from fashion_assets.settings import Settings

DataDir = Annotated[
    Path,
    typer.Option(
        "--data-dir",
        envvar="FASHION_DATA_DIR",
        help="Data root: incoming/, lake/, reports/, warehouse.duckdb.",
    ),
]


def settings_of(data_dir: Path) -> Settings:
    """The settings of a data root; UserError for a variable of the environment that does not fit."""
    from pydantic import ValidationError

    from fashion_assets.settings import Settings

    try:
        return Settings(data_dir=data_dir)
    except ValidationError as fault:
        first = fault.errors()[0]
        raise UserError(
            f"FASHION_{'_'.join(map(str, first['loc'])).upper()}={first['input']!r}: {first['msg']}"
        ) from fault


def require_file(path: Path, option: str) -> None:
    """UserError for a folder where a file is to be written, before any work is done."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; give {option} the path of a file")


def write_out(path: Path, text: str) -> None:
    """The text in a file, its folders made where they are missing."""
    from fashion_assets.storage.files import write_text_atomic

    try:
        write_text_atomic(path, text)
    except OSError as fault:
        raise UserError(f"{path} cannot be written ({fault.strerror}); give another path") from fault
