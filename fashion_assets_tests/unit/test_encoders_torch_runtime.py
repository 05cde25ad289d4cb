"""The batch size: what is asked for, the CPU's default, or what the free memory of a GPU holds."""

from __future__ import annotations

import pytest

from fashion_assets.networks.torch_runtime import ACCELERATOR_BATCH_SIZE, CPU_BATCH_SIZE, pick_batch_size

torch = pytest.importorskip("torch")
GIB = 1024**3


def gpu_with(
    monkeypatch: pytest.MonkeyPatch, free: float, reserved: float = 0, allocated: float = 0
) -> list[str]:
    """A GPU whose memory is as given, in GiB; hands back which devices were asked."""
    asked: list[str] = []

    def mem_get_info(device: str) -> tuple[int, int]:
        asked.append(device)
        return int(free * GIB), 80 * GIB

    monkeypatch.setattr(torch.cuda, "mem_get_info", mem_get_info)
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: int(reserved * GIB))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: int(allocated * GIB))
    return asked


@pytest.mark.parametrize(
    ("free", "expected"),
    [(78, 512), (40, 256), (24, 128), (15, 64), (8, 64), (7.9, 32), (1, 8), (0.2, 8), (0, 8), (1000, 1024)],
)
def test_a_power_of_two_that_fits_into_half_of_the_free_memory(
    free: float, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = gpu_with(monkeypatch, free)
    assert pick_batch_size(None, "cuda:1") == expected
    assert asked == ["cuda:1"]


def test_memory_that_pytorch_keeps_unused_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_with(monkeypatch, 4, reserved=8, allocated=4)
    assert pick_batch_size(None, "cuda") == 64


def test_what_is_asked_for_is_taken_without_asking_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = gpu_with(monkeypatch, 78)
    assert pick_batch_size(3, "cuda") == 3
    assert pick_batch_size(None, "cpu") == CPU_BATCH_SIZE
    assert pick_batch_size(None, "mps") == ACCELERATOR_BATCH_SIZE
    assert asked == []
