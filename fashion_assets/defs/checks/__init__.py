"""Asset checks: what is looked at after each materialisation. The list with what to do: ``docs/checks.md``."""

from collections.abc import Callable

import dagster as dg

from fashion_assets.defs.checks.embeddings import EMBEDDING_CHECKS
from fashion_assets.defs.checks.factory import asset_checks
from fashion_assets.defs.checks.keywords import KEYWORD_CHECKS
from fashion_assets.defs.checks.posts import POST_CHECKS
from fashion_assets.defs.checks.styles import STYLE_CHECKS
from fashion_assets.defs.checks.tables import table_checks


def build_checks(
    partitions_of: Callable[[str], dg.PartitionsDefinition[str] | None],
) -> list[dg.AssetChecksDefinition]:
    """Every check, with the partitions of its asset."""
    checks = [*table_checks(), *POST_CHECKS, *KEYWORD_CHECKS, *EMBEDDING_CHECKS, *STYLE_CHECKS]
    return asset_checks(checks, partitions_of)
