"""Which products show the same picture: the same file, or one that is near-identical.

A picture that shows many different products shows none of them: "no photo" tiles must not make one family of
half a shop.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fashion_assets.media.hashing import (
    MAX_DISTANCE,
    MIN_COSINE,
    group_near_duplicates,
    thumbprint_vectors,
)

#: A picture beside this many different names is a placeholder: more than twice as many as any picture of the real
#: products has beside it (``benchmarks/product_families.py``).
PLACEHOLDER_NAMES = 10

#: Cosine of thumbprints from which two files are copies of one picture (their hashes may differ as ever).
SAME_PICTURE = 0.995

#: Near-identity is not transitive: plain dark wallets chain from one to the next. A group of more than this share
#: of the products (and more than the least) is taken apart at stricter cosines; none of the real products is so large
#: (``benchmarks/product_families.py``).
MAX_GROUP_SHARE = 0.02
LEAST_MAX_GROUP = 50
STRICTER_COSINES = (0.99, SAME_PICTURE)

Indices = npt.NDArray[np.int64]


def picture_groups(
    names: Sequence[str],
    digests: Sequence[str | None] | None,
    hashes: Sequence[str | None] | None,
    thumbprints: Sequence[str | None] | None,
) -> list[Indices]:
    """The products (indices, 2 or more) of each group that shows one picture.

    ``names`` (n,) are family names, "" where there is none. Pictures are the same by ``digests``; near-identical
    by the perceptual ``hashes`` and ``thumbprints`` of ``media.hashing``, within its measured limits (8 of 64
    bits, cosine .985 over a grid of colours and edges: the hash alone would join garments of one cut).
    """
    described = _described(hashes, thumbprints)
    vectors = thumbprint_vectors([thumbprints[row] or "" for row in described] if thumbprints else [])
    position = {int(row): place for place, row in enumerate(described)}

    def near(rows: Indices, min_cosine: float) -> list[Indices]:
        if not len(rows):
            return []
        assert hashes is not None
        codes = [str(hashes[row]) for row in rows]
        confirm = vectors[[position[int(row)] for row in rows]]
        return _grouped(
            rows, group_near_duplicates(codes, MAX_DISTANCE, confirm=confirm, min_cosine=min_cosine)
        )

    copies = _equal(digests or ()) + near(described, SAME_PICTURE)
    empty = {int(row) for group in copies if _many_names(names, group) for row in group}
    largest = max(LEAST_MAX_GROUP, MAX_GROUP_SHARE * len(names))
    alike = near(np.array([row for row in described if int(row) not in empty], dtype=np.int64), MIN_COSINE)
    for cosine in STRICTER_COSINES:
        alike = [
            part for group in alike for part in ([group] if len(group) <= largest else near(group, cosine))
        ]
    return [group for group in copies if not _many_names(names, group)] + alike


def _described(hashes: Sequence[str | None] | None, thumbprints: Sequence[str | None] | None) -> Indices:
    pairs = zip(hashes or (), thumbprints or (), strict=True)
    known = [isinstance(one, str) and isinstance(other, str) for one, other in pairs]
    return np.flatnonzero(np.array(known, dtype=bool)).astype(np.int64)


def _equal(digests: Sequence[str | None]) -> list[Indices]:
    rows = np.array([row for row, one in enumerate(digests) if isinstance(one, str) and one], dtype=np.int64)
    if not len(rows):
        return []
    _, labels = np.unique([str(digests[row]) for row in rows], return_inverse=True)
    return _grouped(rows, labels)


def _grouped(rows: Indices, labels: npt.NDArray[np.integer]) -> list[Indices]:
    """The rows of each label that has two or more."""
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    return [group for group in np.split(rows[order], cuts) if len(group) > 1]


def _many_names(names: Sequence[str], group: Indices) -> bool:
    return len({names[row] for row in group} - {""}) >= PLACEHOLDER_NAMES
