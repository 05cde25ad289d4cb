"""What the system refuses is told with the path that a person knows, and with what to do."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fashion_assets.storage.lake import Lake
from fashion_assets.storage.system_faults import system_sentence


def refused(number: int, path: str) -> str | None:
    return system_sentence(OSError(number, os.strerror(number), path))


def test_a_file_that_cannot_be_written_has_its_own_name(tmp_path: Path) -> None:
    told = refused(errno.EACCES, f"{tmp_path}/.2024-01.parquet.6554ef72a8074151.tmp")
    assert told is not None
    assert told.startswith(
        f"2024-01.parquet cannot be written in {tmp_path} (Permission denied); give yourself"
    )
    read_only = refused(errno.EROFS, f"{tmp_path}/.warehouse.duckdb.1h10fbzo.tmp")
    assert read_only is not None and read_only.startswith(
        f"warehouse.duckdb cannot be written in {tmp_path} (Read"
    )


def test_a_full_disk_is_told_by_its_folder(tmp_path: Path) -> None:
    told = refused(errno.ENOSPC, f"{tmp_path}/x")
    assert told is not None and told.startswith(f"the disk of {tmp_path} is full")
    assert system_sentence(OSError(errno.ENOSPC, "No space left on device")) is not None


def test_other_faults_have_words_of_their_own(tmp_path: Path) -> None:
    assert refused(errno.ENOENT, f"{tmp_path}/x") is None


#: Root reads everything, unless it gives that right away: so in a process of its own.
_WITHOUT_RIGHTS = """
import json, sys
from pathlib import Path
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.system_faults import system_sentence
root = Path(sys.argv[1])
told = []
for asset in ("file", "folder"):
    try:
        Lake(root).read(asset, "2024-01")
    except OSError as fault:
        told.append(system_sentence(fault))
print(json.dumps(told))
"""
_LANDING = """
import json, sys
from datetime import datetime
from pathlib import Path
from fashion_assets.posts.landing import land_incoming
root = Path(sys.argv[1])
result = land_incoming(root / "incoming", root / "lake", b"0" * 32, now=datetime(2024, 7, 3), settle_seconds=0)
print(json.dumps([[file.name, file.status, file.reason] for file in result.files]))
"""
_LANDED = """
import json, sys
from pathlib import Path
from fashion_assets.posts.landed import landed_files
try:
    landed_files(Path(sys.argv[1]) / "lake")
    print(json.dumps(""))
except PermissionError as fault:
    print(json.dumps(fault.filename))
"""


def without_rights(program: str, folder: Path) -> Any:
    """What the program prints as JSON about ``folder``, of which it reads what its modes let it."""
    command = [sys.executable, "-c", program, str(folder)]
    if os.geteuid() == 0:
        rights = "-dac_override,-dac_read_search"
        command = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}", *command]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("root without setpriv cannot give its rights away")
    finally:
        for path in folder.rglob("*"):
            path.chmod(0o755)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_what_may_not_be_read_is_not_called_damaged_or_unwritable(tmp_path: Path) -> None:
    import pyarrow as pa

    for asset in ("file", "folder"):
        Lake(tmp_path).write(asset, "2024-01", pa.table({"a": [1]}))
    file, folder = tmp_path / "file" / "2024-01.parquet", tmp_path / "folder"
    file.chmod(0)
    folder.chmod(0)
    of_file, of_folder = without_rights(_WITHOUT_RIGHTS, tmp_path)
    assert of_file == f"{file} cannot be read (Permission denied); give yourself the right to read it"
    assert (
        of_folder
        == f"{folder} may not be entered (Permission denied); give yourself the right to read and enter it"
    )


CRAWL = (
    "poster_id,post_id,post_title,post_date,post_content,post_fetch_time\n"
    "u{0},p{0},新中式,2024-0{0}-01,马面裙,2024-07-02 10:00:00\n"
)


def test_a_folder_of_incoming_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    """``rglob`` passes it over without a word: a delivery would be missing, or a month without pictures."""
    for number, folder in enumerate(("open", "closed/inner", "listed"), 1):
        (tmp_path / "incoming" / folder).mkdir(parents=True)
        (tmp_path / "incoming" / folder / f"{number}.csv").write_text(CRAWL.format(number), encoding="utf-8")
    (tmp_path / "incoming" / "media" / "p1").mkdir(parents=True)
    (tmp_path / "incoming" / "closed").chmod(0)
    (tmp_path / "incoming" / "media" / "p1").chmod(0)
    (tmp_path / "incoming" / "listed").chmod(0o444)
    told = {name: (status, reason) for name, status, reason in without_rights(_LANDING, tmp_path)}
    assert told["open/1.csv"][0] == "landed"
    for folder in ("closed", "listed", "media/p1"):
        status, reason = told[folder]
        assert status == "waiting"
        assert reason == (
            f"{folder}/ may not be read (Permission denied); what lies in it lands when the account that lands files "
            "may read it."
        )
    again = {name: status for name, status, _ in without_rights(_LANDING, tmp_path)}
    assert again == {"open/1.csv": "already landed", "closed/inner/2.csv": "landed", "listed/3.csv": "landed"}


def test_landed_rows_that_may_not_be_read_are_not_taken_for_gone(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    (tmp_path / "incoming" / "1.csv").write_text(CRAWL.format(1), encoding="utf-8")
    assert [status for _, status, _ in without_rights(_LANDING, tmp_path)] == ["landed"]
    month = tmp_path / "lake" / "landing" / "2024-01"
    month.chmod(0)
    assert without_rights(_LANDED, tmp_path) == str(month)
