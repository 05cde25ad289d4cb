"""Every check on every stored partition of a data root: what fires, and the seconds of each check.

    python benchmarks/checks.py --data-dir data

On the sample data nothing fires; compare the seconds with those that ``fashion-assets run`` took. Dagster's own
bookkeeping per step is not in them.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import dagster as dg

from fashion_assets.defs.checks import all_checks
from fashion_assets.defs.checks.factory import Look
from fashion_assets.defs.resources import Encoders
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("data"))
    settings = Settings(data_dir=parser.parse_args().data_dir)
    lake, encoders = Lake(settings.lake), Encoders(settings)
    # Without the run history: counts are held against the table that was landed, closing by switches is off.
    instance = dg.DagsterInstance.ephemeral()
    seconds: dict[str, float] = defaultdict(float)
    looks: dict[str, int] = defaultdict(int)
    fired = 0
    for check in all_checks():
        # Models of styles are no tables; they are there where posts were assigned by them.
        stored = lake.partitions("style_clusters" if check.asset == "style_model" else check.asset)
        for partition in sorted(stored):
            began = time.perf_counter()
            of = None if partition == "all" else partition
            finding = check.look(Look(settings, lake, encoders, of, instance))
            seconds[check.name] += time.perf_counter() - began
            looks[check.name] += 1
            if not finding.passed:
                fired += 1
                print(f"{check.severity} {check.name} {partition}: {finding.found}")
            elif not check.name.endswith("_schema"):
                print(f"ok   {check.name} {partition}: {finding.found}")
    for name in sorted(seconds, key=lambda name: -seconds[name]):
        print(f"{seconds[name]:8.3f} s  {looks[name]:4} looks  {name}")
    print(f"{sum(seconds.values()):8.3f} s  {sum(looks.values()):4} looks, {fired} fired")


if __name__ == "__main__":
    main()
