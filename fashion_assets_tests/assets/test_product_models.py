"""Product assets on a small shop: an attribute that cards lack is skipped, the model is complete, pages are made."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from fashion_assets.cli import app
from fashion_assets.defs import (
    product_evaluation,
    product_finetuning,
    product_models,
    product_taxonomy,
    products,
)
from fashion_assets.defs.io_managers import LakeIOManager
from fashion_assets.defs.partitions import ATTRIBUTES
from fashion_assets.defs.resources import Encoders, LakeReader, product_model_path, word_vectors_path
from fashion_assets.defs.schemas import SCHEMAS
from fashion_assets.products.heads import HeadConfig
from fashion_assets.products.model_encoders import OWN_WORDS
from fashion_assets.products.model_folder import ModelFolder
from fashion_assets.products.model_predicting import predict_model, take_in
from fashion_assets.products.model_training import TrainingPlan, train_model
from fashion_assets.products.prediction_files import ALL_LABELS
from fashion_assets.products.splits import split_arrow
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.lake import Lake
from fashion_assets_tests.unit.product_shop_made import write_model_shop
from fashion_assets_tests.unit.tiny_networks import tiny_timm

#: Names of the default settings, because the partitions are fixed when the module is loaded.
PRESENT, ABSENT = "category", "season"
MODULES = [products, product_models, product_evaluation, product_taxonomy, product_finetuning]


def materialise(
    settings: Settings,
    assets: list[dg.AssetsDefinition],
    partition: str | None = None,
    config: dict[str, object] | None = None,
) -> dg.ExecuteInProcessResult:
    every = [*dg.load_assets_from_modules(MODULES)]
    result = dg.materialize(
        every,
        selection=[key for one in assets for key in one.keys],
        partition_key=partition,
        run_config={"ops": {assets[0].op.name: {"config": config}}} if config else None,
        resources={
            "settings": settings,
            "lake": LakeReader(settings),
            "encoders": Encoders(settings),
            "io_manager": LakeIOManager(settings.lake, SCHEMAS),
        },
    )
    assert result.success
    return result


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The assets up to the report, of a shop whose cards have a category and no season."""
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("root"),
        product_attributes=f"{PRESENT},{ABSENT}",
        product_head_kinds="logistic",
    )
    shop = settings.product_files
    write_model_shop(shop, products=60)
    cards = pd.read_csv(shop / "cards.csv", dtype=str)
    cards = cards.rename(columns={"kind": PRESENT})
    cards.to_csv(shop / "cards.csv", index=False)
    taxonomy = settings.taxonomy_files
    taxonomy.mkdir(parents=True)
    other = cards.head(12).assign(category=lambda one: one[PRESENT].str.title() + "s")
    other[["id", "title", "category"]].to_csv(taxonomy / "cards.csv", index=False)
    materialise(settings, [products.clean_cards])
    materialise(settings, [products.product_eda, products.product_split])
    materialise(settings, [products.product_embeddings])
    for attribute in (PRESENT, ABSENT):
        materialise(settings, [product_models.attribute_classifiers], attribute)
    materialise(settings, [product_models.product_predictions])
    materialise(settings, [product_evaluation.product_evaluation, product_evaluation.product_report])
    materialise(settings, [product_taxonomy.project_taxonomy])
    return settings


def test_an_attribute_that_the_cards_lack_is_skipped_with_a_sentence(made: Settings) -> None:
    assert {PRESENT, ABSENT} <= set(ATTRIBUTES.get_partition_keys())
    lake = Lake(made.lake)
    skipped = lake.read("attribute_classifiers", ABSENT).to_pylist()
    assert [row["split"] for row in skipped] == ["none"]
    assert f"have no label column '{ABSENT}'" in skipped[0]["note"]
    assert "FASHION_PRODUCT_ATTRIBUTES" in skipped[0]["note"]
    trained = lake.read("attribute_classifiers", PRESENT).to_pandas().set_index("split")
    assert {"families", "rows"} <= set(trained.index)
    assert trained.loc["families", "accuracy"] > 0.8
    assert trained.loc["families", "accuracy_low"] <= trained.loc["families", "accuracy_high"]


