"""How alike two products are: the kernel of the kernel machine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fashion_assets.products.heads.space import Signals

Float32Array = npt.NDArray[np.float32]

#: Shares of what names say, what pictures say, and both together (products of one brand that also look alike), chosen
#: on validation families of the real products: ``benchmarks/product_kernel.py`` prints others.
TEXT_SHARE, IMAGE_SHARE, BOTH_SHARE = 0.4, 0.4, 0.2
#: What vectors of the text, the shop and the characteristics count beside words and letters, which count 1 each.
VECTOR_SHARE = 0.25
#: Products compared at a time.
_BLOCK = 2048


def similarity(first: Signals, second: Signals) -> Float32Array:
    """(n, m) kernel of two sets of products: positive semi-definite, 1 for a product with itself that has both sides.

    Text side t: the mean of the cosines of word and letter n-grams, and Gaussians of the other vectors. Image side g:
    exp(-|a - b|^2) of unit picture vectors. Together: a t + b g + c exp(2 t - 2) g. A side that a product lacks adds 0;
    a side that nobody in ``second`` has leaves its share to the other.
    """
    out = np.empty((len(first), len(second)), np.float32)
    with_text, with_image = bool(second.has_text.any()), bool(second.has_image.any())
    for start in range(0, len(first), _BLOCK):
        rows = first.take(np.arange(start, min(start + _BLOCK, len(first))))
        part = out[start : start + _BLOCK]
        if not with_image:
            part[:] = _text(rows, second)
        elif not with_text:
            part[:] = _gaussian(rows, second, "image")
        else:
            text, image = _text(rows, second), _gaussian(rows, second, "image")
            part[:] = TEXT_SHARE * text + IMAGE_SHARE * image
            part += BOTH_SHARE * np.exp(2 * text - 2) * image
    return out


def _text(first: Signals, second: Signals) -> Float32Array:
    total = np.zeros((len(first), len(second)), np.float32)
    share = 0.0
    for name, matrix in second.ngrams.items():
        if matrix.nnz:
            total += (first.ngrams[name] @ matrix.T).toarray()
            share += 1.0
    for name, rows in second.dense.items():
        if name != "image" and rows.any():
            total += np.float32(VECTOR_SHARE) * _gaussian(first, second, name)
            share += VECTOR_SHARE
    return total / np.float32(share) if share else total


def _gaussian(first: Signals, second: Signals, name: str) -> Float32Array:
    left, right = first.dense[name], second.dense[name]
    near = left @ right.T
    near *= 2
    near -= 2
    np.exp(near, out=near)
    # A product without this vector is like no other.
    near[~left.any(axis=1)] = 0
    near[:, ~right.any(axis=1)] = 0
    return near
