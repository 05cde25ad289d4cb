"""What an experiment leaves for people and for the next run, in one folder; every file is there whole or not at all.

    config.json           all that steers it, and the digest of settings and data
    metrics.jsonl         one line of figures per epoch
    learning_curves.png   the same as curves
    confusion/<n>-<attribute>.png
    model_card.md         data, split, figures with intervals, limits, licences
    result.json           written last: the experiment is finished

Belongs here: names and writing. Does not: what is trained.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fashion_assets.products.experiment_plots import confusion_png, learning_curves_png
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic, write_text_atomic

CONFIG_FILE, METRICS_FILE, CARD_FILE = "config.json", "metrics.jsonl", "model_card.md"
CURVES_FILE, CONFUSION_FOLDER, RESULT_FILE = "learning_curves.png", "confusion", "result.json"


class ExperimentFolder:
    """One experiment at ``path``; ``digest`` (64 hex digits) stands for all that steers it."""

    def __init__(self, path: Path, digest: str) -> None:
        self.path, self.digest = path, digest

    @classmethod
    def open(cls, root: Path, name: str | None, config: Mapping[str, Any]) -> ExperimentFolder:
        """The experiment of ``config`` (JSON) under ``root``, begun or new; its name is ``name`` or the first digits
        of the configuration's digest, so that the same experiment finds its own folder again.

        Raises UserError if the folder of that name holds another experiment.
        """
        text = json.dumps(config, ensure_ascii=False, sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        if name is not None and (not name.strip() or name != Path(name).name or name.startswith(".")):
            raise UserError(
                f"an experiment cannot be named {name!r}; give a plain folder name, such as vit-last-2"
            )
        folder = cls(Path(root) / (name or digest[:12]), digest)
        path = folder.path / CONFIG_FILE
        if path.is_file():
            folder._check_same(json.loads(text), path)
        else:
            write_text_atomic(path, json.dumps(config, ensure_ascii=False, indent=2, sort_keys=True) + "\n")
        return folder

    def _check_same(self, config: Mapping[str, Any], path: Path) -> None:
        try:
            there = json.loads(path.read_text("utf-8"))
            differing = sorted(key for key in {*there, *config} if there.get(key) != config.get(key))
        except (ValueError, TypeError) as error:
            raise UserError(
                f"{path} is damaged ({error}); delete {self.path} to begin anew, or give another name"
            ) from error
        if differing:
            raise UserError(
                f"{self.path} holds another experiment: {', '.join(differing)} differ{'s' * (len(differing) == 1)}; "
                "give another name, or delete the folder to begin anew"
            )

    @property
    def result(self) -> dict[str, Any] | None:
        """What ``finish`` wrote; None while the experiment is not finished."""
        path = self.path / RESULT_FILE
        if not path.is_file():
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise UserError(
                f"{path} is damaged ({error}); delete it to finish the experiment again"
            ) from error
        return found

    def write_history(self, history: Sequence[Mapping[str, Any]]) -> None:
        """``metrics.jsonl`` and the curves: rows of one epoch each, with ``train_loss``, ``loss``, ``macro_f1`` and
        ``attributes`` (name -> figures).
        """
        lines = [json.dumps(row, ensure_ascii=False) for row in history]
        write_text_atomic(self.path / METRICS_FILE, "".join(f"{line}\n" for line in lines))
        if not history:
            return
        names = sorted({name for row in history for name in row["attributes"]})
        curves = [("mean of all", [row["macro_f1"] for row in history])]
        curves += [
            (name, [row["attributes"].get(name, {}).get("macro_f1", float("nan")) for row in history])
            for name in names
        ]
        losses = [
            ("training", [row["train_loss"] for row in history]),
            ("validation", [row["loss"] for row in history]),
        ]
        write_bytes_atomic(self.path / CURVES_FILE, learning_curves_png(curves, losses=losses))

    def write_confusions(self, confusions: Mapping[str, pd.DataFrame]) -> None:
        """One picture per attribute of its confusion matrix (true labels as rows, predicted ones as columns)."""
        for number, (attribute, matrix) in enumerate(confusions.items(), start=1):
            plain = re.sub(r"[^\w.-]+", "_", attribute).strip("._") or "attribute"
            title = f"{attribute}: {int(matrix.to_numpy().sum()):,} test products"
            write_bytes_atomic(
                self.path / CONFUSION_FOLDER / f"{number:02d}-{plain}.png", confusion_png(matrix, title=title)
            )

    def write_card(self, text: str) -> None:
        """``model_card.md``."""
        write_text_atomic(self.path / CARD_FILE, text)

    def finish(self, result: Mapping[str, Any]) -> None:
        """Mark the experiment finished; call it when everything else is written."""
        write_text_atomic(self.path / RESULT_FILE, json.dumps(result, ensure_ascii=False, indent=2) + "\n")
