"""The joint decoder of a product model as nodes of an ONNX graph: ``heads.joint.JointDecoder.decode``, in float32."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fashion_assets.products.heads.joint import ROUNDS, SMALLEST_PROBABILITY, JointDecoder
from fashion_assets.products.onnx_graph import GraphBuilder


def joint_nodes(graph: GraphBuilder, decoder: JointDecoder, moved: Mapping[str, str]) -> dict[str, str]:
    """Attribute -> probabilities (n, k) with the other attributes heard; ``moved`` are those of each head alone (see
    ``onnx_heads.HeadNodes``), of all attributes that the decoder knows.
    """
    floor = graph.constant(SMALLEST_PROBABILITY)
    logs = {name: graph.op("Log", graph.op("Max", moved[name], floor)) for name in decoder.classes_}
    current = {name: moved[name] for name in decoder.classes_}
    for _ in range(ROUNDS):
        heard = {name: [log] for name, log in logs.items()}
        for (first, second), pmi in decoder.pmi_.items():
            loud = (decoder.strength_ * pmi).astype(np.float32)
            heard[first].append(graph.op("MatMul", current[second], graph.constant(loud.T)))
            heard[second].append(graph.op("MatMul", current[first], graph.constant(loud)))
        current = {name: graph.op("Softmax", graph.total(parts), axis=1) for name, parts in heard.items()}
    return current