def test_the_model_is_complete_and_predicts_as_the_asset_does(made: Settings) -> None:
    stored = Lake(made.lake).read("product_predictions").to_pandas()
    assert set(stored["attribute"]) == {PRESENT}
    model = ModelFolder.open(product_model_path(made))
    assert model.attributes == (PRESENT,)
    wide = predict_model(model, take_in(made.product_files, model)).set_index("id")
    same = stored.set_index("id")
    assert (wide.loc[same.index, PRESENT].to_numpy() == same["label"].to_numpy()).all()
    np.testing.assert_allclose(
        wide.loc[same.index, f"{PRESENT}_confidence"].to_numpy(float), same["confidence"], atol=1e-6
    )


def another(made: Settings, root: Path, **changes: object) -> Settings:
    """A copy of the data root with other settings."""
    shutil.copytree(made.root, root)
    kept = {name: getattr(made, name) for name in ("product_attributes", "product_head_kinds")}
    return Settings(data_dir=root, **{**kept, **changes})


def test_all_attributes_are_judged_as_the_command_judges_them(made: Settings, tmp_path: Path) -> None:
    found = Lake(made.lake).read("product_evaluation").to_pandas().set_index("attribute")
    assert found.index.tolist() == [PRESENT, ALL_LABELS]
    head = Lake(made.lake).read("attribute_classifiers", PRESENT).to_pandas().set_index("split")
    for name in ("accuracy", "accuracy_low", "macro_f1", "macro_f1_high", "weighted_f1"):
        assert found.loc[PRESENT, name] == pytest.approx(head.loc["families", name])
    assert found.loc[ALL_LABELS, "accuracy"] == found.loc[PRESENT, "accuracy"]
    assert found.loc[ALL_LABELS, "n_test"] == found.loc[PRESENT, "n_test"] == head.loc["families", "n_test"]
    assert 0 <= found.loc[PRESENT, "calibration_error"] <= 1 and found.loc[PRESENT, "answered"] > 0
    said, figures = product_model_path(made) / "test_predictions.csv", tmp_path / "figures.json"
    command = ["products", "evaluate", str(said), str(made.product_files / "cards.csv")]
    done = CliRunner().invoke(app, [*command, "--json", str(figures)], env={"COLUMNS": "200"})
    assert done.exit_code == 0, done.output
    assert f'"accuracy": {found.loc[PRESENT, "accuracy"]}' in figures.read_text("utf-8")


def test_too_few_products_to_judge_are_a_note_and_a_damaged_model_is_a_fault(
    made: Settings, tmp_path: Path
) -> None:
    settings = another(made, tmp_path / "root")
    evaluation, lake = [product_evaluation.product_evaluation], Lake(settings.lake)
    split = lake.read("product_split").to_pandas()
    lake.write("product_split", None, split_arrow(split.assign(split="train")))
    found = materialise(settings, evaluation).asset_materializations_for_node("product_evaluation")
    assert "too few to judge" in str(found[0].metadata["note"].value)
    assert lake.read("product_evaluation").num_rows == 0
    lake.write("product_split", None, split_arrow(split))
    (product_model_path(settings) / "test_predictions.csv").write_text("id\n", "utf-8")
    with pytest.raises(Exception, match=r"test_predictions\.csv is not the file that was trained"):
        materialise(settings, evaluation)


def test_the_options_of_a_head_are_those_of_the_run_then_those_of_the_settings(
    made: Settings, tmp_path: Path
) -> None:
    settings = another(made, tmp_path / "root", product_abstain_below=0.8)
    asked: dict[str, object] = {"kinds": "knn", "resampling": "auto"}
    heads = [product_models.attribute_classifiers]
    told = materialise(settings, heads, PRESENT, asked).asset_materializations_for_node(
        "attribute_classifiers"
    )
    assert told[0].metadata["kind"].value == "knn"
    (head,) = product_models.trained_heads(settings)
    assert head.kind == "knn" and head.abstain_below == 0.8
    with pytest.raises(ValueError, match="less than or equal to 1"):
        product_models.HeadsConfig(abstain_below=2)


