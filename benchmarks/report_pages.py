"""Size of the pages and the time that drawing them takes, on made data as large as they get.

    OMP_NUM_THREADS=1 python benchmarks/report_pages.py [--points 20000] [--styles 200] [--months 12]

Prints bytes and CPU seconds of the monthly report (five styles with ten pictures, every chart, lineage of all styles),
of the style atlas with as many pictures as it takes, of its still, and of the montage. Reading the lake and UMAP are
not counted.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from fashion_assets.reports.atlas import render_style_atlas
from fashion_assets.reports.atlas_pictures import MAX_TILES, chosen_posts, picture_sheets
from fashion_assets.reports.gather import montage_rows
from fashion_assets.reports.montage import montage_png
from fashion_assets.reports.monthly import MonthlyReportData, ReportCounts, render_monthly_report
from fashion_assets.reports.pictures import load_thumbnail
from fashion_assets.reports.style_map import style_map_png

N_PICTURES = 50


def make_pictures(folder: Path, generator: np.random.Generator) -> list[str]:
    """Names of noisy garment crops of 300 x 400 pixels, which compress worse than real ones."""
    names = []
    for index in range(N_PICTURES):
        coarse = generator.integers(0, 256, (40, 30, 3), dtype=np.uint8)
        picture = Image.fromarray(coarse).resize((300, 400), Image.Resampling.BICUBIC).convert("RGBA")
        names.append(f"{index}.webp")
        picture.save(folder / names[-1])
    return names


def make_month(
    folder: Path, names: list[str], n_styles: int, n_months: int, generator: np.random.Generator
) -> MonthlyReportData:
    """A month with a history in which one style in ten is born or dies each month."""
    months = [f"2024-{month + 1:02d}" for month in range(n_months)]
    alive, next_id = list(range(n_styles)), n_styles
    profiles: list[dict[str, object]] = []
    lineage: list[tuple[str, str, int, list[int], int, str]] = []
    for column, month in enumerate(months):
        gone = set(generator.choice(alive, len(alive) // 20, replace=False).tolist()) if column else set()
        born = list(range(next_id, next_id + len(gone)))
        next_id += len(born)
        lineage += [(month, "dead", style, [], 5, "no post in two months, 31 expected") for style in gone]
        lineage += [(month, "survive", style, [], 90, "") for style in alive if style not in gone]
        lineage += [(month, "born", style, [], 90, "90 posts apart from all styles") for style in born]
        alive = [style for style in alive if style not in gone] + born
        shares = generator.dirichlet(np.full(len(alive), 2.0))
        for style, share in zip(alive, shares, strict=True):
            profiles.append(
                {
                    "month": month,
                    "style_id": style,
                    "name": f"风格·连衣裙 {style}",
                    "n_posts": int(9000 * share),
                    "share": share,
                    "share_low": share * 0.9,
                    "share_high": share * 1.1,
                    "likes_median": 90.0,
                    "collects_median": 30.0,
                    "keywords": ["连衣裙", "温柔", "通勤", "显瘦", "法式"],
                }
            )
    history = pd.DataFrame(profiles)
    newest = history[history["month"] == months[-1]].reset_index(drop=True)
    top = newest.nlargest(5, "share")["style_id"].tolist()
    return MonthlyReportData(
        month=months[-1],
        counts=ReportCounts(9100, 9000, 100, 20_000),
        quarantine_reasons=pd.DataFrame(columns=["column", "reason", "n_rows", "example"]),
        model_ids={},
        profiles=newest,
        profile_history=history,
        silhouette_curve=pd.DataFrame({"k": range(2, 41), "micro": np.linspace(0.1, 0.3, 39)}),
        chosen_k=40,
        k_reason="made",
        pictures={style: [load_thumbnail(folder / name) for name in names[:10]] for style in top},
        posts=dict.fromkeys(top, ["今天的穿搭分享，棕色大衣配奶油白针织衫"] * 3),
        facets=pd.DataFrame(columns=["facet", "keyword", "n_posts"]),
        generated_at=datetime(2024, 12, 31),
        lineage=pd.DataFrame(
            lineage, columns=["month", "event", "style_id", "other_style_ids", "n_posts", "evidence"]
        ),
    )


def make_points(n: int, n_styles: int, generator: np.random.Generator) -> pd.DataFrame:
    """Points of a map in blobs, with titles and keywords of a usual length."""
    style = generator.integers(0, n_styles, n)
    place = generator.uniform(0, 10, (n_styles, 2))[style] + generator.normal(0, 0.3, (n, 2))
    return pd.DataFrame(
        {
            "post_id": [f"{i:024x}" for i in range(n)],
            "month": [f"2024-{i % 12 + 1:02d}" for i in range(n)],
            "style_id": style,
            "style_name": [f"风格·连衣裙 {s}" for s in style],
            "x": place[:, 0],
            "y": place[:, 1],
            "title": [f"今天的穿搭分享，棕色大衣配奶油白针织衫 {i}" for i in range(n)],
            "keywords": [["大衣", "针织衫", "棕色", "奶油白", "通勤"]] * n,
        }
    )


def report(name: str, make: Callable[[], str | bytes]) -> None:
    """Print the size and the CPU seconds of what `make` returns."""
    make()  # the first call pays the imports
    start = time.process_time()
    made = make()
    seconds = time.process_time() - start
    size = len(made.encode() if isinstance(made, str) else made)
    print(f"{name:32s} {size / 1e6:6.2f} MB  {seconds:6.2f} CPU s")


def main() -> None:
    """Print one line per page or picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--points", type=int, default=20_000)
    parser.add_argument("--styles", type=int, default=200)
    parser.add_argument("--months", type=int, default=12)
    options = parser.parse_args()
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        names = make_pictures(folder, generator)
        month = make_month(folder, names, options.styles, options.months, generator)
        report("monthly report", lambda: render_monthly_report(month))
        report("montage, 5 rows of 10", lambda: montage_png(montage_rows(month)))
        points = make_points(options.points, options.styles, generator)
        paths = {post: names[i % N_PICTURES] for i, post in enumerate(points["post_id"])}

        def atlas() -> str:
            chosen = chosen_posts(points, paths, 0)
            return render_style_atlas(points, pictures=picture_sheets(chosen, paths, folder))

        report(f"style atlas, {min(MAX_TILES, options.points)} pictures", atlas)
        report("style map", lambda: style_map_png(points))


if __name__ == "__main__":
    main()
