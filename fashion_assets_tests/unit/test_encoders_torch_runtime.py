"""The batch size: what is asked for, the CPU's default, or what a GPU has room for; the way there and back."""

from __future__ import annotations

import numpy as np
import pytest

from fashion_assets.networks import torch_runtime
from fashion_assets.networks.torch_runtime import (
    ACCELERATOR_BATCH_SIZE,
    CPU_BATCH_SIZE,
    pick_batch_size,
    pick_runtime,
    ready,
)
from fashion_assets.networks.torch_transfer import RowsOnTheWay, fetched, on_device, pinned, stacked

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


def test_in_16_bits_twice_as_many_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_with(monkeypatch, 24)
    assert [pick_batch_size(None, "cuda", precision) for precision in ("float32", "bfloat16")] == [128, 256]


def test_memory_that_pytorch_keeps_unused_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_with(monkeypatch, 4, reserved=8, allocated=4)
    assert pick_batch_size(None, "cuda") == 64


def test_what_is_asked_for_is_taken_without_asking_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = gpu_with(monkeypatch, 78)
    assert pick_batch_size(3, "cuda") == 3
    assert pick_batch_size(None, "cpu") == CPU_BATCH_SIZE
    assert pick_batch_size(None, "mps") == ACCELERATOR_BATCH_SIZE
    assert asked == []


def test_precision_counts_on_a_gpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch_runtime, "pick_device", lambda device: device)
    names = {
        device: pick_runtime(device, precision="bfloat16").model_id("st:x@1") for device in ("cpu", "cuda:1")
    }
    assert names == {"cpu": "st:x@1", "cuda:1": "st:x@1+bf16"}
    assert pick_runtime("cuda", precision="float16").dtype == torch.float16
    assert pick_runtime("cpu", precision="float16").dtype == torch.float32


def test_weights_are_cast_and_do_not_learn() -> None:
    network = ready(torch.nn.Linear(3, 2).half().train(), "cpu")
    assert {(each.dtype, each.requires_grad) for each in network.parameters()} == {(torch.float32, False)}
    assert not network.training
    assert ready(network, "cpu", torch.bfloat16).weight.dtype == torch.bfloat16


def test_batches_keep_what_is_no_tensor() -> None:
    batch = {"input_ids": torch.ones(2, 3, dtype=torch.int64), "modality": "text", "prompt_length": 4}
    moved = on_device(pinned(batch, "cpu"), "cpu")
    assert moved["input_ids"] is batch["input_ids"]
    assert (moved["modality"], moved["prompt_length"]) == ("text", 4)


def test_rows_come_back_in_float32() -> None:
    rows = fetched(torch.tensor([[1.0, 2.5]], dtype=torch.bfloat16))
    assert rows.dtype == np.float32
    assert rows.tolist() == [[1.0, 2.5]]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_a_gpu_takes_pinned_batches_and_hands_rows_back_later() -> None:
    arrays = [np.full((3, 4), number, np.uint8) for number in range(5)]
    batch = stacked(arrays, "cuda")
    assert batch.is_pinned()
    np.testing.assert_array_equal(batch, np.stack(arrays))
    tokens = on_device(pinned({"input_ids": batch}, "cuda"), "cuda")["input_ids"]
    rows = fetched((tokens.float() * 2).flatten(1).bfloat16())
    assert isinstance(rows, RowsOnTheWay)
    assert rows.shape == (5, 12)
    np.testing.assert_array_equal(np.asarray(rows), np.stack(arrays).reshape(5, 12) * 2)
    out = np.zeros((6, 12), np.float32)
    out[[1, 2, 3, 4, 5]] = rows
    assert out[5].tolist() == [8.0] * 12
