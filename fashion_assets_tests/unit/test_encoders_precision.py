"""Precision and torch.compile: where they act, what the model id says, and that vectors stay what they were."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from fashion_assets.encoders import load_encoder
from fashion_assets.networks import torch_compile, torch_runtime
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.tiny_networks import (
    TEXTS,
    pictures,
    tiny_bert,
    tiny_chinese_clip,
    tiny_marqo,
    tiny_open_clip,
    tiny_qwen3_embedding,
    tiny_sentence_transformer,
    tiny_timm,
)

torch = pytest.importorskip("torch")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, list[Any]]]:
    """Name -> spec and items of a network of every class."""
    folder = tmp_path_factory.mktemp("networks")
    seen = pictures(folder / "pictures")
    tiny_timm(folder / "vit.safetensors")
    tiny_timm(folder / "effnet.safetensors", "test_efficientnet")
    return {
        "bert": (f"hf:{tiny_bert(folder / 'bert')}", TEXTS),
        "sentences": (f"st:{tiny_sentence_transformer(folder / 'sentences')}", TEXTS),
        "decoder": (f"st:{tiny_qwen3_embedding(folder / 'decoder')}", TEXTS),
        "chinese_clip": (f"hf:{tiny_chinese_clip(folder / 'cn-clip')}", [*TEXTS, *seen]),
        "open_clip": (f"open_clip:{tiny_open_clip(folder / 'open-clip')}", ["red dress", "coat", *seen]),
        "siglip": (f"open_clip:{tiny_marqo(folder / 'siglip')}", ["裙", "西装", *seen]),
        "vit": (f"timm:test_vit/{folder / 'vit.safetensors'}", seen),
        "efficientnet": (f"timm:test_efficientnet/{folder / 'effnet.safetensors'}", seen),
    }


NETWORKS = ("bert", "sentences", "decoder", "chinese_clip", "open_clip", "siglip", "vit", "efficientnet")


@pytest.mark.parametrize("name", ["sentences", "vit"])
def test_a_cpu_computes_in_float32_whatever_is_asked(
    name: str, saved: dict[str, tuple[str, list[Any]]]
) -> None:
    spec, items = saved[name]
    full, short = (load_encoder(spec, device="cpu", precision=each) for each in ("float32", "bfloat16"))
    assert full.model_id == short.model_id
    np.testing.assert_array_equal(full.encode(items), short.encode(items))


@pytest.mark.parametrize(("precision", "suffix"), [("bfloat16", "+bf16"), ("float16", "+fp16")])
@pytest.mark.parametrize("name", NETWORKS)
def test_short_precision_gives_nearly_the_same_under_another_id(
    name: str,
    precision: str,
    suffix: str,
    saved: dict[str, tuple[str, list[Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    spec, items = saved[name]
    full = load_encoder(spec, device="cpu", batch_size=3)
    # The CPU can compute in 16 bits as well; it only gains nothing.
    monkeypatch.setattr(torch_runtime, "_SHORT_PRECISION_DEVICES", ("cuda", "cpu"))
    short = load_encoder(spec, device="cpu", batch_size=3, precision=precision)
    assert suffix in short.model_id
    assert short.model_id.replace(suffix, "") == full.model_id
    expected, rows = full.encode(items), short.encode(items)
    filled = np.linalg.norm(expected, axis=1) > 0
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows[filled], axis=1), 1, atol=1e-6)
    assert (rows[filled] * expected[filled]).sum(axis=1).min() > 0.995
    assert not np.array_equal(rows, expected), "nothing was computed in another precision"


def test_rotary_frequencies_stay_in_float32(
    saved: dict[str, tuple[str, list[Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sentence_transformers import SentenceTransformer

    made: list[Any] = []

    class Kept(SentenceTransformer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            made.append(self)

    monkeypatch.setattr("sentence_transformers.SentenceTransformer", Kept)
    monkeypatch.setattr(torch_runtime, "_SHORT_PRECISION_DEVICES", ("cpu",))
    load_encoder(saved["decoder"][0], device="cpu", precision="bfloat16")
    frequencies = {name: value.dtype for name, value in made[0].named_buffers() if "inv_freq" in name}
    assert frequencies
    assert set(frequencies.values()) == {torch.float32}
    assert {parameter.dtype for parameter in made[0].parameters()} == {torch.bfloat16}


def test_an_unknown_precision_is_a_sentence() -> None:
    with pytest.raises(UserError, match="no precision 'int8'; expected one of float32, bfloat16, float16"):
        load_encoder("local:visual", precision="int8")


def traced_only(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """torch.compile without its C++ compiler, which takes a minute a network; hands back one entry a graph."""
    graphs: list[int] = []

    def backend(graph: Any, inputs: list[Any]) -> Callable[..., Any]:
        graphs.append(len(inputs))
        return graph.forward

    torch.compiler.reset()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=backend))
    return graphs


@pytest.mark.parametrize(
    "name",
    [
        *("sentences", "vit"),
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in NETWORKS
            if name not in ("sentences", "vit")
        ),
    ],
)
def test_compiled_networks_give_the_same_vectors_under_the_same_id(
    name: str,
    saved: dict[str, tuple[str, list[Any]]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec, items = saved[name]
    plain = load_encoder(spec, device="cpu", batch_size=2)
    graphs = traced_only(monkeypatch)
    fast = load_encoder(spec, device="cpu", batch_size=2, compile=True)
    assert graphs == [], "loading compiles nothing: a month that is run again encodes nothing"
    assert fast.model_id == plain.model_id
    np.testing.assert_allclose(fast.encode(items), plain.encode(items), atol=1e-5)
    assert graphs
    assert "torch.compile failed" not in caplog.text
    # Other lengths and numbers of items: dynamic shapes take them without another compilation.
    n_graphs = len(graphs)
    again = [*items, *items[::-1]]
    np.testing.assert_allclose(fast.encode(again), plain.encode(again), atol=1e-5)
    assert len(graphs) == n_graphs


@pytest.mark.slow
def test_the_real_compiler_gives_the_same_vectors(saved: dict[str, tuple[str, list[Any]]]) -> None:
    spec, items = saved["bert"]
    torch.compiler.reset()
    plain, fast = (load_encoder(spec, device="cpu", compile=each) for each in (False, True))
    np.testing.assert_allclose(fast.encode(items), plain.encode(items), atol=1e-5)


def test_a_compilation_that_fails_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    tried: list[int] = []

    def failing(call: Any, dynamic: bool) -> Callable[[int], int]:
        def run(number: int) -> int:
            tried.append(number)
            raise RuntimeError("InvalidCxxCompiler: no g++\nmore")

        return run

    monkeypatch.setattr(torch, "compile", failing)
    doubled = torch_compile.compiled(lambda number: 2 * number, "st:x")
    with caplog.at_level(logging.WARNING):
        assert [doubled(1), doubled(2)] == [2, 4]
    assert tried == [1]
    (record,) = caplog.records
    assert record.getMessage() == (
        "st:x: torch.compile failed (RuntimeError: InvalidCxxCompiler: no g++); going on without it"
    )


def test_faults_of_the_input_and_lack_of_memory_are_not_taken_for_compilation(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(number: int) -> int:
        raise ValueError("no such token")

    def cramped(number: int) -> int:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "compile", lambda call, dynamic: call)
    for call, error in ((wrong, ValueError), (cramped, torch.OutOfMemoryError)):
        run = torch_compile.compiled(lambda number, call=call: call(number), "st:x")
        with caplog.at_level(logging.WARNING), pytest.raises(error):
            run(1)
    assert caplog.text == ""
