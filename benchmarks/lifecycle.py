"""Do the conclusions about a series hold? Stages, change points and strengths on made series whose truth is known.

    python benchmarks/lifecycle.py                      # everything, about a minute
    python benchmarks/lifecycle.py --only stages        # or changes, strengths
    python benchmarks/lifecycle.py --series 500 --seed 7

Aim for change points: at most 5 % of flat series with one. Counts are drawn per month: binomial (dispersion 1) or
beta-binomial with three times its variance (dispersion 3, posts that come in batches); month totals vary between a half
and one and a half times --posts. `stages` prints, for each kind of series, how many got which stage; a kind is drawn
with its own length of ramp, height and place. `changes` prints the share of series with any change point where there is
none, and where a level changes by a half at a random place, how often one is found within a month of it, how often
others are found, and how often its interval holds the true difference. `strengths` prints quantiles on noise, on a
random walk and on a season.
"""

from __future__ import annotations

import argparse

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.storage.months import shift_month
from fashion_assets.trends.change_points import change_points, change_table
from fashion_assets.trends.lifecycle import SEASONAL_STRENGTH, STAGES, life_cycle
from fashion_assets.trends.seasonality import MIN_SEASONAL_MONTHS, strengths

KINDS = ("emerging", "rising", "peak", "fading", "seasonal", "steady")
BASE_SHARE = 0.05
LENGTHS = (10, 18, 24, 36)

FloatArray = npt.NDArray[np.float64]


def course(kind: str, months: int, draw: np.random.Generator) -> FloatArray:
    """The true share by month of one series of ``kind``."""
    time = np.arange(months)
    height = draw.uniform(1.8, 3.0)
    match kind:
        case "emerging":
            live = draw.integers(2, 4)
            return np.where(time < months - live, 0.0, BASE_SHARE * draw.uniform(0.6, 1.5))
        case "rising":
            ramp = draw.integers(3, 7)
            return BASE_SHARE * (1 + (height - 1) * np.clip((time - (months - 1 - ramp)) / ramp, 0, 1))
        case "fading":
            ramp = draw.integers(3, 7)
            return BASE_SHARE * (height - (height - 1) * np.clip((time - (months - 1 - ramp)) / ramp, 0, 1))
        case "peak":
            begin = months - draw.integers(6, 8)
            return np.where(time < begin, BASE_SHARE, BASE_SHARE * height)
        case "seasonal":
            phase = draw.uniform(0, 12)
            return BASE_SHARE * (1 + draw.uniform(0.5, 0.9) * np.cos(2 * np.pi * (time - phase) / 12))
    return np.full(months, BASE_SHARE)


