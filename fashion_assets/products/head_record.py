"""What the training of one head came to, as JSON beside the head: what was tried, what was chosen, how well it does.

The report of heads is drawn from these records alone, and a training that is started again knows by ``input_digest``
which heads it need not train.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from fashion_assets.products.evaluation import AttributeMetrics
from fashion_assets.products.heads.config import AS_THEY_ARE
from fashion_assets.products.model_folder import RECORD
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_text_atomic

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class HeadRecord:
    """One head; the tables are lists of rows. ``metrics`` is ``AttributeMetrics.summary`` on the test part, empty if
    no test product has a label. ``confusion`` holds ``labels`` (k) and ``counts`` (k, k), true labels as rows.
    """

    attribute: str
    input_digest: str
    kind: str
    classes: list[str]
    embedding_transform: str = AS_THEY_ARE
    note: str = ""
    seconds: float = 0.0
    n_train: int = 0
    metrics: dict[str, Any] = field(default_factory=dict)
    per_class: Rows = field(default_factory=list)
    confusion: dict[str, Any] = field(default_factory=dict)
    splits: Rows = field(default_factory=list)
    candidates: Rows = field(default_factory=list)
    history: Rows = field(default_factory=list)
    search: Rows = field(default_factory=list)
    imbalance: Rows = field(default_factory=list)
    learning_curve: Rows = field(default_factory=list)
    calibration_before: Rows = field(default_factory=list)
    calibration_after: Rows = field(default_factory=list)
    #: True and predicted labels of the test products, for figures over several attributes: id, truth, predicted.
    test: Rows = field(default_factory=list)

    @property
    def shown_kind(self) -> str:
        """``knn``, or ``knn after lfda``."""
        if self.embedding_transform == AS_THEY_ARE:
            return self.kind
        return f"{self.kind} after {self.embedding_transform}"

    def save(self, folder: Path) -> None:
        """Write ``training.json`` into ``folder``, after the head's own files: its presence says that all is there."""
        text = json.dumps(asdict(self), ensure_ascii=False, indent=1, allow_nan=False, default=str)
        write_text_atomic(Path(folder) / RECORD, text + "\n")

    @classmethod
    def load(cls, folder: Path) -> HeadRecord:
        """The record in ``folder``. Raises UserError if it is missing or damaged."""
        path = Path(folder) / RECORD
        try:
            return cls(**json.loads(path.read_text("utf-8")))
        except FileNotFoundError as error:
            raise UserError(
                f"{folder} has no {RECORD}: its training was not finished; train it anew"
            ) from error
        except (ValueError, TypeError) as error:
            raise UserError(f"{path} is damaged ({error}); train the head anew") from error


def rows_of(table: pd.DataFrame | None) -> Rows:
    """The table's rows with plain Python values; NaN and NA become None, which JSON can hold."""
    if table is None:
        return []
    return [
        {str(name): _plain(value) for name, value in row.items()} for row in table.to_dict(orient="records")
    ]


def metrics_of(metrics: AttributeMetrics | None) -> dict[str, Any]:
    """The fields ``metrics``, ``per_class`` and ``confusion`` of a record."""
    if metrics is None:
        return {"metrics": {}, "per_class": [], "confusion": {}}
    return {
        "metrics": {name: _plain(value) for name, value in metrics.summary().items()},
        "per_class": rows_of(metrics.per_class),
        "confusion": {
            "labels": [str(name) for name in metrics.confusion.index],
            "counts": metrics.confusion.to_numpy().tolist(),
        },
    }


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return None if type(value).__name__ in ("NAType", "NaTType") else value
