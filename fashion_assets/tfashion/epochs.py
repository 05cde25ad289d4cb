"""What training says about itself: losses and validation figures per epoch, in the reference's table.

Belongs here: figures of one epoch and their table. Not here: choosing a threshold (``calibration.py``) and
figures with intervals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

BoolArray = npt.NDArray[np.bool_]

#: Columns of the published table of epochs (reference/tfashion.md, "Training Results"), in its order.
EPOCH_COLUMNS = ("Epoch", "Train Loss", "Val Loss", "Accuracy", "Precision", "Recall", "F1 Score")


@dataclass(frozen=True)
class EpochFigures:
    """One pass over the training rows. ``epoch`` counts from 1; losses are means over rows in nats (the
    training loss weighted, the validation loss not).

    Validation figures count a decision of 0 or more as fashion; they are None without validation rows.
    Precision, recall and F1 are 0 where their denominator is.
    """

    epoch: int
    train_loss: float
    val_loss: float | None = None
    accuracy: float | None = None
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None


def validated_epoch(
    epoch: int, train_loss: float, val_loss: float, decision: npt.NDArray[np.floating], labels: BoolArray
) -> EpochFigures:
    """The figures of an epoch from the decisions (n,) and labels (n,) of the validation rows."""
    kept = decision >= 0
    hits = int(np.count_nonzero(kept & labels))
    n_kept, n_true = int(np.count_nonzero(kept)), int(np.count_nonzero(labels))
    return EpochFigures(
        epoch=epoch,
        train_loss=train_loss,
        val_loss=val_loss,
        accuracy=float(np.mean(kept == labels)),
        precision=hits / n_kept if n_kept else 0.0,
        recall=hits / n_true if n_true else 0.0,
        # 2 TP / (2 TP + FP + FN); the denominator is the words kept plus the words that are fashion
        f1=2 * hits / (n_kept + n_true) if n_kept + n_true else 0.0,
    )


def epoch_table(figures: Sequence[EpochFigures]) -> pd.DataFrame:
    """One row per epoch under the reference's column names (``EPOCH_COLUMNS``); NaN where nothing was
    validated.
    """
    rows = [
        (row.epoch, row.train_loss, row.val_loss, row.accuracy, row.precision, row.recall, row.f1)
        for row in figures
    ]
    table = pd.DataFrame(rows, columns=list(EPOCH_COLUMNS))
    return table.astype({name: "int64" if name == "Epoch" else "float64" for name in EPOCH_COLUMNS})


def log_loss(
    decision: npt.NDArray[np.floating], labels: BoolArray, weights: npt.NDArray[np.floating] | None = None
) -> float:
    """Weighted mean of -ln p(label) in nats, for log-odds ``decision`` (n,).

    For two logits this is the softmax cross entropy of their difference.
    """
    signed = np.where(labels, decision, -decision).astype(np.float64)
    return float(np.average(np.logaddexp(0.0, -signed), weights=weights))
