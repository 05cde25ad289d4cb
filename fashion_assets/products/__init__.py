"""Shop products: cards and pictures in, clean products, families, splits, attribute heads and their figures
out.

Belongs here: reading cards, what is refused and why, the split by product family, the heads over ready
vectors, their metrics, and the projection onto a foreign taxonomy. Does not: making vectors (``encoders``),
the lake (``storage``), anything of Dagster (``defs``).
"""
