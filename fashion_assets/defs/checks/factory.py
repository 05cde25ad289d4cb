"""The factory of checks: from what is to hold, to one Dagster step per asset that looks at it.

Belongs here: partitions, severity, blocking, retries and the step. Does not belong here: what is looked at (the files
beside this one), figures (``trends.drift``, ``trends.usual``).
"""

import inspect
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import dagster as dg

from fashion_assets.defs.compute import Compute
from fashion_assets.defs.faults import RETRIES, judged
from fashion_assets.defs.resources import Encoders, LakeReader
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.months import month_of_key, shift_month

#: Earlier months that a month is compared with: a year, so that each season stands once.
HISTORY_MONTHS = 12


@dataclass(frozen=True)
class Look:
    """What a check may look at: the lake, the settings, Dagster's records, and the partition in question (a month as
    ``2024-01``).
    """

    settings: Settings
    lake: Lake
    encoders: Encoders
    partition: str | None
    instance: dg.DagsterInstance

    @property
    def month(self) -> str:
        """The month; only monthly assets have one."""
        return month_of_key(str(self.partition))

    def earlier(self, asset: str, months: int = HISTORY_MONTHS) -> list[str]:
        """The stored months of ``asset`` among the ``months`` before this one, oldest first."""
        first = shift_month(self.month, -months)
        return [known for known in self.lake.months(asset) if first <= known < self.month]


@dataclass(frozen=True)
class Finding:
    """What a check found, in one sentence, and the figures behind it."""

    passed: bool
    found: str
    figures: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Check:
    """One thing that holds of an asset; ``look``'s docstring says what, and what it means where it does not.

    ``severity`` ERROR: figures below would be wrong. WARN: someone should look. ``blocking`` (ERROR only) keeps
    everything below the asset from being made. ``reads``: other assets that it looks at in the same run.
    """

    asset: str
    name: str
    look: Callable[[Look], Finding]
    severity: Literal["WARN", "ERROR"] = "WARN"
    blocking: bool = False
    reads: tuple[str, ...] = ()
    compute: Compute | None = None

    def __post_init__(self) -> None:
        if self.blocking and self.severity != "ERROR":
            raise ValueError(f"{self.name}: Dagster lets only a failed check of severity ERROR block")


def asset_checks(
    checks: Iterable[Check], partitions_of: Callable[[str], dg.PartitionsDefinition[str] | None]
) -> list[dg.AssetChecksDefinition]:
    """Dagster's checks, those of one asset in one step, each with the partitions of its asset.

    One step, as each costs some 30 ms of bookkeeping; in the UI each check can be run alone. Checks that load a network
    have a step of their own, which waits for the pool.
    """
    steps: dict[tuple[str, bool], list[Check]] = defaultdict(list)
    for check in checks:
        steps[check.asset, check.compute is not None].append(check)
    return [
        _step(asset, together, partitions_of(asset), on_network=on_network)
        for (asset, on_network), together in steps.items()
    ]


def _step(
    asset: str,
    checks: list[Check],
    partitions_def: dg.PartitionsDefinition[str] | None,
    *,
    on_network: bool,
) -> dg.AssetChecksDefinition:
    by_name = {check.name: check for check in checks}
    key = dg.AssetKey(asset)
    specs = [
        dg.AssetCheckSpec(
            check.name,
            asset=key,
            description=inspect.getdoc(check.look),
            additional_deps=check.reads,
            blocking=check.blocking,
            partitions_def=partitions_def,
            metadata={"severity": check.severity},
        )
        for check in checks
    ]
    needs: Mapping[str, Any] = checks[0].compute or {}

    @dg.multi_asset_check(
        name=f"{asset}_model_checks" if on_network else f"{asset}_checks",
        specs=specs,
        can_subset=True,
        retry_policy=RETRIES,
        **needs,
    )
    def step(
        context: dg.AssetCheckExecutionContext,
        settings: dg.ResourceParam[Settings],
        lake: dg.ResourceParam[LakeReader],
        encoders: dg.ResourceParam[Encoders],
    ) -> Iterator[dg.AssetCheckResult]:
        selected = {found.name for found in context.selected_asset_check_keys}
        look = Look(
            settings,
            lake.lake,
            encoders,
            context.partition_key if partitions_def else None,
            context.instance,
        )
        for name, check in by_name.items():
            if name not in selected:
                continue
            with judged():
                finding = check.look(look)
            where = f"{look.month}: " if _is_month(look.partition) else ""
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=name,
                passed=finding.passed,
                severity=dg.AssetCheckSeverity(check.severity),
                description=where + finding.found,
                metadata=finding.figures,
            )

    return step


def _is_month(partition: str | None) -> bool:
    return partition is not None and partition[:4].isdigit()
