"""What a head of the word classifier is, what it accepts, and which there are.

Belongs here: the interface, the checks and the standardisation that heads share, and their registry. Not here:
how a head learns (``resnet_head.py``, ``mlp_head.py``, ``logistic_head.py``), thresholds and probabilities
(``calibration.py``).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.epochs import BoolArray, EpochFigures

Array = npt.NDArray[Any]
Float32Array = npt.NDArray[np.float32]
Float64Array = npt.NDArray[np.float64]
Validation = tuple[Array, Array]

#: Rows standardised at a time: 4096 x 1024 float64 are 32 MB, and larger blocks are no faster.
CHUNK_ROWS = 4096


class Head(Protocol):
    """Learns from word features whether a word speaks of fashion."""

    dim: int
    seed: int

    @property
    def name(self) -> str:
        """The name under which ``make_head`` knows it."""
        ...

    def fit(
        self,
        features: Array,
        labels: Array,
        weights: Array | None = None,
        validation: Validation | None = None,
    ) -> list[EpochFigures]:
        """The figures of every epoch, after learning anew from ``features`` float32 (n, dim) and ``labels``
        bool (n,).

        ``weights`` (n,) say how much a row counts (only their proportions matter; None: all alike);
        ``validation`` is (features, labels) to be judged on, never learnt from. UserError for NaN or infinity,
        other shapes, or labels of one class only.
        """
        ...

    def decision(self, features: Array) -> Float32Array:
        """(n,) log-odds that a word is fashion: 0 is even, the sign is the answer. A row's number does not
        depend on the rows beside it (to 1e-5).
        """
        ...

    def tensors(self) -> dict[str, Array]:
        """All that was learnt, by name, as safetensors can hold it."""
        ...

    def config(self) -> dict[str, Any]:
        """All options as JSON can hold them: together with ``tensors`` the whole head."""
        ...

    @classmethod
    def from_tensors(cls, config: Mapping[str, Any], tensors: Mapping[str, Array]) -> Head:
        """The head that ``config()`` and ``tensors()`` describe. UserError if they do not fit together."""
        ...


def make_head(name: str, dim: int, seed: int, **options: Any) -> Head:
    """An untrained head for features of ``dim`` numbers. UserError for a name or an option that there is not."""
    return _head_class(name)(**_known_options(name, {**options, "dim": dim, "seed": seed}))


def head_from_tensors(name: str, config: Mapping[str, Any], tensors: Mapping[str, Array]) -> Head:
    """The trained head ``name`` from what its ``config()`` and ``tensors()`` gave; UserError as above."""
    head_class = _head_class(name)
    return head_class.from_tensors(_known_options(name, config), tensors)


def head_names() -> tuple[str, ...]:
    """The names that ``make_head`` knows."""
    return tuple(_head_classes())


def _head_classes() -> dict[str, Any]:
    # Here and not above, because each head's module takes its checks from this one.
    from fashion_assets.tfashion.logistic_head import LogisticHead
    from fashion_assets.tfashion.mlp_head import MlpHead
    from fashion_assets.tfashion.resnet_head import ResnetHead

    return {head.name: head for head in (ResnetHead, MlpHead, LogisticHead)}


def _head_class(name: str) -> Any:
    classes = _head_classes()
    if name not in classes:
        raise UserError(
            f"there is no head {name!r} for the word classifier; choose one of {', '.join(classes)}"
        )
    return classes[name]


def require_heads(names: Sequence[str]) -> None:
    """UserError for the first name that is no head's."""
    for name in names:
        _head_class(name)


def _known_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    known = inspect.signature(_head_class(name)).parameters
    unknown = [option for option in options if option not in known]
    missing = [option for option in ("dim", "seed") if option not in options]
    if unknown or missing:
        raise UserError(
            f"the head {name!r} "
            + (f"has no option {unknown[0]!r}" if unknown else f"needs the option {missing[0]!r}")
            + f"; its options are {', '.join(known)}"
        )
    return dict(options)


def require_options(head: str, **rules: tuple[Any, bool, str]) -> None:
    """UserError for the first option whose rule ``(value, holds, expected)`` does not hold."""
    for option, (value, holds, expected) in rules.items():
        if not holds:
            raise UserError(f"the head {head!r} was given {option}={value!r}; expected {expected}")


@dataclass(frozen=True)
class TrainingRows:
    """Checked rows: ``features`` float32 (n, d), ``labels`` bool (n,), ``weights`` float32 (n,) of mean 1."""

    features: Float32Array
    labels: BoolArray
    weights: Float32Array


