"""The identity of what is encoded: a digest of the content, whatever item or month it stands in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def content_hashes(contents: Iterable[str]) -> list[str]:
    """The SHA-256 of each content's UTF-8 text as 64 hex digits, in order."""
    return [hashlib.sha256(content.encode("utf-8")).hexdigest() for content in contents]
