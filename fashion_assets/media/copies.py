"""Posts that show the pictures of another post: one of them stands for all where groups are learned."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import numpy as np
import pandas as pd

#: The columns of POST_IMAGES that are looked at.
COLUMNS: Final = ["image_id", "post_id", "month", "digest", "frame", "duplicate_group", "status"]


def copied_posts(images: pd.DataFrame, kept: Collection[str] | None = None) -> dict[str, str]:
    """post id -> the post that stands for it, for each post that shows what an earlier one shows.

    ``images`` are POST_IMAGES rows (``COLUMNS``) of one or more months; ``kept`` the image ids that count (those
    with a garment crop; left out: all usable ones). Two posts show the same if their pictures belong to the same set
    of groups, neither more nor fewer. A group is what ``describe_pictures`` found within a month; groups of different
    months are one where they share a file (digest) and frame. Of equal posts the first by month and id stands for all.
    Posts without a picture that counts are nobody's copy.
    """
    usable = images[images["status"] == "ok"]
    if usable.empty:
        return {}
    group = _groups_over_months(usable)
    counted = np.ones(len(usable), dtype=bool) if kept is None else usable["image_id"].isin(kept).to_numpy()
    shown = (
        usable[["month", "post_id"]]
        .assign(group=group)[counted]
        .groupby(["month", "post_id"], sort=True)["group"]
        .agg(frozenset)
    )
    first: dict[frozenset[int], str] = {}
    copies: dict[str, str] = {}
    for post_id, groups in zip(shown.index.get_level_values("post_id"), shown, strict=True):
        standing = first.setdefault(groups, post_id)
        if standing != post_id:
            copies[post_id] = standing
    return copies


def _groups_over_months(usable: pd.DataFrame) -> pd.Series[int]:
    """The number of each row's group, equal for groups that share a file's bytes."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    groups, names = pd.factorize(usable["duplicate_group"])
    files = usable.groupby(["digest", "frame"], dropna=False, sort=False).ngroup().to_numpy()
    # Groups and files are the nodes of one graph, each picture an edge between its own two.
    n = len(names) + int(files.max()) + 1
    edges = coo_matrix((np.ones(len(usable), dtype=np.int8), (groups, len(names) + files)), shape=(n, n))
    labels = connected_components(edges, directed=False)[1]
    return pd.Series(labels[groups], index=usable.index)
