"""Fixtures that more than one test package uses."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from fashion_assets.storage.places import Place, place

PROJECT_ROOT = Path(__file__).resolve().parent.parent

#: Credentials of moto's S3, which takes any; looked for where they must not be.
S3_KEY, S3_SECRET = "key-of-the-tests-5d1c", "secret-of-the-tests-5d1c"


# The same examples on every machine, and no limit that a busy one breaks: neither a deadline for one example nor a
# second for making ten. New examples are looked for with ``--hypothesis-profile=searching``, and by ``fuzz``.
settings.register_profile("searching", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "same everywhere", settings.get_profile("searching"), derandomize=True, database=None
)
settings.load_profile("same everywhere")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A slow test may take an hour, not the minutes of ``pyproject.toml``: its fixtures count too, and others use the
    machine. A limit is there to end what hangs.
    """
    for item in items:
        takes_long = item.get_closest_marker("slow") or item.get_closest_marker("long")
        if takes_long and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data, or a skip that says where it was looked for."""
    folder = Path(os.environ.get("FASHION_REAL_DATA", PROJECT_ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(
            f"real data is not at {folder}; set FASHION_REAL_DATA to the folder that holds xhs/, products/ …"
        )
    return folder


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """The address of moto's S3 on loopback, in the environment of this process and of what it starts."""
    server_module = pytest.importorskip("moto.server", reason="moto[server] is not installed")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = server_module.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    values = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": S3_KEY,
        "AWS_SECRET_ACCESS_KEY": S3_SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            patch.setenv(name, value)
        yield values["AWS_ENDPOINT_URL"]
        server.stop()


@pytest.fixture
def s3_root(s3_endpoint: str) -> Place:
    """An empty prefix in a bucket of its own."""
    bucket = f"test-{uuid.uuid4().hex}"
    root = place(f"s3://{bucket}/some/prefix")
    root.fs.call_s3("create_bucket", Bucket=bucket)
    return root


@pytest.fixture(params=["local", pytest.param("s3", marks=pytest.mark.s3)])
def any_root(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty folder, and in a second round an empty S3 prefix: one test body for both."""
    return tmp_path if request.param == "local" else request.getfixturevalue("s3_root")
