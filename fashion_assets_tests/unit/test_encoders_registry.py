"""The registry: what is there, what is said when something is not, and that asking is cheap."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fashion_assets.encoders import encoder_specs, load_encoder, registry
from fashion_assets.encoders.batches import BatchRunner
from fashion_assets.networks import hub
from fashion_assets.networks.hub import HubSnapshot, load_from_hub
from fashion_assets.networks.memory import is_out_of_memory
from fashion_assets.networks.weights import UnloadableFiles
from fashion_assets.storage.errors import UserError


def test_every_kind_of_the_design_is_listed() -> None:
    kinds = {entry.kind: entry for entry in encoder_specs()}
    assert set(kinds) == {"local:cbow", "local:visual", "words", "st", "open_clip", "timm", "hf", "onnx"}
    assert all(entry.usable for entry in kinds.values())


def test_asking_imports_nothing_heavy() -> None:
    program = (
        "import sys; from fashion_assets.encoders import encoder_specs, load_encoder; encoder_specs();"
        "heavy = "
        "{'torch','transformers','sentence_transformers','open_clip','timm','gensim','cv2','onnxruntime','scipy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout.strip() == "[]"


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.importlib.util, "find_spec", lambda name: None)
    assert not any(entry.usable for entry in encoder_specs())
    with pytest.raises(UserError, match=r"needs torch, timm, which is not installed; pip install timm"):
        load_encoder("timm:test_vit")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("word2vec", "expected one of local:cbow"),
        ("local:magic", "there is no encoder 'local:magic'"),
        ("st:", "names no model"),
        ("st:/no/such/folder", "no file or folder at /no/such/folder"),
        ("hf:./missing", "no file or folder at missing and .*models/missing"),
        ("onnx:missing.onnx", r"missing\.onnx"),
        ("hf:two words", "neither an existing path nor a hub name"),
        ("timm:no_such_net", "timm has no network 'no_such_net'"),
        ("timm:test_vit/missing.safetensors", r"missing\.safetensors"),
        ("open_clip:ViT-B-32", "expected open_clip:<arch>/<pretrained tag>"),
        ("open_clip:ViT-B-32/no_such_tag", "its tags are openai"),
        ("open_clip:ViT-B-32/missing.pt", r"missing\.pt"),
    ],
)
def test_wrong_specs_are_explained(spec: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        load_encoder(spec, models_dir=tmp_path / "models")


@pytest.mark.parametrize(
    "spec",
    [
        "st:org/model",
        "hf:org/model",
        "timm:test_vit",
        "open_clip:ViT-B-32/openai",
        "open_clip:hf-hub:org/model",
    ],
)
def test_an_unreachable_hub_is_one_sentence(
    spec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    import huggingface_hub.constants  # a lazy package: the attribute exists once somebody has imported it

    def unreachable(*_: Any, **__: Any) -> None:
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "empty-cache"))
    with pytest.raises(UserError, match=r"(?s)hub cache .*empty-cache.*cannot be reached.*local:cbow"):
        load_encoder(spec)


def test_a_cached_snapshot_is_taken_without_the_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub
    import huggingface_hub.constants  # a lazy package: the attribute exists once somebody has imported it

    commit = "1a2b3c4d5e6f" + "0" * 28
    repository = tmp_path / "models--org--model"
    (repository / "snapshots" / commit).mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "_download", lambda *_: pytest.fail("asked the network"))
    for name in ("org/model", f"org/model@{commit}", f"org/model@{commit[:12]}"):
        assert load_from_hub("hf:x", name, lambda snapshot: snapshot.commit) == commit


def test_an_incomplete_snapshot_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken, whole = HubSnapshot(tmp_path, "old"), HubSnapshot(tmp_path, "new")
    monkeypatch.setattr(hub, "_cached_snapshot", lambda *_: broken)
    monkeypatch.setattr(hub, "_download", lambda *_: whole)

    def load(snapshot: HubSnapshot) -> str:
        if snapshot is broken:
            raise UnloadableFiles("no weights")
        return snapshot.commit

    assert load_from_hub("hf:org/model", "org/model", load) == "new"


def test_an_absent_device_is_said(tmp_path: Path) -> None:
    from fashion_assets.networks.torch_runtime import pick_device

    assert pick_device("cpu") == "cpu"
    assert pick_device(None) in {"cpu", "cuda"}
    with pytest.raises(UserError, match="cannot be used here"):
        pick_device("cuda:97")


def test_longest_items_come_first_and_order_returns() -> None:
    seen: list[list[str]] = []

    def forward(batch: list[str]) -> Any:
        seen.append(batch)
        return np.asarray([[len(item)] for item in batch], np.float32)

    runner = BatchRunner(list, forward, batch_size=2, dim=1, name="x")
    texts = ["a", "dddd", "bb", "eeeee", "ccc"]
    assert runner.run(texts, [len(text) for text in texts])[:, 0].tolist() == [1, 4, 2, 5, 3]
    assert seen == [["eeeee", "dddd"], ["ccc", "bb"], ["a"]]


def test_other_errors_are_not_taken_for_memory() -> None:
    def forward(batch: list[int]) -> Any:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        BatchRunner(list, forward, batch_size=2, dim=1, name="x").run([1, 2, 3])
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"))
    with pytest.raises(UserError, match="at least 1"):
        BatchRunner(list, forward, batch_size=0, dim=1, name="x")
