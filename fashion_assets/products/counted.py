"""A number of things in words, for the sentences that people read."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """``1 product``, ``1,300 products``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")
