"""Memory and time of a style model over a full window: 12 months of 50,000 posts with texts and pictures.

    python benchmarks/style_window.py [--months 12] [--posts 50000] [--scan]

Aim: a peak under 3 GB. The vectors are made (60 groups and noise, as wide as those of the local encoders) and lie in a
lake; a process that did not write them reads the window as the asset `style_model` does, and carries the styles of the
month before on. `--scan` makes the full scan of a first month instead, UMAP included.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.encoders.tables import vector_array
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.months import shift_month
from fashion_assets.styles.fitting import StyleParams, fit_style_model
from fashion_assets.styles.model import StyleModel
from fashion_assets.styles.window_posts import ASSET, read_window

TEXT, PICTURE, GROUPS, NOISE = 128, 801, 60, 1.2
PCA = StyleParams(reduction="pca", k_min=GROUPS, k_max=GROUPS)


def write_months(lake: Lake, months: list[str], n_posts: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    centres = unit_rows(draw.normal(size=(GROUPS, TEXT + PICTURE)))
    for month in months:
        rows = centres[draw.integers(0, GROUPS, n_posts)]
        rows += draw.normal(0, NOISE / np.sqrt(TEXT + PICTURE), rows.shape).astype(np.float32)
        there = pa.array(np.ones(n_posts, dtype=bool))
        columns = {
            "post_id": pa.array([f"{month}{at:017x}" for at in range(n_posts)]),
            "month": pa.array([month] * n_posts),
            "model_id": pa.array(["made"] * n_posts),
            "has_text": there,
            "has_image": there,
            "vector": vector_array(unit_rows(rows, out=rows)),
        }
        lake.write(ASSET, month, pa.table(columns))


def peak_gb() -> float:
    # Not ru_maxrss, in which the size of the process that started this one counts.
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


def fit(root: Path, months: list[str], *, scan: bool) -> None:
    before, began = peak_gb(), time.process_time()
    window = read_window(Lake(root), months)
    read = time.process_time() - began
    previous = None if scan else StyleModel.load(root / "before.safetensors")
    model = fit_style_model(
        window.table, months[-1], text_dim=TEXT, previous=previous, params=StyleParams(k_max=100)
    )
    print(
        f"{'scan' if scan else 'carried on'}: {model.k} styles, {window.n_posts:,} posts, {model.n_fit:,} fitted on"
    )
    print(
        f"{read:.1f} CPU s to read {window.table.num_rows:,} posts, {time.process_time() - began - read:.1f} to fit"
    )
    print(f"peak {peak_gb():.2f} GB, of which {before:.2f} GB before (aim: under 3 GB)")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--months", type=int, default=12, help="months of the window (default %(default)s)")
    parser.add_argument("--posts", type=int, default=50_000, help="posts of a month (default %(default)s)")
    parser.add_argument("--scan", action="store_true", help="make the full scan of a first month")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    months = [shift_month("2022-01", at) for at in range(given.months)]
    if given.child:
        fit(given.child, months, scan=given.scan)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake(Path(folder))
        write_months(lake, months, given.posts, seed=7)
        first = read_window(lake, months[:1], limit=5_000)
        # Styles to carry on, found quickly: how they were found is not what is measured.
        model = fit_style_model(first.table, months[0], text_dim=TEXT, params=PCA)
        replace(model, month=months[-2], n_scanned=given.posts).save(Path(folder) / "before.safetensors")
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--child", folder], check=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
