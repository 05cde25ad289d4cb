"""Which faults are tried again, which end a step at once, and that every asset is judged by it."""

import errno
from collections.abc import Callable, Iterator

import dagster as dg
import pytest
from pydantic import Field, field_validator

from fashion_assets.definitions import build_definitions
from fashion_assets.defs import faults
from fashion_assets.defs.faults import JudgedIOManager, asset, is_transient, multi_asset
from fashion_assets.defs.step_errors import sentence_of
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError


def fault_of(library: str, name: str, base: type[Exception] = Exception, **attributes: object) -> Exception:
    """An instance of a class as ``library`` would define it, without the library."""
    raised = type(name, (base,), {"__module__": f"{library}.errors"})("no answer")
    for attribute, value in attributes.items():
        setattr(raised, attribute, value)
    return raised


@pytest.mark.parametrize(
    "fault",
    [
        ConnectionResetError("reset by peer"),
        TimeoutError(),
        OSError(errno.EIO, "I/O error"),
        OSError(errno.ESTALE, "stale file handle"),
        fault_of("botocore", "EndpointConnectionError", type(fault_of("botocore", "ConnectionError"))),
        fault_of("botocore", "ClientError", response={"ResponseMetadata": {"HTTPStatusCode": 503}}),
        fault_of("requests", "ReadTimeout", type(fault_of("requests", "Timeout"))),
        fault_of("torch", "OutOfMemoryError", RuntimeError),
        fault_of("ray", "ActorDiedError", type(fault_of("ray", "RayActorError"))),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_passes_by_itself(fault: Exception) -> None:
    assert is_transient(fault)


@pytest.mark.parametrize(
    "fault",
    [
        UserError("a.csv:3: no date"),
        FileNotFoundError(errno.ENOENT, "no such file"),
        PermissionError(errno.EACCES, "permission denied"),
        OSError(errno.ENOSPC, "no space left"),
        OSError(errno.EROFS, "read-only file system"),
        KeyError("month"),
        MemoryError(),
        fault_of("botocore", "ClientError", response={"ResponseMetadata": {"HTTPStatusCode": 403}}),
        fault_of("elsewhere", "ConnectionError"),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_what_no_retry_mends(fault: Exception) -> None:
    assert not is_transient(fault)


def test_a_sentence_about_a_broken_connection_is_still_about_one() -> None:
    with pytest.raises(UserError) as raised:
        try:
            raise ConnectionResetError("reset by peer")
        except OSError as fault:
            raise UserError("lake/raw_posts/2024-01.parquet cannot be read") from fault
    assert is_transient(raised.value)


class Tries:
    """An asset that raises the given faults one after the other, then is well."""

    def __init__(self, *raised: Exception) -> None:
        self.raised = list(raised)
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        if self.raised:
            raise self.raised.pop(0)
        return 1


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    assert faults.RETRIES.backoff is dg.Backoff.EXPONENTIAL and faults.RETRIES.delay
    monkeypatch.setattr(faults, "RETRIES", dg.RetryPolicy(max_retries=3, delay=0))
    yield


def of_function(tries: Tries) -> dg.AssetsDefinition:
    @asset()
    def table() -> int:
        return tries()

    return table


def of_generator(tries: Tries) -> dg.AssetsDefinition:
    @multi_asset(outs={"table": dg.AssetOut()})
    def tables() -> Iterator[dg.Output[int]]:
        yield dg.Output(tries(), output_name="table")

    return tables


@pytest.mark.parametrize("make", [of_function, of_generator])
class TestAStep:
    def test_is_tried_again_after_a_fault_that_passes(
        self, make: Callable[[Tries], dg.AssetsDefinition]
    ) -> None:
        tries = Tries(ConnectionResetError("reset"), TimeoutError("no answer"))
        assert dg.materialize([make(tries)]).success
        assert tries.count == 3

    def test_gives_up_in_the_end(self, make: Callable[[Tries], dg.AssetsDefinition]) -> None:
        tries = Tries(*[TimeoutError("no answer")] * 9)
        assert not dg.materialize([make(tries)], raise_on_error=False).success
        assert tries.count == 4

    @pytest.mark.parametrize("fault", [UserError("a.csv:3:post_date: no date"), KeyError("month")])
    def test_ends_at_once_with_its_sentence(
        self, make: Callable[[Tries], dg.AssetsDefinition], fault: Exception
    ) -> None:
        tries = Tries(fault)
        result = dg.materialize([make(tries)], raise_on_error=False)
        assert not result.success and tries.count == 1
        failure = next(event for event in result.all_events if event.is_step_failure).step_failure_data
        assert failure.error is not None and str(fault) in failure.error.message
        # The place in the code stays readable below the sentence.
        assert failure.error.cause is not None and type(fault).__name__ in str(failure.error.cause.cls_name)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (ConnectionResetError("reset by peer"), "reset by peer (tried 4 times)"),
        (TimeoutError(), "TimeoutError (tried 4 times)"),
        (UserError("a.csv:3:post_date: no date"), "a.csv:3:post_date: no date"),
    ],
)
def test_the_sentence_of_a_step_is_its_cause_s_and_not_the_policy_s(fault: Exception, sentence: str) -> None:
    result = dg.materialize([of_function(Tries(*[fault] * 9))], raise_on_error=False)
    [failed] = [event for event in result.all_events if event.is_step_failure]
    assert sentence_of(failed) == sentence


class Bounded(dg.Config):
    months: int = Field(default=3, ge=1, description="Months to look at")
    name: str = "x"

    @field_validator("name")
    @classmethod
    def short(cls, name: str) -> str:
        if len(name) > 3:
            raise ValueError("at most three letters")
        return name


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"months": 0}, "months = 0 (Input should be greater than or equal to 1)"),
        ({"name": "longer"}, "name = 'longer' (at most three letters)"),
    ],
)
def test_a_config_out_of_bounds_ends_its_step_at_once(config: dict[str, object], said: str) -> None:
    """Dagster looks at types when a run is launched, at bounds only in the step, and would try the step again."""

    @asset()
    def table(context: dg.AssetExecutionContext, config: Bounded) -> int:
        return config.months

    assert dg.materialize([table], run_config={"ops": {"table": {"config": {"months": 2}}}}).success
    run_config = {"ops": {"table": {"config": config}}}
    result = dg.materialize([table], run_config=run_config, raise_on_error=False)
    kinds = [event.event_type for event in result.all_events]
    assert dg.DagsterEventType.STEP_UP_FOR_RETRY not in kinds
    [failed] = [event for event in result.all_events if event.is_step_failure]
    assert sentence_of(failed) == f"the run's config is not valid: {said}"


