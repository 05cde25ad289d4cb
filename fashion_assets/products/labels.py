"""A label as text: what counts as a label and what as none, in one place for heads, figures and files."""

from __future__ import annotations


def label_text(label: object) -> str | None:
    """The label as text without blanks around it; None for None, NaN, NA and blank."""
    if (
        label is None
        or (isinstance(label, float) and label != label)
        or type(label).__name__ in ("NAType", "NaTType")
    ):
        return None
    return str(label).strip() or None
