"""Text for a terminal: what it would obey as a command is shown by its number instead."""

from __future__ import annotations

import re

#: All control characters but line feed and tab, in the eight-bit forms too: with them a title could move the cursor,
#: write to the clipboard (OSC 52) or hide an address behind a link (OSC 8). And what turns the direction of writing.
_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def for_terminal(text: str) -> str:
    """``text`` with ``\\u001b`` and the like for such characters, which JSON reads back as what they were."""
    return _COMMANDS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
