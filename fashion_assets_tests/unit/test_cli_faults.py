"""What the system refuses is said in one sentence: which folder, and what to do."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

import fashion_assets.cli as cli
from fashion_assets.storage.errors import UserError


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], fault: OSError) -> str:
    """What ``main`` writes when the command ends with the fault."""

    def fails() -> None:
        raise fault

    monkeypatch.setattr(cli, "app", fails)
    monkeypatch.setattr(sys, "argv", ["fashion-assets", "run"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    written = capsys.readouterr().err
    assert written.startswith("fashion-assets: ") and written.count("\n") == 1 and "[Errno" not in written
    return written


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_place_that_may_not_be_written_is_named_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, number: int
) -> None:
    fault = OSError(number, os.strerror(number), str(tmp_path / ".run.lock"))
    sentence = said(monkeypatch, capsys, fault)
    assert f".run.lock cannot be written in {tmp_path} ({os.strerror(number)})" in sentence
    assert "choose a folder that you may write: --data-dir, or --out" in sentence


def test_of_a_move_the_place_where_the_file_was_to_be_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    moved = OSError(errno.EACCES, "Permission denied", b"/made/.part", None, str(tmp_path / "out.csv"))
    assert f"out.csv cannot be written in {tmp_path}" in said(monkeypatch, capsys, moved)


def test_a_file_that_may_not_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.R_OK)
    fault = OSError(errno.EACCES, "Permission denied", str(tmp_path / "crawl.csv"))
    assert f"{tmp_path / 'crawl.csv'} cannot be read" in said(monkeypatch, capsys, fault)


def test_a_full_disk_says_where(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    full = OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "lake" / "x.parquet"))
    assert f"the disk of {tmp_path / 'lake'} is full" in said(monkeypatch, capsys, full)
    nowhere = OSError(errno.ENOSPC, "No space left on device")
    assert "the disk is full" in said(monkeypatch, capsys, nowhere)
    unnamed = OSError(errno.EACCES, "Permission denied")
    assert "--debug shows which" in said(monkeypatch, capsys, unnamed)


@pytest.mark.parametrize("spec", ["hf:[/x]", "timm:[/x]"])
def test_an_encoder_in_brackets_is_a_name_and_no_markup(tmp_path: Path, spec: str) -> None:
    ran = CliRunner().invoke(cli.app, ["encoders", "export", spec, str(tmp_path / "made")])
    assert isinstance(ran.exception, UserError) and "[/x]" in str(ran.exception)


def test_a_fault_that_quotes_a_file_commands_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A crawl file may be called anything; `run` names it."""
    assert "\\u001b]0;owned\\u0007" in said(monkeypatch, capsys, OSError("\x1b]0;owned\x07.csv was refused"))
    cli._print_lines(["\x1b]0;owned\x07.csv [red]was refused"])
    assert capsys.readouterr().out == "\\u001b]0;owned\\u0007.csv [red]was refused\n"


def test_a_folder_in_brackets_is_a_name_and_no_markup(tmp_path: Path) -> None:
    for name in ("a[old]", "a[/x]"):
        made = CliRunner().invoke(
            cli.app,
            ["sample", str(tmp_path / name), "--months", "1", "--posts-per-month", "10", "--products", "0"],
        )
        assert f"--data-dir {tmp_path / name}\n" in made.output
