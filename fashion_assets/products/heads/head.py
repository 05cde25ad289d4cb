"""The head of one attribute: space, classifier, calibration, and a threshold under which it abstains."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fashion_assets.networks.cores import one_blas_thread
from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.config import AS_THEY_ARE, EMBEDDING_TRANSFORMS, HEAD_KINDS, KERNEL
from fashion_assets.products.labels import label_codes
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from fashion_assets.products.heads.kernel import KernelMachine
    from fashion_assets.products.heads.rows import RowClassifier
    from fashion_assets.products.heads.sides import SideTemperatures
    from fashion_assets.products.heads.space import FeatureSpace, Signals
    from fashion_assets.products.logit_adjustment import LogitAdjustment

FloatArray = npt.NDArray[np.float64]
ObjectArray = npt.NDArray[np.object_]


class AttributeHead:
    """Predicts one attribute (gender, season, …) of products; scikit-learn style over ``ProductFeatures``.

    Fitted attributes: ``classes_`` (k,) sorted labels, ``model_id`` of the vectors, ``space_``, ``machine_``,
    ``temperatures_`` and ``adjustment_`` (see ``calibrate``), ``class_counts_``, ``n_unlabelled_`` (products left out
    for want of a label), ``note_`` (a sentence, "" if there is nothing to say).

    A product that lacks its picture or its text is judged by the other side. A column with a single class gives a
    constant head: ``note_`` says that nothing was learnt.
    """

    def __init__(
        self,
        attribute: str,
        *,
        kind: str = KERNEL,
        # Of the kind; the kernel machine has "class_weight_power" alone.
        params: dict[str, Any] | None = None,
        embedding_transform: str = AS_THEY_ARE,
        # Under this probability the head gives its best guess but marks it as an abstention.
        abstain_below: float = 0.5,
        seed: int = 7,
    ) -> None:
        if kind not in HEAD_KINDS:
            raise UserError(f"there is no kind of head {kind!r}; expected one of {', '.join(HEAD_KINDS)}")
        if embedding_transform not in EMBEDDING_TRANSFORMS:
            raise UserError(
                f"there is no embedding transform {embedding_transform!r}; expected one of "
                f"{', '.join(EMBEDDING_TRANSFORMS)}"
            )
        if kind == KERNEL and embedding_transform != AS_THEY_ARE:
            raise UserError(
                f"the {KERNEL} machine compares products as they are, so it takes no embedding transform "
                f"{embedding_transform}; choose another kind, such as knn, or {AS_THEY_ARE}"
            )
        if kind == KERNEL and set(params or {}) - {"class_weight_power"}:
            raise UserError(
                f"the {KERNEL} machine has no option {min(set(params or {}) - {'class_weight_power'})!r}; it has "
                "class_weight_power"
            )
        self.attribute = attribute
        self.kind = kind
        self.params = params
        self.embedding_transform = embedding_transform
        self.abstain_below = abstain_below
        self.seed = seed
        self.model_id = ""

    def fit(self, features: ProductFeatures, labels: Sequence[object] | npt.NDArray[Any]) -> AttributeHead:
        """Learn from products and their labels (n,); those without a label (None, NaN, "") are left out and counted.

        Raises UserError if no product has a label, lengths differ, or a vector holds NaN.
        """
        from fashion_assets.products.heads.kernel import kernel_machines, thinned
        from fashion_assets.products.heads.least_squares import class_ridge
        from fashion_assets.products.heads.rows import RowClassifier
        from fashion_assets.products.heads.space import FeatureSpace

        if len(labels) != len(features):
            raise UserError(
                f"{self.attribute}: {len(features)} products and {len(labels)} labels; give one label per product"
            )
        codes = self.set_classes(labels)
        if len(self.classes_) == 1:
            return self.adopt(features.vectors.model_id, None, None)
        check_vectors(self.attribute, features)
        known = np.flatnonzero(codes >= 0)
        if self.kind == KERNEL:
            known = thinned(known, self.seed)
        chosen = features.take(known)
        space = FeatureSpace().fit(chosen)
        signals = space.transform(chosen)
        if self.kind == KERNEL:
            own, k = codes[known], len(self.classes_)
            ridge = class_ridge(own, k, (self.params or {}).get("class_weight_power", 0.0), slice(None))
            machines = kernel_machines(signals, {self.attribute: own}, {self.attribute: k}, ridge)
            machine: Any = machines[self.attribute]
        else:
            machine = RowClassifier.fit(
                self.kind,
                signals,
                codes[known],
                seed=self.seed,
                params=self.params,
                embedding_transform=self.embedding_transform,
            )
        return self.adopt(features.vectors.model_id, space, machine)

    def set_classes(self, labels: Sequence[object] | npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        """(n,) codes of ``labels``, -1 for none; sets what is known of the classes. UserError if all are blank."""
        classes, codes = label_codes(labels)
        if not len(classes):
            raise UserError(
                f"the label column {self.attribute} is empty for all {len(codes)} products; nothing to learn from"
            )
        counts = np.bincount(codes[codes >= 0])
        self.classes_: ObjectArray = classes
        self.class_counts_ = {str(name): int(count) for name, count in zip(classes, counts, strict=True)}
        self.n_unlabelled_ = int((codes < 0).sum())
        self.note_ = ""
        if len(classes) == 1:
            self.note_ = (
                f"every labelled product has {self.attribute} {str(classes[0])!r}: nothing was learnt, and the head "
                "always says so"
            )
        return codes

    def adopt(
        self, model_id: str, space: FeatureSpace | None, machine: KernelMachine | RowClassifier | None
    ) -> AttributeHead:
        """Itself, with parts that were fitted elsewhere; uncalibrated."""
        from fashion_assets.products.heads.sides import SideTemperatures

        self.model_id, self.space_, self.machine_ = model_id, space, machine
        self.temperatures_: SideTemperatures = SideTemperatures()
        self.adjustment_: LogitAdjustment | None = None
        return self

    def calibrate(self, temperatures: SideTemperatures, adjustment: LogitAdjustment | None) -> AttributeHead:
        """Itself, with probabilities sharpened by ``temperatures`` and decisions moved by ``adjustment``."""
        self.temperatures_, self.adjustment_ = temperatures, adjustment
        return self

    def predict_proba(self, features: ProductFeatures) -> FloatArray:
        """(n, k) calibrated probabilities in the order of ``classes_``; rows add up to 1.

        Raises UserError for vectors of another encoder or another width.
        """
        from fashion_assets.products.heads.sides import shown_sides

        self._must_be_fitted()
        if len(self.classes_) == 1 or self.space_ is None or self.machine_ is None:
            return np.ones((len(features), 1))
        self._must_fit(features)
        with one_blas_thread():
            signals = self.space_.transform(features)
            return self.temperatures_.apply(self._of_all_classes(signals), shown_sides(signals))

    def _of_all_classes(self, signals: Signals) -> FloatArray:
        """(n, k) what the machine says, 0 for a class that a draw of very many products has left out."""
        machine: Any = self.machine_
        said: FloatArray = machine.predict_proba(signals)
        if said.shape[1] == len(self.classes_):
            return said
        out = np.zeros((len(said), len(self.classes_)))
        out[:, np.asarray(machine.classifier.classes_, dtype=np.intp)] = said
        return out

    def predict(self, features: ProductFeatures) -> ObjectArray:
        """(n,) label of each product, also where the head would rather abstain."""
        return self.decide(features)[0]

    def decide(self, features: ProductFeatures) -> tuple[ObjectArray, FloatArray, npt.NDArray[np.bool_]]:
        """(labels, confidence, abstained), each (n,): the confidence is the calibrated probability of the label.

        A product with neither picture nor text is always abstained, and so is one with nothing but the side that no
        product of the training had.
        """
        probabilities = self.predict_proba(features)
        return self.decide_by(features, probabilities, self.moved(probabilities))

    def moved(self, probabilities: FloatArray) -> FloatArray:
        """(n, k) ``probabilities`` moved towards rare classes: what decisions are taken by."""
        return probabilities if self.adjustment_ is None else self.adjustment_.apply(probabilities)

    def decide_by(
        self, features: ProductFeatures, probabilities: FloatArray, moved: FloatArray
    ) -> tuple[ObjectArray, FloatArray, npt.NDArray[np.bool_]]:
        """``decide`` with the calibrated ``probabilities`` and what to decide by at hand, both (n, k)."""
        best = moved.argmax(axis=1)
        confidence = probabilities[np.arange(len(best)), best]
        return self.classes_[best], confidence, (confidence < self.abstain_below) | ~self._shown(features)

    @property
    def sides(self) -> frozenset[str]:
        """Which of "image" and "text" the head has learnt from; both where one class left nothing to learn."""
        if self.space_ is None:
            return frozenset(("image", "text"))
        worded = any(one.has_terms for one in self.space_.ngrams_.values()) or set(self.space_.blocks_) - {
            "image"
        }
        return frozenset(("image",) * ("image" in self.space_.blocks_) + ("text",) * bool(worded))

    def _shown(self, features: ProductFeatures) -> npt.NDArray[np.bool_]:
        """(n,) True for products that have anything of what the head learnt from."""
        blocks, words = list(features.vectors.blocks), True
        if self.space_ is not None:
            blocks = list(self.space_.blocks_)
            words = any(one.has_terms for one in self.space_.ngrams_.values())
        shown = features.has_words & words
        for name in blocks:
            shown |= features.vectors.has(name)
        return shown

    def save(self, folder: Path) -> None:
        """Write ``head.safetensors`` and ``head.json`` into ``folder``; the card names the digest of the arrays."""
        from fashion_assets.products.heads.files import save_head

        self._must_be_fitted()
        save_head(self, Path(folder))

    @classmethod
    def load(cls, folder: Path) -> AttributeHead:
        """The head that ``save`` wrote. Raises UserError if the folder holds none, or its files do not belong
        together.
        """
        from fashion_assets.products.heads.files import load_head

        return load_head(Path(folder))

    def _must_fit(self, features: ProductFeatures) -> None:
        if features.vectors.model_id != self.model_id:
            raise UserError(
                f"the head of {self.attribute} was trained on vectors of {self.model_id!r}, these are of "
                f"{features.vectors.model_id!r}; encode the products with the first, or train the head anew"
            )
        widths = (
            {name: len(block["mean"]) for name, block in self.space_.blocks_.items()} if self.space_ else {}
        )
        for name, width in widths.items():
            given = features.vectors.block(name).shape[1]
            if given != width:
                raise UserError(
                    f"the head of {self.attribute} was trained on {width} {name} numbers per product, these vectors "
                    f"have {given}; use the encoder it was trained with ({self.model_id!r})"
                )
        check_vectors(self.attribute, features)

    def _must_be_fitted(self) -> None:
        if not hasattr(self, "machine_"):
            raise UserError(f"the head of {self.attribute} has not been trained; call fit or load first")


def decisions(probabilities: FloatArray, adjustment: LogitAdjustment | None) -> npt.NDArray[np.intp]:
    """(n,) column that each row of calibrated ``probabilities`` (n, k) is decided for."""
    decided = probabilities if adjustment is None else adjustment.apply(probabilities)
    return np.asarray(decided.argmax(axis=1), dtype=np.intp)


def check_vectors(attribute: str, features: ProductFeatures) -> None:
    """Nothing. Raises UserError if a vector holds NaN or infinity."""
    finite = np.isfinite(features.vectors.matrix).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        raise UserError(
            f"{attribute}: row {row} of the vectors (product {features.vectors.ids[row]}) holds NaN or infinity; "
            "encode it again"
        )
