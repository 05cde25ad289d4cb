"""Ways of finding styles, compared: what is clustered, in which space, by which method, and how well that goes.

Belongs here: the variants, their rows, the clusterers, the figures that judge a partition, the verdict, and the table
of them. Does not: the styles that months live with (`styles/model.py`), the page (`reports/experiments.py`), Dagster.
Rooms: `variants` (names), `rows` (which posts), `clusterers` and `warm_scan` (partitions), `balance`, `stability`,
`verdict` (figures and words), `experiment` (all of them for one variant), `table` (how it is stored).
"""
