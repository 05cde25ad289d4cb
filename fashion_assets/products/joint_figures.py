"""Figures of a model's heads taken together: how often every attribute of a product is right, with and without the
joint decoder.

The figures of one head, in its record, are of the head by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from fashion_assets.products.evaluation import Estimate, all_attributes_right
from fashion_assets.products.macro_f1 import macro_f1

_UNKNOWN = Estimate(float("nan"), float("nan"), float("nan"))


@dataclass(frozen=True)
class JointFigures:
    """Share of the ``n`` test products with every label that have all of them right: each head ``alone``, and
    ``together`` as the model decides. ``decided``: attribute -> accuracy and macro-F1 of the labels decided together,
    over all its test products; empty where the model has no joint decoder.
    """

    alone: Estimate = _UNKNOWN
    together: Estimate = _UNKNOWN
    n: int = 0
    decided: Mapping[str, Mapping[str, float]] | None = None

    @property
    def has_decoder(self) -> bool:
        return bool(self.decided)

    def as_json(self) -> dict[str, Any] | None:
        """For ``metrics.json``; None where no test product has every label."""
        if not self.n:
            return None
        return {
            "n": self.n,
            "joint_decoder": self.has_decoder,
            "alone": asdict(self.alone),
            "together": asdict(self.together),
            "decided": {name: dict(found) for name, found in (self.decided or {}).items()},
        }

    def sentences(self, attributes: int) -> list[str]:
        """What a person is told; none for one attribute."""
        if attributes < 2:
            return []
        if not self.n:
            return [f"No test product has all {attributes} labels: how often all are right is not known"]
        of = (
            f"of {self.n:,} test "
            + ("product that has" if self.n == 1 else "products that have")
            + " every label"
        )
        if not self.has_decoder:
            return [f"All {attributes} right: {said(self.together)} {of}; each head decides by itself"]
        return [
            f"All {attributes} right: {said(self.together)} {of} as the model decides, with the joint decoder; "
            f"{said(self.alone)} with each head by itself, as in the table"
        ]


def said(share: Estimate) -> str:
    """``.664 (.650–.678)`` with leading zeros."""
    return f"{share.value:.3f} ({share.low:.3f}–{share.high:.3f})"


def joint_figures(
    alone: Mapping[str, pd.DataFrame],
    together: Mapping[str, pd.DataFrame] | None,
    families: Mapping[str, Any],
    *,
    seed: int = 7,
) -> JointFigures:
    """Figures of test tables (id, truth, predicted) by attribute; ``together`` is None without a decoder.

    ``families``: id -> family; intervals draw whole families.
    """
    ids = sorted({one for table in alone.values() for one in table["id"]})
    if not ids:
        return JointFigures()
    groups = [families[one] for one in ids]
    by_head, counted = _share(alone, ids, groups, seed)
    if together is None:
        return JointFigures(by_head, by_head, counted)
    decided = {
        name: {
            "accuracy": float((table["truth"] == table["predicted"]).mean()),
            "macro_f1": macro_f1(table["truth"].astype(str), table["predicted"].astype(str)),
        }
        for name, table in together.items()
        if len(table)
    }
    return JointFigures(by_head, _share(together, ids, groups, seed)[0], counted, decided)


def _share(
    tables: Mapping[str, pd.DataFrame], ids: list[str], groups: list[Any], seed: int
) -> tuple[Estimate, int]:
    rows = {name: table.set_index("id").reindex(ids) for name, table in tables.items()}
    return all_attributes_right(
        {name: table["truth"].tolist() for name, table in rows.items()},
        {name: table["predicted"].tolist() for name, table in rows.items()},
        families=groups,
        seed=seed,
    )
