"""The posts of a window of months as arrays: which blocks each has, which rows a model is fitted on.

Belongs here: reading `multimodal_embeddings`, choosing the modality and the bounded sample. Does not:
fitting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fashion_assets.encoders.rows import has_direction, unit_rows
from fashion_assets.encoders.tables import model_ids_of, vectors_of
from fashion_assets.storage.errors import UserError

#: Rows whose squares are held at a time.
_BLOCK_ROWS = 4_096

Modality = Literal["multimodal", "text", "image"]


@dataclass(frozen=True)
class Posts:
    """Rows of `multimodal_embeddings`: ids and months (n,), flags (n,), `vectors` (n, d), text in the first `text_dim`
    columns. Unit rows are made of them where they are wanted: a window of them all would be held twice.
    """

    post_ids: list[str]
    months: npt.NDArray[np.str_]
    has_text: npt.NDArray[np.bool_]
    has_image: npt.NDArray[np.bool_]
    vectors: npt.NDArray[np.float32]
    text_dim: int
    model_id: str

    def unit(self, modality: Modality, rows: npt.NDArray[np.intp]) -> npt.NDArray[np.float32]:
        """The unit rows that a model of this modality compares, of the posts at the ascending places `rows`."""
        block = self.vectors[:, _columns(modality, self.text_dim)]
        return unit_rows(block if len(rows) == len(block) else block[rows])

    def having(self, modality: Modality) -> npt.NDArray[np.bool_]:
        """Which posts have what this modality needs; "multimodal" needs both."""
        both = self.has_text & self.has_image
        return {"multimodal": both, "text": self.has_text, "image": self.has_image}[modality]


def read_posts(table: pa.Table, text_dim: int, *, ordered: bool = False) -> Posts:
    """The table's posts; `ordered` sorts them by month and id, so that the order of files decides nothing.

    Raises UserError for mixed encoders, a text width that does not fit, repeated posts, and NaN.
    """
    models = model_ids_of(table)
    if len(models) > 1:
        raise UserError(
            f"the posts come from {len(models)} encoder settings ({'; '.join(models)}); expected one, as "
            f"vectors of "
            f"different encoders cannot be compared. Materialise multimodal_embeddings again for the older "
            f"months."
        )
    vectors = vectors_of(table)
    if not 0 <= text_dim <= vectors.shape[1]:
        raise UserError(
            f"text_dim is {text_dim} for vectors of {vectors.shape[1]} columns; expected 0 to that many."
        )
    ids = [str(value) for value in table.column("post_id").to_pylist()]
    months = np.asarray(table.column("month").to_pylist(), dtype=np.str_)
    if len(set(ids)) != len(ids):
        seen: set[str] = set()
        twice = next(post for post in ids if post in seen or seen.add(post))  # type: ignore[func-returns-value]
        raise UserError(f"post {twice} is in the window more than once; expected one row per post.")
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise UserError(
            f"the vector of post {ids[int(finite.argmin())]} holds NaN or infinity; encode it again."
        )
    order = np.lexsort((np.asarray(ids, dtype=np.str_), months)) if ordered and ids else np.arange(len(ids))
    vectors = vectors[order] if ordered else vectors
    flags = [
        np.asarray(table.column(name).to_pylist(), dtype=bool)[order] for name in ("has_text", "has_image")
    ]
    return Posts(
        post_ids=[ids[row] for row in order],
        months=months[order],
        has_text=flags[0] & has_direction(vectors[:, :text_dim]),
        has_image=flags[1] & has_direction(vectors[:, text_dim:]),
        vectors=vectors,
        text_dim=text_dim,
        model_id=models[0] if models else "",
    )


def _columns(modality: Modality, text_dim: int) -> slice:
    return {"multimodal": slice(None), "text": slice(text_dim), "image": slice(text_dim, None)}[modality]


def choose_modality(posts: Posts, min_multimodal_share: float) -> Modality:
    """ "multimodal" if at least that share of the posts with anything has both, else whichever more posts
    have.
    """
    anything = int((posts.has_text | posts.has_image).sum())
    both = int((posts.has_text & posts.has_image).sum())
    if anything and both >= min_multimodal_share * anything:
        return "multimodal"
    return "text" if posts.has_text.sum() >= posts.has_image.sum() else "image"


def stratified_rows(
    months: npt.NDArray[np.str_], rows: npt.NDArray[np.intp], limit: int, seed: int
) -> npt.NDArray[np.intp]:
    """At most about `limit` of `rows`, sorted, each month by its share (at least one), the same for the same
    seed.
    """
    if len(rows) <= limit:
        return rows
    generator = np.random.default_rng(seed)
    names, codes, counts = np.unique(months[rows], return_inverse=True, return_counts=True)
    chosen = [
        generator.choice(rows[codes == code], max(1, int(limit * counts[code] / len(rows))), replace=False)
        for code in range(len(names))
    ]
    return np.sort(np.concatenate(chosen))


def block_weights(posts: Posts) -> tuple[float, float]:
    """Mean lengths of the two blocks of the joint unit rows of posts with both; (0, 0) without any."""
    both = np.flatnonzero(posts.having("multimodal"))
    if not len(both):
        return 0.0, 0.0
    lengths = np.empty((2, len(both)), dtype=np.float32)
    for start in range(0, len(both), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        joint = unit_rows(posts.vectors[both[rows]])
        lengths[0, rows] = np.linalg.norm(joint[:, : posts.text_dim], axis=1)
        lengths[1, rows] = np.linalg.norm(joint[:, posts.text_dim :], axis=1)
    text, image = (float(each.mean()) for each in lengths)
    return text, image


def number_of_month(month: str) -> int:
    """Months since year 0, so that differences are months."""
    year, number = month.split("-")[:2]
    return 12 * int(year) + int(number)
