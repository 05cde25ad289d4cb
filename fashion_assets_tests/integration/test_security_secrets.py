"""The salt of the author hashes and credentials of other systems are in nothing that a run writes or prints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fashion_assets_tests.integration.conftest import Run

pytestmark = pytest.mark.slow

SALT = "marked-salt-8c1f7a-of-the-tests"
SECRETS = {
    "FASHION_AUTHOR_SALT": SALT,
    "AWS_ACCESS_KEY_ID": "AKIAMARKEDKEY8C1F7A",
    "AWS_SECRET_ACCESS_KEY": "marked/secret+8c1f7a/of/the/tests",
    "AWS_SESSION_TOKEN": "marked-session-8c1f7a",
    "HF_TOKEN": "hf_marked8c1f7aOfTheTests",
    "PGPASSWORD": "marked-password-8c1f7a",
}
SELECT = "raw_posts,cleaned_posts,quarantined_posts"


def contents(root: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below ``root``, what is packed unpacked: Parquet cells and metadata as text."""
    for path in sorted(root.rglob("*")):
        if not path.is_file() or path.is_symlink():
            continue
        yield str(path.relative_to(root)), path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            shown = [str(column.to_pylist()) for column in table.columns]
            yield f"{path.relative_to(root)} (cells)", "\n".join([str(table.schema), *shown]).encode()


def leaks(secrets: dict[str, bytes], root: Path, printed: str) -> list[str]:
    places = [*contents(root), ("printed", printed.encode())]
    return [
        f"{name} in {place}" for place, data in places for name, secret in secrets.items() if secret in data
    ]


def test_the_search_looks_into_tables(tmp_path: Path) -> None:
    import pandas as pd

    pd.DataFrame({"a": ["x" * 40, SALT] * 500}).to_parquet(tmp_path / "a.parquet", compression="zstd")
    assert leaks({"salt": SALT.encode()}, tmp_path, "") != []


def test_nothing_secret_is_written_or_printed(cli: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    made = cli("sample", root, "--months", "1", "--posts-per-month", "30", "--products", "10")
    assert made.returncode == 0, made.stderr
    printed = [made]
    printed.append(cli("run", "--data-dir", root, "--select", SELECT, "--debug", **SECRETS))
    assert printed[-1].returncode == 0, printed[-1].stderr
    assert not (root / "author_salt").exists() and list((root / "dagster_home").rglob("*.db"))
    printed += [cli(command, "--data-dir", root, **SECRETS) for command in ("doctor", "status")]
    # A step that fails, a command that fails, a bucket that cannot be reached: tracebacks hold no values.
    broken = {"FASHION_TEXT_ENCODER": "words:/nowhere/8c1f"}
    printed.append(
        cli("run", "--data-dir", root, "--select", "text_embeddings", "--debug", **SECRETS, **broken)
    )
    assert printed[-1].returncode != 0
    (root / "incoming" / "columns.yaml").write_text("- nonsense")
    printed.append(cli("run", "--data-dir", root, "--select", SELECT, "--debug", **SECRETS))
    assert printed[-1].returncode != 0 and "Traceback" in printed[-1].stderr
    (root / "incoming" / "columns.yaml").unlink()
    away = {"FASHION_LAKE_URL": "s3://nowhere-8c1f/lake", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    printed.append(cli("run", "--data-dir", root, "--select", SELECT, "--debug", **SECRETS, **away))
    assert printed[-1].returncode != 0
    text = "".join(one.stdout + one.stderr for one in printed)
    assert leaks({name: value.encode() for name, value in SECRETS.items()}, root, text) == []


def test_a_salt_of_its_own_stays_in_its_file(cli: Run, tmp_path: Path) -> None:
    root = tmp_path / "data"
    assert cli("sample", root, "--months", "1", "--posts-per-month", "30", "--products", "10").returncode == 0
    ran = cli("run", "--data-dir", root, "--select", SELECT, "--debug")
    assert ran.returncode == 0, ran.stderr
    file = root / "author_salt"
    assert file.stat().st_mode & 0o077 == 0
    salt = file.read_bytes().strip()
    assert len(salt) >= 16
    found = leaks({"salt": salt, "salt in hex": salt.hex().encode()}, root, ran.stdout + ran.stderr)
    assert found == ["salt in author_salt"]
