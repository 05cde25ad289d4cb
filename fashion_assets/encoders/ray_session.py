"""The Ray cluster that the encoders work on: the one that ``RAY_ADDRESS`` names, or one of this process's own.

Belongs here: connecting, being quiet, and what the cluster has. Does not: what runs on it (``ray_encoder``).
"""

from __future__ import annotations

import logging
import os
import socket
from typing import Any, Final

from fashion_assets.encoders.ray_shares import Share
from fashion_assets.storage.errors import UserError

#: Shared memory of a cluster of our own: decoded pictures on their way, a few blocks per process, and no more.
OBJECT_STORE_BYTES: Final = 512 * 1024**2

#: Seconds for a cluster to take a connection.
REACH_SECONDS: Final = 10.0

#: What Ray calls a cluster of this process's own.
_OWN: Final = "local"

#: What Ray reads from the environment when it starts, set where the user has not: nothing is sent home, and its C++
#: part, which logs every guess as an error, writes what is fatal only.
_QUIET: Final = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_BACKEND_LOG_LEVEL": "fatal"}


def connect() -> list[Share]:
    """CPUs and GPUs of each node of the cluster that this process is connected to from now on.

    A connection that is there already is used. Else ``RAY_ADDRESS`` is (host:port, as Ray itself reads it), or a
    local cluster is started with the CPUs and GPUs of this machine; it ends with the process, also with one that is
    killed. Raises UserError if Ray is not installed, does not answer or wants another ``RAY_AUTH_MODE``.
    """
    ray = _ray()
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS") or _OWN
        try:
            _check_reachable(address)
            _start(ray, address)
        except (
            ray.exceptions.AuthenticationError,
            ConnectionError,
            RuntimeError,
            ValueError,
            OSError,
        ) as error:
            raise UserError(_advice(address, _first_line(error))) from error
    alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Share(float(node.get("CPU", 0)), float(node.get("GPU", 0))) for node in alive]


def _ray() -> Any:
    try:
        import ray
        import ray.data
        import ray.exceptions
    except ImportError as error:
        raise UserError(
            f'the Ray engine needs ray, which is not installed ({error}); pip install "fashion-assets[ray]", or set '
            "FASHION_ENGINE=inline"
        ) from error
    # Its progress, and the stack traces of what ends in one sentence here.
    logging.getLogger("ray.data").setLevel(logging.CRITICAL)
    return ray


def _check_reachable(address: str) -> None:
    """Raises OSError at once where Ray would try for minutes, if nothing listens at host:port."""
    host, separator, port = address.rpartition(":")
    if separator and "/" not in host and port.isdigit():
        socket.create_connection((host, int(port)), timeout=REACH_SECONDS).close()


def _start(ray: Any, address: str) -> None:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    # Given by name even when it is ours: Ray would look for a cluster that happens to run on this machine.
    own = {"include_dashboard": False, "object_store_memory": OBJECT_STORE_BYTES} if address == _OWN else {}
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, **own)


def _advice(address: str, fault: str) -> str:
    if address == _OWN:
        return f"Ray cannot start on this machine ({fault}); FASHION_ENGINE=inline works without it"
    return (
        f"no Ray cluster answers at {address} ({fault}); check RAY_ADDRESS (host:6379), and that RAY_AUTH_MODE is set, "
        "to token (with the same ~/.ray/auth_token or RAY_AUTH_TOKEN) or disabled, as where the cluster was started; "
        "without RAY_ADDRESS a cluster of this machine's own is started"
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
