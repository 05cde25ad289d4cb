"""``torch.compile`` for networks whose batches have many shapes, with a way back where it does not work."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import Any

logger = logging.getLogger(__name__)


def compiled(call: Callable[..., Any], what: str) -> Callable[..., Any]:
    """``call``, compiled by ``torch.compile`` when it is first used; ``what`` names it in the warning.

    Shapes are dynamic: batches differ in length, their last one in number, and one compilation of minutes has to
    serve them all. If compilation fails, for want of a compiler or of an operator's support, one warning says so and
    ``call`` itself runs from then on. Both give the same rows but for the order of float additions.
    """
    import torch

    chosen = torch.compile(call, dynamic=True)

    @functools.wraps(call)
    def run(*args: Any, **kwargs: Any) -> Any:
        nonlocal chosen
        if chosen is call:
            return call(*args, **kwargs)
        try:
            return chosen(*args, **kwargs)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # Dynamo, its backends and the C++ compiler have no common error
            # If this fails as well, the fault is not in the compilation, and its own error tells it.
            result = call(*args, **kwargs)
            first_line = str(error).strip().partition("\n")[0]
            logger.warning(
                "%s: torch.compile failed (%s: %s); going on without it",
                what,
                type(error).__name__,
                first_line,
            )
            chosen = call
            return result

    return run
