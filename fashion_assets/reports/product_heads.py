"""The page of attribute heads: figures with intervals, classes, confusions, calibration, what was tried, and the
references' published figures beside ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
from markupsafe import Markup

from fashion_assets.products.evaluation import ENOUGH_FAMILIES, FREQUENT_ITEMS
from fashion_assets.products.head_record import HeadRecord
from fashion_assets.products.model_folder import METRICS, head_folder
from fashion_assets.products.reliability import expected_calibration_error
from fashion_assets.reports.monthly import CONTENT_SECURITY_POLICY
from fashion_assets.reports.pages import render_template
from fashion_assets.reports.product_head_charts import confusion_svg, curves_svg, reliability_svg
from fashion_assets.reports.svg_charts import bar_chart_svg
from fashion_assets.reports.wording import DASH, as_float
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_text_atomic

REPORT = "report.html"
# Classes in the chart and in the table of one attribute; all of them are in metrics.json and training.json.
CHARTED_CLASSES = 25

#: Macro-F1 that the reference's table gives for its heads (ruCLIP vectors, MLP), on its own data.
PUBLISHED = {
    "category": 0.880,
    "sub_category": 0.847,
    "isadult": 0.963,
    "sex": 0.823,
    "season": 0.622,
    "age_restrictions": 0.556,
    "fragility": 0.704,
}
#: Our attribute, under the names that public data sets use -> the reference's attribute of the same meaning.
SAME_MEANING = {
    "category": "category",
    "mastercategory": "category",
    "subcategory": "sub_category",
    "articletype": "sub_category",
    "gender": "sex",
    "sex": "sex",
    "season": "season",
    "isadult": "isadult",
    "agerestrictions": "age_restrictions",
    "fragility": "fragility",
}
#: What the columns of a training's history mean, for those that are drawn.
_CURVES = {
    "train_loss": "training loss",
    "validation_loss": "validation loss",
    "train_macro_f1": "macro-F1, training",
    "validation_macro_f1": "macro-F1, validation",
    "macro_f1": "macro-F1, validation",
}


#: Decimals of the figures that stand among options in the tables of what was tried.
_DIGITS = {"macro_f1": 3, "accuracy": 3, "seconds": 2}
_SPLITS = {"families": "unseen families", "rows": "random products"}


@dataclass(frozen=True)
class HeadView:
    """One head as the page shows it."""

    attribute: str
    anchor: str
    kind: str
    note: str
    n_test: int
    n_classes: int
    n_frequent: int
    figures: Mapping[str, str]
    ece_before: str
    ece_after: str
    published: str
    published_name: str
    classes: Sequence[Mapping[str, Any]]
    n_more_classes: int
    bars: Markup
    confusion: Markup
    calibration: Markup
    curves: Sequence[tuple[str, Markup]]
    decided: str
    splits: Sequence[Mapping[str, str]]
    tried: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]]
    seconds: str


def write_heads_report(root: Path, path: Path | None = None, *, now: datetime | None = None) -> Path:
    """Draw the report of the model folder ``root`` to ``path`` (default: ``report.html`` in it), and return where.

    Raises UserError if the folder has no figures yet, or a head's record is damaged.
    """
    try:
        figures = json.loads((Path(root) / METRICS).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{root} has no figures to show ({error}); train the heads first") from error
    records = [HeadRecord.load(head_folder(root, name)) for name in figures["attributes"]]
    target = path or Path(root) / REPORT
    page = render_heads(records, now or datetime.now(), figures["all_attributes_right"])
    write_text_atomic(target, page)
    return target


def write_empty_report(path: Path, *, now: datetime | None = None) -> None:
    """The page of a data root without heads: it says so."""
    write_text_atomic(path, render_heads([], now or datetime.now()))


def render_heads(
    records: Sequence[HeadRecord], generated_at: datetime, all_right: Mapping[str, Any] | None = None
) -> str:
    """The page as HTML text, self-contained, no script, all values escaped; ``all_right``: ``JointFigures.as_json``."""
    together: Mapping[str, Any] = (all_right or {}).get("decided", {})
    views = [
        _view(number, record, together.get(record.attribute, {})) for number, record in enumerate(records)
    ]
    judged = [record.metrics for record in records if record.metrics]
    means = {
        name: _decimal(sum(as_float(one[name]) for one in judged) / len(judged)) if judged else DASH
        for name in ("accuracy", "macro_f1", "weighted_f1")
    }
    frequent = [as_float(one["macro_f1_frequent"]) for one in judged]
    known = [value for value in frequent if value == value]
    means["macro_f1_frequent"] = _decimal(sum(known) / len(known)) if known else DASH
    unmatched = [name for name in PUBLISHED if name not in {view.published_name for view in views}]
    return render_template(
        "product_heads.html.j2",
        policy=CONTENT_SECURITY_POLICY,
        heads=views,
        means=means,
        all_right=None
        if all_right is None
        else {name: _interval(all_right[name], "value", ("low", "high")) for name in ("together", "alone")},
        n_all_right=None if all_right is None else all_right["n"],
        has_decoder=bool(together),
        unmatched=[f"{name} {PUBLISHED[name]:.3f}" for name in unmatched],
        frequent=FREQUENT_ITEMS,
        enough_families=ENOUGH_FAMILIES,
        generated_at=generated_at.strftime("%Y-%m-%d %H:%M"),
    )


def _view(number: int, record: HeadRecord, decided: Mapping[str, Any]) -> HeadView:
    found = record.metrics
    plain = record.attribute.casefold().replace("_", "").replace(" ", "")
    reference = SAME_MEANING.get(plain, "")
    classes = record.per_class[:CHARTED_CLASSES]
    curves = [
        ("over training", curves_svg(record.history, _across(record.history), _CURVES, "Training")),
        ("over products", curves_svg(record.learning_curve, "n_train", _CURVES, "Learning curve")),
        (
            "over trials of the search",
            curves_svg(
                record.search,
                "trial",
                {"value": "this trial", "best": "best so far"},
                "Hyper-parameter search",
            ),
        ),
    ]
    tables = (record.history, record.learning_curve, record.search)
    return HeadView(
        attribute=record.attribute,
        anchor=f"head-{number}",
        kind=record.shown_kind,
        note=record.note,
        n_test=int(found.get("n_items", 0)),
        n_classes=int(found.get("n_classes", 0)),
        n_frequent=int(found.get("n_frequent", 0)),
        figures={
            name: _interval(found, name)
            for name in ("accuracy", "macro_f1", "macro_f1_frequent", "weighted_f1")
        },
        ece_before=_ece(record.calibration_before),
        ece_after=_ece(record.calibration_after),
        published=_decimal(PUBLISHED.get(reference)),
        published_name=reference,
        classes=[
            {
                "label": row["label"],
                "support": row["support"],
                **{name: _decimal(row[name]) for name in ("precision", "recall", "f1")},
            }
            for row in record.per_class
        ],
        n_more_classes=len(record.per_class) - len(classes),
        bars=Markup(
            bar_chart_svg(
                [str(row["label"]) for row in classes],
                [as_float(row["f1"]) for row in classes],
                title="F1 by class",
                as_percent=True,
                full=1.0,
                width=520,
                row_height=20,
            )
        ),
        confusion=Markup(
            confusion_svg(record.confusion.get("labels", []), record.confusion.get("counts", []))
        ),
        calibration=Markup(reliability_svg(record.calibration_before, record.calibration_after)),
        curves=[
            (words, Markup(chart)) for (words, chart), table in zip(curves, tables, strict=True) if table
        ],
        decided=f"{_decimal(decided.get('accuracy'))}, {_decimal(decided.get('macro_f1'))}"
        if decided
        else DASH,
        splits=[
            {
                "split": _SPLITS.get(str(row.get("split")), str(row.get("split"))),
                "n_train": f"{row['n_train']:,}" if row.get("n_train") is not None else DASH,
                "n_test": f"{row['n_test']:,}" if row.get("n_test") is not None else DASH,
                **{name: _interval(row, name) for name in ("accuracy", "macro_f1", "weighted_f1")},
            }
            for row in record.splits
        ],
        tried=[
            _table(title, rows)
            for title, rows in (
                ("Kinds of head, on validation families", record.candidates),
                ("Classes evened out by drawing, against class weights", record.imbalance),
            )
            if rows
        ],
        seconds=f"{record.seconds:.1f}",
    )


def _table(
    title: str, rows: Sequence[Mapping[str, Any]]
) -> tuple[str, Sequence[str], Sequence[Sequence[str]]]:
    columns = [name for name in rows[0] if name != "attribute"]
    cells = [[_cell(row.get(name), _DIGITS.get(name)) for name in columns] for row in rows]
    return title, [name.replace("_", " ") for name in columns], cells


def _across(history: Sequence[Mapping[str, Any]]) -> str:
    return next((name for name in ("epoch", "step", "iteration") if history and name in history[0]), "epoch")


def _ece(rows: Sequence[Mapping[str, Any]]) -> str:
    return _decimal(expected_calibration_error(pd.DataFrame(rows))) if rows else DASH


def _decimal(value: Any) -> str:
    number = as_float(value)
    return f"{number:.3f}" if number == number else DASH


def _interval(row: Mapping[str, Any], name: str, ends: tuple[str, str] | None = None) -> str:
    low, high = ends or (f"{name}_low", f"{name}_high")
    if row.get(name) is None:
        return DASH
    return f"{_decimal(row[name])} ({_decimal(row.get(low))}–{_decimal(row.get(high))})"


def _cell(value: Any, digits: int | None = None) -> str:
    if isinstance(value, bool):
        return "✓" if value else ""
    if isinstance(value, float) and value != value:
        return DASH
    if isinstance(value, float):
        return f"{value:.4g}" if digits is None else f"{value:.{digits}f}"
    return DASH if value is None else str(value)
