"""Which faults of an asset are worth another try: ``asset`` and ``multi_asset`` in place of Dagster's.

Belongs here: the retry policy, and the judgement of a fault. A fault that passes by itself (network, object storage, a
GPU that is full, a worker that died) is tried again with growing pauses. Any other ends the step at once with its
sentence: no retry mends an input, a setting or a bug.
"""

from __future__ import annotations

import errno
import functools
import inspect
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._core.definitions.utils import NoValueSentinel
from pydantic import ValidationError

from fashion_assets.defs.process_memory import PEAK_MEMORY, peak_memory_mb
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.system_faults import system_sentence

#: Tries again after about 10, 20 and 40 seconds; the jitter keeps steps that failed together from coming back together.
RETRIES = dg.RetryPolicy(max_retries=3, delay=10, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS)

#: What the system says when a connection, a mount or a device did not answer. A full disk is not among them.
_ERRNOS = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EIO,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
        errno.EPIPE,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)

#: Library -> its classes (and all below them) for faults that pass. By name, so that no library is loaded for it.
_CLASSES: dict[str, frozenset[str]] = {
    "aiohttp": frozenset({"ClientConnectionError", "ClientPayloadError", "ServerTimeoutError"}),
    "botocore": frozenset({"ConnectionError", "HTTPClientError", "ReadTimeoutError", "ConnectTimeoutError"}),
    "httpx": frozenset({"TransportError"}),
    "httpcore": frozenset({"NetworkError", "TimeoutException", "ProtocolError"}),
    "requests": frozenset({"ConnectionError", "Timeout", "ChunkedEncodingError"}),
    "urllib3": frozenset({"ProtocolError", "TimeoutError", "MaxRetryError"}),
    "torch": frozenset({"OutOfMemoryError"}),
    "ray": frozenset(
        {
            "RayActorError",
            "WorkerCrashedError",
            "NodeDiedError",
            "OutOfMemoryError",
            "ObjectLostError",
            "RaySystemError",
        }
    ),
}
#: "Too many requests", and what a server answers that will be well again.
_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


def is_transient(fault: BaseException | None) -> bool:
    """Whether the fault, or one that it was raised from, passes by itself."""
    while fault is not None:
        if _passes(fault):
            return True
        fault = fault.__cause__
    return False


def _passes(fault: BaseException) -> bool:
    if isinstance(fault, (ConnectionError, TimeoutError)):
        return True
    if isinstance(fault, OSError) and fault.errno in _ERRNOS:
        return True
    for kind in type(fault).__mro__:
        if kind.__name__ in _CLASSES.get(kind.__module__.partition(".")[0], ()):
            return True
    return _status(getattr(fault, "response", None)) in _STATUSES


def _status(response: Any) -> int | None:
    """The HTTP status of a botocore response (a dict) or of a requests or httpx one."""
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


@contextmanager
def judged() -> Iterator[None]:
    """Raise ``dg.Failure(allow_retries=False)`` with its sentence in place of a fault that does not pass by itself."""
    try:
        yield
    except (dg.Failure, dg.RetryRequested):
        raise
    except Exception as fault:
        if is_transient(fault):
            raise
        refused = system_sentence(fault) if isinstance(fault, OSError) else None
        known = str(fault) if isinstance(fault, UserError) else refused
        sentence = known or f"{type(fault).__name__}: {fault}"
        memory = {PEAK_MEMORY: peak_memory_mb()}
        raise dg.Failure(description=sentence, metadata=memory, allow_retries=False) from fault


def asset(**arguments: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """``dg.asset`` with ``RETRIES``, whose faults are judged."""
    return lambda function: dg.asset(**{"retry_policy": RETRIES, **arguments})(_judging(function))


def multi_asset(**arguments: Any) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """``dg.multi_asset`` with ``RETRIES``, whose faults are judged."""
    return lambda function: dg.multi_asset(**{"retry_policy": RETRIES, **arguments})(_judging(function))


def _judging(function: Callable[..., Any]) -> Callable[..., Any]:
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def outputs(*args: Any, **kwargs: Any) -> Iterator[Any]:
            with judged():
                yield from function(*args, **kwargs)

        return _with_judged_config(outputs)

    @functools.wraps(function)
    def output(*args: Any, **kwargs: Any) -> Any:
        with judged():
            return _with_peak_memory(function(*args, **kwargs))

    return _with_judged_config(output)


def _with_peak_memory(result: Any) -> Any:
    """The result; of what a function stored itself it tells the memory, as the I/O manager does of a table."""
    if not isinstance(result, dg.MaterializeResult) or result.value is not NoValueSentinel:
        return result
    return result._replace(metadata={**(result.metadata or {}), PEAK_MEMORY: peak_memory_mb()})


def _with_judged_config(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with a config class in its signature whose faults are judged: Dagster makes the config itself.

    Types are looked at when a run is launched, bounds and validators only here, in the step.
    """
    signature = inspect.signature(function)
    given = signature.parameters.get("config")
    if given is None or not inspect.isclass(given.annotation) or not issubclass(given.annotation, dg.Config):
        return function
    base = given.annotation

    def make(config: dg.Config, **values: Any) -> None:
        with judged():
            try:
                base.__init__(config, **values)
            except ValidationError as fault:
                raise UserError(f"the run's config is not valid: {_faults_of(fault)}") from fault

    body = {"__init__": make, "__module__": base.__module__, "__doc__": base.__doc__}
    changed = given.replace(
        annotation=types.new_class(base.__name__, (base,), exec_body=lambda of: of.update(body))
    )
    function.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[changed if name == "config" else one for name, one in signature.parameters.items()]
    )
    return function


def _faults_of(fault: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, one['loc']))} = {one['input']!r} ({one['msg'].removeprefix('Value error, ')})"
        for one in fault.errors(include_url=False)
    )


class JudgedIOManager(dg.IOManager):
    """The I/O manager inside, with judged faults: a table is read before the asset's function and written after."""

    def __init__(self, inside: dg.IOManager) -> None:
        self.inside = inside

    def load_input(self, context: dg.InputContext) -> Any:
        with judged():
            return self.inside.load_input(context)

    def handle_output(self, context: dg.OutputContext, obj: Any) -> None:
        with judged():
            self.inside.handle_output(context, obj)
