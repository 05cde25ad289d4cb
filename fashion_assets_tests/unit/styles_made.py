"""Made data for the styles tests: directions around known centres, and months of posts that drift."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.encoders.tables import vector_array

MODEL = "1*made-text|1*made-image"


def blobs(
    n: int, k: int, d: int, noise: float, seed: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """(n, d) unit rows around k random directions of uneven size; `noise` is the noise's length."""
    generator = np.random.default_rng(seed)
    labels = generator.choice(k, size=n, p=generator.dirichlet(np.full(k, 8.0)))
    labels[:k] = np.arange(k)
    return around(unit_rows(generator.normal(size=(k, d)))[labels], noise, generator), labels


def around(
    centres: npt.NDArray[np.floating], noise: float, generator: np.random.Generator
) -> npt.NDArray[np.float32]:
    """A unit row near each of the centres (n, d)."""
    return unit_rows(centres + noise * generator.normal(size=centres.shape) / np.sqrt(centres.shape[1]))


def posts_table(
    month: str,
    text: npt.NDArray[np.floating],
    image: npt.NDArray[np.floating],
    *,
    model_id: str = MODEL,
    ids: Sequence[str] | None = None,
) -> pa.Table:
    """`multimodal_embeddings` of the month; a zero row in `text` or `image` means that the post has none."""
    n = len(text)
    return pa.table(
        {
            "post_id": list(ids) if ids is not None else [f"{month}-{row:04d}" for row in range(n)],
            "month": [month] * n,
            "model_id": [model_id] * n,
            "has_text": text.any(axis=1).tolist(),
            "has_image": image.any(axis=1).tolist(),
            "vector": vector_array(unit_rows(np.concatenate([text, image], axis=1))),
        },
        schema=pa.schema(
            [
                ("post_id", pa.string()),
                ("month", pa.string()),
                ("model_id", pa.string()),
                ("has_text", pa.bool_()),
                ("has_image", pa.bool_()),
                ("vector", vector_array(np.zeros((1, text.shape[1] + image.shape[1]), np.float32)).type),
            ]
        ),
    )


class DriftingStyles:
    """Styles whose text and picture directions move a little every month; some are born, some die."""

    def __init__(
        self, k: int, *, dim: int = 32, noise: float = 1.2, drift: float = 0.08, seed: int = 0
    ) -> None:
        self.generator = np.random.default_rng(seed)
        self.dim, self.noise, self.drift = dim, noise, drift
        self.alive: dict[int, npt.NDArray[np.float32]] = {}
        self.born = 0
        for _ in range(k):
            self.birth()

    def birth(self) -> int:
        """The key of a new style."""
        self.alive[self.born] = unit_rows(self.generator.normal(size=(2, self.dim)))
        self.born += 1
        return self.born - 1

    def month(self, month: str, n: int) -> tuple[pa.Table, npt.NDArray[np.int64]]:
        """The month's posts and the style of each; the directions drift before."""
        for key, pair in self.alive.items():
            self.alive[key] = unit_rows(pair + self.drift * unit_rows(self.generator.normal(size=pair.shape)))
        keys = np.array(sorted(self.alive))
        truth = keys[self.generator.integers(0, len(keys), size=n)]
        pairs = np.stack([self.alive[key] for key in truth])
        text, image = (around(pairs[:, side], self.noise, self.generator) for side in (0, 1))
        return posts_table(month, text, image), truth
