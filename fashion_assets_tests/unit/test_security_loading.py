"""Files that run code when they are unpickled, and folders that bring code along: refused, and not run."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.cbow import CbowModel
from fashion_assets.encoders.word_vector_files import load_word_vectors
from fashion_assets.posts.crawl_files import read_crawl_file
from fashion_assets.products.heads.files import ARRAYS_FILE, load_head
from fashion_assets.products.tuning.tensors import mapped_rows
from fashion_assets.storage.errors import UserError
from fashion_assets.styles.model_file import model_from_bytes
from fashion_assets.tfashion.model import WEIGHTS, TfashionModel
from fashion_assets_tests.unit.tiny_networks import OPEN_CLIP_CONFIG, tiny_bert, tiny_sentence_transformer

Write = Callable[[Path, "Payload"], None]


class Payload:
    """Unpickled, it makes a folder: the sign that a file was run."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.sign),)


def plain(path: Path, payload: Payload) -> None:
    path.write_bytes(pickle.dumps({"weight": payload}))


def array(path: Path, payload: Payload) -> None:
    with path.open("wb") as handle:
        np.save(handle, np.array([payload], dtype=object), allow_pickle=True)


def torch_file(path: Path, payload: Payload) -> None:
    import torch

    torch.save({"weight": payload}, path)


def old_torch_file(path: Path, payload: Payload) -> None:
    import torch

    torch.save({"weight": payload}, path, _use_new_zipfile_serialization=False)


def gensim_file(path: Path, payload: Payload) -> None:
    from gensim.models import KeyedVectors

    vectors = KeyedVectors(2)
    vectors.add_vectors(["a"], np.ones((1, 2), np.float32))
    vectors.payload = payload
    vectors.save(str(path))


@pytest.fixture
def payload(tmp_path: Path) -> Payload:
    return Payload(tmp_path / "it-was-run")


@pytest.mark.parametrize("write", [plain, array, torch_file, old_torch_file, gensim_file])
def test_the_payloads_are_real(tmp_path: Path, payload: Payload, write: Write) -> None:
    """Read as their makers read them, they run; else the tests below would show nothing."""
    path = tmp_path / "file"
    write(path, payload)
    if write is array:
        np.load(path, allow_pickle=True)
    elif write in (torch_file, old_torch_file):
        import torch

        torch.load(path, weights_only=False)
    else:
        pickle.loads(path.read_bytes())
    assert payload.sign.is_dir()


WORDS: Any = None  # the file is refused before the words are asked for
LOADERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "word vectors": ("vectors.kv", load_word_vectors),
    "words:": ("vectors.bin", lambda path: load_encoder(f"words:{path}")),
    "local:cbow": ("word_vectors.safetensors", CbowModel.load),
    "fashion words": (WEIGHTS, lambda path: TfashionModel.load(path.parent, WORDS)),
    "style model": ("style_model.safetensors", lambda path: model_from_bytes(path.read_bytes())),
    "product head": (ARRAYS_FILE, lambda path: load_head(path.parent)),
    "onnx:": ("network.onnx", lambda path: load_encoder(f"onnx:{path}")),
    "timm: safetensors": ("net.safetensors", lambda path: load_encoder(f"timm:test_vit/{path}")),
    "timm: pth": ("net.pth", lambda path: load_encoder(f"timm:test_vit/{path}")),
    "open_clip: pt": ("net.pt", lambda path: load_encoder(f"open_clip:tiny-pickled/{path}")),
    "open_clip: safetensors": (
        "net.safetensors",
        lambda path: load_encoder(f"open_clip:tiny-pickled/{path}"),
    ),
}


