"""Texts through ONNX: tiny networks saved here, exported, loaded by folder, and compared with the original."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from fashion_assets.cli.encoders import encoders_app
from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.onnx_export import Comparison, TextExport, export_text_encoder
from fashion_assets.encoders.onnx_texts import pooled
from fashion_assets.storage.errors import UserError

#: Of several lengths, one longer than the network's 32 positions, one empty.
TEXTS = ["法式碎花连衣裙", "西装", "冬天的羽绒服和围巾很暖和" * 4, "", "裙", "通勤穿搭 ootd"]


def tiny_bert(folder: Path) -> Path:
    """A BERT of 1 layer x 16 with a tokenizer of single characters."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    torch.manual_seed(0)
    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *sorted(set("".join(TEXTS)) - {" "})]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt"), model_max_length=32).save_pretrained(str(folder))
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=64, max_position_embeddings=32, **sizes)).save_pretrained(str(folder))
    return folder


def sentence_transformer(folder: Path, bert: Path, pooling: str, *more: Any, **options: Any) -> Path:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.models import Pooling, Transformer

    modules = [Transformer(str(bert)), Pooling(16, pooling_mode=pooling), *more]
    SentenceTransformer(modules=modules, device="cpu", **options).save(str(folder))
    return folder


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert") / "tiny")


@pytest.fixture(scope="module")
def exported(bert: Path) -> TextExport:
    """The tiny network through ``hf:``: one export serves most tests."""
    return export_text_encoder(f"hf:{bert}", bert.parent / "onnx")


@pytest.fixture
def folder(exported: TextExport, tmp_path: Path) -> Path:
    """A copy of the exported folder, to be damaged."""
    return Path(shutil.copytree(exported.folder, tmp_path / "copy"))


def test_an_export_gives_the_vectors_of_the_original(bert: Path, exported: TextExport) -> None:
    original, ours = load_encoder(f"hf:{bert}", device="cpu"), load_encoder(f"onnx:{exported.folder}")
    expected, found = original.encode(TEXTS), ours.encode(TEXTS)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (ours.modality, ours.dim, ours.model_id.partition("@")[0]) == ("text", 16, "onnx:onnx")
    assert not found[3].any()
    # Batches of one hold no padding and one row, which an export may take for fixed.
    alone = load_encoder(f"onnx:{exported.folder}", batch_size=1).encode(TEXTS)
    np.testing.assert_allclose(alone, expected, atol=1e-4)
    assert exported.int8 is None and not exported.int8_pays
    assert exported.float32.cosine_min > 0.999
    assert {path.name for path in exported.folder.iterdir()} >= {"model.onnx", "model.json", "tokenizer.json"}
    assert sorted(path.name for path in bert.parent.iterdir()) == ["onnx", "tiny"]


def test_pooling_prompt_and_length_are_the_models_own(bert: Path, tmp_path: Path) -> None:
    from sentence_transformers.models import Normalize

    source = sentence_transformer(
        tmp_path / "st",
        bert,
        "cls",
        Normalize(),
        prompts={"query": "穿搭", "document": ""},
        default_prompt_name="query",
    )
    made = export_text_encoder(f"st:{source}", tmp_path / "out")
    settings = json.loads((made.folder / "model.json").read_text(encoding="utf-8"))
    assert settings == {"pooling": "cls", "max_tokens": 32, "prompt": "穿搭"}
    expected = load_encoder(f"st:{source}", device="cpu").encode(TEXTS)
    np.testing.assert_allclose(load_encoder(f"onnx:{made.folder}").encode(TEXTS), expected, atol=1e-4)


def test_the_command_exports_int8_and_says_what_it_found(
    bert: Path, exported: TextExport, tmp_path: Path
) -> None:
    made = tmp_path / "int8"
    arguments = ["export", f"hf:{bert}", str(made), "--int8", "--data-dir", str(tmp_path / "data")]
    result = CliRunner().invoke(encoders_app, arguments)
    assert result.exit_code == 0, result.output
    for part in (f"hf:{bert}: ", "ONNX float32: ", "ONNX int8: ", f"FASHION_TEXT_ENCODER=onnx:{made}"):
        assert part in result.output
    vectors = load_encoder(f"onnx:{made}").encode(TEXTS)
    expected = load_encoder(f"onnx:{exported.folder}").encode(TEXTS)
    cosines = (vectors * expected).sum(axis=1)[[0, 1, 2, 4, 5]]
    assert cosines.min() > 0.9 and not np.array_equal(vectors, expected)
    assert {path.name for path in made.iterdir()} == {path.name for path in exported.folder.iterdir()}
    assert quantised_products(made) > 0 == quantised_products(exported.folder)


