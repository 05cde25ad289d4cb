"""How good past forecasts were: MASE, sMAPE, and the half widths and coverage of conformal intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
# The (forecast, truth) of one origin, both (steps,).
Pair = tuple[FloatArray, FloatArray]

# A step's spread is read from the residuals of neighbouring steps; with fewer than these, from those of all
# steps.
MIN_RESIDUALS = 8
STEP_NEIGHBOURHOOD = 1.5


def naive_error(history: FloatArray, lag: int) -> float:
    """Mean absolute error of forecasting each value by the one ``lag`` steps before; 0 if there is none."""
    return float(np.abs(history[lag:] - history[:-lag]).mean()) if len(history) > lag else 0.0


def mase(pairs: Sequence[Pair], scales: Sequence[float]) -> float:
    """Mean absolute scaled error (Hyndman & Koehler 2006), the mean over origins; NaN without a backtest.

    An origin whose history has no naive error counts as 0 if the forecast was exact, else not at all.
    """
    errors = [np.abs(mean - truth).mean() for mean, truth in pairs]
    scaled = zip(errors, scales, strict=True)
    ratios = [error / scale if scale > 0 else 0.0 for error, scale in scaled if scale > 0 or error < 1e-12]
    return float(np.mean(ratios)) if ratios else float("nan")


def smape(pairs: Sequence[Pair]) -> float:
    """Symmetric mean absolute percentage error over all steps, 0 to 200; NaN without a backtest."""
    if not pairs:
        return float("nan")
    mean, truth = (np.concatenate(side) for side in zip(*pairs, strict=True))
    size = np.abs(mean) + np.abs(truth)
    return float(np.mean(200 * np.abs(mean - truth) / np.where(size > 0, size, 1.0)))


def coverage(pairs: Sequence[Pair], level: float) -> float:
    """Share of truths inside the interval, each origin's from the other origins only; NaN under two origins."""
    if len(pairs) < 2:
        return float("nan")
    inside = []
    for index, (mean, truth) in enumerate(pairs):
        others = [*pairs[:index], *pairs[index + 1 :]]
        inside.append(np.abs(mean - truth) <= conformal_widths(others, len(truth), level) + 1e-12)
    return float(np.concatenate(inside).mean())


def conformal_widths(pairs: Sequence[Pair], horizon: int, level: float) -> FloatArray:
    """(horizon,) half widths: the conformal quantile of the absolute backtest errors at about each step.

    The quantile is the ceil((n + 1) level)-th smallest of n errors (Vovk's split conformal rule), the largest
    if n is too small for it. Steps beyond the longest backtest grow with the square root of the step, as a
    random walk would. Never narrower at a later step.
    """
    if not pairs:
        return np.full(horizon, np.nan)
    steps = np.concatenate([np.arange(1, len(truth) + 1) for _, truth in pairs])
    errors = np.concatenate([np.abs(mean - truth) for mean, truth in pairs])
    return widths_by_step(errors, steps, horizon, level)


def widths_by_step(errors: FloatArray, steps: npt.NDArray[np.int_], horizon: int, level: float) -> FloatArray:
    """``conformal_widths`` of absolute ``errors`` (n,) made at ``steps`` (n,), which count from 1."""
    order = np.argsort(steps, kind="stable")
    errors, steps = errors[order], steps[order]
    longest = int(steps[-1])
    widths = np.empty(horizon)
    for step in range(1, horizon + 1):
        if step > longest:
            widths[step - 1] = widths[longest - 1] * np.sqrt(step / longest)
            continue
        first = np.searchsorted(steps, step / STEP_NEIGHBOURHOOD, side="left")
        last = np.searchsorted(steps, step * STEP_NEIGHBOURHOOD, side="right")
        pool = errors[first:last] if last - first >= MIN_RESIDUALS else errors
        rank = min(int(np.ceil((len(pool) + 1) * level)), len(pool))
        widths[step - 1] = np.partition(pool, rank - 1)[rank - 1]
    return np.asarray(np.maximum.accumulate(widths), dtype=np.float64)
