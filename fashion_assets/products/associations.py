"""How much two columns of names say about each other, corrected for what chance would give."""

from __future__ import annotations

import numpy as np
import pandas as pd


def cramers_v(first: pd.Series[str], second: pd.Series[str]) -> float:
    """Cramér's V, 0 (independent) to 1 (one determines the other), of the rows that have both values.

    With the bias correction of Bergsma (2013, "A bias-correction for Cramér's V and Tschuprow's T"): without it
    columns of many rare values seem to depend on each other. NaN if either has fewer than two values.
    """
    both = pd.DataFrame({"first": first.to_numpy(), "second": second.to_numpy()}).dropna()
    table = pd.crosstab(both["first"], both["second"]).to_numpy(dtype=float)
    n = table.sum()
    rows, columns = table.shape
    if min(rows, columns) < 2:
        return float("nan")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi2 = ((table - expected) ** 2 / expected).sum() / n
    corrected = max(0.0, phi2 - (rows - 1) * (columns - 1) / (n - 1))
    sides = [side - (side - 1) ** 2 / (n - 1) for side in (rows, columns)]
    room = min(sides) - 1
    return float(min(1.0, np.sqrt(corrected / room))) if room > 0 else float("nan")


def mutual_information(first: pd.Series[str], second: pd.Series[str]) -> float:
    """Adjusted mutual information, about 0 (what chance gives) to 1 (the same groups), of the rows that have both.

    Adjusted for chance after Vinh, Epps and Bailey (2010), by scikit-learn, relative to the smaller entropy, so that
    a finer column that determines a coarser one has 1. NaN if either has fewer than two values, or no value twice:
    chance then gives all that there is.
    """
    from sklearn.metrics import adjusted_mutual_info_score

    both = pd.DataFrame({"first": first.to_numpy(), "second": second.to_numpy()}).dropna()
    if not all(2 <= both[name].nunique() < len(both) for name in both):
        return float("nan")
    codes = [pd.factorize(both[name])[0] for name in both]
    return float(adjusted_mutual_info_score(*codes, average_method="min"))
