"""The landing sensor: looks at ``incoming/`` and asks for the months that new files touch."""

import json

import dagster as dg

from fashion_assets.defs.landing import land
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.settings import Settings
from fashion_assets.storage.months import key_of_month

#: Seconds between two looks; a crawl arrives by the day, so a minute is soon enough.
INTERVAL_SECONDS = 60


@dg.sensor(
    target=dg.AssetSelection.assets("raw_posts"),
    minimum_interval_seconds=INTERVAL_SECONDS,
    description="Lands new files of incoming/ and materialises raw_posts for exactly the months that they touch. "
    "Everything below follows by automation.",
)
def incoming_sensor(
    context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
) -> dg.SensorResult | dg.SkipReason:
    """Requests with ``run_key = month:digest``; the cursor holds the digest of each month that was asked for."""
    from fashion_assets.posts.landing import landed_months, landing_digest

    result = land(settings)
    asked = json.loads(context.cursor) if context.cursor else {}
    digests = {month: landing_digest(settings.lake, month)[:16] for month in landed_months(settings.lake)}
    # One key that is no partition would lose the whole tick, so keys are validated before they are asked for.
    valid = set(MONTHS.get_partition_keys())
    changed = [
        month
        for month, digest in sorted(digests.items())
        if asked.get(month) != digest and key_of_month(month) in valid
    ]
    if not changed:
        waiting = [file.name for file in result.files if file.status == "waiting"]
        return dg.SkipReason(f"waiting for {', '.join(waiting)}" if waiting else "nothing new in incoming/")
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=f"{month}:{digests[month]}", partition_key=key_of_month(month))
            for month in changed
        ],
        cursor=json.dumps({**asked, **{month: digests[month] for month in changed}}),
    )
