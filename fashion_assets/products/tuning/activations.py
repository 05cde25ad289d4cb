"""What enters the first learning block, captured once and played back, so that the frozen blocks run no more.

The network still runs as a whole: blocks before the first learning one hand their input on, and the hidden state is
exchanged at its door. So masks and positions are the network's own, whatever library made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

from fashion_assets.encoders.towers import Trainable
from fashion_assets.products.tuning.blocks import LearningBlocks
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch


#: Largest difference of raw rows that is rounding.
REPLAY_ERROR: Final = 1e-4


class _Captured(Exception):
    """Carries the hidden state out of a network that need not go on."""

    def __init__(self, hidden: torch.Tensor) -> None:
        self.hidden = hidden


def captured(trainable: Trainable, blocks: LearningBlocks, batch: Any, n_items: int) -> torch.Tensor:
    """(n_items, …) hidden states at the door of the first learning block.

    Raises UserError for a network whose hidden states are not one per item in the first place.
    """
    import torch

    def leave(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        raise _Captured(args[0] if args else kwargs["hidden_states"])

    hook = blocks.blocks[0].register_forward_pre_hook(leave, with_kwargs=True)
    try:
        with torch.no_grad():
            trainable.rows(batch)
    except _Captured as stop:
        if stop.hidden.shape[0] != n_items:
            raise UserError(
                f"{blocks.names[0]} takes hidden states of shape {tuple(stop.hidden.shape)} for {n_items} products; "
                "they cannot be cached one by one, set cache_activations to False"
            ) from None
        return stop.hidden
    finally:
        hook.remove()
    raise UserError(f"{blocks.names[0]} was not reached; set cache_activations to False")


def check_replay(trainable: Trainable, blocks: LearningBlocks, batch: Any, n_items: int) -> None:
    """UserError if the rows from captured states are not those of the whole network."""
    import torch

    with torch.no_grad():
        whole = trainable.rows(batch)
        try:
            with replayed(blocks, captured(trainable, blocks, batch, n_items)):
                same = torch.allclose(trainable.rows(batch), whole, atol=REPLAY_ERROR)
        except (RuntimeError, TypeError, AttributeError, IndexError, KeyError):
            # A network with more than hidden states between its blocks: whatever its own code makes of that.
            same = False
    if not same:
        raise UserError(
            f"{blocks.names[0]} cannot start from cached states, the network does more between its blocks; set "
            "cache_activations to False"
        )


@contextmanager
def replayed(blocks: LearningBlocks, hidden: torch.Tensor) -> Iterator[None]:
    """Inside, the network's rows start from ``hidden`` (n, …) at the first learning block."""

    def exchange(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if args:
            return (hidden, *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": hidden}

    with ExitStack() as stack:
        for block in blocks.before:
            stack.enter_context(_handing_on(block))
        hook = blocks.blocks[0].register_forward_pre_hook(exchange, with_kwargs=True)
        stack.callback(hook.remove)
        yield


@contextmanager
def _handing_on(block: torch.nn.Module) -> Iterator[None]:
    """The block's forward is its first input; transformers' and timm's blocks return a tensor alone."""

    def hand_on(*args: Any, **kwargs: Any) -> Any:
        return args[0] if args else kwargs["hidden_states"]

    own: Callable[..., Any] | None = block.__dict__.get("forward")
    block.forward = hand_on  # type: ignore[method-assign]
    try:
        yield
    finally:
        if own is None:
            del block.__dict__["forward"]
        else:
            block.forward = own  # type: ignore[method-assign]
