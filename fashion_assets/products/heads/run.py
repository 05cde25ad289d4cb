"""One training of one head: kinds are chosen on validation products, judged on test products, fitted on all."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.calibration import Temperature
from fashion_assets.products.counted import counted
from fashion_assets.products.evaluation import AttributeMetrics, evaluate_attribute
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.bench import final_bench, final_machine
from fashion_assets.products.heads.config import KERNEL, Candidate, HeadConfig
from fashion_assets.products.heads.head import AttributeHead, decisions
from fashion_assets.products.heads.sides import SHOWN, SideTemperatures
from fashion_assets.products.heads.trained import TrainedHead
from fashion_assets.products.heads.unseen import Unseen
from fashion_assets.products.logit_adjustment import STRENGTHS, LogitAdjustment
from fashion_assets.products.macro_f1 import macro_f1
from fashion_assets.products.reliability import reliability

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

#: Fewer labelled validation products than this cannot choose between kinds or calibrate.
MIN_VALIDATION = 10
#: An adjustment has to earn as much macro-F1 more than a smaller one: less is one product of a rare class.
ADJUSTMENT_MARGIN = 0.005


class HeadRun:
    """``run`` is a training of ``head``, whose classes are set; ``codes`` (n,) of all ``products``, -1 for none."""

    def __init__(
        self,
        head: AttributeHead,
        codes: IntArray,
        features: ProductFeatures,
        split: npt.NDArray[np.object_],
        config: HeadConfig,
        products: pd.DataFrame,
        journal: Path | None = None,
    ) -> None:
        self.head, self.features, self.config = head, features, config
        self.attribute, self.k = head.attribute, len(head.classes_)
        self.all_codes, self.products = codes, products
        self.unseen = Unseen(head.attribute, codes, self.k, features, split, config, products, journal)
        # The same under shorter names.
        self.bench, self.codes = self.unseen.bench, self.unseen.codes
        self.train, self.validation, self.test = self.unseen.train, self.unseen.validation, self.unseen.test

    def run(self) -> TrainedHead:
        if self.k == 1:
            return self._constant()
        table, validation = self._choose()
        chosen = Candidate(self.head.kind, self.head.embedding_transform)
        temperatures, adjustment = self._calibration(chosen, validation)
        test = self.unseen.after(chosen, second=True) if len(self.test) else np.zeros((0, self.k))
        before = self._reliability(test, test.argmax(axis=1)) if len(test) else _empty_reliability()
        calibrated = temperatures.apply(test, self.unseen.shown[self.test]) if len(test) else test
        guess = decisions(calibrated, adjustment) if len(test) else np.zeros(0, np.intp)
        self._fit_final(chosen)
        self.head.calibrate(temperatures, adjustment)
        return TrainedHead(
            head=self.head,
            kind=chosen.kind,
            n_train=int((self.all_codes[final_bench(self.features, self.config.seed).rows] >= 0).sum()),
            metrics=self._metrics(self.test, guess),
            splits=self._splits(chosen, temperatures, adjustment, guess),
            candidates=table,
            history=self._history(),
            search=self._table("trials"),
            imbalance=self._table("imbalance"),
            learning_curve=self._learning_curve(chosen, temperatures, adjustment),
            calibration_before=before,
            calibration_after=self._reliability(calibrated, guess) if len(test) else _empty_reliability(),
            test=self._test_table(guess, calibrated),
            validation_probabilities=temperatures.apply(
                validation, self.unseen.shown[self.validation[: len(validation)]]
            ),
            validation_rows=self.bench.rows[self.validation[: len(validation)]],
            test_probabilities=calibrated,
            test_rows=self.bench.rows[self.test],
        )

    def _choose(self) -> tuple[pd.DataFrame, FloatArray]:
        """(candidates, validation probabilities of the chosen kind); sets the kind of the head."""
        n_classes = len(np.unique(self.codes[self.train]))
        if len(self.validation) < MIN_VALIDATION or n_classes < 2:
            few = (
                counted(len(self.validation), "labelled validation product")
                if len(self.validation) < MIN_VALIDATION
                else f"{n_classes} of its {self.k} classes among the training products"
            )
            self.head.note_ = (
                f"{self.attribute} has {few}, too few to choose between kinds or to calibrate: the head is "
                f"{self.head.kind}, its confidences as they come"
            )
            row: dict[str, Any] = {
                "kind": self.head.kind,
                "embedding_transform": self.head.embedding_transform,
                "macro_f1": float("nan"),
                "accuracy": float("nan"),
                "seconds": 0.0,
                "chosen": True,
            }
            return pd.DataFrame([row]), np.zeros((0, self.k))
        rows, found = [], {}
        truth = self.codes[self.validation]
        for candidate in self.config.candidates:
            began = time.monotonic()
            self.unseen.tune(candidate)
            said = found[candidate] = self.unseen.after(candidate, second=False)
            temperatures, adjustment = self._calibration(candidate, said)
            guess = decisions(temperatures.apply(said, self.unseen.shown[self.validation]), adjustment)
            rows.append(
                {
                    "kind": candidate.kind,
                    "embedding_transform": candidate.embedding_transform,
                    "macro_f1": macro_f1(truth, guess),
                    "accuracy": float((truth == guess).mean()),
                    "seconds": time.monotonic() - began,
                }
            )
        table = pd.DataFrame(rows)
        best = int(table["macro_f1"].to_numpy().argmax())
        table["chosen"] = np.arange(len(table)) == best
        chosen = self.config.candidates[best]
        self.head.kind, self.head.embedding_transform = chosen.kind, chosen.embedding_transform
        self.head.params = self.unseen.options(chosen).get("params")
        return table, found[chosen]

    def _calibration(
        self, candidate: Candidate, validation: FloatArray
    ) -> tuple[SideTemperatures, LogitAdjustment | None]:
        """Temperatures, and the least adjustment that has near the best macro-F1 at next to no accuracy.

        Products with one side are calibrated by all that have it, judged by it alone; a side of too few by all.
        """
        if not len(validation):
            return SideTemperatures(), None
        rows, chances = self.unseen.evidence(candidate, validation)
        truth, shown = self.codes[rows], self.unseen.shown[rows]
        pooled = Temperature.fit(chances, truth)
        found = {}
        for side in SHOWN:
            alone = None if side == "both" else self.unseen.alone(candidate, side)
            own, said = alone or (rows[shown == side], chances[shown == side])
            enough = len(own) >= MIN_VALIDATION
            found[side] = Temperature.fit(said, self.codes[own]) if enough else pooled
        temperatures = SideTemperatures(**found)
        sure = temperatures.apply(chances, shown)
        counts = np.bincount(self.codes[self.train], minlength=self.k)
        prior = np.maximum(counts, 0.5) / counts.sum()
        floor = float((sure.argmax(axis=1) == truth).mean()) - self.config.adjustment_cost
        cheap = [
            strength
            for strength in STRENGTHS
            if (decisions(sure, LogitAdjustment(strength, prior)) == truth).mean() >= floor
        ]
        table = LogitAdjustment.fit(sure, truth, prior, cheap)[1]
        near = table[table["macro_f1"] >= table["macro_f1"].max() - ADJUSTMENT_MARGIN]["strength"].to_numpy()
        return temperatures, LogitAdjustment(float(near[np.abs(near).argmin()]), prior)

    def _fit_final(self, chosen: Candidate) -> None:
        from fashion_assets.products.heads.rows import RowClassifier

        bench = final_bench(self.features, self.config.seed)
        if len(bench.rows) < len(self.features):
            self.head.note_ = (
                f"{self.head.note_}; " if self.head.note_ else ""
            ) + f"learned from {len(bench.rows):,} of the {len(self.features):,} products, drawn by chance"
        if chosen.kind == KERNEL:
            power = (self.head.params or {}).get("class_weight_power", 0.0)
            machine: Any = final_machine(
                self.features, self.products, self.attribute, self.config.seed, power
            )
        else:
            codes = self.all_codes[bench.rows]
            known = np.flatnonzero(codes >= 0)
            machine = RowClassifier.fit(
                chosen.kind,
                bench.signals.take(known),
                codes[known],
                seed=self.config.seed,
                embedding_transform=chosen.embedding_transform,
                **self.unseen.options(chosen),
            )
        self.head.adopt(self.features.vectors.model_id, bench.space, machine)

    def _metrics(self, rows: IntArray, guess: npt.NDArray[np.intp]) -> AttributeMetrics | None:
        if not len(rows):
            return None
        return evaluate_attribute(
            self.head.classes_[self.codes[rows]],
            self.head.classes_[guess],
            attribute=self.attribute,
            families=self.unseen.families[self.bench.rows[rows]],
            seed=self.config.seed,
        )

    def _splits(
        self,
        chosen: Candidate,
        temperatures: SideTemperatures,
        adjustment: LogitAdjustment | None,
        guess: npt.NDArray[np.intp],
    ) -> pd.DataFrame:
        """The family split beside random rows, where near-identical products stand on both sides."""
        if not len(self.test):
            return pd.DataFrame(columns=["split", "n_train", "n_test"])
        rows, others, chances = self.unseen.left_out(chosen)
        found = []
        if len(rows):
            metrics = evaluate_attribute(
                self.head.classes_[self.codes[rows]],
                self.head.classes_[
                    decisions(temperatures.apply(chances, self.unseen.shown[rows]), adjustment)
                ],
                attribute=self.attribute,
                seed=self.config.seed,
            )
            found.append({"split": "rows", "n_train": len(others), "n_test": len(rows), **metrics.summary()})
        judged = self._metrics(self.test, guess)
        if judged is not None:
            counts = {"n_train": len(self.train) + len(self.validation), "n_test": len(self.test)}
            found.append({"split": "families", **counts, **judged.summary()})
        return pd.DataFrame(found)

    def _learning_curve(
        self, chosen: Candidate, temperatures: SideTemperatures, adjustment: LogitAdjustment | None
    ) -> pd.DataFrame:
        """Figures on validation products by the number of training products."""
        truth, shown = self.codes[self.validation], self.unseen.shown[self.validation]
        rows = []
        for known, chances in self.unseen.learning_curve(chosen):
            guess = decisions(temperatures.apply(chances, shown), adjustment)
            rows.append((known, macro_f1(truth, guess), float((truth == guess).mean())))
        return pd.DataFrame(rows, columns=["n_train", "macro_f1", "accuracy"])

    def _table(self, name: str) -> pd.DataFrame:
        """``trials`` or ``imbalance`` of every kind that was tuned, one below the other."""
        tables = [
            getattr(found, name).assign(
                kind=candidate.kind, embedding_transform=candidate.embedding_transform
            )
            for candidate, found in self.unseen.tuned.items()
        ]
        tables = [table for table in tables if len(table)]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def _history(self) -> pd.DataFrame:
        """Epochs of the final fit, for the kinds that learn in epochs."""
        machine: Any = self.head.machine_
        rows = getattr(getattr(machine, "classifier", None), "history_", None)
        return pd.DataFrame(rows) if rows is not None else pd.DataFrame()

    def _reliability(self, chances: FloatArray, guess: npt.NDArray[np.intp]) -> pd.DataFrame:
        sure = np.minimum(chances[np.arange(len(guess)), guess], 1.0)
        return reliability(sure, self.codes[self.test] == guess)

    def _test_table(self, guess: npt.NDArray[np.intp], chances: FloatArray) -> pd.DataFrame:
        ids = np.array(self.features.vectors.ids, dtype=object)[self.bench.rows[self.test]]
        return pd.DataFrame(
            {
                "id": ids,
                "truth": self.head.classes_[self.codes[self.test]],
                "predicted": self.head.classes_[guess],
                "confidence": chances[np.arange(len(guess)), guess],
            }
        )

    def _constant(self) -> TrainedHead:
        """What a column of one class comes to."""
        guess, chances = np.zeros(len(self.test), np.intp), np.ones((len(self.test), 1))
        none = pd.DataFrame()
        return TrainedHead(
            head=self.head,
            kind=self.head.kind,
            n_train=sum(self.head.class_counts_.values()),
            metrics=self._metrics(self.test, guess),
            splits=none,
            candidates=pd.DataFrame(
                columns=[
                    "kind",
                    "embedding_transform",
                    "macro_f1",
                    "accuracy",
                    "seconds",
                    "chosen",
                ]
            ),
            history=none,
            search=none,
            imbalance=none,
            learning_curve=none,
            calibration_before=_empty_reliability(),
            calibration_after=_empty_reliability(),
            test=self._test_table(guess, chances),
            validation_probabilities=np.ones((len(self.validation), 1)),
            validation_rows=self.bench.rows[self.validation],
            test_probabilities=chances,
            test_rows=self.bench.rows[self.test],
        )


def _empty_reliability() -> pd.DataFrame:
    return reliability(np.zeros(0), np.zeros(0, bool))
