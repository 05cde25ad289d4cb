"""What heads of products compute, as nodes of an ONNX graph: the same steps as ``heads``, in float32.

Belongs here: space, kernel machine, classifiers over rows, calibration and decision. Does not: deciding attributes
together (``onnx_joint.py``), the file and its check (``export.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.rows import ZERO_NORM
from fashion_assets.products.calibration import SMALLEST_PROBABILITY
from fashion_assets.products.heads.head import AttributeHead
from fashion_assets.products.heads.kernel import POWER, KernelMachine, sharpness
from fashion_assets.products.heads.ngrams import Analyzer
from fashion_assets.products.heads.rows import SPARSE_KINDS, RowClassifier
from fashion_assets.products.heads.sides import SideTemperatures
from fashion_assets.products.heads.similarity import BOTH_SHARE, IMAGE_SHARE, TEXT_SHARE, VECTOR_SHARE
from fashion_assets.products.heads.space import FeatureSpace, Signals
from fashion_assets.products.heads.transform import SHORTEST, EmbeddingTransform
from fashion_assets.products.onnx_graph import GraphBuilder, Terms
from fashion_assets.products.onnx_trees import boosted_trees
from fashion_assets.storage.errors import UserError

Array = npt.NDArray[Any]

#: The input whose length says how many products there are: a file of words alone has nothing else that would.
PRODUCTS = "products"


@dataclass(frozen=True)
class HeadNodes:
    """Names of what a head says: calibrated ``probabilities`` (n, k), the same ``moved`` towards rare classes, and the
    column ``decided`` for (n,) int64.
    """

    probabilities: str
    moved: str
    decided: str


@dataclass(frozen=True)
class GraphSignals:
    """Names of what ``heads.space.Signals`` holds, and of (n, 1) floats 1 or 0: does the product have it?"""

    dense: dict[str, str]
    there: dict[str, str]
    ngrams: dict[Analyzer, Terms]
    has_text: str

    @property
    def has_image(self) -> str | None:
        return self.there.get("image")


def head_nodes(
    graph: GraphBuilder,
    head: AttributeHead,
    machine: KernelMachine | RowClassifier | None,
    blocks: Mapping[str, str],
    terms: Mapping[Analyzer, Terms],
) -> HeadNodes:
    """What ``head`` says.

    ``machine`` is the head's own or one that gives the same (``onnx_support``), ``blocks`` are the inputs by block of
    vectors, ``terms`` the sparse inputs by kind of n-gram.
    """
    if head.space_ is None or machine is None:
        shape = graph.op("Concat", graph.count(PRODUCTS), graph.constant([1], np.int64), axis=0)
        certain = graph.op("Expand", graph.constant([[1.0]]), shape)
        return HeadNodes(certain, certain, graph.op("ArgMax", certain, axis=1, keepdims=0))
    signals = signal_nodes(graph, head.space_, blocks, terms)
    if isinstance(machine, KernelMachine):
        raw = _kernel(graph, machine, signals)
    else:
        raw = _of_all_classes(graph, head, machine, _rows(graph, machine, head.space_, signals))
    # float32 holds 1e-12; below it nothing is told apart, as in ``Temperature.apply``.
    logits = graph.op("Log", graph.op("Max", raw, graph.constant(SMALLEST_PROBABILITY)))
    calibrated = graph.op("Softmax", _sharpened(graph, head.temperatures_, signals, logits), axis=1)
    moved = calibrated
    if head.adjustment_ is not None:
        lift = -head.adjustment_.strength * np.log(head.adjustment_.prior)
        lifted = graph.scaled(calibrated, np.exp(lift - lift.max()))
        total = graph.op("ReduceSum", lifted, graph.constant([1], np.int64), keepdims=1)
        moved = graph.op("Div", lifted, total)
    return HeadNodes(calibrated, moved, graph.op("ArgMax", moved, axis=1, keepdims=0))


def _of_all_classes(graph: GraphBuilder, head: AttributeHead, machine: RowClassifier, said: str) -> str:
    """``AttributeHead._of_all_classes``: 0 for a class that a draw of very many products has left out."""
    columns, k = np.asarray(machine.classifier.classes_, dtype=np.intp), len(head.classes_)
    return said if len(columns) == k else graph.op("MatMul", said, graph.constant(np.eye(k)[columns]))


def _sharpened(
    graph: GraphBuilder, temperatures: SideTemperatures, signals: GraphSignals, logits: str
) -> str:
    """``logits`` over the temperature of what each product shows (``SideTemperatures``)."""
    image = signals.has_image or graph.constant([[0.0]])
    text = signals.has_text or graph.constant([[0.0]])
    inverse = graph.constant([[1 / temperatures.both.value]])
    for this, other, found in ((image, text, temperatures.image), (text, image, temperatures.text)):
        only = graph.op("Greater", graph.op("Sub", this, other), graph.constant(0.0))
        inverse = graph.op("Where", only, graph.constant([[1 / found.value]]), inverse)
    return graph.op("Mul", logits, inverse)


def signal_nodes(
    graph: GraphBuilder, space: FeatureSpace, blocks: Mapping[str, str], terms: Mapping[Analyzer, Terms]
) -> GraphSignals:
    """``FeatureSpace.transform``."""
    dense, there = {}, {}
    for name, block in space.blocks_.items():
        shown = graph.any_in_row(blocks[name])
        centred = graph.op("Sub", blocks[name], graph.constant(block["mean"]))
        columns, axes = block["widths"].T.tolist()
        scaled = _unit_parts(graph, graph.op("Div", centred, graph.constant(block["scale"])), columns)
        turned = graph.op(
            "MatMul",
            graph.op("Sub", scaled, graph.constant(block["centre"])),
            graph.constant(block["axes"].T),
        )
        turned = graph.unit_rows(_unit_parts(graph, turned, axes), ZERO_NORM)
        dense[name] = graph.op("Mul", turned, shown)
        there[name] = graph.any_in_row(dense[name])
    vocabulary = _vocabulary(space)
    # A column of ones: the sum over a row's entries is their number.
    counts = [
        graph.terms_times_dense(
            Terms(entry.item, entry.term, graph.op("Abs", entry.value)),
            PRODUCTS,
            np.ones((vocabulary[name], 1), np.float32),
        )
        for name, entry in terms.items()
        if vocabulary[name]
    ]
    words = [graph.any_in_row(count) for count in counts]
    others = [shown for name, shown in there.items() if name != "image"]
    has_text = graph.op("Max", *words, *others) if words or others else ""
    return GraphSignals(dense, there, dict(terms), has_text)


def _unit_parts(graph: GraphBuilder, rows: str, widths: Sequence[int]) -> str:
    """``heads.space.unit_parts``."""
    if len(widths) == 1:
        return graph.unit_rows(rows, ZERO_NORM)
    bounds, parts = np.cumsum([0, *widths]).tolist(), []
    for first, last in pairwise(bounds):
        span = [graph.constant([at], np.int64) for at in (first, last, 1)]
        parts.append(graph.unit_rows(graph.op("Slice", rows, *span), ZERO_NORM))
    return graph.op("Concat", *parts, axis=1)


def _vocabulary(space: FeatureSpace) -> dict[Analyzer, int]:
    """Number of terms by kind of n-gram."""
    return {name: len(model.state()["idf"]) for name, model in space.ngrams_.items()}


def _kernel(graph: GraphBuilder, machine: KernelMachine, signals: GraphSignals) -> str:
    """``KernelMachine.predict_proba``."""
    support = machine.support
    image = _gaussian(graph, support, signals, "image") if support.has_image.any() else None
    text = _text(graph, support, signals) if support.has_text.any() else None
    if image is None or text is None:
        alone = image or text
        if alone is None:
            raise UserError(
                "a head whose products have neither pictures nor words cannot be exported; train it anew"
            )
        scores = graph.op("MatMul", alone, graph.constant(machine.weights))
    else:
        both = graph.op("Exp", graph.op("Sub", graph.scaled(text, 2.0), graph.constant(2.0)))
        parts = [
            graph.scaled(text, TEXT_SHARE),
            graph.scaled(image, IMAGE_SHARE),
            graph.scaled(graph.op("Mul", both, image), BOTH_SHARE),
        ]
        scores = graph.op("MatMul", graph.total(parts), graph.constant(machine.weights))
        has_image = signals.has_image or ""
        sides = (
            ("image", image, has_image, signals.has_text),
            ("text", text, signals.has_text, has_image),
        )
        for side, kernel, this, other in sides:
            if side in machine.side_weights:
                rows, weights = machine.side_weights[side]
                near = graph.op("Gather", kernel, graph.constant(rows, np.int64), axis=1)
                alone = graph.op("MatMul", near, graph.constant(weights))
                only = graph.op("Greater", graph.op("Sub", this, other), graph.constant(0.0))
                scores = graph.op("Where", only, alone, scores)
    sharpened = graph.scaled(
        graph.op("Add", scores, graph.constant(machine.mean)), sharpness(len(machine.mean))
    )
    positive = graph.op("Pow", graph.op("Softplus", sharpened), graph.constant(POWER))
    total = graph.op("ReduceSum", positive, graph.constant([1], np.int64), keepdims=1)
    return graph.op("Div", positive, total)


def _text(graph: GraphBuilder, support: Signals, signals: GraphSignals) -> str:
    """``similarity._text``."""
    parts, share = [], 0.0
    for kind, terms in signals.ngrams.items():
        if support.ngrams[kind].nnz:
            parts.append(graph.terms_times_sparse(terms, PRODUCTS, support.ngrams[kind]))
            share += 1.0
    for name, rows in support.dense.items():
        if name != "image" and rows.any():
            parts.append(graph.scaled(_gaussian(graph, support, signals, name), VECTOR_SHARE))
            share += VECTOR_SHARE
    return graph.scaled(graph.total(parts), 1 / share)


def _gaussian(graph: GraphBuilder, support: Signals, signals: GraphSignals, name: str) -> str:
    """``similarity._gaussian``."""
    rows = support.dense[name]
    cosine = graph.op("MatMul", signals.dense[name], graph.constant(rows.T))
    near = graph.op("Exp", graph.op("Sub", graph.scaled(cosine, 2.0), graph.constant(2.0)))
    near = graph.op("Mul", near, signals.there[name])
    shown = rows.any(axis=1)
    return near if shown.all() else graph.scaled(near, shown)


def _rows(graph: GraphBuilder, machine: RowClassifier, space: FeatureSpace, signals: GraphSignals) -> str:
    """``RowClassifier.predict_proba``."""
    widths = {name: len(block["axes"]) for name, block in space.blocks_.items()}
    dense = [graph.scaled(signals.dense[name], np.sqrt(width)) for name, width in widths.items()]
    vocabulary = _vocabulary(space)
    if machine.kind in SPARSE_KINDS:
        return _linear(graph, machine, signals, dense, vocabulary)
    if machine.fold is not None and machine.columns is not None:
        whole = np.zeros((sum(vocabulary.values()), machine.fold.shape[1]), np.float32)
        whole[machine.columns] = machine.fold
        dense.append(_ngrams_times(graph, signals, vocabulary, whole))
    if not dense:
        raise UserError("a head without vectors and n-grams cannot be exported; train it anew")
    rows = _mapped(graph, machine.transform, dense)
    return CLASSIFIER_NODES[machine.kind](graph, machine.classifier, rows)


def _mapped(graph: GraphBuilder, transform: EmbeddingTransform | None, numbers: Sequence[str]) -> str:
    """(n, d) ``numbers`` side by side, as ``transform`` maps them."""
    rows = numbers[0] if len(numbers) == 1 else graph.op("Concat", *numbers, axis=1)
    if transform is None:
        return rows
    out = graph.op("MatMul", rows, graph.constant(transform.components.T))
    out = graph.op("Add", out, graph.constant(transform.bias))
    if transform.unit:
        out = graph.unit_rows(out, SHORTEST)
    return graph.op("Mul", graph.scaled(out, transform.scale), graph.any_in_row(rows))


def _linear(
    graph: GraphBuilder,
    machine: RowClassifier,
    signals: GraphSignals,
    dense: list[str],
    vocabulary: Mapping[Analyzer, int],
) -> str:
    """The logistic regression, which takes n-grams as they are."""
    classifier: Any = machine.classifier
    split = classifier.coef_.shape[1] - sum(vocabulary.values())
    weight = np.sqrt(split) or 1.0
    parts = [graph.constant(classifier.intercept_)]
    if dense:
        rows = _mapped(graph, machine.transform, dense)
        parts.append(graph.op("MatMul", rows, graph.constant(classifier.coef_[:, :split].T)))
    parts.append(_ngrams_times(graph, signals, vocabulary, classifier.coef_[:, split:].T * weight))
    return graph.op("Softmax", graph.total(parts), axis=1)


def _ngrams_times(
    graph: GraphBuilder, signals: GraphSignals, vocabulary: Mapping[Analyzer, int], matrix: Array
) -> str:
    """(n, k) the n-grams of all kinds side by side times ``matrix`` (their number, k)."""
    parts, first = [], 0
    for name, width in vocabulary.items():
        block = matrix[first : first + width].astype(np.float32)
        parts.append(graph.terms_times_dense(signals.ngrams[name], PRODUCTS, block))
        first += width
    return graph.total(parts)


def _affine(graph: GraphBuilder, classifier: Any, rows: str) -> str:
    product = graph.op("MatMul", rows, graph.constant(classifier.coef_.T))
    return graph.op("Softmax", graph.op("Add", product, graph.constant(classifier.intercept_)), axis=1)


def _mlp(graph: GraphBuilder, classifier: Any, rows: str) -> str:
    out = graph.scaled(rows, 1 / classifier.scale_)
    for place, (weight, bias) in enumerate(classifier.layers_):
        out = graph.op("Relu", out) if place else out
        out = graph.op("Add", graph.op("MatMul", out, graph.constant(weight)), graph.constant(bias))
    return graph.op("Softmax", out, axis=1)


def _neighbours(graph: GraphBuilder, classifier: Any, rows: str) -> str:
    from fashion_assets.products.classifiers.knn import SMALLEST_DISTANCE

    k, count = len(classifier.classes_), min(classifier.n_neighbors, len(classifier.codes_))
    near = graph.op("MatMul", graph.unit_rows(rows, 1e-30), graph.constant(classifier.rows_.T))
    highest = graph.constant([count], np.int64)
    cosine, place = graph.two("TopK", near, highest, axis=1)
    weights = graph.op("Gather", graph.constant(classifier.row_weights_), place)
    if classifier.weights == "distance":
        distance = graph.op(
            "Max", graph.op("Sub", graph.constant(1.0), cosine), graph.constant(SMALLEST_DISTANCE)
        )
        weights = graph.op("Div", weights, distance)
    axis = graph.constant([1], np.int64)
    share = graph.op("Div", weights, graph.op("ReduceSum", weights, axis, keepdims=1))
    voters = graph.op("Gather", graph.constant(np.eye(k, dtype=np.float32)[classifier.codes_]), place)
    votes = graph.op(
        "ReduceSum",
        graph.op("Mul", voters, graph.op("Unsqueeze", share, graph.constant([2], np.int64))),
        axis,
        keepdims=0,
    )
    votes = graph.op("Mul", graph.scaled(votes, float(count)), graph.any_in_row(rows))
    votes = graph.op("Add", votes, graph.constant(classifier.smoothing * classifier.prior_))
    return graph.op("Div", votes, graph.op("ReduceSum", votes, axis, keepdims=1))


#: Kind of ``classifiers.CLASSIFIERS`` over dense rows -> its nodes (graph, classifier, rows) -> probabilities.
CLASSIFIER_NODES: Mapping[str, Callable[[GraphBuilder, Any, str], str]] = {
    "lda": _affine,
    "mlp": _mlp,
    "knn": _neighbours,
    "catboost": boosted_trees,
}