def quantised_products(folder: Path) -> int:
    import onnx

    return sum(node.op_type == "MatMulInteger" for node in onnx.load(folder / "model.onnx").graph.node)


@pytest.mark.parametrize(
    ("rate", "cosine", "pays"), [(300.0, 0.99, True), (210.0, 0.99, False), (300.0, 0.9, False)]
)
def test_int8_pays_when_it_is_faster_and_the_same(rate: float, cosine: float, pays: bool) -> None:
    plain, small = Comparison(1.0, 1.0, 200.0, 100.0), Comparison(cosine, cosine, rate, 100.0)
    assert TextExport(Path("out"), "st:x", plain, small).int8_pays is pays


def test_pooling_looks_at_real_tokens_on_either_side() -> None:
    hidden = np.arange(1, 13, dtype=np.float32).reshape(2, 3, 2)
    mask = np.array([[1, 1, 0], [0, 1, 1]])  # padded behind, and before
    assert pooled(hidden, mask, "mean").tolist() == [[2, 3], [10, 11]]
    assert pooled(hidden, mask, "cls").tolist() == [[1, 2], [9, 10]]
    assert pooled(hidden, mask, "lasttoken").tolist() == [[3, 4], [11, 12]]


def test_the_id_counts_tokenizer_and_settings(folder: Path, exported: TextExport) -> None:
    def revision() -> str:
        return load_encoder(f"onnx:{folder}").model_id.partition("@")[2]

    first = revision()
    assert first == load_encoder(f"onnx:{exported.folder / 'model.onnx'}").model_id.partition("@")[2]
    (folder / "model.json").write_text('{"pooling": "cls", "max_tokens": 32}', encoding="utf-8")
    assert revision() != first


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (None, "there is no .*model.json"),
        ("{", "is not JSON"),
        ('{"max_tokens": 32}', "names no pooling"),
        ('{"pooling": "mean"}', "expected"),
        ('{"pooling": "max", "max_tokens": 32}', "pooling one of mean, cls, lasttoken"),
        ('{"pooling": "mean", "max_tokens": 32, "size": 3}', "beside these only prompt"),
    ],
)
def test_settings_that_do_not_fit_are_said(folder: Path, settings: str | None, sentence: str) -> None:
    path = folder / "model.json"
    path.unlink()
    if settings is not None:
        path.write_text(settings, encoding="utf-8")
    with pytest.raises(UserError, match=sentence):
        load_encoder(f"onnx:{folder}")


def test_folders_that_do_not_load_are_said(folder: Path) -> None:
    with pytest.raises(UserError, match=r"no output 'logits'.*last_hidden_state"):
        load_encoder(f"onnx:{folder}#logits")
    for path in folder.glob("token*"):
        path.unlink()
    with pytest.raises(UserError, match="no tokenizer that loads"):
        load_encoder(f"onnx:{folder}")
    (folder / "model.onnx").write_bytes(b"not a network")
    with pytest.raises(UserError, match="not an ONNX file"):
        load_encoder(f"onnx:{folder}")
    (folder / "model.onnx").unlink()
    with pytest.raises(UserError, match=r"no file or folder at .*model\.onnx"):
        load_encoder(f"onnx:{folder}")


def test_a_fixed_length_is_refused(folder: Path) -> None:
    import onnx

    graph = onnx.load(folder / "model.onnx")
    graph.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 8
    onnx.save(graph, folder / "model.onnx")
    with pytest.raises(UserError, match="fixed shape"):
        load_encoder(f"onnx:{folder}")


def test_what_cannot_be_exported_is_said(bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from sentence_transformers.models import Dense

    with pytest.raises(UserError, match="local:cbow' cannot be exported"):
        export_text_encoder("local:cbow", tmp_path / "out")
    with pytest.raises(UserError, match="holds something"):
        export_text_encoder(f"hf:{bert}", bert)
    dense = sentence_transformer(
        tmp_path / "st", bert, "mean", Dense(16, 8, activation_function=torch.nn.Tanh())
    )
    with pytest.raises(UserError, match="Pooling, Dense behind its transformer"):
        export_text_encoder(f"st:{dense}", tmp_path / "out")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(UserError, match=r"needs onnxscript.*fashion-assets\[onnx\]"):
        export_text_encoder(f"hf:{bert}", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["st"]


def test_an_export_that_is_another_network_is_not_written(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fashion_assets.encoders.onnx_export._export_network", lambda *_: None)
    monkeypatch.setattr(
        "fashion_assets.encoders.onnx_export.compare", lambda *_: Comparison(0.999, 0.95, 10.0, 5.0)
    )
    with pytest.raises(UserError, match=r"falls to 0\.9500.*nothing was written"):
        export_text_encoder(f"hf:{bert}", tmp_path / "out")
    assert not list(tmp_path.iterdir())