def test_reduced_vectors_are_those_of_the_whole_model(made: Settings, tmp_path: Path) -> None:
    settings = another(made, tmp_path / "root", product_components=4)
    materialise(settings, [products.product_embeddings])
    root = product_model_path(settings)
    # What was sealed is of the whole vectors.
    assert (root / "reduction" / "reduction.json").is_file() and not (root / "model.json").exists()
    # Texts and pictures; no product has a shop or characteristics.
    width = Lake(settings.lake).read("product_embeddings").schema.field("vector").type.list_size
    assert width == 4 + 4
    materialise(settings, [product_models.attribute_classifiers], PRESENT)
    materialise(settings, [product_models.product_predictions])
    model = ModelFolder.open(root)
    wide = predict_model(model, take_in(settings.product_files, model)).set_index("id")
    stored = Lake(settings.lake).read("product_predictions").to_pandas().set_index("id")
    assert (wide.loc[stored.index, PRESENT].to_numpy() == stored["label"].to_numpy()).all()
    materialise(settings, [product_taxonomy.project_taxonomy])
    assert Lake(settings.lake).read("projected_products").num_rows == 11


def test_pages_split_and_projection_are_made(made: Settings) -> None:
    assert PRESENT in (made.reports / "product_heads.html").read_text("utf-8")
    assert "images/nobody.png" in (made.reports / "product_eda.html").read_text("utf-8")
    lake = Lake(made.lake)
    split = lake.read("product_split").to_pandas()
    assert split.groupby("family")["split"].nunique().max() == 1
    items = lake.read("projected_products").to_pandas()
    assert len(items) == 11 and set(items["target_category"]) <= {"Dresss", "Shoes", "Bags"}
    aggregate = lake.read("category_projection").to_pandas().set_index("target_category")["best_match"]
    assert aggregate.to_dict() == {"Dresss": "dress", "Shoes": "shoe", "Bags": "bag"}


def test_the_split_of_the_model_folder_and_nothing_else_of_the_command_stays(
    made: Settings, tmp_path: Path
) -> None:
    settings = another(made, tmp_path / "root", random_seed=made.random_seed + 1)
    root = product_model_path(settings)
    for name in ("refused.csv", "report.html"):
        (root / name).write_text("of an earlier training", "utf-8")
    result = materialise(settings, [products.product_split])
    told = result.asset_materializations_for_node("product_split")[0].metadata
    before, after = (Lake(one.lake).read("product_split") for one in (made, settings))
    assert after.equals(before) and "delete split.csv there" in str(told["note"].value)
    materialise(settings, [product_models.product_predictions])
    assert not (root / "refused.csv").exists() and not (root / "report.html").exists()
    assert ModelFolder.open(root).attributes == (PRESENT,)
    (root / "split.csv").unlink()
    materialise(settings, [products.product_split])
    assert not Lake(settings.lake).read("product_split").equals(before)


def test_cards_of_another_shop_that_were_refused_are_counted_and_told(made: Settings) -> None:
    result = materialise(made, [product_taxonomy.project_taxonomy])
    told = {
        one.asset_key.path[-1]: one.metadata
        for one in result.asset_materializations_for_node("project_taxonomy")
        if one.asset_key is not None
    }["projected_products"]
    assert (told["products"].value, told["refused"].value) == (11, 1)
    assert "12 cards arrived: 11 kept, 1 refused" in str(told["cards"].value)


def test_the_assets_read_products_as_the_command_does(made: Settings, tmp_path: Path) -> None:
    """Words learned on the cards, not those of posts: vectors, and with them figures, are the same."""
    plan = TrainingPlan(
        labels=(PRESENT,), heads=HeadConfig(kinds=("logistic",), abstain_below=made.product_abstain_below)
    )
    trained = train_model(made.product_files, tmp_path / "model", plan)
    root = product_model_path(made)
    command, assets = ModelFolder.open(tmp_path / "model").manifest, ModelFolder.open(root).manifest
    assert command.vectors_model_id == assets.vectors_model_id
    assert [one.model_id for one in command.encoders] == [one.model_id for one in assets.encoders]
    figures = Lake(made.lake).read("attribute_classifiers", PRESENT).to_pandas().set_index("split")
    assert trained.records[PRESENT].metrics["accuracy"] == figures.loc["families", "accuracy"]
    assert not word_vectors_path(made).exists(), "no asset of posts was needed"


