"""What says that two posts have the same text: ``content_hash`` of ``cleaned_posts``."""

from __future__ import annotations

import hashlib


def content_hash(text: str) -> str:
    """SHA-256 of a cleaned text, 64 hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()


#: The hash that posts of pictures alone have in common: it does not say that they are the same post.
EMPTY_TEXT = content_hash("")
