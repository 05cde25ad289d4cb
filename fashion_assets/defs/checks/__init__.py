"""Asset checks: what is looked at after each materialisation. The list with what to do: ``docs/checks.md``."""

from collections.abc import Callable

import dagster as dg

from fashion_assets.defs.checks.closing import CLOSING_CHECKS
from fashion_assets.defs.checks.embeddings import EMBEDDING_CHECKS
from fashion_assets.defs.checks.factory import Check, asset_checks
from fashion_assets.defs.checks.keywords import KEYWORD_CHECKS
from fashion_assets.defs.checks.posts import POST_CHECKS
from fashion_assets.defs.checks.styles import STYLE_CHECKS
from fashion_assets.defs.checks.tables import table_checks


def all_checks() -> list[Check]:
    """What is looked at, table by table and month by month."""
    return [
        *table_checks(),
        *POST_CHECKS,
        *KEYWORD_CHECKS,
        *EMBEDDING_CHECKS,
        *STYLE_CHECKS,
        *CLOSING_CHECKS,
    ]


def build_checks(
    partitions_of: Callable[[str], dg.PartitionsDefinition[str] | None],
) -> list[dg.AssetChecksDefinition]:
    """Every check, with the partitions of its asset."""
    return asset_checks(all_checks(), partitions_of)
