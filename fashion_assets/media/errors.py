"""The refusal of one picture or video."""

from __future__ import annotations

from fashion_assets.storage.errors import UserError


class MediaError(UserError):
    """One picture or video cannot be used; the message is the ``reason`` that its row carries."""
