"""All heads of a product model as one ONNX file, joint decoder included, checked against the heads themselves.

Inputs: ``products`` (n,) int64, of which only the length counts; ``vectors.<block>`` (n, d) float32 of the model's
encoders, zeros for what a product lacks; for each kind of n-gram its sparse rows as ``<kind>.item``, ``<kind>.term``
and ``<kind>.value``, one number per entry. ``HeadsSession.inputs`` makes them from ``ProductFeatures``; the terms stand
in the metadata of the file.
Outputs per attribute: ``<attribute>`` (n, k) calibrated probabilities and ``<attribute>.decided`` (n,), the column that
the head alone decides for. Where the model has a joint decoder also ``<attribute>.heard`` (n, k), probabilities with
other attributes heard, and ``<attribute>.together`` (n,), the column that they decide for. Towers: ``fashion-assets
encoders export``; pictures of kind ``onnx:`` are ONNX files already.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.products.features import ProductFeatures
from fashion_assets.products.heads.head import AttributeHead
from fashion_assets.products.heads.joint import JointDecoder
from fashion_assets.products.heads.ngrams import Analyzer, NGrams
from fashion_assets.products.heads.space import ANALYZERS, FeatureSpace, spoken_texts
from fashion_assets.products.joint_decisions import load_joint
from fashion_assets.products.model_folder import ModelFolder, head_folder
from fashion_assets.products.onnx_graph import GraphBuilder, Terms
from fashion_assets.products.onnx_heads import PRODUCTS, head_nodes
from fashion_assets.products.onnx_joint import joint_nodes
from fashion_assets.products.onnx_support import common_support
from fashion_assets.products.onnx_trees import ML_DOMAIN, ML_OPSET
from fashion_assets.products.vectors import ProductVectors
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic

Array = npt.NDArray[Any]

METADATA_KEY = "fashion_assets"
FORMAT = "fashion-assets heads 2"
#: Probabilities of graph and heads may differ by this much. Small heads agree to 1e-5, which the tests hold; scores of
#: a kernel head are float32 sums over thousands of products, ten times sharpened (``benchmarks/inference.py`` prints
#: the difference for real ones).
TOLERANCE = 1e-4
#: Products that the check is made on.
CHECKED_PRODUCTS = 32


@dataclass(frozen=True)
class ExportReport:
    """What ``export_heads`` wrote: ``path``, its size, attributes, whether the joint decoder is ``together`` with them,
    and the largest difference of a probability.
    """

    path: Path
    megabytes: float
    attributes: tuple[str, ...]
    together: bool
    nodes: int
    checked_products: int
    largest_difference: float

    def summary(self) -> dict[str, Any]:
        """The same for JSON and asset metadata."""
        return asdict(self) | {"path": str(self.path), "attributes": list(self.attributes)}


def export_model(model_dir: Path, out: Path) -> ExportReport:
    """Write all heads of the model folder ``model_dir`` and its joint decoder, if it has one, into the file ``out``;
    what ``products export`` calls.
    """
    folder = ModelFolder.open(model_dir)
    heads = [AttributeHead.load(head_folder(folder.root, name)) for name in folder.attributes]
    return export_heads(heads, out, load_joint(folder.root))


def export_heads(
    heads: Sequence[AttributeHead], out: Path, decoder: JointDecoder | None = None
) -> ExportReport:
    """Write fitted ``heads`` of one encoder and the ``decoder`` over them into ``out``, and check it on drawn products.

    Raises UserError without the extra ``onnx``, for heads of several encoders or vocabularies, for a decoder of other
    heads, and where graph and heads differ by more than ``TOLERANCE``: then there is no file.
    """
    heads = list(heads)
    spaces = [head.space_ for head in heads if head.space_ is not None]
    models = {head.model_id for head in heads}
    if not spaces or len(models) > 1:
        raise UserError(
            f"there are {len(spaces)} heads that learnt something, of the encoders {sorted(models)}; one file holds "
            "heads of one model folder, at least one of which learnt something"
        )
    vocabularies = [_terms(space) for space in spaces]
    if any(other != vocabularies[0] for other in vocabularies[1:]):
        raise UserError(
            "the heads know different n-grams, so they have no common input; train them in one go"
        )
    widths = _widths(spaces)
    if decoder is not None:
        # Of no product: raises for a decoder of other heads.
        decoder.decode({head.attribute: np.zeros((0, len(head.classes_))) for head in heads})
    content, nodes = _built(heads, decoder, widths, vocabularies[0])
    session = HeadsSession(content)
    difference = _largest_difference(heads, decoder, session, spaces[0], widths)
    if not difference <= TOLERANCE:
        raise UserError(
            f"probabilities of the ONNX graph differ from those of the heads by up to {difference:.2g}, more than "
            f"{TOLERANCE:g}; nothing was written: please report this model"
        )
    write_bytes_atomic(Path(out), content)
    attributes = tuple(head.attribute for head in heads)
    together = decoder is not None
    return ExportReport(
        Path(out), len(content) / 1e6, attributes, together, nodes, CHECKED_PRODUCTS, difference
    )


class HeadsSession:
    """An exported file at work in ONNX Runtime: ``predict_proba(features)`` and ``decide(features)`` by attribute;
    ``together``: whether the file has a joint decoder.
    """

    def __init__(self, model: Path | bytes, *, threads: int = 0) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        given = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
        metadata = self._session.get_modelmeta().custom_metadata_map
        if METADATA_KEY not in metadata:
            raise UserError(
                "this ONNX file holds no heads: fashion-assets products export writes one that does"
            )
        self.card: dict[str, Any] = json.loads(metadata[METADATA_KEY])
        self.classes = {name: np.array(values, dtype=object) for name, values in self.card["classes"].items()}
        if self.card["format"] != FORMAT:
            raise UserError(
                f"this ONNX file is of the format {self.card['format']!r}, this program reads {FORMAT!r}; export it "
                "anew"
            )
        self.together: bool = self.card["together"]
        self._ngrams = _ngrams(self.card["ngrams"])

    def inputs(self, features: ProductFeatures) -> dict[str, Array]:
        """What the graph takes, of ``features``. Raises UserError for vectors of another encoder."""
        if features.vectors.model_id != self.card["model_id"]:
            raise UserError(
                f"the heads were trained on vectors of {self.card['model_id']!r}, these are of "
                f"{features.vectors.model_id!r}; encode the products with the first"
            )
        texts = spoken_texts(features)
        feed: dict[str, Array] = {PRODUCTS: np.arange(len(features), dtype=np.int64)}
        for name, width in self.card["blocks"].items():
            block = features.vectors.block(name)
            if block.shape[1] != width:
                raise UserError(
                    f"the heads were trained on {width} {name} numbers per product, these vectors have "
                    f"{block.shape[1]}; use the encoder that they were trained with"
                )
            feed[f"vectors.{name}"] = np.ascontiguousarray(block, np.float32)
        for name, model in self._ngrams.items():
            entries = model.transform(texts).tocoo()
            feed |= {
                f"{name}.item": entries.row.astype(np.int64),
                f"{name}.term": entries.col.astype(np.int64),
                f"{name}.value": entries.data.astype(np.float32),
            }
        return feed

    def run(self, feed: Mapping[str, Array]) -> dict[str, Array]:
        """Every output by name."""
        names = [output.name for output in self._session.get_outputs()]
        known = {one.name for one in self._session.get_inputs()}
        values = self._session.run(names, {name: array for name, array in feed.items() if name in known})
        return dict(zip(names, values, strict=True))

    def predict_proba(self, features: ProductFeatures) -> dict[str, Array]:
        """attribute -> (n, k) calibrated probabilities in the order of ``classes[attribute]``."""
        found = self.run(self.inputs(features))
        return {name: found[name] for name in self.classes}

    def decide(self, features: ProductFeatures, *, alone: bool = False) -> dict[str, Array]:
        """attribute -> (n,) labels, all attributes heard together if the file has a joint decoder; with ``alone`` each
        head by itself.
        """
        found = self.run(self.inputs(features))
        ends = {
            name: "decided" if alone or f"{name}.together" not in found else "together"
            for name in self.classes
        }
        return {name: labels[found[f"{name}.{ends[name]}"]] for name, labels in self.classes.items()}


def _built(
    heads: Sequence[AttributeHead],
    decoder: JointDecoder | None,
    widths: Mapping[str, int],
    vocabulary: Mapping[Analyzer, Any],
) -> tuple[bytes, int]:
    """(the file's content, number of its nodes)."""
    graph = GraphBuilder()
    graph.input(PRODUCTS, ["n"], np.int64)
    blocks = {name: graph.input(f"vectors.{name}", ["n", width]) for name, width in widths.items()}
    terms: dict[Analyzer, Terms] = {}
    for name in ANALYZERS:
        parts = (("item", np.int64), ("term", np.int64), ("value", np.float32))
        terms[name] = Terms(
            *(graph.input(f"{name}.{part}", [f"{name}_entries"], dtype) for part, dtype in parts)
        )
    moved = {}
    for head, machine in zip(heads, common_support(heads), strict=True):
        nodes = head_nodes(graph, head, machine, blocks, terms)
        graph.output(head.attribute, nodes.probabilities, ["n", len(head.classes_)])
        graph.output(f"{head.attribute}.decided", nodes.decided, ["n"], np.int64)
        moved[head.attribute] = nodes.moved
    if decoder is not None:
        for attribute, heard in joint_nodes(graph, decoder, moved).items():
            column = graph.op("ArgMax", heard, axis=1, keepdims=0)
            graph.output(f"{attribute}.heard", heard, ["n", len(decoder.classes_[attribute])])
            graph.output(f"{attribute}.together", column, ["n"], np.int64)
    card = {
        "format": FORMAT,
        "model_id": heads[0].model_id,
        "blocks": dict(widths),
        "ngrams": vocabulary,
        "classes": {head.attribute: [str(name) for name in head.classes_] for head in heads},
        "together": decoder is not None,
        "abstain_below": {head.attribute: head.abstain_below for head in heads},
    }
    trees = {ML_DOMAIN: ML_OPSET} if any(head.kind == "catboost" for head in heads) else {}
    model = graph.model({METADATA_KEY: json.dumps(card, ensure_ascii=False)}, other_opsets=trees)
    return model.SerializeToString(), len(model.graph.node)


def _widths(spaces: Sequence[FeatureSpace]) -> dict[str, int]:
    """Numbers per block of vectors, over all heads."""
    found: dict[str, int] = {}
    for space in spaces:
        for name, block in space.blocks_.items():
            if found.setdefault(name, len(block["mean"])) != len(block["mean"]):
                raise UserError(
                    f"the heads were trained on {name} vectors of several widths; train them in one go"
                )
    return found


def _terms(space: FeatureSpace) -> dict[Analyzer, dict[str, Any]]:
    """Kind of n-gram -> terms in the order of their numbers, and idf."""
    found: dict[Analyzer, dict[str, Any]] = {}
    for name in ANALYZERS:
        state = space.ngrams_[name].state()
        text = state["terms"].tobytes().decode()
        found[name] = {"terms": text.split("\n") if text else [], "idf": state["idf"].tolist()}
    return found


def _ngrams(vocabulary: Mapping[Analyzer, Mapping[str, Any]]) -> dict[Analyzer, NGrams]:
    """The reverse of ``_terms``."""
    return {
        name: NGrams.from_state(
            name,
            {
                "terms": np.frombuffer("\n".join(vocabulary[name]["terms"]).encode(), np.uint8),
                "idf": np.asarray(vocabulary[name]["idf"], np.float32),
            },
        )
        for name in ANALYZERS
    }


def _largest_difference(
    heads: Sequence[AttributeHead],
    decoder: JointDecoder | None,
    session: HeadsSession,
    space: FeatureSpace,
    widths: Mapping[str, int],
) -> float:
    """Of any probability, heads alone and heard together, over drawn products with both sides, one, or none."""
    features = _drawn_products(heads[0].model_id, space, widths)
    found = session.run(session.inputs(features))
    expected = {head.attribute: head.predict_proba(features) for head in heads}
    if decoder is not None:
        moved = {head.attribute: head.moved(expected[head.attribute]) for head in heads}
        expected |= {f"{name}.heard": heard for name, heard in decoder.decode(moved).items()}
    return max(float(np.abs(found[name] - values).max()) for name, values in expected.items())


def _drawn_products(model_id: str, space: FeatureSpace, widths: Mapping[str, int]) -> ProductFeatures:
    """Products near the training ones: vectors by mean and spread of each number, titles of known words."""
    generator = np.random.default_rng(7)
    count = CHECKED_PRODUCTS
    parts, blocks, start = [np.zeros((count, 0), np.float32)], {}, 0
    for name, width in widths.items():
        block = space.blocks_.get(name, {"mean": np.zeros(width), "scale": np.ones(width)})
        rows = block["mean"] + block["scale"] * generator.normal(size=(count, width))
        rows[generator.random(count) < 0.2] = 0
        parts.append(rows.astype(np.float32))
        blocks[name] = slice(start, start + width)
        start += width
    words = _terms(space)["words"]["terms"] or ["word"]
    titles = [" ".join(generator.choice(words, 6)) if generator.random() < 0.8 else "" for _ in range(count)]
    ids = tuple(str(number) for number in range(count))
    vectors = ProductVectors(ids, np.hstack(parts), model_id, blocks)
    return ProductFeatures(vectors, tuple(titles), ("",) * count)
