"""The classical models of statsforecast (Nixtla), one series at a time.

statsforecast takes a second and a half to import, so it is imported where a model is fitted. AutoETS and AutoARIMA
cannot fit a season of 52 weeks (AutoETS stops at 24 by design, a seasonal ARIMA takes minutes), so for weeks
they forecast the rest that MSTL leaves when it has taken the season out.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.trends.forecast_models import seasonal_naive

FloatArray = npt.NDArray[np.float64]

# ETS with a season of more than 24 has more states than a few years have information (its authors' limit).
MAX_ETS_SEASON = 24
# A quarter of a second a fit, up to seven fits a series: with more series, minutes.
MAX_SERIES = 50
# Of 800 days a seasonal ARIMA takes seconds a fit, of twenty weeks a tenth of one, and older weeks say little more.
MAX_SEASONS = 20


def model_names(season: int) -> list[str]:
    """The names of the models for a season of that many steps."""
    return list(_models(season))


def statistical_forecast(name: str, y: FloatArray, horizon: int, season: int) -> FloatArray:
    """(horizon,) means of model ``name``; those of the seasonal naive one where the fit fails.

    ``y`` (n,) holds two seasons at least; the last ``MAX_SEASONS`` are looked at.
    """
    model, y = _models(season)[name], y[-MAX_SEASONS * season :]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of fits that did not converge; the backtest judges them
            found = np.asarray(model.forecast(y=y.copy(), h=horizon)["mean"], dtype=np.float64)
    except Exception:  # statsforecast has no error of its own: what it cannot fit ends anywhere in numpy
        found = np.full(horizon, np.nan)
    return found if np.isfinite(found).all() else seasonal_naive(y, horizon, season)


def _models(season: int) -> dict[str, Any]:
    from statsforecast.models import MSTL, AutoARIMA, AutoETS, AutoTheta

    if season <= MAX_ETS_SEASON:
        return {
            "AutoETS": AutoETS(season_length=season),
            "AutoARIMA": AutoARIMA(season_length=season),
            "AutoTheta": AutoTheta(season_length=season),
        }
    return {
        "AutoTheta": AutoTheta(season_length=season),
        "MSTL + AutoETS": MSTL(season_length=season, trend_forecaster=AutoETS(model="ZZN")),
        "MSTL + AutoARIMA": MSTL(season_length=season, trend_forecaster=AutoARIMA()),
    }
