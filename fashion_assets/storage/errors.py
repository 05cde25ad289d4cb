"""The one exception that a person's mistake raises, anywhere in the project."""

from __future__ import annotations


class UserError(ValueError):
    """A sentence for the person at the keyboard: what was found, where, what was expected, what to do.

    The command line prints it alone and exits non-zero; inside Dagster it ends a step at once, because a
    retry cannot mend an input.
    """
