"""A real PostgreSQL server of the test's own: in a folder of its own, on a free loopback port, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fashion_assets_tests.integration.ui_processes import free_port

#: With everything that has a meaning in a connection string.
_PASSWORD = "made of p@rts:/%"


class NoPostgres(Exception):
    """Why there is no server to be had on this machine."""


@dataclass(frozen=True)
class PostgresServer:
    """Where the server listens and how to get in; ``bin`` holds its programs (psql, pg_dump)."""

    bin: Path
    port: int
    password: str
    user: str = "dagster"
    host: str = "127.0.0.1"

    def environment(self, database: str) -> dict[str, str]:
        """What ``deploy/dagster.yaml`` reads."""
        return {
            "DAGSTER_PG_USERNAME": self.user,
            "DAGSTER_PG_PASSWORD": self.password,
            "DAGSTER_PG_HOST": self.host,
            "DAGSTER_PG_PORT": str(self.port),
            "DAGSTER_PG_DB": database,
        }

    def program(self, name: str, *arguments: str, database: str) -> str:
        """Run a client program against ``database``; what it printed. Raises CalledProcessError."""
        at = {"PGHOST": self.host, "PGPORT": str(self.port), "PGUSER": self.user, "PGPASSWORD": self.password}
        command = [str(self.bin / name), *arguments, database]
        return subprocess.run(
            command, env={**os.environ, **at}, check=True, capture_output=True, text=True
        ).stdout

    def create_database(self, name: str) -> None:
        self.program("createdb", database=name)

    def ask(self, database: str, statement: str) -> list[list[str]]:
        """Rows of a query, every cell as text."""
        printed = self.program("psql", "-At", "-F", "\t", "-c", statement, database=database)
        return [line.split("\t") for line in printed.splitlines()]


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server that accepts connections. Raises NoPostgres with the reason where none can be started."""
    programs = _programs()
    owner = _owner()
    # Not under pytest's folders, which only their owner may enter: the server may be another user's.
    folder = Path(tempfile.mkdtemp(prefix="fashion-postgres-"))
    try:
        (folder / "password").write_text(f"{_PASSWORD}\n", encoding="ascii")
        for path in (folder, folder / "password"):
            os.chown(path, owner.pw_uid, owner.pw_gid)
        port = free_port()

        def run(program: str, *arguments: str) -> None:
            as_owner = {"user": owner.pw_uid, "group": owner.pw_gid} if os.getuid() == 0 else {}
            done = subprocess.run(
                [str(programs / program), *arguments],
                cwd=folder,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
                **as_owner,  # type: ignore[call-overload]
            )
            if done.returncode:
                log = folder / "log"
                said = done.stderr + (log.read_text(errors="replace") if log.exists() else "")
                raise NoPostgres(f"{program} failed: {said.strip()[-600:]}")

        run(
            "initdb",
            *("-D", "data", "-U", "dagster", "--pwfile=password", "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", "--no-sync"),
        )
        # No password outlives the test, and nothing of it has to survive a power cut.
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off"
        run("pg_ctl", "-D", "data", "-l", "log", "-w", "-t", "600", "-o", options, "start")
        try:
            yield PostgresServer(programs, port, _PASSWORD)
        finally:
            run("pg_ctl", "-D", "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    """The folder of initdb, pg_ctl and psql: on the path, or where Debian's packages put them."""
    found = shutil.which("initdb")
    candidates = [Path(found).resolve().parent] if found else []
    candidates += sorted(
        (path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")),
        key=lambda folder: int(folder.parent.name),
        reverse=True,
    )
    for folder in candidates:
        if all((folder / name).exists() for name in ("initdb", "pg_ctl", "psql", "pg_dump", "createdb")):
            return folder
    raise NoPostgres("no PostgreSQL server is installed (Debian: apt-get install postgresql)")


def _owner() -> pwd.struct_passwd:
    """Who the server runs as: not root, which it refuses."""
    if os.getuid() != 0:
        return pwd.getpwuid(os.getuid())
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoPostgres("PostgreSQL does not run as root, and there is no user postgres or nobody")