@pytest.mark.parametrize("write", [plain, array, torch_file, old_torch_file, gensim_file])
@pytest.mark.parametrize("loader", LOADERS)
def test_no_loader_unpickles(tmp_path: Path, payload: Payload, loader: str, write: Write) -> None:
    name, load = LOADERS[loader]
    (tmp_path / "tiny-pickled.json").write_text(json.dumps(OPEN_CLIP_CONFIG))
    (tmp_path / "head.json").write_text("{}")
    write(tmp_path / name, payload)
    with pytest.raises(UserError) as refused:
        load(tmp_path / name)
    assert str(tmp_path) in str(refused.value) or "style model" in str(refused.value)
    assert not payload.sign.exists()


def test_cached_rows_are_not_unpickled(tmp_path: Path, payload: Payload) -> None:
    array(tmp_path / "rows.npy", payload)
    with pytest.raises(ValueError, match=r"(?i)object|pickle"):
        mapped_rows(tmp_path / "rows.npy", 1, iter(()), lambda done, rows: None)
    assert not payload.sign.exists()


@pytest.mark.parametrize("kind", ["hf", "st"])
def test_pickled_weights_of_a_folder_are_not_run(tmp_path: Path, payload: Payload, kind: str) -> None:
    folder = tiny_bert(tmp_path / "bert")
    (folder / "model.safetensors").unlink()
    torch_file(folder / "pytorch_model.bin", payload)
    with pytest.raises(UserError, match=str(folder)):
        load_encoder(f"{kind}:{folder}")
    assert not payload.sign.exists()


def bring_code(folder: Path, payload: Payload) -> None:
    (folder / "custom.py").write_text(f"import os\nos.mkdir({str(payload.sign)!r})\n")


def test_code_beside_a_network_is_not_run(
    tmp_path: Path, payload: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the person asked, who could say yes: a run has nobody to ask."""
    monkeypatch.setattr("builtins.input", lambda prompt="": pytest.fail("somebody was asked"))
    folder = tiny_bert(tmp_path / "bert")
    bring_code(folder, payload)
    changes: dict[str, dict[str, Any]] = {
        "tokenizer_config.json": {
            "tokenizer_class": "Unknown",
            "auto_map": {"AutoTokenizer": ["custom.T", None]},
        },
        "config.json": {
            "model_type": "unknown",
            "auto_map": {"AutoConfig": "custom.C", "AutoModel": "custom.M"},
        },
    }
    for file, change in changes.items():
        described = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**described, **change}))
        with contextlib.suppress(UserError):  # a tokenizer of another class may do
            load_encoder(f"hf:{folder}")
        assert not payload.sign.exists()
    with pytest.raises(UserError, match="custom code"):
        load_encoder(f"hf:{folder}")


def test_code_beside_a_sentence_transformer_is_not_run(tmp_path: Path, payload: Payload) -> None:
    folder = tiny_sentence_transformer(tmp_path / "sentences")
    bring_code(folder, payload)
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["type"] = "custom.Pooling"
    (folder / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match=r"custom\.Pooling"):
        load_encoder(f"st:{folder}")
    assert not payload.sign.exists()


def test_arrow_extensions_in_a_crawl_file_are_not_unpickled(tmp_path: Path, payload: Payload) -> None:
    """CVE-2023-47248: Arrow once unpickled the types of ``arrow.py_extension_type``."""
    field = pa.field(
        "post_id",
        pa.string(),
        metadata={
            b"ARROW:extension:name": b"arrow.py_extension_type",
            b"ARROW:extension:metadata": pickle.dumps(payload),
        },
    )
    pq.write_table(pa.table([pa.array(["a"])], schema=pa.schema([field])), tmp_path / "crawl.parquet")
    assert read_crawl_file(tmp_path / "crawl.parquet").refused
    assert not payload.sign.exists()


def test_a_torch_file_in_a_zip_of_cards_is_no_card(tmp_path: Path, payload: Payload) -> None:
    from fashion_assets.products.cards import read_product_cards

    torch_file(tmp_path / "weights.pt", payload)
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
        archive.write(tmp_path / "weights.pt", "cards.parquet")
    with pytest.raises(UserError, match=r"cards\.parquet is not a readable Parquet file"):
        read_product_cards(tmp_path / "shop.zip")
    assert not payload.sign.exists()