def test_texts_are_read_by_the_encoder_of_posts_where_that_was_chosen() -> None:
    assert Settings().product_texts == OWN_WORDS
    named = "local:cbow:some.safetensors"
    assert Settings(text_encoder=named).product_texts == named
    assert Settings(text_encoder="st:some").product_texts == "st:some"
    assert Settings(text_encoder="st:some", product_text_encoder="local:cbow").product_texts == OWN_WORDS


def test_the_options_of_a_projection_are_config(made: Settings, tmp_path: Path) -> None:
    settings = another(made, tmp_path / "root")
    projection = [product_taxonomy.project_taxonomy]
    before = Lake(settings.lake).read("projected_products").to_pandas()
    materialise(settings, projection, config={"label": PRESENT, "image_weight": 0.0, "top_k": 1})
    after = Lake(settings.lake).read("projected_products").to_pandas()
    assert after["id"].tolist() == before["id"].tolist()
    assert not np.allclose(after["divergence"], before["divergence"])
    with pytest.raises(Exception, match=f"no head of '{ABSENT}' to project through; there are {PRESENT}"):
        materialise(settings, projection, config={"label": ABSENT})


def test_a_shop_without_a_card_gets_empty_tables_and_pages(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, product_attributes=PRESENT)
    settings.product_files.mkdir(parents=True)
    (settings.product_files / "products.csv").write_text("id,title,category\n", encoding="utf-8")
    materialise(settings, [products.clean_cards])
    materialise(settings, [products.product_eda, products.product_split])
    materialise(settings, [products.product_embeddings])
    materialise(settings, [product_models.attribute_classifiers], PRESENT)
    materialise(settings, [product_models.product_predictions])
    materialise(settings, [product_evaluation.product_evaluation, product_evaluation.product_report])
    assert Lake(settings.lake).read("product_evaluation").num_rows == 0
    assert Lake(settings.lake).read("product_predictions").num_rows == 0
    assert "No head has been trained yet" in (settings.reports / "product_heads.html").read_text("utf-8")


def test_only_a_missing_label_is_skipped_every_other_fault_of_training_fails(
    made: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fashion_assets.products import model_training

    def broken(*_: object, **__: object) -> None:
        raise UserError("kind of head 'catboost' needs the extra boost")

    monkeypatch.setattr(model_training, "train_attribute", broken)
    monkeypatch.setattr(model_training, "input_digest", lambda *_: "another")
    before = Lake(made.lake).read("attribute_classifiers", PRESENT)
    with pytest.raises(Exception, match="needs the extra boost"):
        materialise(made, [product_models.attribute_classifiers], PRESENT)
    assert Lake(made.lake).read("attribute_classifiers", PRESENT).equals(before)
    materialise(made, [product_models.attribute_classifiers], ABSENT)


@pytest.mark.slow
def test_encoders_are_tuned_where_that_is_asked_for(made: Settings, tmp_path: Path) -> None:
    network = f"timm:test_efficientnet/{tiny_timm(tmp_path / 'e.safetensors', 'test_efficientnet')}"
    asked = {"image_encoder": network, "text_encoder": "none", "n_blocks": 1, "epochs": 2, "batch_size": 16}
    (product_model_path(made) / "split.csv").unlink()
    result = materialise(made, [product_finetuning.product_finetuning], config=asked)
    told = result.asset_materializations_for_node("product_finetuning")[0].metadata
    folder = Path(str(told["experiment"].value))
    assert folder.parent == product_model_path(made) / "finetuning"
    assert (product_model_path(made) / "split.csv").is_file()
    assert told["image_encoder"].value == f"timm:{folder / 'encoders' / 'image'}"
    assert told["text_encoder"].value == "none" and told["epochs"].value == 2
    assert "data:image/png" in str(told["learning_curves"].value)
    assert any(name.startswith("confusion_") for name in told) and PRESENT in str(told["figures"].value)
    tuned = another(made, tmp_path / "root", image_encoder=str(told["image_encoder"].value))
    materialise(tuned, [products.product_embeddings])
    materialise(tuned, [product_models.attribute_classifiers], PRESENT)
    materialise(tuned, [product_models.product_predictions])
    entries = ModelFolder.open(product_model_path(tuned)).manifest.encoders
    pictures = [entry.spec.partition(":")[0] for entry in entries if entry.purpose == "image"]
    assert pictures == ["timm", "local"]
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        product_finetuning.FinetuningConfig(epochs=0)
