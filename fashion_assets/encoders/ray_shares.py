"""How much of a cluster's CPUs and GPUs each encoder is given, so that all of them start and decoding goes on.

Belongs here: the arithmetic, without Ray. Ray itself chooses the node of each encoder, so what is given has to do
whichever it chooses.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from fashion_assets.storage.errors import UserError

#: Most CPUs of an encoder on a GPU: its threads shape the pictures (resize, stack) that the GPU waits for.
GPU_ENCODER_CPUS: Final = 4
#: What Ray counts in: 1/10,000 of a CPU or GPU.
_GRAIN: Final = 10_000


@dataclass(frozen=True)
class Share:
    """CPUs and GPUs: those of a node, or what an encoder is given of them."""

    cpus: float
    gpus: float


def encoder_share(encoders: int, nodes: Sequence[Share], gpus_asked: float | None = None) -> Share:
    """What each of ``encoders`` is given of ``nodes``.

    GPUs: ``gpus_asked``; None: one, or an even share of one where there are more encoders than GPUs; 0 without GPUs.
    CPUs: one (on a GPU up to ``GPU_ENCODER_CPUS``, of all CPUs at most half); or a half, a third, … of one, or none,
    where more would leave no node a whole CPU, which is what a decoding task takes.

    Raises UserError if the GPUs do not suffice, or no node has a CPU.
    """
    gpus = _gpus_each(encoders, nodes) if gpus_asked is None else gpus_asked
    if 0 <= gpus <= 1 or gpus == int(gpus):
        for cpus in _cpu_shares(encoders, sum(node.cpus for node in nodes), gpus):
            if _all_start(encoders, nodes, Share(cpus, gpus)) and _one_decodes(
                encoders, nodes, Share(cpus, gpus)
            ):
                return Share(cpus, gpus)
    there = ", ".join(f"{node.cpus:g} CPUs and {node.gpus:g} GPUs" for node in nodes) or "none"
    raise UserError(
        f"{encoders} encoders with {gpus:g} GPUs each do not fit the nodes of the Ray cluster (there are: {there}), or "
        "no node has a CPU to read pictures with; ask for fewer encoders, for a GPU or a smaller share of one each, "
        "or wait until all nodes have joined"
    )


def _gpus_each(encoders: int, nodes: Sequence[Share]) -> float:
    gpus = sum(math.floor(node.gpus) for node in nodes)
    # The same number on each GPU: a share cannot lie on two.
    return _countable(1 / math.ceil(encoders / gpus)) if gpus else 0.0


def _cpu_shares(encoders: int, cpus: float, gpus: float) -> Iterator[float]:
    """What to try, the largest first."""
    if gpus:
        yield from range(min(GPU_ENCODER_CPUS, int(cpus / (2 * encoders))), 1, -1)
    for sharing in range(1, encoders + 1):
        yield _countable(1 / sharing)
    yield 0.0


def _all_start(encoders: int, nodes: Sequence[Share], each: Share) -> bool:
    return sum(_places(node, each) for node in nodes) >= encoders


def _one_decodes(encoders: int, nodes: Sequence[Share], each: Share) -> bool:
    """Whether some node keeps a whole CPU, wherever Ray puts the encoders."""
    needed = 0
    for node in nodes:
        if node.cpus < 1:
            continue
        if not each.cpus:
            return True
        # So many encoders leave the node less than a CPU.
        filling = math.floor((node.cpus - 1) / each.cpus) + 1
        if filling > _places(node, each):
            return True
        needed += filling
    return needed > encoders


def _places(node: Share, each: Share) -> float:
    """Encoders that the node has room for."""
    by_cpu = math.floor(node.cpus / each.cpus) if each.cpus else math.inf
    if not each.gpus:
        return by_cpu
    by_gpu = (
        math.floor(node.gpus) * math.floor(1 / each.gpus)
        if each.gpus <= 1
        else math.floor(node.gpus / each.gpus)
    )
    return min(by_cpu, by_gpu)


def _countable(share: float) -> float:
    return math.floor(share * _GRAIN) / _GRAIN
