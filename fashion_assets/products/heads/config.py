"""What steers the training of a head."""

from __future__ import annotations

from dataclasses import dataclass

from fashion_assets.products.classifiers import CLASSIFIERS
from fashion_assets.storage.errors import UserError

#: Raised when the same products and options give another head.
HEADS_VERSION = 4
#: The kernel machine of ``products.heads.kernel``, and every kind of ``products.classifiers``.
KERNEL = "kernel"
HEAD_KINDS: tuple[str, ...] = (KERNEL, *CLASSIFIERS)


@dataclass(frozen=True)
class HeadConfig:
    """``kinds`` are tried in order, and that of the highest validation macro-F1 is taken.

    The default two fit all attributes of 13,000 products within three minutes on two cores; ``mlp``, ``lda``, ``knn``
    and ``catboost`` are tried when asked for.
    """

    kinds: tuple[str, ...] = (KERNEL, "logistic")
    #: Under this probability a head gives its best guess but marks it as an abstention.
    abstain_below: float = 0.5
    #: Trials of the hyper-parameter search per kind; 0: the kinds' own defaults.
    n_trials: int = 0
    #: How classes of the training rows are evened out for ``products.classifiers``: "none" leaves it to class
    #: weights; "auto" compares imbalanced-learn's bounds with them. The kernel machine takes rows as they are.
    resampling: str = "none"
    #: Accuracy that moving decisions towards rare classes may cost on validation products.
    adjustment_cost: float = 0.002
    seed: int = 7

    def __post_init__(self) -> None:
        unknown = [kind for kind in self.kinds if kind not in HEAD_KINDS]
        if unknown or not self.kinds:
            raise UserError(
                f"there is no kind of head {unknown[0] if unknown else ''!r}; expected some of "
                f"{', '.join(HEAD_KINDS)}"
            )
        if not 0 <= self.abstain_below <= 1:
            raise UserError(f"abstain_below is {self.abstain_below}; expected a probability, such as 0.5")
        if self.n_trials < 0:
            raise UserError(f"n_trials is {self.n_trials}; expected 0 (no search) or more")
        if self.resampling not in ("none", "auto"):
            raise UserError(f"resampling is {self.resampling!r}; expected 'none' or 'auto'")
        if not 0 <= self.adjustment_cost < 1:
            raise UserError(
                f"adjustment_cost is {self.adjustment_cost}; expected a small share, such as 0.002"
            )
