"""What loading the code location costs on top of ``import dagster``, and which heavy modules it loads.

    python benchmarks/imports.py [--repeat 5]

Each measurement is a new process; the smallest of the repeats is shown, since noise only adds.
Aim: at most 1 s on top, and none of the heavy modules.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

HEAVY = [
    "torch",
    "umap",
    "sklearn",
    "ray",
    "transformers",
    "sentence_transformers",
    "cv2",
    "gensim",
    "matplotlib",
]

_SCRIPT = """
import json, sys, time
began = time.perf_counter()
import dagster
between = time.perf_counter()
if {ours}:
    import fashion_assets.definitions
ended = time.perf_counter()
print(json.dumps([between - began, ended - between, [name for name in {heavy!r} if name in sys.modules]]))
"""


def measure(ours: bool) -> tuple[float, float, list[str]]:
    script = _SCRIPT.format(ours=ours, heavy=HEAVY)
    out = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout
    dagster_seconds, our_seconds, loaded = json.loads(out.strip().splitlines()[-1])
    return dagster_seconds, our_seconds, loaded


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--repeat", type=int, default=5, metavar="N", help="new processes; the fastest counts (default 5)"
    )
    repeat = parser.parse_args().repeat
    runs = [measure(True) for _ in range(repeat)]
    dagster_seconds, ours = min(run[0] for run in runs), min(run[1] for run in runs)
    print(f"import dagster                        {dagster_seconds:6.2f} s")
    print(f"import fashion_assets.definitions   + {ours:6.2f} s  (aim: at most 1.00 s)")
    print(f"ratio                                 {(dagster_seconds + ours) / dagster_seconds:6.2f}")
    print(f"heavy modules loaded                  {', '.join(runs[0][2]) or 'none'}")


if __name__ == "__main__":
    main()
