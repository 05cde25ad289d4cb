"""Landing with the settings' paths, salt and clock; for the asset, the sensor and the command line alike."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from fashion_assets.settings import Settings

if TYPE_CHECKING:
    from fashion_assets.posts.landing import LandingResult

#: The platform's wall clock; dates on posts mean this time zone.
PLATFORM_ZONE = ZoneInfo("Asia/Shanghai")

#: A person at a command line says when all is there: what changes within a moment is still being written.
SETTLE_SECONDS = 0.2
#: A run that nobody landed for may start while files are under way. It looks again after as long as the sensor does.
RUN_SETTLE_SECONDS = 30.0


def land(
    settings: Settings,
    log: logging.Logger | None = None,
    *,
    settle_seconds: float = SETTLE_SECONDS,
    two_looks: bool = False,
    max_files: int | None = None,
    max_bytes: int | None = None,
) -> LandingResult:
    """Land what is new in ``incoming/``; each file that was refused or must wait is logged with its reason.

    ``settle_seconds`` and the others as in ``land_incoming``; ``two_looks`` and the limits are for sensors, which come
    again.
    """
    from fashion_assets.posts.authors import load_or_create_salt
    from fashion_assets.posts.landing import land_incoming

    salt = settings.author_salt.encode() if settings.author_salt else load_or_create_salt(settings.salt_file)
    now = datetime.now(PLATFORM_ZONE).replace(tzinfo=None)
    result = land_incoming(
        settings.incoming,
        settings.lake,
        salt,
        now=now,
        settle_seconds=settle_seconds,
        first_month=settings.first_month,
        two_looks=two_looks,
        max_files=max_files,
        max_bytes=max_bytes,
    )
    for file in result.files:
        if log is not None and file.status in ("refused", "waiting"):
            log.warning("%s is %s: %s", file.name, file.status, file.reason)
    return result


def count_landed_posts(settings: Settings) -> int:
    """How many different posts have arrived so far, refused ones with an id included."""
    from fashion_assets.posts.landed import read_post_index

    return len(read_post_index(settings.lake))