def test_a_config_of_another_type_starts_no_step() -> None:
    @asset()
    def table(config: Bounded) -> int:
        return config.months

    with pytest.raises(dg.DagsterInvalidConfigError, match="months"):
        dg.materialize([table], run_config={"ops": {"table": {"config": {"months": "many"}}}})


def test_tables_are_read_and_written_under_the_same_rule() -> None:
    reads, writes = Tries(TimeoutError("no answer")), Tries(ConnectionResetError("reset"))

    class Lake(dg.IOManager):
        def load_input(self, context: dg.InputContext) -> int:
            return reads()

        def handle_output(self, context: dg.OutputContext, obj: int) -> None:
            writes()

    @asset()
    def upper() -> int:
        return 1

    @asset()
    def lower(upper: int) -> None: ...

    manager = {"io_manager": JudgedIOManager(Lake())}
    assert dg.materialize([upper, lower], resources=manager).success
    assert (reads.count, writes.count) == (2, 2)

    reads.raised = [UserError("upper lacks the column month")]
    before = reads.count
    assert not dg.materialize([upper, lower], resources=manager, raise_on_error=False).success
    assert reads.count == before + 1


def test_every_asset_has_the_policy_and_is_judged() -> None:
    graph = build_definitions(Settings()).resolve_all_asset_specs()
    definitions = [
        found
        for found in build_definitions(Settings()).assets or []
        if isinstance(found, dg.AssetsDefinition)
    ]
    assert {key for found in definitions for key in found.keys} == {spec.key for spec in graph}
    for found in definitions:
        policy = found.op.retry_policy
        assert policy is not None and policy.max_retries == 3, found.keys
        function = found.op.compute_fn.decorated_fn  # type: ignore[union-attr]
        assert "_judging" in function.__code__.co_qualname, found.keys
