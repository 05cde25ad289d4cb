"""Two forecasts of a year of weeks for many series at once: the pattern of past years, and harmonics.

Both are ``(z, horizon) -> (n, horizon)`` on the scale of ``panel_scale``; ``z`` is (n, T) with at least
``MIN_WEEKS`` weeks that all series share.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

YEAR = 52
# A year is 365.25 days: after three years a season that is looked up 52 weeks back lies half a week off.
WEEKS_PER_YEAR = 365.25 / 7
# A year and a quarter: below, the trend and the pattern of the one year cannot be told apart.
MIN_WEEKS = 65

# Chosen on the development terms and on made series, where their neighbours give the same within about 1 %;
# benchmarks/forecasting.py prints what they give by half, and on made series of another kind.
LEVEL_WEIGHTS = (0.1, 0.2, 0.4)
OLDER_YEAR_WEIGHT = 0.9
GROWTH_KEPT = 0.4
# A series that comes out of nothing grows by powers of ten; beyond e^0.5 a year is not what a year can tell.
MAX_GROWTH = 0.5
SMOOTHING = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9
SHARED_PATTERNS = 4
SERIES_PER_SHARED_PATTERN = 4

HARMONICS = 6
HARMONIC_LEVEL_WEIGHTS = (0.25,)
HARMONIC_HALF_LIFE = 208.0
TREND_KNOT_WEEKS = 26
TREND_PENALTY = 0.5


def past_years(z: FloatArray, horizon: int) -> FloatArray:
    """Level plus the mean pattern of the past years, shrunk by how much the years agree, plus part of the
    yearly growth.

    The pattern is what lies around a centred yearly mean. Its part in the few patterns that most of the series
    share, and the rest, are each shrunk by their own signal-to-noise ratio (empirical Bayes, as James & Stein
    1961 shrink means): noise of a year is not forecast as a season.
    """
    blocks = _year_blocks(_smoothed(z - _yearly_mean(z)))
    unscaled = np.power(OLDER_YEAR_WEIGHT, np.arange(len(blocks)), dtype=np.float64)
    weights: FloatArray = unscaled / unscaled.sum()
    pattern = np.tensordot(weights, blocks, axes=1)
    if len(blocks) > 1:
        basis = _shared_patterns(pattern)
        shared = pattern @ basis.T @ basis
        shared_blocks = blocks @ basis.T @ basis
        own_kept = _kept(pattern - shared, blocks - shared_blocks, weights)
        shared_kept = _kept(shared, shared_blocks, weights)
        pattern = shared * shared_kept + (pattern - shared) * own_kept
    level = _level(z[:, -YEAR:] - pattern, LEVEL_WEIGHTS)
    steps = np.arange(1, horizon + 1)
    share_of_year = np.minimum(steps / YEAR, 1.0)
    growth = GROWTH_KEPT * np.clip(_yearly_growth(z), -MAX_GROWTH, MAX_GROWTH)
    return np.asarray(level + pattern[:, (steps - 1) % YEAR] + growth * share_of_year, dtype=np.float64)


def harmonic_regression(z: FloatArray, horizon: int) -> FloatArray:
    """Level plus ``HARMONICS`` Fourier pairs of the year, fitted together with a bending trend.

    Ridge regression (FPP3 7.4 for the Fourier terms) whose penalty grows with the frequency and whose weeks
    lose half their weight in ``HARMONIC_HALF_LIFE``.
    """
    weeks = z.shape[1]
    time = np.arange(weeks + horizon) - weeks + 1.0
    knots = np.arange(-weeks + 1, 1, TREND_KNOT_WEEKS)[1:-1]
    hats = [np.maximum(0.0, 1.0 - np.abs(time - knot) / TREND_KNOT_WEEKS) for knot in knots]
    trend = np.stack([np.ones_like(time), *hats, time / YEAR], axis=1)
    order = np.repeat(np.arange(1, HARMONICS + 1), 2)
    phase = np.tile([0.0, np.pi / 2], HARMONICS)
    season = np.cos(2 * np.pi * time[:, None] * order / WEEKS_PER_YEAR - phase)
    design = np.concatenate([trend, season], axis=1)[:weeks]
    penalty = np.concatenate([[1e-6], np.full(trend.shape[1] - 1, TREND_PENALTY), order])
    weighted = design * 0.5 ** (-time[:weeks, None] / HARMONIC_HALF_LIFE)
    # Around its mean, so that the penalty leaves a constant series exactly as it is.
    around = z - z.mean(axis=1, keepdims=True)
    found = np.linalg.solve(weighted.T @ design + np.diag(penalty), weighted.T @ around.T)
    seasonal = (season @ found[trend.shape[1] :]).T
    level = _level((z - seasonal[:, :weeks])[:, -YEAR:], HARMONIC_LEVEL_WEIGHTS)
    return np.asarray(level + seasonal[:, weeks:], dtype=np.float64)


def _level(last_year: FloatArray, weights: tuple[float, ...]) -> FloatArray:
    """(n, 1) mean over the smoothing weights of the exponentially weighted mean of (n, 52)."""
    powers = np.arange(YEAR - 1, -1, -1)
    kernels = [(1 - weight) ** powers for weight in weights]
    kernel = np.mean([one / one.sum() for one in kernels], axis=0)
    return np.asarray((last_year @ kernel)[:, None], dtype=np.float64)


def _yearly_mean(z: FloatArray) -> FloatArray:
    """(n, T) centred mean over 52 weeks; over the half years at both ends it goes on with half its mean slope."""
    weeks, half = z.shape[1], YEAR // 2
    total = np.concatenate([np.zeros((len(z), 1)), np.cumsum(z, axis=1)], axis=1)
    start = np.clip(np.arange(weeks) - half, 0, weeks - YEAR)
    mean = (total[:, start + YEAR] - total[:, start]) / YEAR
    if weeks < 2 * YEAR:  # the slope of less than a year of means is season as much as trend
        return np.asarray(mean, dtype=np.float64)
    first, last = half, weeks - half - 1
    slope = (mean[:, [last]] - mean[:, [first]]) / (last - first) / 2
    mean[:, last + 1 :] = mean[:, [last]] + slope * np.arange(1, half + 1)
    mean[:, :first] = mean[:, [first]] - slope * np.arange(half, 0, -1)
    return np.asarray(mean, dtype=np.float64)


def _yearly_growth(z: FloatArray) -> FloatArray:
    """(n, 1) growth per year: half the newest year over the one before, half the mean over all years; 0 under
    two years.
    """
    weeks = z.shape[1]
    if weeks < 2 * YEAR:
        return np.zeros((len(z), 1))
    newest = z[:, -YEAR:].mean(axis=1, keepdims=True)
    before = z[:, -2 * YEAR : -YEAR].mean(axis=1, keepdims=True)
    years = (weeks - YEAR) / YEAR
    overall = (newest - z[:, :YEAR].mean(axis=1, keepdims=True)) / years
    return np.asarray((newest - before + overall) / 2, dtype=np.float64)


def _smoothed(z: FloatArray) -> FloatArray:
    """(n, T) weighted mean over five weeks: a season seen two or three times has few values per week."""
    reach = len(SMOOTHING) // 2
    wide = np.pad(z, ((0, 0), (reach, reach)), mode="edge")
    return sum(
        (weight * wide[:, at : at + z.shape[1]] for at, weight in enumerate(SMOOTHING)), np.zeros_like(z)
    )


def _year_blocks(around: FloatArray) -> FloatArray:
    """(years, n, 52) what the next 52 weeks were one year ago, two years ago, …, each around its own mean."""
    weeks = around.shape[1]
    blocks = []
    for years in range(1, weeks // YEAR + 1):
        index = weeks - round(WEEKS_PER_YEAR * years) + np.arange(YEAR)
        if index[0] < 0:
            break
        blocks.append(around[:, index])
    stacked = np.stack(blocks)
    return np.asarray(stacked - stacked.mean(axis=2, keepdims=True), dtype=np.float64)


def _shared_patterns(pattern: FloatArray) -> FloatArray:
    """(r, 52) orthonormal patterns that most of the (n, 52) are made of; none for a handful of series."""
    rank = min(SHARED_PATTERNS, len(pattern) // SERIES_PER_SHARED_PATTERN)
    if rank < 2:
        return np.zeros((0, YEAR))
    spread = pattern.std(axis=1, keepdims=True)
    equal_weight = pattern / np.where(spread > 1e-9, spread, 1.0)
    return np.asarray(np.linalg.svd(equal_weight, full_matrices=False)[2][:rank], dtype=np.float64)


def _kept(pattern: FloatArray, blocks: FloatArray, weights: FloatArray) -> FloatArray:
    """(n, 1) share of the pattern that is not year-to-year noise, in [0, 1]."""
    deviation = ((blocks - blocks.mean(axis=0)) ** 2).sum(axis=0) / (len(blocks) - 1)
    noise = deviation.mean(axis=1, keepdims=True) * (weights**2).sum()
    power = (pattern**2).mean(axis=1, keepdims=True)
    return np.asarray(np.clip(1 - noise / np.maximum(power, 1e-12), 0.0, 1.0), dtype=np.float64)
