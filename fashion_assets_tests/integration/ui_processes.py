"""Code location, webserver and daemon as processes on loopback, as ``deploy/`` runs them, and a browser to look."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
WORKSPACE = PROJECT / "deploy" / "workspace.yaml"
#: For a code location or a webserver to answer: seconds on a quiet machine, a minute on a busy one of two cores.
START_SECONDS = 600.0
#: Where to look for a free port: below those that the system hands out to connections, 32768 and more on Linux.
#: One of those may be free now and somebody's connection before the server that it was meant for has started.
_PORTS = range(20_000, 32_000)


class NoBrowser(Exception):
    """Why there is no browser to be had on this machine."""


@dataclass(frozen=True)
class UI:
    """What runs, and how to ask it."""

    port: int
    environment: dict[str, str]
    #: Process of the webserver.
    pid: int

    def address(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def graphql(self, query: str, **variables: object) -> Any:
        """``data`` of the answer. Raises AssertionError with the errors."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(self.address("/graphql"), body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=300) as answer:
            parsed = json.load(answer)
        assert "errors" not in parsed, parsed["errors"]
        return parsed["data"]


@contextmanager
def dagster_ui(folder: Path, environment: Mapping[str, str], *, daemon: bool = True) -> Iterator[UI]:
    """Serve the workspace of ``deploy/`` with ``environment`` (DAGSTER_HOME, FASHION_DATA_DIR …).

    ``folder`` takes the logs and is the working folder. All processes are gone at the end, with their children.
    """
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FASHION_", "DAGSTER_"))
    }
    code, web = free_port(), free_port()
    whole = kept | {
        "PYTHONPATH": str(PROJECT),
        "OMP_NUM_THREADS": "1",
        "DAGSTER_CODE_HOST": "127.0.0.1",
        "DAGSTER_CODE_PORT": str(code),
    }
    whole |= environment
    with ExitStack() as stack:
        served = ("dagster", "code-server", "start", "-m", "fashion_assets.definitions")
        server = stack.enter_context(process(folder, whole, *served, "-h", "127.0.0.1", "-p", str(code)))
        health = (sys.executable, "-m", "dagster", "api", "grpc-health-check", "-p", str(code))
        _until(lambda: _listens(code), server)
        # It listens a moment before it calls itself healthy.
        _until(
            lambda: subprocess.run(health, env=whole, check=False, capture_output=True).returncode == 0,
            server,
        )
        if daemon:
            stack.enter_context(process(folder, whole, "dagster._daemon", "run", "-w", str(WORKSPACE)))
        serving = stack.enter_context(webserver(folder, whole, web))
        yield UI(web, whole, serving.popen.pid)


@contextmanager
def webserver(folder: Path, environment: Mapping[str, str], port: int, *options: str) -> Iterator[Running]:
    """``dagster-webserver`` on ``port`` of loopback, answering."""
    command = ("dagster_webserver", "-h", "127.0.0.1", "-p", str(port), "-w", str(WORKSPACE))
    with process(folder, environment, *command, *options) as running:
        _until(lambda: _listens(port), running)
        yield running


@contextmanager
def process(folder: Path, environment: Mapping[str, str], module: str, *arguments: str) -> Iterator[Running]:
    """``python -m module`` in a process group of its own, which is ended as a whole."""
    log = folder / f"{module}{'-'.join(a.strip('-') for a in arguments if a == '--read-only')}.log"
    with log.open("wb") as output:
        started = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Running(started, log)
        finally:
            with suppress(subprocess.TimeoutExpired, ProcessLookupError):
                os.killpg(started.pid, signal.SIGTERM)
                started.wait(20)
            # What the leader left behind, or what did not listen.
            with suppress(ProcessLookupError):
                os.killpg(started.pid, signal.SIGKILL)
            started.wait(20)


@dataclass(frozen=True)
class Running:
    """A started process and where it writes."""

    popen: subprocess.Popen[bytes]
    log: Path


def free_port() -> int:
    """A port of loopback on which nothing listens, and that nobody is given unless by its number."""
    for port in random.SystemRandom().sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"all ports from {_PORTS.start} to {_PORTS.stop - 1} are taken")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _until(condition: Any, running: Running) -> None:
    end = time.monotonic() + START_SECONDS
    while not condition():
        said = running.log.read_text(errors="replace")[-2000:]
        assert running.popen.poll() is None, f"{running.log.stem} ended: {said}"
        assert time.monotonic() < end, f"{running.log.stem} does not answer: {said}"
        time.sleep(0.1)


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """A headless Chromium that reaches loopback and nothing else. Raises NoBrowser with the reason."""
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError as fault:
        raise NoBrowser("selenium is not installed") from fault
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver_path = shutil.which("chromedriver")
    if binary is None or driver_path is None:
        raise NoBrowser(
            "chromium and chromedriver are not installed (Debian: apt-get install chromium chromium-driver)"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for argument in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--window-size=1500,1000",
        f"--user-data-dir={profile}",
    ):
        options.add_argument(argument)
    driver = webdriver.Chrome(options=options, service=Service(driver_path))
    try:
        yield driver
    finally:
        driver.quit()
