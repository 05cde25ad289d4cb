"""An ONNX graph written node by node, in which equal constants and equal computations exist once.

Belongs here: the builder, and sparse products out of standard operators. Does not: what heads compute
(``onnx_heads.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.storage.errors import UserError

Array = npt.NDArray[Any]

#: ScatterElements adds up from 16 on; ReduceSum and the like take their axes as inputs from 18 on.
OPSET = 18
IR_VERSION = 10


def onnx_library() -> Any:
    """The library ``onnx``; UserError if the extra is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise UserError(
            "writing an ONNX file needs onnx, which is not installed; pip install 'fashion-assets[onnx]'"
        ) from error
    return onnx


@dataclass(frozen=True)
class Terms:
    """Names of the three inputs that hold sparse rows: ``item`` (e,) and ``term`` (e,) int64, ``value`` (e,) float32 of
    each entry.
    """

    item: str
    term: str
    value: str


class GraphBuilder:
    """Nodes and constants of one graph; ``op`` hands back the name of a node's output.

    A node with the operator, inputs and attributes of an earlier one is that earlier one: heads that compare a
    product with the same products share the comparison without knowing of each other.
    """

    def __init__(self) -> None:
        self.onnx = onnx_library()
        self._nodes: list[Any] = []
        self._made: dict[tuple[Any, ...], tuple[str, ...]] = {}
        self._constants: dict[str, Any] = {}
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}

    def input(self, name: str, shape: Sequence[int | str], dtype: Any = np.float32) -> str:
        """An input of the graph; a word in ``shape`` is a free dimension."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._inputs[name] = self.onnx.helper.make_tensor_value_info(name, kind, shape)
        return name

    def output(self, name: str, value: str, shape: Sequence[int | str], dtype: Any = np.float32) -> None:
        """``value`` as an output of the graph."""
        kind = self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        self._outputs[name] = self.onnx.helper.make_tensor_value_info(name, kind, shape)
        self._nodes.append(self.onnx.helper.make_node("Identity", [value], [name]))

    def constant(self, value: npt.ArrayLike, dtype: Any = np.float32) -> str:
        """The name of an array inside the graph."""
        array = np.ascontiguousarray(value, dtype=dtype).reshape(np.shape(value))
        digest = hashlib.sha256(array.tobytes() + str((array.dtype, array.shape)).encode()).hexdigest()
        name = f"constant {digest[:16]}"
        if name not in self._constants:
            self._constants[name] = self.onnx.numpy_helper.from_array(array, name)
        return name

    def op(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """The output of a node with one output."""
        return self._node(operator, inputs, attributes, 1)[0]

    def two(self, operator: str, *inputs: str, **attributes: Any) -> tuple[str, str]:
        """Both outputs of a node that has two."""
        first, second = self._node(operator, inputs, attributes, 2)
        return first, second

    def _node(
        self, operator: str, inputs: tuple[str, ...], attributes: dict[str, Any], outputs: int
    ) -> tuple[str, ...]:
        key = (operator, inputs, repr(sorted(attributes.items(), key=lambda pair: pair[0])))
        if key not in self._made:
            names = tuple(f"{operator} {len(self._nodes)} {place}" for place in range(outputs))
            self._nodes.append(self.onnx.helper.make_node(operator, inputs, names, **attributes))
            self._made[key] = names
        return self._made[key]

    def model(self, metadata: Mapping[str, str], *, other_opsets: Mapping[str, int] | None = None) -> Any:
        """The checked ModelProto."""
        helper = self.onnx.helper
        graph = helper.make_graph(
            self._nodes,
            "fashion-assets heads",
            list(self._inputs.values()),
            list(self._outputs.values()),
            list(self._constants.values()),
        )
        opsets = [helper.make_opsetid("", OPSET)]
        opsets += [helper.make_opsetid(domain, number) for domain, number in (other_opsets or {}).items()]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
        made.producer_name = "fashion-assets"
        helper.set_model_props(made, dict(metadata))
        self.onnx.checker.check_model(made)
        return made

    # -- small words of the language ------------------------------------------------------------------------------

    def scaled(self, value: str, factor: npt.ArrayLike) -> str:
        """value * factor."""
        return self.op("Mul", value, self.constant(factor))

    def total(self, values: Sequence[str]) -> str:
        """Their sum."""
        out = values[0]
        for value in values[1:]:
            out = self.op("Add", out, value)
        return out

    def any_in_row(self, rows: str) -> str:
        """(n, 1) float 1 where a row (n, d) holds anything but 0, else 0."""
        largest = self.op("ReduceMax", self.op("Abs", rows), self.constant([1], np.int64), keepdims=1)
        return self.as_float(self.op("Greater", largest, self.constant(0.0)))

    def as_float(self, value: str) -> str:
        """value as float32."""
        return self.op("Cast", value, to=self.onnx.TensorProto.FLOAT)

    def count(self, value: str) -> str:
        """(1,) int64 length of the first dimension."""
        return self.op("Shape", value, start=0, end=1)

    def unit_rows(self, rows: str, smallest: float) -> str:
        """Rows of length 1; shorter ones than ``smallest`` become zeros."""
        length = self.op("ReduceL2", rows, self.constant([1], np.int64), keepdims=1)
        there = self.as_float(self.op("GreaterOrEqual", length, self.constant(smallest)))
        return self.op("Mul", self.op("Div", rows, self.op("Max", length, self.constant(smallest))), there)

    def terms_times_dense(self, terms: Terms, rows: str, matrix: Array) -> str:
        """(n, k) sparse rows times a dense ``matrix`` (terms, k); n is the length of ``rows``."""
        picked = self.op("Gather", self.constant(matrix), terms.term)
        products = self.op("Mul", picked, self.op("Unsqueeze", terms.value, self.constant([1], np.int64)))
        shape = self.op("Concat", self.count(rows), self.constant([matrix.shape[1]], np.int64), axis=0)
        place = self.op("Unsqueeze", terms.item, self.constant([1], np.int64))
        return self.op("ScatterND", self._zeros(shape), place, products, reduction="add")

    def terms_times_sparse(self, terms: Terms, rows: str, matrix: Any) -> str:
        """(n, m) sparse rows times the transpose of CSR ``matrix`` (m, terms): only entries that meet are touched.

        Each entry of a row is met with all entries of ``matrix`` in its column. ``owner`` says, for each meeting,
        which entry of the rows it belongs to: the number of entries whose meetings have begun by then.
        """
        columns = matrix.tocsc()
        begins = columns.indptr.astype(np.int64)
        one, nought = self.constant(1, np.int64), self.constant(0, np.int64)
        met = self.op("Gather", self.constant(np.diff(begins), np.int64), terms.term)
        begin = self.op("CumSum", met, nought, exclusive=1)
        total = self.op("ReduceSum", met, keepdims=0)
        places = self.op("Range", nought, total, one)
        marks = self.op(
            "ConstantOfShape",
            self.op("Unsqueeze", self.op("Add", total, one), self.constant([0], np.int64)),
            value=self._zero(np.int64),
        )
        ones = self.op("Add", self.op("Mul", met, nought), one)
        begun = self.op("CumSum", self.op("ScatterElements", marks, begin, ones, reduction="add"), nought)
        owner = self.op("Sub", self.op("Gather", begun, places), one)
        first = self.op("Gather", self.constant(begins[:-1], np.int64), terms.term)
        entry = self.op("Add", places, self.op("Gather", self.op("Sub", first, begin), owner))
        value = self.op(
            "Mul",
            self.op("Gather", self.constant(columns.data), entry),
            self.op("Gather", terms.value, owner),
        )
        width = self.constant([matrix.shape[0]], np.int64)
        flat = self.op(
            "Add",
            self.op("Mul", self.op("Gather", terms.item, owner), width),
            self.op("Gather", self.constant(columns.indices, np.int64), entry),
        )
        zeros = self._zeros(self.op("Mul", self.count(rows), width))
        summed = self.op("ScatterElements", zeros, flat, value, reduction="add")
        return self.op("Reshape", summed, self.op("Concat", self.count(rows), width, axis=0))

    def _zeros(self, shape: str) -> str:
        return self.op("ConstantOfShape", shape, value=self._zero(np.float32))

    def _zero(self, dtype: Any) -> Any:
        return self.onnx.numpy_helper.from_array(np.zeros(1, dtype))
