"""``products finetune`` and ``products export`` as a person calls them, on networks small enough for a test."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from fashion_assets.cli import app
from fashion_assets.products.intake import take_in_products
from fashion_assets.products.model_folder import ModelFolder
from fashion_assets.products.model_predicting import load_heads, take_in
from fashion_assets.products.splits import read_split, split_table
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.product_shop_made import write_model_shop
from fashion_assets_tests.unit.tiny_networks import tiny_sentence_transformer, tiny_timm


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(
        app, ["products", *map(str, arguments)], env={"COLUMNS": "200", "NO_COLOR": "1"}
    )


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_model_shop(folder, products=60)
    return folder


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("networks")
    image = tiny_timm(folder / "e.safetensors", "test_efficientnet")
    return f"timm:test_efficientnet/{image}", f"st:{tiny_sentence_transformer(folder / 'sentence')}"


@pytest.mark.slow
def test_encoders_are_tuned_then_heads_trained_on_them_by_the_command_that_is_printed(
    shop: Path, networks: tuple[str, str], tmp_path: Path
) -> None:
    image, text = networks
    common = ("--data-dir", tmp_path / "data")
    command = ("finetune", shop, "--labels", "kind,colour", "--model-dir", tmp_path / "m", *common)
    tuning = (*command, "--image-encoder", image, "--text-encoder", text, "--device", "cpu")
    first = call(*tuning, "--epochs", "2", "--batch-size", "16", "--n-blocks", "1", "--name", "tiny")
    assert first.exit_code == 0, first.output
    folder = tmp_path / "m" / "finetuning" / "tiny"
    assert "Best epoch" in first.output and str(folder) in first.output
    assert (folder / "model_card.md").is_file() and (folder / "learning_curves.png").is_file()
    weights = {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")}
    again = call(*tuning, "--epochs", "2", "--batch-size", "16", "--n-blocks", "1", "--name", "tiny")
    assert again.exit_code == 0, again.output
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.safetensors")} == weights
    other = call(*tuning, "--epochs", "3", "--name", "tiny")
    assert isinstance(other.exception, UserError) and "holds another experiment" in str(other.exception)

    following = shlex.split(first.output.rpartition("Next: fashion-assets products ")[2])
    assert following[:2] == ["train", str(shop)]
    trained = call(*following, "--kinds", "logistic", *common)
    assert trained.exit_code == 0, trained.output
    # Judged are products that the encoders did not learn from either: the split of the tuning is that of the training.
    products = take_in_products(shop, ("kind", "colour")).products
    pd.testing.assert_frame_equal(read_split(tmp_path / "m"), split_table(products))
    model = ModelFolder.open(tmp_path / "m")
    used = {entry.purpose: entry.spec.partition(":")[0] for entry in model.manifest.encoders if entry.inside}
    assert used == {"image": "timm", "text": "st"}
    assert "local:visual" in {entry.spec for entry in model.manifest.encoders}
    # The tuned encoders are copied in: the model works without the experiment.
    shutil.rmtree(tmp_path / "m" / "finetuning")
    out = tmp_path / "preds.csv"
    predicted = call("predict", shop, "--model-dir", tmp_path / "m", "--out", out, *common)
    assert predicted.exit_code == 0, predicted.output
    assert "61 products" in predicted.output


def test_nothing_that_can_be_tuned_is_a_sentence(shop: Path, tmp_path: Path) -> None:
    command = ("finetune", shop, "--labels", "kind", "--model-dir", tmp_path / "m", "--data-dir", tmp_path)
    found = call(*command, "--image-encoder", "local:visual")
    assert isinstance(found.exception, UserError), found.output
    assert "local:visual" in str(found.exception)


def test_the_exported_file_says_what_the_heads_of_the_folder_say(shop: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from fashion_assets.products.export import HeadsSession

    model_dir, out = tmp_path / "m", tmp_path / "made" / "heads.onnx"
    trained = call("train", shop, "--labels", "kind,colour", "--model-dir", model_dir)
    assert trained.exit_code == 0, trained.output
    done = call("export", "--model-dir", model_dir, "--out", out)
    assert done.exit_code == 0, done.output
    assert "2 heads (kind, colour)" in done.output and str(out) in done.output
    model = ModelFolder.open(model_dir)
    features, session = take_in(shop, model).features, HeadsSession(out)
    probabilities, decided = session.predict_proba(features), session.decide(features)
    for head in load_heads(model):
        np.testing.assert_allclose(probabilities[head.attribute], head.predict_proba(features), atol=1e-5)
        assert decided[head.attribute].tolist() == list(head.decide(features)[0])
    none = call("export", "--model-dir", tmp_path / "none", "--out", out)
    assert isinstance(none.exception, UserError) and "holds no product model" in str(none.exception)
