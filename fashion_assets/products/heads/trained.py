"""What the training of one head comes to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.evaluation import AttributeMetrics
from fashion_assets.products.heads.head import AttributeHead

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class TrainedHead:
    """``head`` is fitted on all labelled products; every figure is of one that had not seen what it is judged on.

    ``metrics`` on test families (None if no test product has a label); ``splits`` the same head judged on random rows
    beside it; ``candidates`` kind, embedding_transform, macro_f1 and accuracy on validation families, seconds, chosen;
    ``history`` epochs of the chosen kind; ``search`` kind, embedding_transform, trial, value, best; ``imbalance`` the
    same two and the table of ``compare_resampling``;
    ``learning_curve`` n_train, macro_f1, accuracy on validation families; ``calibration_before`` and
    ``calibration_after`` reliability on test families; ``test`` id, truth, predicted, confidence.
    ``validation_probabilities`` and ``test_probabilities`` (m, k) are calibrated, ``…_rows`` (m,) their positions;
    there are none of validation products where they were too few to choose by.
    """

    head: AttributeHead
    kind: str
    n_train: int
    metrics: AttributeMetrics | None
    splits: pd.DataFrame
    candidates: pd.DataFrame
    history: pd.DataFrame
    search: pd.DataFrame
    imbalance: pd.DataFrame
    learning_curve: pd.DataFrame
    calibration_before: pd.DataFrame
    calibration_after: pd.DataFrame
    test: pd.DataFrame
    validation_probabilities: FloatArray
    validation_rows: IntArray
    test_probabilities: FloatArray
    test_rows: IntArray
