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


def land(
    settings: Settings,
    log: logging.Logger | None = None,
    *,
    two_looks: bool = False,
    max_files: int | None = None,
) -> LandingResult:
    """Land what is new in ``incoming/``; each file that was refused or must wait is logged with its reason.

    ``two_looks`` and ``max_files`` as in ``land_incoming``: for sensors, which come again.
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
        first_month=settings.first_month,
        two_looks=two_looks,
        max_files=max_files,
    )
    for file in result.files:
        if log is not None and file.status in ("refused", "waiting"):
            log.warning("%s is %s: %s", file.name, file.status, file.reason)
    return result


def count_landed_posts(settings: Settings) -> int:
    """How many different posts have arrived so far, refused ones with an id included."""
    from fashion_assets.posts.landed import read_post_index

    return len(read_post_index(settings.lake))
