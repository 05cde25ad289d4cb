"""kill -9 at random points of a run of three months, run again, and what was found: thirty times.

python -m benchmarks.kill_recovery [--trials 30] [--seed 1]

Prints a line for each trial (how far the run was, files that were read while it worked, files that were not whole, what
differs from an undisturbed run after a plain re-run) and the sums. About 40 CPU seconds a trial.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from fashion_assets_tests.integration.killing import ONE_THREAD


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FASHION_", "DAGSTER_"))
    }
    environment = kept | ONE_THREAD | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", "-m", "fashion_assets_tests.integration.killing", folder]
        options = ["--trials", str(given.trials), "--seed", str(given.seed)]
        running = subprocess.Popen(
            [*command, *options],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert running.stdout is not None
        whole = json.loads(running.stdout.readline())
        print(f"undisturbed: {whole['made']} assets x months in {whole['seconds']} CPU s; {whole['posts']}")
        print(f"a second undisturbed run differs in {len(whole['different'])} files", flush=True)
        trials = []
        for line in running.stdout:
            trial = json.loads(line)
            trials.append(trial)
            partial = len(trial["partial_at_kill"]) + len(trial["partial_watched"])
            print(
                f"{len(trials):3}  {'killed' if trial['killed'] else 'ended '} after {trial['cpu_seconds']:5} CPU s  "
                f"tables {trial['tables_at_kill']:3}  hidden {trial['hidden_at_kill']} -> {trial.get('hidden_after')}  "
                f"read {trial['watched']:4}  partial {partial}  re-run {trial['exit_code']}  compared "
                f"{trial.get('compared')}  different {len(trial.get('different', ['?']))}  slots "
                f"{trial.get('slots_held')}  third run made {trial['made_by_a_third_run']}",
                flush=True,
            )
        assert running.wait() == 0
    equal = [trial for trial in trials if trial.get("different") == [] and trial["posts"] == whole["posts"]]
    print(
        f"{len(trials)} trials, {sum(trial['killed'] for trial in trials)} killed; {len(equal)} equal to the "
        f"undisturbed run after a plain re-run; {sum(trial['watched'] for trial in trials)} files read meanwhile, "
        f"{sum(len(trial['partial_at_kill']) + len(trial['partial_watched']) for trial in trials)} not whole; "
        f"{sum(trial.get('slots_held', 1) for trial in trials)} pool slots held"
    )


if __name__ == "__main__":
    main()
