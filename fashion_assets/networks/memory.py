"""Whether an error means that memory ran out, whatever framework raised it."""

from __future__ import annotations

from typing import Final

#: Fragments of the messages by which PyTorch (CPU allocator) and ONNX Runtime report a lack of memory.
_MESSAGES: Final = ("out of memory", "can't allocate memory", "failed to allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the batch was too large, judged without importing any framework."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(fragment in str(error).lower() for fragment in _MESSAGES)