def training_rows(head: Head, features: Array, labels: Array, weights: Array | None) -> TrainingRows:
    """The rows to learn from, checked; UserError as ``Head.fit`` says. Rows of weight 0 are left out."""
    rows = feature_rows(head, features)
    truth = _label_rows(head, labels, len(rows))
    heavy = np.ones(len(rows)) if weights is None else np.asarray(weights, dtype=np.float64)
    if heavy.shape != truth.shape:
        raise UserError(
            f"the head {head.name!r} was given {len(rows)} words and weights of shape {heavy.shape}; give one "
            "weight per word"
        )
    wrong = ~(np.isfinite(heavy) & (heavy >= 0))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise UserError(
            f"row {row} of the weights is {heavy[row]}; a weight is a finite number from 0 upwards"
        )
    counts = heavy > 0
    positive = int(np.count_nonzero(truth & counts))
    if positive in (0, int(np.count_nonzero(counts))):
        kind = "fashion" if positive else "not fashion"
        found = f"all {positive or int(np.count_nonzero(counts))} training words are {kind}"
        raise UserError(
            f"{found if counts.any() else 'there are no training words'}; the head {head.name!r} learns from "
            "both classes: give words that are fashion and words that are not"
        )
    if not counts.all():
        rows, truth, heavy = rows[counts], truth[counts], heavy[counts]
    return TrainingRows(rows, truth, (heavy / heavy.mean()).astype(np.float32))


def validation_rows(head: Head, validation: Validation | None) -> tuple[Float32Array, BoolArray] | None:
    """(features float32 (n, d), labels bool (n,)), checked, or None; UserError if there is not one row."""
    if validation is None:
        return None
    rows = feature_rows(head, validation[0])
    if not len(rows):
        raise UserError(
            f"the validation set of the head {head.name!r} holds no words; give some, or None for no validation"
        )
    return rows, _label_rows(head, validation[1], len(rows))


def feature_rows(head: Head, features: Array) -> Float32Array:
    """``features`` as float32 (n, dim). UserError for another width, or naming the first row that holds NaN
    or infinity.
    """
    with np.errstate(over="ignore"):  # becomes infinity, which is refused below with its row
        rows = np.ascontiguousarray(features, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != head.dim:
        raise UserError(
            f"the head {head.name!r} works on features of shape (words, {head.dim}), these have shape "
            f"{rows.shape}; use the encoder that it was made for, or train it anew"
        )
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise UserError(
            f"row {int(np.argmin(finite))} of the features holds NaN or infinity (or a number beyond float32); "
            "leave the word out or mend its features"
        )
    return rows


def _label_rows(head: Head, labels: Array, n: int) -> BoolArray:
    given = np.asarray(labels)
    if given.shape != (n,):
        raise UserError(
            f"the head {head.name!r} was given {n} words and labels of shape {given.shape}; give one label per "
            "word"
        )
    if n and given.dtype != np.bool_ and not np.isin(given, (0, 1)).all():
        row = int(np.argmin(np.isin(given, (0, 1))))
        raise UserError(f"row {row} of the labels is {given[row]!r}; a label is True (fashion) or False")
    return given.astype(np.bool_)


def require_tensors(
    head: Head, tensors: Mapping[str, Array], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, Array]:
    """The named tensors; UserError if one is missing or has another shape."""
    for name, shape in shapes.items():
        found = np.shape(tensors[name]) if name in tensors else "nothing"
        if found != shape:
            raise UserError(
                f"the weights of the head {head.name!r} should hold {name} of shape {shape}, found {found}; the "
                "card and the weights do not belong together, train the model anew"
            )
    return {name: np.asarray(tensors[name]) for name in shapes}


def not_trained(head: Head) -> UserError:
    """The error of a head that is asked before it learnt anything."""
    return UserError(f"the head {head.name!r} has not been trained; call fit or load one first")


@dataclass(frozen=True)
class Standardisation:
    """Brings every feature to mean 0 and spread 1 over the training rows; ``mean``, ``scale`` float64 (d,)."""

    mean: Float64Array
    scale: Float64Array

    @classmethod
    def of(cls, rows: Float32Array) -> Standardisation:
        """Mean and spread of each column of ``rows`` (n, d)."""
        mean = rows.mean(axis=0, dtype=np.float64)
        square = np.zeros_like(mean)
        for start in range(0, len(rows), CHUNK_ROWS):
            square += np.square(rows[start : start + CHUNK_ROWS] - mean).sum(axis=0)
        spread = np.sqrt(square / len(rows))
        # A number that never varies says nothing; dividing by 1 leaves it at zero.
        return cls(mean, np.where(spread > 1e-8, spread, 1.0))

    def __call__(self, rows: Float32Array) -> Float64Array:
        """Standardised ``rows`` (n, d)."""
        return np.asarray((rows - self.mean) / self.scale, dtype=np.float64)

    def as_float32(self, rows: Float32Array) -> Float32Array:
        """The same in float32, without a float64 copy of all rows."""
        result = np.empty(rows.shape, dtype=np.float32)
        for start in range(0, len(rows), CHUNK_ROWS):
            result[start : start + CHUNK_ROWS] = self(rows[start : start + CHUNK_ROWS])
        return result


def by_chunks(answer: Callable[[Float32Array], Array], rows: Float32Array, size: int) -> Float32Array:
    """``answer`` of ``rows`` (n, d), asked for ``size`` rows at a time: float32 (n,)."""
    result = np.empty(len(rows), dtype=np.float32)
    for start in range(0, len(rows), size):
        result[start : start + size] = answer(rows[start : start + size])
    return result


@contextmanager
def seeded_torch(seed: int) -> Iterator[None]:
    """PyTorch's random numbers start from ``seed`` inside, and go on outside as if nothing had been drawn."""
    import torch

    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield
