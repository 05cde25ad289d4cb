"""Kernel machines of one model over one common set of products, so that a graph compares a product only once.

Heads of one training keep the products that have their label: nearly the same ones, in tens of thousands.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fashion_assets.products.heads.head import AttributeHead
from fashion_assets.products.heads.kernel import KernelMachine
from fashion_assets.products.heads.rows import RowClassifier
from fashion_assets.products.heads.space import FeatureSpace, Signals


def common_support(heads: Sequence[AttributeHead]) -> list[KernelMachine | RowClassifier | None]:
    """The machine of each head, those of kernels in one space over the union of their products: a product that a head
    had not has the weight 0 in it.
    """
    machines = [head.machine_ for head in heads]
    groups: dict[str, list[int]] = {}
    for place, head in enumerate(heads):
        if isinstance(head.machine_, KernelMachine) and head.space_ is not None:
            groups.setdefault(_digest(head.space_), []).append(place)
    for places in groups.values():
        members = [
            machine for machine in (machines[place] for place in places) if isinstance(machine, KernelMachine)
        ]
        for place, machine in zip(places, _united(members), strict=True):
            machines[place] = machine
    return machines


def _united(machines: Sequence[KernelMachine]) -> list[KernelMachine]:
    number: dict[bytes, int] = {}
    mapped: list[npt.NDArray[np.int64]] = []
    first_seen: list[tuple[int, int]] = []
    for which, machine in enumerate(machines):
        places = []
        for row, key in enumerate(_row_keys(machine.support)):
            if key not in number:
                number[key] = len(number)
                first_seen.append((which, row))
            places.append(number[key])
        mapped.append(np.array(places, dtype=np.int64))
    support = _gathered(machines, first_seen)
    out = []
    for machine, places_of in zip(machines, mapped, strict=True):
        weights = np.zeros((len(number), machine.weights.shape[1]), np.float32)
        # Products that are equal in all that counts are one row, and their weights add up.
        np.add.at(weights, places_of, machine.weights)
        sides = {side: (places_of[rows], found) for side, (rows, found) in machine.side_weights.items()}
        out.append(KernelMachine(support, weights, machine.mean, sides))
    return out


def _gathered(machines: Sequence[KernelMachine], rows: Sequence[tuple[int, int]]) -> Signals:
    """The products ``rows`` (machine, row of its support); they come machine by machine."""
    import scipy.sparse

    parts = [
        machine.support.take(np.array([row for owner, row in rows if owner == which], dtype=np.int64))
        for which, machine in enumerate(machines)
    ]
    dense = {name: np.vstack([part.dense[name] for part in parts]) for name in parts[0].dense}
    ngrams = {
        name: scipy.sparse.vstack([part.ngrams[name] for part in parts], format="csr")
        for name in parts[0].ngrams
    }
    return Signals(dense, ngrams)


def _row_keys(support: Signals) -> list[bytes]:
    """A digest per product of all that it is compared by."""
    keys = []
    for row in range(len(support)):
        digest = hashlib.sha256()
        for block in support.dense.values():
            digest.update(np.ascontiguousarray(block[row]).tobytes())
        for matrix in support.ngrams.values():
            span = slice(matrix.indptr[row], matrix.indptr[row + 1])
            digest.update(
                matrix.indices[span].astype(np.int64).tobytes() + b"|" + matrix.data[span].tobytes()
            )
        keys.append(digest.digest())
    return keys


def _digest(space: FeatureSpace) -> str:
    digest = hashlib.sha256()
    for name, values in sorted(space.state().items()):
        digest.update(name.encode() + np.ascontiguousarray(values).tobytes())
    return digest.hexdigest()
