"""What ``--select`` means: names and Dagster's selections, to a set of assets."""

from __future__ import annotations

import re
from typing import Any

import dagster as dg

from fashion_assets.defs.planning import DECISIONS
from fashion_assets.storage.errors import UserError

#: ``name``, ``+name``, ``name+``, ``2+name``: Dagster wants ``key:"name"`` there.
_NAME_WITH_REACH = re.compile(r"(\d*\+)?([A-Za-z_]\w*)(\+\d*)?")


def resolve_selection(graph: Any, text: str) -> set[str]:
    """The assets that a list of names and selections in Dagster's syntax names, separated by commas.

    ``+name`` is the asset with all above it, ``name+`` with all below; a decision (``closed_month``) is in it only
    where it is named itself. Raises UserError for what is unknown.
    """
    known = {key.to_user_string() for key in graph.toposorted_asset_keys}
    found: set[str] = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        reach = _NAME_WITH_REACH.fullmatch(part)
        if reach and reach[2] not in known:
            raise UserError(f"there is no asset {reach[2]!r}; the assets are {', '.join(sorted(known))}")
        selection = f'{reach[1] or ""}key:"{reach[2]}"{reach[3] or ""}' if reach else part
        try:
            found |= {key.to_user_string() for key in dg.AssetSelection.from_string(selection).resolve(graph)}
        except Exception as fault:  # dagster raises several kinds for a selection that does not parse
            raise UserError(f"the selection {part!r} cannot be read: {str(fault).splitlines()[0]}") from fault
    found -= {asset for asset in DECISIONS if asset not in text}
    if not found:
        raise UserError(f"no asset matches {text!r}; the assets are {', '.join(sorted(known))}")
    return found
