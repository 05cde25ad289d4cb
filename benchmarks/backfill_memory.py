"""Peak memory of each month of a backfill in one process: flat, or growing with the months behind it.

    python benchmarks/backfill_memory.py [--months 12] [--posts-per-month 200]

Makes a sample, runs ``fashion-assets run --months`` for one month after the other in this process, and prints the peak
resident memory during each (Linux: /proc/self/clear_refs resets it) and the slope over the second half.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path


def peak_megabytes() -> float:
    """The peak of resident memory since `reset_peak`."""
    line = next(
        line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


def reset_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--months", type=int, default=12)
    parser.add_argument("--posts-per-month", type=int, default=200)
    arguments = parser.parse_args()

    import numpy as np

    from fashion_assets.definitions import build_definitions
    from fashion_assets.defs.runner import run_pipeline
    from fashion_assets.sample.make import make_sample
    from fashion_assets.settings import Settings
    from fashion_assets.storage.months import month_range, shift_month

    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder))
        os.environ["DAGSTER_HOME"] = ""
        make_sample(
            settings.root,
            months=arguments.months,
            posts_per_month=arguments.posts_per_month,
            products=0,
            seed=7,
        )
        # The lightest classifier: it is trained once, before the months whose memory is looked at.
        recipe = settings.root / "models" / "tfashion" / "recipe.json"
        recipe.parent.mkdir(parents=True)
        recipe.write_text(json.dumps({"heads": ["logistic"]}))
        peaks = []
        for month in month_range("2024-01", shift_month("2024-01", arguments.months - 1)):
            reset_peak()
            run_pipeline(
                build_definitions(settings),
                settings,
                months=month,
                select="+style_profiles,monthly_style_report",
            )
            peaks.append(peak_megabytes())
            print(f"{month}  peak {peaks[-1]:7.0f} MB", flush=True)
    later = peaks[len(peaks) // 2 :]
    slope = np.polyfit(range(len(later)), later, 1)[0] if len(later) > 1 else 0.0
    print(f"slope over the last {len(later)} months: {slope:+.1f} MB a month ({slope / later[0]:+.2%})")


if __name__ == "__main__":
    main()
