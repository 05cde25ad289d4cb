"""The landing sensor: looks at ``incoming/`` and asks for the months that new files touch."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count, islice, takewhile

import dagster as dg

from fashion_assets.defs.landing import land
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.records import UNFINISHED, newest_records
from fashion_assets.defs.run_tags import LANDED, LANDED_DIGEST, LANDED_MONTH
from fashion_assets.settings import Settings
from fashion_assets.storage.months import key_of_month

#: What FASHION_AUTOMATION says when the code location is first loaded; the UI's switches win from then on.
STATUS = dg.DefaultSensorStatus.RUNNING if Settings().automation else dg.DefaultSensorStatus.STOPPED

#: Seconds between two looks: a file lands when two of them find it unchanged.
INTERVAL_SECONDS = 30

#: New crawl files, and apart from them media files, that one tick reads; the rest wait for the next. A tick has to end
#: within 60 seconds (Dagster's limit, DAGSTER_SENSOR_GRPC_TIMEOUT_SECONDS).
FILES_PER_TICK = 250
#: And their bytes, as they are unpacked: some 8 MB are landed in a CPU second (benchmarks/landing_speed.py). One file
#: is read in any case.
BYTES_PER_TICK = 64 << 20

#: Files that wait, and files that were refused, of which a tick that asks for nothing says why.
FILES_NAMED = 5

#: Runs that one tick asks for.
REQUESTS_PER_TICK = 24

#: A month's state of landed rows is tried this many times: the first run, and a new one after each failure up to here.
ATTEMPTS = 3


@dataclass(frozen=True)
class Asked:
    """What became of asking for one month: a request, or the sentence that says why there is none."""

    request: dg.RunRequest | None = None
    reason: str = ""


@dg.sensor(
    target=dg.AssetSelection.assets("raw_posts"),
    minimum_interval_seconds=INTERVAL_SECONDS,
    default_status=STATUS,
    description="Lands new files of incoming/ and materialises raw_posts for exactly the months that they touch. "
    "Everything below follows by automation.",
)
def incoming_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.SensorResult | dg.SkipReason:
    """Requests with ``run_key = month:digest``, and ``month:digest:2`` after a failure.

    No cursor: a month is asked for while the digest of its landed rows differs from the one that the newest
    ``raw_posts`` of the month was made of, by Dagster's own records. What another process landed, or a tick that was
    killed after landing, is found by the next. While files are left over, the months that this tick touched wait, as
    the next slice is likely to touch them again.
    """
    from fashion_assets.posts.month_digests import landing_digests

    result = land(settings, two_looks=True, max_files=FILES_PER_TICK, max_bytes=BYTES_PER_TICK)
    if result.busy:
        # To wait would outlast the tick's 60 seconds, and tick after tick would wait behind it.
        return dg.SkipReason("another landing is at work")
    digests = landing_digests(settings.lake)
    due = months_due(context.instance, digests)
    held = set(result.touched_months) if result.remaining else set()
    requests: list[dg.RunRequest] = []
    waiting = [f"waiting for {file.name}: {file.reason}" for file in result.files if file.status == "waiting"]
    refused = [str(file.reason) for file in result.files if file.status == "refused"]
    reasons = [*waiting[:FILES_NAMED], *refused[:FILES_NAMED]]
    if len(refused) > FILES_NAMED:
        reasons.append(f"{len(refused) - FILES_NAMED} more files were refused")
    if result.remaining:
        reasons.append(f"{result.remaining} more files land on the next ticks")
    for month in due:
        if month in held or len(requests) >= REQUESTS_PER_TICK:
            continue
        asked = ask_for(context.instance, month, digests[month][:16])
        if asked.request is not None:
            requests.append(asked.request)
        else:
            reasons.append(asked.reason)
    if not requests:
        return dg.SkipReason("; ".join(reasons) or "nothing new in incoming/")
    return dg.SensorResult(run_requests=requests)


def months_due(instance: dg.DagsterInstance, digests: Mapping[str, str]) -> list[str]:
    """The landed months whose ``raw_posts`` was made of other rows or never, oldest first.

    Keys that are no partition are left out: one of them would lose the whole tick.
    """
    made = newest_records(instance, "raw_posts", partitioned=True)
    valid = {month: key_of_month(month) for month in sorted(digests)}
    return [
        month
        for month, key in valid.items()
        if MONTHS.has_partition_key(key) and (key not in made or made[key].data_version != digests[month])
    ]


def ask_for(instance: dg.DagsterInstance, month: str, digest: str) -> Asked:
    """A request for the month, unless a run of it is under way, was canceled, or has failed ``ATTEMPTS`` times.

    Counted are the failures since the last success for this state of the month's rows: rows that go and come again give
    a state that was made before. A key that a run has carried is not given again, for Dagster would pass over it.
    """
    of_month = {LANDED_MONTH: month}
    [*newest] = instance.get_runs(dg.RunsFilter(tags=of_month), limit=1)
    under_way = instance.get_runs(dg.RunsFilter(tags=of_month, statuses=UNFINISHED), limit=1)
    if under_way or any(_is_retried(run) for run in newest):
        return Asked(reason=f"{month} is under way")
    tried = instance.get_runs(dg.RunsFilter(tags=of_month | {LANDED_DIGEST: digest}))
    if tried and tried[0].status == dg.DagsterRunStatus.CANCELED:
        return Asked(
            reason=f"{month} was canceled (run {tried[0].run_id[:8]}); materialise raw_posts by hand"
        )
    failed = list(takewhile(lambda run: run.status == dg.DagsterRunStatus.FAILURE, tried))
    if len(failed) >= ATTEMPTS:
        return Asked(
            reason=f"{month} has failed {len(failed)} times; see run {failed[0].run_id[:8]}, mend it and "
            "materialise raw_posts of that month"
        )
    used = {run.tags.get("dagster/run_key") for run in tried}
    keys = (f"{month}:{digest}" + (f":{number}" if number > 1 else "") for number in count(1))
    return Asked(
        dg.RunRequest(
            # Past all that were used: one in between may be that of a run whose record was deleted.
            run_key=next(key for key in islice(keys, len(tried), None) if key not in used),
            partition_key=key_of_month(month),
            tags={LANDED: "yes", LANDED_MONTH: month, LANDED_DIGEST: digest},
        )
    )


def _is_retried(run: dg.DagsterRun) -> bool:
    """Whether the daemon is about to start this failed run again by itself (``run_retries``)."""
    return run.tags.get("dagster/will_retry") == "true" and "dagster/auto_retry_run_id" not in run.tags


follow_upstream_sensor = dg.AutomationConditionSensorDefinition(
    "follow_upstream",
    target="*",
    default_status=STATUS,
    description="Materialises what lies below raw_posts when its inputs have changed: the condition follow_upstream.",
)
