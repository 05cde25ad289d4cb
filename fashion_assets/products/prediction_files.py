"""Predictions in a file, judged by another file with the true labels; nothing left out without a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from fashion_assets.products.card_columns import FIELD_ALIASES, MISSING_LABELS
from fashion_assets.products.card_files import read_card_file
from fashion_assets.products.counted import counted
from fashion_assets.products.evaluation import (
    FIGURES,
    AttributeMetrics,
    Estimate,
    all_attributes_right,
    evaluate_attribute,
)
from fashion_assets.products.families import product_families
from fashion_assets.products.labels import label_text
from fashion_assets.products.predict import DECIDED
from fashion_assets.products.reliability import expected_calibration_error, reliability
from fashion_assets.products.schemas import LABEL_PREFIX, PRODUCT_EVALUATION
from fashion_assets.storage.csv_text import with_formula
from fashion_assets.storage.errors import UserError

CONFIDENCE, ABSTAINED = "_confidence", "_abstained"
_DECIDED = {
    "together": "the labels are those of the joint decoder; products predict --alone gives each head's own",
    "alone": "the labels are each head's own, without a joint decoder",
}
# How many ids or labels a sentence names; the counts hold all of them.
NAMED = 5
#: The row of all labels at once in ``FileEvaluation.arrow``.
ALL_LABELS = "(all)"
_ENDS = {"": "value", "_low": "low", "_high": "high"}


@dataclass(frozen=True)
class FileEvaluation:
    """``metrics`` by label, ``all_right`` over ``n_all_right`` products, and ``notes``: a sentence for everything that
    was not counted.

    ``coverage`` has a row per label: share not abstained, accuracy among those, expected calibration error, and the
    accuracy if every product without a prediction counted as wrong. ``decided`` says whether the joint decoder or each
    head alone chose the labels, as far as the file tells.
    """

    metrics: dict[str, AttributeMetrics]
    all_right: Estimate
    n_all_right: int
    coverage: pd.DataFrame
    n_judged: int
    n_predictions: int
    n_truth: int
    families: str
    decided: str
    notes: list[str] = field(default_factory=list)

    def table(self) -> pd.DataFrame:
        """One row per label, the figures of ``AttributeMetrics.summary`` and ``coverage``."""
        rows = pd.DataFrame([one.summary() for one in self.metrics.values()])
        return rows.merge(self.coverage, on="attribute")

    def means(self) -> dict[str, float]:
        """Plain means over the labels of the four figures."""
        table = self.table()
        return {name: float(table[name].mean()) for name in FIGURES}

    def arrow(self) -> pa.Table:
        """``PRODUCT_EVALUATION``: a row per label, then one of all labels at once."""
        rows = self.table().rename(columns={"n_items": "n_test", "coverage": "answered"})
        share = {f"accuracy{end}": getattr(self.all_right, name) for end, name in _ENDS.items()}
        together = pd.DataFrame([{"attribute": ALL_LABELS, "n_test": self.n_all_right, **share}])
        frame = pd.concat([rows, together], ignore_index=True).reindex(columns=PRODUCT_EVALUATION.names)
        counts = dict.fromkeys(("n_test", "n_classes", "n_frequent"), "Int64")
        return pa.Table.from_pandas(frame.astype(counts), schema=PRODUCT_EVALUATION, preserve_index=False)


@dataclass(frozen=True)
class _Side:
    """One file: its first row of each id, and what is to be said about the rest."""

    path: Path
    frame: pd.DataFrame
    notes: list[str]


def evaluate_files(
    predictions: Path,
    truth: Path | pd.DataFrame,
    *,
    labels: Sequence[str] | None = None,
    encoding: str | None = None,
    seed: int = 7,
) -> FileEvaluation:
    """Figures of a predictions file (id, ``<label>``, ``<label>_confidence``) against a file with the true labels.

    Both are CSV (.gz too) or Parquet; the truth may also be a frame with a column id. ``labels`` are by default those
    of the predictions that the truth has too. Judged are the products in both files. Families for the intervals come
    from a column ``family`` of the truth, else from its names; without either, products are drawn one by one.
    ``encoding`` is that of a CSV of the truth which is not UTF-8, as ``read_card_file`` takes it. Raises UserError if
    a file cannot be read, no label is common, or no product is.
    """
    given = _read(predictions)
    true = (
        _Side(Path("the truth"), truth.set_index("id"), [])
        if isinstance(truth, pd.DataFrame)
        else _read(truth, encoding)
    )
    names = _common_labels(given, true, labels)
    judged = given.frame.index.intersection(true.frame.index, sort=False)
    if not len(judged):
        raise UserError(
            f"{predictions} and {true.path} have no id in common (first ids: {_some(given.frame.index)}; "
            f"{_some(true.frame.index)}); give the truth of the products that were predicted"
        )
    notes = [*given.notes, *true.notes, *_missing(given, true)]
    guessed, known = given.frame.loc[judged], true.frame.loc[judged]
    families, said = _families(known)
    metrics, rows = {}, []
    for name in names:
        truth_labels = [_true_label(value) for value in known[_column(known, name)]]
        if not any(label is not None for label in truth_labels):
            notes.append(f"{name}: no product that was predicted has a true label, so it is left out")
            continue
        metrics[name] = evaluate_attribute(
            truth_labels, guessed[name].tolist(), attribute=name, families=families, seed=seed
        )
        rows.append(_coverage(name, truth_labels, guessed, _labelled_without_prediction(given, true, name)))
        notes += _label_notes(name, truth_labels, guessed[name], given.frame[name])
    if not metrics:
        raise UserError(
            f"{true.path} has no true label of {', '.join(names)} for any product in {predictions}"
        )
    share, counted = all_attributes_right(
        {name: [_true_label(v) for v in known[_column(known, name)]] for name in metrics},
        {name: guessed[name].tolist() for name in metrics},
        families=families,
        seed=seed,
    )
    return FileEvaluation(
        metrics,
        share,
        counted,
        pd.DataFrame(rows),
        len(judged),
        len(given.frame),
        len(true.frame),
        said,
        _decided(guessed),
        notes,
    )


def _read(path: Path, encoding: str | None = None) -> _Side:
    if not Path(path).is_file():
        raise UserError(f"there is no file {path}; give a CSV or Parquet file with an id column")
    header, rows = read_card_file(Path(path).name, Path(path).read_bytes(), encoding)
    plain = {name.casefold().replace("_", "").replace(" ", ""): name for name in reversed(header)}
    key = next((plain[name] for name in map(_squeezed, FIELD_ALIASES["id"]) if name in plain), None)
    if key is None:
        raise UserError(
            f"{path} has no id column: it has {', '.join(header) or 'no columns'}; expected one of "
            f"{', '.join(FIELD_ALIASES['id'])}"
        )
    notes = []
    faulty = [row for row in rows if row.fault]
    if faulty:
        notes.append(
            f"{path.name}: {len(faulty)} rows cannot be read and are not judged (first: row {faulty[0].row}, "
            f"{faulty[0].fault})"
        )
    good = [row for row in rows if not row.fault]
    # What ``products predict`` wrote so that no spreadsheet takes it for a formula is read as it was.
    cells = [{name: value and with_formula(value) for name, value in row.values.items()} for row in good]
    frame = pd.DataFrame(cells, columns=header, dtype=object).rename(columns=with_formula)
    key = with_formula(key)
    ids = frame[key].map(lambda value: (value or "").strip())
    if (ids == "").any():
        first = good[int(np.argmax(ids == ""))].row
        notes.append(
            f"{path.name}: {int((ids == '').sum())} rows have no id and are not judged (first: row {first})"
        )
    named = pd.Index(ids[ids != ""], name="id")
    frame = frame[ids != ""].drop(columns=key).set_axis(named, axis=0)
    repeated = frame.index[frame.index.duplicated()].unique()
    if len(repeated):
        notes.append(
            f"{path.name}: {len(repeated)} ids stand more than once ({_some(repeated)}); the first row of each is "
            f"judged, {int(frame.index.duplicated().sum())} later rows are not"
        )
    return _Side(Path(path), frame[~frame.index.duplicated()], notes)


def _squeezed(name: str) -> str:
    return name.casefold().replace("_", "").replace(" ", "")


def _column(frame: pd.DataFrame, label: str) -> str:
    return label if label in frame.columns else f"{LABEL_PREFIX}{label}"


def _common_labels(given: _Side, true: _Side, wanted: Sequence[str] | None) -> list[str]:
    answers = [
        name.removesuffix(CONFIDENCE) for name in given.frame.columns if str(name).endswith(CONFIDENCE)
    ]
    if not answers:  # a file of another program may give labels alone
        answers = [name for name in given.frame.columns if _column(true.frame, name) in true.frame.columns]
    asked = list(wanted) if wanted is not None else answers
    for name in asked:
        if name not in given.frame.columns:
            near = [one for one in answers if one.casefold() == name.casefold()]
            raise UserError(
                f"{given.path} has no column {name}; it predicts {', '.join(answers) or 'no label'}"
                + (f"; did you mean {near[0]}?" if near else "")
            )
    common = [name for name in asked if _column(true.frame, name) in true.frame.columns]
    lost = [name for name in asked if name not in common]
    if not common or (wanted is not None and lost):
        raise UserError(
            f"{true.path} has no column {', '.join(lost) or 'with a label'}; it has "
            f"{', '.join(map(str, true.frame.columns))}, and {given.path.name} predicts "
            f"{', '.join(answers) or 'no label'}"
        )
    if lost:
        given.notes.append(f"{true.path.name} has no column {', '.join(lost)}: not judged")
    return common


def _true_label(value: object) -> str | None:
    label = label_text(value)
    return None if label is None or label.casefold() in MISSING_LABELS else label


def _missing(given: _Side, true: _Side) -> list[str]:
    """Sentences about ids that only one of the two files has."""
    notes = []
    for one, other, what in (
        (true, given, "have no prediction and are not judged"),
        (given, true, "were predicted, but no true label is known"),
    ):
        only = one.frame.index.difference(other.frame.index, sort=False)
        if len(only):
            notes.append(
                f"{len(only)} of {len(one.frame)} products of {one.path.name} {what} ({_some(only)})"
            )
    return notes


def _labelled_without_prediction(given: _Side, true: _Side, name: str) -> int:
    only = true.frame.index.difference(given.frame.index)
    column = true.frame.loc[only, _column(true.frame, name)]
    return sum(_true_label(value) is not None for value in column)


def _families(known: pd.DataFrame) -> tuple[npt.NDArray[np.int64] | None, str]:
    if "family" in known.columns:
        # A product without a family is one of its own.
        codes = pd.factorize(known["family"].map(label_text))[0].astype(np.int64)
        alone = codes < 0
        codes[alone] = codes.max(initial=-1) + 1 + np.arange(alone.sum())
        return codes, "families of the column family"
    plain = {_squeezed(str(name)): name for name in reversed(known.columns)}
    title = next((plain[_squeezed(one)] for one in FIELD_ALIASES["title"] if _squeezed(one) in plain), None)
    if title is None:
        return None, "single products: the truth has neither a column family nor names"
    return product_families(known[title].tolist()), f"families of near-identical names ({title})"


def _decided(guessed: pd.DataFrame) -> str:
    ways = set(guessed[DECIDED]) if DECIDED in guessed.columns else set()
    if len(ways) != 1:
        return f"whether a joint decoder chose the labels is not said: no one value in a column {DECIDED}"
    return _DECIDED.get(str(ways.pop()), "how the labels were chosen is not known")


def _coverage(
    name: str, truth: list[str | None], guessed: pd.DataFrame, without_prediction: int
) -> dict[str, object]:
    known = np.array([label is not None for label in truth])
    right = np.array(
        [a is not None and a == label_text(b) for a, b in zip(truth, guessed[name], strict=True)]
    )
    right, answered = right[known], np.ones(int(known.sum()), dtype=bool)
    if name + ABSTAINED in guessed.columns:
        answered = np.array(
            [str(v).strip().casefold() not in ("true", "1", "yes") for v in guessed[name + ABSTAINED]]
        )[known]
    row: dict[str, object] = {
        "attribute": name,
        "coverage": float(answered.mean()),
        "accuracy_answered": float(right[answered].mean()) if answered.any() else float("nan"),
        "calibration_error": float("nan"),
        "accuracy_missing_wrong": float(right.sum() / (len(right) + without_prediction)),
    }
    if name + CONFIDENCE in guessed.columns:
        confidence = pd.to_numeric(guessed[name + CONFIDENCE], errors="coerce").to_numpy(np.float64)[known]
        told = np.isfinite(confidence)
        if told.any():
            row["calibration_error"] = expected_calibration_error(reliability(confidence[told], right[told]))
    return row


def _label_notes(
    name: str, truth: list[str | None], predicted: pd.Series, everywhere: pd.Series
) -> list[str]:
    """Sentences about blank truth, blank predictions of judged products, and labels of the truth that are predicted of
    no product, judged or not.
    """
    notes = []
    blank = sum(label is None for label in truth)
    if blank:
        notes.append(
            f"{name}: {counted(blank, 'judged product')} without a true label "
            f"{'does' if blank == 1 else 'do'} not count"
        )
    empty = sum(
        label is not None and label_text(value) is None for label, value in zip(truth, predicted, strict=True)
    )
    if empty:
        blanks = counted(empty, "blank prediction")
        notes.append(f"{name}: {blanks} {'counts' if empty == 1 else 'count'} as wrong")
    guessed = {label_text(value) for value in everywhere}
    unseen = pd.Series([label for label in truth if label is not None and label not in guessed], dtype=object)
    if len(unseen):
        counts = unseen.value_counts()
        shown = ", ".join(f"{label} ({count})" for label, count in counts.head(NAMED).items())
        notes.append(
            f"{name}: {counted(len(counts), 'label')} of the truth {'is' if len(counts) == 1 else 'are'} never "
            f"predicted, {counted(len(unseen), 'product')}, all wrong: {shown}{' …' if len(counts) > NAMED else ''}"
        )
    return notes


def _some(ids: Sequence[str] | pd.Index) -> str:
    shown = ", ".join(map(str, list(ids[:NAMED])))
    return f"{shown}{', …' if len(ids) > NAMED else ''}"