def counted(
    share: FloatArray, posts: int, dispersion: float, draw: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """(hits, posts), each (series, months): one draw of every share, all series of the same month totals."""
    totals = np.broadcast_to(draw.integers(posts // 2, posts * 3 // 2, share.shape[1]), share.shape)
    if dispersion > 1:
        # Beta-binomial of variance dispersion * n p (1 - p): (a + b + n) / (a + b + 1) = dispersion.
        both = (totals - dispersion) / (dispersion - 1)
        p = np.clip(share, 1e-9, 1 - 1e-9)
        share = np.where(share > 0, draw.beta(p * both, (1 - p) * both), 0.0)
    return draw.binomial(totals, share).astype(float), totals.astype(float)


def long_table(hits: FloatArray, posts: FloatArray) -> pd.DataFrame:
    series, months = hits.shape
    return pd.DataFrame(
        {
            "series_id": np.repeat([f"s{number:05d}" for number in range(series)], months),
            "month": np.tile([shift_month("2022-01", step) for step in range(months)], series),
            "month_posts": posts.reshape(-1),
            "share": (hits / posts).reshape(-1),
            "complete": True,
        }
    )


def report_stages(n_series: int, posts: int, seed: int) -> None:
    for dispersion in (1.0, 3.0):
        for months in LENGTHS:
            draw = np.random.default_rng(seed)
            print(
                f"stages: {months} months of about {posts:,} posts, dispersion {dispersion:g}, percent of {n_series}"
            )
            print(f"  {'made as':<10}" + "".join(f"{stage:>10}" for stage in STAGES[:-1]))
            kinds = [kind for kind in KINDS if kind != "seasonal" or months >= MIN_SEASONAL_MONTHS]
            # One table, as in the pipeline: the series see each other in the pooled dispersion.
            shares = np.stack([course(kind, months, draw) for kind in kinds for _ in range(n_series)])
            found = life_cycle(long_table(*counted(shares, posts, dispersion, draw)))["stage"].to_numpy()
            right = 0.0
            for number, kind in enumerate(kinds):
                own = found[number * n_series : (number + 1) * n_series]
                rates = [float((own == stage).mean()) for stage in STAGES[:-1]]
                right += rates[STAGES.index(kind)] / len(kinds)
                print(f"  {kind:<10}" + "".join(f"{rate:>10.1%}" for rate in rates))
            print(f"  right in the mean over the kinds: {right:.1%}")


def report_changes(n_series: int, posts: int, seed: int) -> None:
    print(
        "changes: flat series with any; a level times 1.5: found within a month, others found, interval holds"
    )
    for dispersion in (1.0, 3.0):
        for months in (6, *LENGTHS, 60):
            draw = np.random.default_rng(seed)
            flat = np.full((n_series * 4, months), BASE_SHARE)
            false = (
                np.isfinite(change_table(*counted(flat, posts, dispersion, draw))["change"])
                .any(axis=1)
                .mean()
            )
            # A series learns its dispersion from the others of its table: a few, or none.
            few, alone = (
                np.mean(
                    [
                        change_points(*counted(flat[:size], posts, dispersion, draw)).any(axis=1).mean()
                        for _ in range(n_series)
                    ]
                )
                for size in (16, 1)
            )
            place = draw.integers(3, months - 2, n_series)
            before = np.arange(months) < place[:, None]
            stepped = np.where(before, BASE_SHARE, 1.5 * BASE_SHARE)
            table = change_table(*counted(stepped, posts, dispersion, draw))
            found = np.isfinite(table["change"])
            near = np.abs(np.arange(months) - place[:, None]) <= 1
            holds = (table["change_low"] <= 0.5 * BASE_SHARE) & (table["change_high"] >= 0.5 * BASE_SHARE)
            hit = found & near
            print(
                f"  {months:>2} months, dispersion {dispersion:g}: flat {false:.1%} (in tables of 16 {few:.1%}, "
                f"alone {alone:.1%}); "
                f"found {hit.any(axis=1).mean():.1%}, others {(found & ~near).any(axis=1).mean():.1%}, "
                f"interval {holds[hit].mean():.1%}"
            )


def report_strengths(n_series: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    print(f"strengths, median and 95 % point; and the share of series at {SEASONAL_STRENGTH} or more")
    for months in (24, 36, 60):
        season = np.arange(months) % 12
        wave = np.cos(2 * np.pi * season / 12)
        noise = draw.normal(size=(n_series, months))
        made = {
            "noise": noise,
            "random walk": np.cumsum(noise, axis=1),
            "season of twice the noise's height": noise + 2 * wave,
        }
        for name, values in made.items():
            both = strengths(values, season)
            told = [
                f"{label} {np.median(part):.2f} {np.quantile(part, 0.95):.2f}"
                for label, part in (("seasonal", both.seasonal), ("trend", both.trend))
            ]
            called = (both.seasonal >= SEASONAL_STRENGTH).mean()
            print(f"  {months} months of {name:<35} {', '.join(told)}; called seasonal {called:.1%}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("stages", "changes", "strengths"), help="one of the three")
    parser.add_argument(
        "--series", type=int, default=500, help="made series of each kind (default %(default)s)"
    )
    parser.add_argument("--posts", type=int, default=1000, help="posts of a month (default %(default)s)")
    parser.add_argument("--seed", type=int, default=7, help="seed of what is made (default %(default)s)")
    given = parser.parse_args()
    if given.only in (None, "stages"):
        report_stages(given.series, given.posts, given.seed)
    if given.only in (None, "changes"):
        report_changes(given.series, given.posts, given.seed)
    if given.only in (None, "strengths"):
        report_strengths(given.series, given.seed)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
