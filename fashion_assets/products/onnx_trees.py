"""CatBoost's trees as a node of an ONNX graph."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from fashion_assets.products.onnx_graph import GraphBuilder

ML_DOMAIN = "ai.onnx.ml"
ML_OPSET = 3


def boosted_trees(graph: GraphBuilder, classifier: Any, rows: str) -> str:
    """(n, k) probabilities of a ``BoostedTrees``: the tree node that CatBoost itself writes, taken into ``graph``."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trees.onnx"
        classifier.model_.save_model(str(path), format="onnx")
        written = graph.onnx.load(str(path))
    node = next(node for node in written.graph.node if node.op_type == "TreeEnsembleClassifier")
    attributes = {item.name: graph.onnx.helper.get_attribute_value(item) for item in node.attribute}
    # The node's labels are of no use here: columns are in the order of ``classes_``.
    return graph.two("TreeEnsembleClassifier", rows, domain=ML_DOMAIN, **attributes)[1]
