"""Eight series colours with a light and a dark value, and which style gets which.

Light values have at least 4.5:1 contrast on white and dark ones on #16181b, and neighbours differ in
lightness as well as hue; charts add a marker shape per slot so that no reading depends on colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence

LIGHT = ("#1f5fa8", "#b8480a", "#0b7257", "#9c3579", "#7d6000", "#5b4ab0", "#a8241d", "#476574")
DARK = ("#7db4f0", "#f59a5b", "#57cda8", "#e58cc8", "#d9b84a", "#b0a4f5", "#f28b82", "#9fb9c7")
MARKERS = ("circle", "square", "triangle", "diamond", "ring", "cross", "down", "bar")
MATPLOTLIB_MARKERS = ("o", "s", "^", "D", "$\u25cb$", "X", "v", "|")


def css_colour(slot: int) -> str:
    """A CSS colour that follows the page's light or dark scheme and still works where no page sets one."""
    slot %= len(LIGHT)
    return f"var(--c{slot},{LIGHT[slot]})"


def colour_slots(style_ids: Sequence[int]) -> dict[int, int]:
    """A slot in 0..7 per style, preferring `style_id % 8` so that a style keeps its colour over the months.

    Within one call the first eight styles never share a slot.
    """
    slots: dict[int, int] = {}
    for position, style_id in enumerate(style_ids):
        wanted = style_id % len(LIGHT)
        taken = set(slots.values()) if position < len(LIGHT) else set()
        slots[style_id] = next(
            (wanted + step) % len(LIGHT)
            for step in range(len(LIGHT))
            if (wanted + step) % len(LIGHT) not in taken
        )
    return slots
