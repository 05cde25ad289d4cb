"""Fixtures of the tests of assets."""

from __future__ import annotations

import pytest

from fashion_assets.defs import posts


@pytest.fixture(autouse=True)
def files_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run does not wait for files that a test has just written, as it would for a stranger's."""
    monkeypatch.setattr(posts, "RUN_SETTLE_SECONDS", 0.05)
