"""A product model in a folder: trained, moved, opened again, and refused where it is not whole."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.products.embedding import embed_products
from fashion_assets.products.head_record import HeadRecord
from fashion_assets.products.heads import HeadConfig
from fashion_assets.products.model_folder import LOCK, MANIFEST, ModelFolder, head_folder
from fashion_assets.products.model_predicting import load_heads, predict_model, project_model, take_in
from fashion_assets.products.model_training import TrainedModel, TrainingPlan, train_model
from fashion_assets.products.prediction_files import evaluate_files
from fashion_assets.products.reduction import VectorReduction
from fashion_assets.products.splits import read_split
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.locks import locked
from fashion_assets_tests.unit.product_shop_made import write_model_shop

LABELS = ("kind", "colour", "constant", "blank")
PLAN = TrainingPlan(labels=LABELS, heads=HeadConfig(kinds=("logistic",)))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_model_shop(folder)
    return folder


@pytest.fixture(scope="module")
def trained(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainedModel:
    return train_model(shop, tmp_path_factory.mktemp("model") / "m", PLAN)


@pytest.fixture
def copy(trained: TrainedModel, tmp_path: Path) -> Path:
    """The model at another path, where the original encoders are not needed."""
    return Path(shutil.copytree(trained.root, tmp_path / "elsewhere"))


def test_a_training_says_what_it_did_and_left_out(trained: TrainedModel) -> None:
    assert list(trained.records) == ["kind", "colour", "constant"]
    assert trained.records["kind"].metrics["accuracy"] > 0.9
    assert trained.joint.n > 0
    notes = "\n".join(trained.notes)
    assert "always says so" in notes  # the column with one class
    assert "empty" in notes and "blank is left out" in notes  # the column without a label
    assert "no card has that id" in notes  # a picture that no card names
    assert "already that of the card" in notes  # two products of one id
    refused = pd.read_csv(trained.root / "refused.csv")
    assert sorted(refused["column"]) == ["id", "title"]  # a repeated id, and no text to learn from
    split = pd.read_csv(trained.root / "split.csv")
    assert set(split["split"]) == {"train", "validation", "test"}
    card = (trained.root / "card.md").read_text("utf-8")
    assert "| kind | logistic |" in card and "macro-F1" in card


def test_the_same_call_takes_finished_heads_over_and_another_one_does_not(
    shop: Path, trained: TrainedModel, copy: Path
) -> None:
    again = train_model(shop, copy, PLAN)
    assert again.reused == ("kind", "colour", "constant")
    assert again.records["kind"] == trained.records["kind"]
    before = (copy / "model.json").read_text("utf-8")
    (head_folder(copy, "colour") / "training.json").unlink()  # as if killed before it was done
    assert train_model(shop, copy, PLAN).reused == ("kind", "constant")
    assert json.loads(before)["attributes"] == ["kind", "colour", "constant"]
    other = TrainingPlan(labels=("kind",), heads=HeadConfig(kinds=("logistic",), abstain_below=0.9))
    found = train_model(shop, copy, other)
    assert found.reused == () and ModelFolder.open(copy).attributes == ("kind",)


def test_of_two_trainings_in_one_folder_the_second_is_told_and_changes_nothing(
    shop: Path, copy: Path
) -> None:
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    with locked(copy / LOCK), pytest.raises(UserError, match="another training is at work in"):
        train_model(shop, copy, PLAN)
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before
    train_model(shop, copy, PLAN)
    assert LOCK not in ModelFolder.open(copy).manifest.files


def test_what_was_said_of_the_test_products_is_judged_as_any_file_of_predictions(
    shop: Path, trained: TrainedModel
) -> None:
    found = evaluate_files(trained.root / "test_predictions.csv", shop / "cards.csv")
    split = read_split(trained.root)
    assert found.n_judged == found.n_predictions == (split["split"] == "test").sum()
    assert found.n_all_right == trained.joint.n
    assert found.all_right.value == pytest.approx(trained.joint.together.value)
    assert found.decided.startswith("the labels are")
    if not trained.joint.has_decoder:
        for name, record in trained.records.items():
            assert found.metrics[name].accuracy.value == pytest.approx(record.metrics["accuracy"])


def test_vectors_are_reduced_by_axes_of_the_training_part_alone(shop: Path, copy: Path) -> None:
    train_model(shop, copy, replace(PLAN, components=3))
    model = ModelFolder.open(copy)
    assert "reduction/reduction.json" in model.manifest.files
    assert "|pca@" in model.manifest.vectors_model_id
    taken = take_in(shop, model)
    assert {part.stop - part.start for part in taken.features.vectors.blocks.values()} == {3}
    predicted = predict_model(model, taken).set_index("id")["kind"]
    truth = pd.read_csv(shop / "cards.csv", dtype=str).drop_duplicates("id").set_index("id")["kind"]
    assert (predicted == truth).mean() > 0.8
    encoders, split = model.encoders(), read_split(copy).set_index("id")["split"]
    whole = embed_products(
        taken.products,
        shop,
        text_encoder=encoders.text,
        image_encoders=encoders.images,
        cache=EmbeddingCache(copy / "cache"),
    ).vectors
    learned = whole.take((taken.products["id"].map(split) == "train").to_numpy())
    assert VectorReduction.load(copy / "reduction").model_id == VectorReduction.fit(learned, 3).model_id
    train_model(shop, copy, PLAN)
    assert not (copy / "reduction").exists()
    assert "|pca@" not in ModelFolder.open(copy).manifest.vectors_model_id


def test_a_folder_keeps_the_encoders_of_its_last_training_and_no_other(
    shop: Path, copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, before = tmp_path / "made.vec", {path.name for path in (copy / "encoders").iterdir()}
    words.write_text("3 2\ngown 1 0\nsneaker 0 1\ntote 1 1\n", "utf-8")
    plan = replace(PLAN, text_encoder=f"words:{words}")

    class Killed(Exception):
        pass

    remove = shutil.rmtree

    def killed(path: Path, ignore_errors: bool = False) -> None:
        if path.parent.name == "encoders":
            raise Killed
        remove(path, ignore_errors)

    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(shutil, "rmtree", killed)
        train_model(shop, copy, plan)
    # Killed when the model stood and the old encoder was to go: the model is whole, and does not name it.
    files = ModelFolder.open(copy).manifest.files
    (folder,) = {name.split("/")[1] for name in files if name.startswith("encoders/")}
    assert {path.name for path in (copy / "encoders").iterdir()} == {*before, folder}
    (copy / "encoders" / ".DS_Store").write_bytes(b"of a file manager")
    train_model(shop, copy, plan)
    assert {path.name for path in (copy / "encoders").iterdir()} == {folder, ".DS_Store"}
    (copy / "encoders" / ".DS_Store").unlink()
    words.write_text("3 2\ngown 1 0\nsneaker 0 1\ntote 1 -1\n", "utf-8")
    train_model(shop, copy, plan)
    (other,) = (copy / "encoders").iterdir()
    assert other.name != folder and ModelFolder.open(copy).encoders().text.dim == 2


def test_test_products_stay_unseen_when_other_labels_are_learned(shop: Path, copy: Path) -> None:
    before = read_split(copy)
    again = train_model(shop, copy, replace(PLAN, labels=("colour",), seed=8))
    pd.testing.assert_frame_equal(read_split(copy), before)
    assert any("delete split.csv there" in note for note in again.notes)


def test_a_folder_that_was_moved_predicts_the_same(shop: Path, trained: TrainedModel, copy: Path) -> None:
    tables = []
    for root in (trained.root, copy):
        model = ModelFolder.open(root)
        tables.append(predict_model(model, take_in(shop, model)))
    pd.testing.assert_frame_equal(*tables)
    wide = tables[0]
    assert wide["id"].is_unique and len(wide) == 91
    names = [f"{name}{end}" for name in trained.records for end in ("", "_confidence", "_abstained")]
    assert wide.columns.tolist() == ["id", *names, "inputs", "decided"]
    assert wide["kind"].notna().all()
    inputs = wide.set_index("id")["inputs"]
    assert inputs["p-text"] == "text" and inputs["p-image"] == "image"
    assert set(wide["constant"]) == {"always"} and (wide["constant_confidence"] == 1).all()
    truth = pd.read_csv(shop / "cards.csv", dtype=str).drop_duplicates("id").set_index("id")["kind"]
    assert (wide.set_index("id")["kind"] == truth).mean() > 0.9


def test_a_flipped_byte_a_lost_file_and_another_format_are_sentences(copy: Path) -> None:
    weights = next(head_folder(copy, "kind").glob("*.safetensors"))
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(UserError, match=r"safetensors is not the file that was trained"):
        ModelFolder.open(copy)
    weights.unlink()
    with pytest.raises(UserError, match="lacks heads/kind/"):
        ModelFolder.open(copy)
    manifest = json.loads((copy / MANIFEST).read_text("utf-8"))
    (copy / MANIFEST).write_text(json.dumps({**manifest, "format_number": 99}), "utf-8")
    with pytest.raises(
        UserError, match=r"^\S+model\.json is 'fashion-assets product model' number 99; this program reads"
    ):
        ModelFolder.open(copy)
    (copy / MANIFEST).write_text("{", "utf-8")
    with pytest.raises(UserError, match=r"model\.json is damaged"):
        ModelFolder.open(copy)
    (copy / MANIFEST).unlink()
    with pytest.raises(UserError, match="begun there and not finished"):
        ModelFolder.open(copy)
    with pytest.raises(UserError, match="holds no product model"):
        ModelFolder.open(copy / "nowhere")


def test_a_model_of_another_encoder_is_refused(shop: Path, copy: Path) -> None:
    model = ModelFolder.open(copy)
    with pytest.raises(UserError, match="it is a model folder of another encoder"):
        model.require_vectors("image=onnx:other@1")
    manifest = json.loads((copy / MANIFEST).read_text("utf-8"))
    for entry in manifest["encoders"]:
        entry["model_id"] = "local:visual@v0-another" if entry["purpose"] == "image" else entry["model_id"]
    (copy / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(UserError, match="trained with the encoder local:visual@v0-another"):
        take_in(shop, ModelFolder.open(copy))
    manifest["vectors_model_id"] = "image=onnx:other@1"
    (copy / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(UserError, match="was trained on vectors of 'image=onnx:other@1'"):
        load_heads(ModelFolder.open(copy))


def test_products_are_projected_through_the_finest_attribute(shop: Path, copy: Path) -> None:
    model = ModelFolder.open(copy)
    taken = take_in(shop, model)
    found, label = project_model(model, taken, ["Dresses", "Shoes", "Handbag"], label="kind")
    assert label == "kind" and found.labels == ("bag", "dress", "shoe")
    assert found.items["id"].tolist() == taken.products["id"].tolist()
    assert found.items["target_category"].isin(["Dresses", "Shoes", "Handbag"]).all()
    truth = pd.read_csv(shop / "cards.csv", dtype=str).drop_duplicates("id").set_index("id")["kind"]
    right = {"dress": "Dresses", "shoe": "Shoes", "bag": "Handbag"}
    assert np.mean(found.items["target_category"] == truth[found.items["id"]].map(right).to_numpy()) > 0.8
    with pytest.raises(UserError, match="has no head of 'season'; it has kind, colour, constant"):
        project_model(model, taken, ["a"], label="season")


def test_nothing_to_learn_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "cards.csv").write_text("id,title\n1,dress\n2,coat\n", encoding="utf-8")
    with pytest.raises(UserError, match="has no label column"):
        train_model(tmp_path, tmp_path / "m", TrainingPlan())
    (tmp_path / "cards.csv").write_text("id,title,kind\n,dress,a\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"has no usable product.*the id is empty"):
        train_model(tmp_path, tmp_path / "m", TrainingPlan())


def test_names_of_attributes_make_safe_folders(tmp_path: Path) -> None:
    assert head_folder(tmp_path, "age/../x").parent == tmp_path / "heads"
    assert head_folder(tmp_path, "季节").name == "季节"
    assert head_folder(tmp_path, ".hidden").name == "%2Ehidden"
    assert head_folder(tmp_path, "a b") != head_folder(tmp_path, "a%20b")


def test_a_record_comes_back_as_it_was_and_a_damaged_one_is_a_sentence(tmp_path: Path) -> None:
    record = HeadRecord(
        "kind", "digest", "logistic", ["a"], test=[{"id": "1", "truth": "a", "predicted": "a"}]
    )
    record.save(tmp_path)
    assert HeadRecord.load(tmp_path) == record
    (tmp_path / "training.json").write_text("[]", "utf-8")
    with pytest.raises(UserError, match=r"training\.json is damaged"):
        HeadRecord.load(tmp_path)
    with pytest.raises(UserError, match="was not finished"):
        HeadRecord.load(tmp_path / "nowhere")
