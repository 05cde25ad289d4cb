"""``fashion-assets products``: what a person types, sees and gets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from fashion_assets.cli import app
from fashion_assets.products.head_record import HeadRecord
from fashion_assets.products.model_folder import ModelFolder, head_folder
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.product_shop_made import write_model_shop

WIDE = {"COLUMNS": "200", "NO_COLOR": "1"}


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["products", *map(str, arguments)], env=WIDE)


def fault(*arguments: str | Path) -> str:
    """The sentence of the UserError that the command ends with."""
    found = call(*arguments)
    assert isinstance(found.exception, UserError), found.output
    return str(found.exception)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_model_shop(folder, products=60)
    return folder


@pytest.fixture(scope="module")
def model(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "m"
    done = call("train", shop, "--labels", "kind,colour", "--kinds", "logistic", "--model-dir", folder)
    assert done.exit_code == 0, done.output
    assert "2 right" in done.output and "kind" in done.output and "Next: fashion-assets" in done.output
    assert (folder / "report.html").is_file()
    return folder


def test_predictions_hold_every_product_once_and_are_judged(shop: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "preds.csv"
    done = call("predict", shop, "--model-dir", model, "--out", out)
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out, dtype={"id": str})
    names = [f"{name}{end}" for name in ("kind", "colour") for end in ("", "_confidence", "_abstained")]
    assert table.columns.tolist() == ["id", *names, "inputs", "decided"]
    cards = pd.read_csv(shop / "cards.csv", dtype=str)
    assert sorted(table["id"]) == sorted(set(cards["id"]))
    assert table["kind"].notna().all()
    assert table.set_index("id").loc[["p-text", "p-image"], "inputs"].tolist() == ["text", "image"]
    refused = pd.read_csv(out.with_name("preds.refused.csv"))
    assert refused["id"].tolist() == ["p1"]
    assert "61 products (59 from image+text, 1 from image, 1 from text)" in done.output
    assert "60 of these 61 products were trained on" in done.output
    judged = call("evaluate", out, shop / "cards.csv", "--json", tmp_path / "figures.json", "--per-class")
    assert judged.exit_code == 0, judged.output
    assert "61 products judged" in judged.output and "All 2 right" in judged.output
    assert "1 ids stand more than once (p1)" in judged.output
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    right = (table["kind"].to_numpy() == cards.drop_duplicates("id")["kind"].to_numpy()).mean()
    assert figures["labels"]["kind"]["metrics"]["accuracy"] == pytest.approx(right)
    assert len(figures["labels"]["kind"]["confusion"]["labels"]) == 3


def test_ids_and_labels_that_look_like_formulas_are_harmless_and_judged(shop: Path, tmp_path: Path) -> None:
    cards = pd.read_csv(shop / "cards.csv", dtype=str).drop_duplicates("id").dropna(subset="title")
    cards.loc[cards.index[0], "id"] = "=1+1"
    cards["kind"] = cards["kind"].replace("bag", "-x")
    odd = tmp_path / "odd"
    odd.mkdir()
    cards.to_csv(odd / "cards.csv", index=False)
    (odd / "more.csv").write_text("id,title,kind\n@ref,,dress\n", encoding="utf-8")
    out, to = tmp_path / "preds.csv", ("--model-dir", tmp_path / "m")
    assert call("train", odd, "--labels", "kind", "--kinds", "logistic", *to).exit_code == 0
    assert "'@ref" in (tmp_path / "m" / "refused.csv").read_text("utf-8")
    done = call("predict", odd, *to, "--out", out)
    assert (
        done.exit_code == 0 and f"{len(cards)} of these {len(cards)} products were trained on" in done.output
    )
    written = out.read_text("utf-8")
    assert "\n'=1+1," in written and ",'-x," in written
    assert "\n'@ref," in out.with_name("preds.refused.csv").read_text("utf-8")
    judged = call("evaluate", out, odd / "cards.csv", "--json", tmp_path / "figures.json")
    figures = json.loads((tmp_path / "figures.json").read_text("utf-8"))
    assert figures["n_judged"] == len(cards) and "each head's own" in judged.output
    assert figures["labels"]["kind"]["metrics"]["accuracy"] > 0.9
    assert "-x" in figures["labels"]["kind"]["confusion"]["labels"]


def test_a_zip_is_read_as_the_folder_is(shop: Path, model: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "shop.zip", "w") as archive:
        for path in sorted(shop.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(shop))
    for source, name in ((shop, "folder.csv"), (tmp_path / "shop.zip", "zip.csv")):
        assert call("predict", source, "--model-dir", model, "--out", tmp_path / name).exit_code == 0
    assert (tmp_path / "folder.csv").read_text("utf-8") == (tmp_path / "zip.csv").read_text("utf-8")


def test_cards_alone_are_predicted_from_their_texts(shop: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "cards.csv").write_bytes((shop / "cards.csv").read_bytes())
    done = call("predict", tmp_path, "--model-dir", model, "--out", tmp_path / "preds.csv")
    assert done.exit_code == 0, done.output
    table = pd.read_csv(tmp_path / "preds.csv", dtype=str)
    assert set(table["inputs"]) == {"text"}
    truth = pd.read_csv(shop / "cards.csv", dtype=str).drop_duplicates("id").set_index("id")["kind"]
    assert (table.set_index("id")["kind"] == truth.loc[table["id"]]).mean() > 0.8


def test_shop_names_are_read_by_the_word_vectors_that_are_named(shop: Path, tmp_path: Path) -> None:
    source, words = tmp_path / "shop", tmp_path / "made.vec"
    source.mkdir()
    cards = pd.read_csv(shop / "cards.csv", dtype=str)
    cards.assign(shop=["north", "south"] * (len(cards) // 2)).to_csv(source / "cards.csv", index=False)
    words.write_text("2 3\nnorth 1 0 0\nsouth 0 1 0\n", "utf-8")
    asked = ("--labels", "kind", "--kinds", "logistic", "--model-dir", tmp_path / "m")
    done = call("train", source, *asked, "--word-encoder", f"words:{words}")
    assert done.exit_code == 0, done.output
    manifest = ModelFolder.open(tmp_path / "m").manifest
    assert [entry.purpose for entry in manifest.encoders if entry.model_id.startswith("words:made@")] == [
        "words"
    ]
    assert "|shop=words:made@" in manifest.vectors_model_id


def test_the_options_of_a_training_are_those_of_the_call_then_those_of_the_settings(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ("train", shop, "--labels", "kind", "--model-dir", tmp_path / "m")
    done = call(*asked, "--kinds", "knn", "--resampling", "auto", "--components", "5")
    assert done.exit_code == 0, done.output
    model = ModelFolder.open(tmp_path / "m")
    assert "|pca@" in model.manifest.vectors_model_id
    assert HeadRecord.load(head_folder(model.root, "kind")).kind == "knn"
    monkeypatch.setenv("FASHION_PRODUCT_RESAMPLING", "auto")
    monkeypatch.setenv("FASHION_PRODUCT_COMPONENTS", "5")
    monkeypatch.setenv("FASHION_PRODUCT_HEAD_KINDS", "knn")
    again = call(*asked)
    assert again.exit_code == 0 and "knn (kept)" in again.output, again.output
    other = call(*asked, "--resampling", "none")
    assert other.exit_code == 0 and "(kept)" not in other.output, other.output
    monkeypatch.setenv("FASHION_PRODUCT_IMAGE_ENCODERS", "local:visual,local:nothing")
    assert "there is no encoder 'local:nothing'" in fault(*asked)
    monkeypatch.setenv("FASHION_PRODUCT_IMAGE_ENCODERS", "")
    monkeypatch.setenv("FASHION_IMAGE_ENCODER", "local:nowhere")
    assert "there is no encoder 'local:nowhere'" in fault(*asked)
    assert "resampling is 'smote'" in fault(*asked, "--resampling", "smote")


def test_products_are_projected_onto_names(shop: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Dresses\nShoes\nHandbags\n", encoding="utf-8")
    out = tmp_path / "projected.csv"
    command = ("project", shop, "--categories", tmp_path / "names.txt", "--model-dir", model, "--out", out)
    done = call(*command, "--label", "kind", "--top-k", "2", "--text-weight", "2")
    assert done.exit_code == 0, done.output
    table = pd.read_csv(out, dtype={"id": str})
    assert table.columns.tolist()[:5] == ["id", "target_category", "divergence", "runner_up", "margin"]
    assert table["explanation"].str.startswith("carried by ").all()
    assert "61 products onto 3 categories over 3 labels of kind" in done.output
    assert "has no head of 'season'" in fault(*command, "--label", "season")


def test_a_page_on_the_products_is_made_without_a_model(shop: Path, tmp_path: Path) -> None:
    done = call("explore", shop, "--out", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    assert "62 cards arrived" in done.output
    assert (tmp_path / "page.html").read_text("utf-8").startswith("<!doctype html>")


def test_mistakes_are_sentences(shop: Path, model: Path, tmp_path: Path) -> None:
    assert "the label column seasn is in no card file" in fault(
        "train", shop, "--labels", "kind,seasn", "--model-dir", tmp_path / "m"
    )
    assert "there is no kind of head oracle" in fault(
        "train", shop, "--labels", "kind", "--kinds", "oracle", "--model-dir", tmp_path / "m"
    ).replace("'", "")
    assert "there is no encoder 'local:nothing'" in fault(
        "train", shop, "--labels", "kind", "--image-encoder", "local:nothing", "--model-dir", tmp_path / "m"
    )
    assert "--labels names nothing" in fault("train", shop, "--labels", " , ", "--model-dir", tmp_path / "m")
    assert "is a folder; give --out the path of a file" in fault(
        "predict", shop, "--model-dir", model, "--out", tmp_path
    )
    assert "holds no product model" in fault(
        "predict", shop, "--model-dir", tmp_path / "none", "--out", tmp_path / "preds.csv"
    )
    assert "give --model-dir a folder" in fault(
        "predict", shop, "--model-dir", model / "model.json", "--out", tmp_path / "preds.csv"
    )
    assert "there is no file" in fault("evaluate", tmp_path / "none.csv", shop / "cards.csv")
    assert "is not a folder or a zip" in fault(
        "predict", tmp_path / "none", "--model-dir", model, "--out", tmp_path / "preds.csv"
    )
    assert "nothing can be tuned" in fault(
        "finetune", shop, "--labels", "kind", "--model-dir", tmp_path / "m"
    )


def test_in_a_process_of_its_own_a_mistake_is_one_line_and_code_one(model: Path, tmp_path: Path) -> None:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("FASHION_", "DAGSTER_"))
    }
    done = subprocess.run(
        [
            *(sys.executable, "-m", "fashion_assets.cli", "products", "predict", str(tmp_path / "none")),
            *("--model-dir", str(model), "--out", str(tmp_path / "preds.csv")),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**kept, **WIDE},
    )
    assert done.returncode == 1
    sentence = done.stderr.strip().splitlines()[-1]
    assert sentence.startswith("fashion-assets: ") and "is not a folder or a zip" in sentence
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["predict", "explore", "project"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Neither shop nor model are there, so that what looks at them first would say so."""
    (tmp_path / "file").touch()
    (tmp_path / "names.txt").write_text("dress\n", "utf-8")
    asked = [
        command,
        tmp_path / "no-shop",
        *(["--categories", tmp_path / "names.txt"] if command == "project" else []),
    ]
    below_a_file = fault(*asked, "--out", tmp_path / "file" / "made" / "out.csv")
    assert f"{tmp_path / 'file'} is a file; give --out another path" in below_a_file
    assert "is a folder; give --out the path of a file" in fault(*asked, "--out", tmp_path)
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK)
    assert f"you may not write in {tmp_path}; give --out" in fault(*asked, "--out", tmp_path / "out.csv")
    monkeypatch.undo()
    if command != "explore":
        (tmp_path / "out.refused.csv").mkdir()
        assert "out.refused.csv is a folder" in fault(*asked, "--out", tmp_path / "out.csv")
