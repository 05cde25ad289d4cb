"""What steers the training of a head."""

from __future__ import annotations

from dataclasses import dataclass

from fashion_assets.products.classifiers import CLASSIFIERS
from fashion_assets.storage.errors import UserError

#: Raised when the same products and options give another head, or other figures of it.
HEADS_VERSION = 8
#: The kernel machine of ``products.heads.kernel``, and every kind of ``products.classifiers``.
KERNEL = "kernel"
HEAD_KINDS: tuple[str, ...] = (KERNEL, *CLASSIFIERS)
#: Vectors as they are, or mapped by ``products.lfda`` or a loss of ``products.metric_losses``.
AS_THEY_ARE = "none"
EMBEDDING_TRANSFORMS: tuple[str, ...] = (
    AS_THEY_ARE,
    "lfda",
    "supcon",
    "triplet",
    "proxy-anchor",
    "arcface",
)


@dataclass(frozen=True)
class Candidate:
    """What may become the head of an attribute: a kind, over vectors as they are or mapped."""

    kind: str
    embedding_transform: str = AS_THEY_ARE


@dataclass(frozen=True)
class HeadConfig:
    """``kinds`` are tried in order, and that of the highest validation macro-F1 is taken.

    The default two are the fastest that are good at it (``benchmarks/products.py`` prints the seconds); ``mlp``,
    ``lda``, ``knn`` and ``catboost`` are tried when asked for.
    """

    kinds: tuple[str, ...] = (KERNEL, "logistic")
    #: Metric learning before a kind of ``products.classifiers``: each is tried with each of them, like a kind of its
    #: own. The kernel machine compares products as they are.
    embedding_transforms: tuple[str, ...] = (AS_THEY_ARE,)
    #: Under this probability a head gives its best guess but marks it as an abstention.
    abstain_below: float = 0.5
    #: Trials of the hyper-parameter search per kind; 0: the kinds' own defaults.
    n_trials: int = 0
    #: How classes of the training rows are evened out: "none" leaves it to the kinds' own class weights; "auto"
    #: compares imbalanced-learn's bounds with weights of several strengths, for the kernel machine weights alone.
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
        strange = [name for name in self.embedding_transforms if name not in EMBEDDING_TRANSFORMS]
        if strange or not self.embedding_transforms:
            raise UserError(
                f"there is no embedding transform {strange[0] if strange else ''!r}; expected some of "
                f"{', '.join(EMBEDDING_TRANSFORMS)}"
            )
        if set(self.kinds) == {KERNEL} and set(self.embedding_transforms) != {AS_THEY_ARE}:
            raise UserError(
                f"embedding_transforms is {', '.join(self.embedding_transforms)}, but the only kind is {KERNEL}, which "
                f"compares products as they are; name another kind beside it, such as knn"
            )
        if set(self.kinds) == {KERNEL} and self.n_trials:
            raise UserError(
                f"n_trials is {self.n_trials}, but the only kind is {KERNEL}, which has no options to search; name "
                "another kind beside it, such as logistic, or give 0"
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

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """Each kind with each transform in order, the kernel machine once, as it is."""
        return tuple(
            Candidate(kind, transform)
            for kind in self.kinds
            for transform in ((AS_THEY_ARE,) if kind == KERNEL else self.embedding_transforms)
        )
