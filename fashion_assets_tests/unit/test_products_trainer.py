"""The trainer of a notebook: pictures here, texts there, heads, tuned encoders, predictions."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_assets.products.heads import HeadConfig
from fashion_assets.products.trainer import ProductTrainer
from fashion_assets.products.trainer_source import put_source, read_cards
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.tiny_networks import tiny_timm
from fashion_assets_tests.unit.tuning_made import COLOURS

KINDS = ("dress", "coat", "boots")
WORDS = """
linen silk cotton wool leather velvet quilted pleated ruffled cropped belted hooded striped floral checked knitted
""".split()  # noqa: SIM905 - a list of quoted words would be a page
#: Enough that heads have validation products to choose by.
N_PRODUCTS = 150
QUICK = HeadConfig(kinds=("kernel",))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``images/`` with pictures and ``cards.csv`` with names that are no family of each other."""
    folder = tmp_path_factory.mktemp("shop")
    generator = np.random.default_rng(3)
    (folder / "images").mkdir()
    rows = []
    for number in range(N_PRODUCTS):
        colour, kind = list(COLOURS)[number % 3], KINDS[(number // 3) % 3]
        # Blocks of noise, so that no two pictures are near-duplicates.
        blocks = generator.integers(-60, 60, (6, 6, 1)).repeat(8, axis=0).repeat(8, axis=1)
        pixels = np.clip(np.array(COLOURS[colour]) + blocks, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"images/{number}.png")
        words = generator.choice(WORDS, 4, replace=False)
        rows.append({"id": number, "name": " ".join([colour, *words, kind]), "colour": colour, "kind": kind})
    pd.DataFrame(rows).to_csv(folder / "cards.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def trained(shop: Path, tmp_path_factory: pytest.TempPathFactory) -> ProductTrainer:
    trainer = ProductTrainer(
        shop / "images",
        shop / "cards.csv",
        ["colour", "kind"],
        experiment=tmp_path_factory.mktemp("experiment"),
        heads=QUICK,
        show_progress=False,
    )
    trainer.train_heads()
    return trainer


def test_heads_from_pictures_here_and_texts_there(trained: ProductTrainer) -> None:
    figures = trained.evaluate().set_index("attribute")
    assert figures.loc["colour", "accuracy"] > 0.8
    folder = trained.experiment_dir
    assert json.loads((folder / "config.json").read_text())["labels"] == ["colour", "kind"]
    assert "colour" in (folder / "model_card.md").read_text()
    assert {path.name for path in (folder / "confusion").iterdir()} == {"01-colour.png", "02-kind.png"}
    assert len(trained.products) == N_PRODUCTS
    assert trained.quarantined.empty


def test_predictions_for_other_pictures(
    trained: ProductTrainer, shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
        for number in (1, 2, 3):
            archive.write(shop / f"images/{number}.png", f"{number}.png")
    cards = pd.DataFrame({"id": ["1", "2", "3"], "title": ["blue dress", "green dress", "red coat"]})
    trained.show_progress = True
    found = trained.predict(tmp_path / "new.zip", cards).set_index("id")
    trained.show_progress = False
    assert "vectors" in capsys.readouterr().err
    assert found.index.tolist() == ["1", "2", "3"]
    assert found["colour"].tolist() == ["blue", "green", "red"]
    assert found["colour_confidence"].between(0, 1).all()
    assert len(trained.predict()) == N_PRODUCTS


def test_tuned_encoders_take_the_place_of_the_old_ones(shop: Path, tmp_path: Path) -> None:
    class Shouting(ProductTrainer):
        def prepare_texts(self, cards: pd.DataFrame) -> pd.DataFrame:
            return cards.assign(name=cards["name"].str.upper())

    weights = tiny_timm(tmp_path / "e.safetensors", "test_efficientnet")
    trainer = Shouting(
        shop / "images",
        read_cards(shop / "cards.csv"),
        ["colour"],
        experiment=tmp_path / "experiment",
        image_encoder=f"timm:test_efficientnet/{weights}",
        heads=QUICK,
        device="cpu",
        show_progress=False,
    )
    assert trainer.products["title"].str.isupper().all()
    tuned = trainer.finetune(n_blocks=1, epochs=2, hidden=(8,), augment=False)
    assert trainer.image_encoder == tuned.image_spec
    assert tuned.folder.parent == tmp_path / "experiment/finetuning"
    assert trainer.text_encoder is not None
    assert trainer.text_encoder.startswith("local:cbow:")
    trained = trainer.train_heads()
    split = pd.read_csv(trainer.model_dir / "split.csv")
    counts = json.loads((tuned.folder / "result.json").read_text())["figures"]["colour"]["n_items"]
    assert (split["split"] == "test").sum() == counts
    assert set(trained.records) == {"colour"}
    assert set(trainer.predict()["colour"]) <= {*COLOURS, ""}


def test_a_source_is_put_together_once(shop: Path, tmp_path: Path) -> None:
    cards = read_cards(shop / "cards.csv")
    first = put_source(tmp_path, shop / "images", cards)
    assert put_source(tmp_path, shop / "images", cards) == first
    assert put_source(tmp_path, shop / "images", cards.iloc[1:]) != first
    assert len(list((first / "images").iterdir())) == N_PRODUCTS
    assert pd.read_parquet(first / "cards.parquet")["id"].tolist() == cards["id"].tolist()


def test_mistakes_are_sentences(shop: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no file of cards"):
        read_cards(tmp_path / "cards.docx")
    with pytest.raises(UserError, match="neither a folder of pictures nor a zip"):
        put_source(tmp_path, tmp_path / "nowhere", pd.DataFrame({"id": ["1"]}))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no picture"):
        put_source(tmp_path, tmp_path / "empty", pd.DataFrame({"id": ["1"]}))
    (tmp_path / "cards.csv").write_text("id,title\n1,a\n2,b,c\n")
    with pytest.raises(UserError, match=r"cards\.csv:3"):
        read_cards(tmp_path / "cards.csv")
    trainer = ProductTrainer(shop, labels=["colour"], experiment=tmp_path / "x", text_encoder=None)
    with pytest.raises(UserError, match="need a picture and a text encoder"):
        trainer.train_heads()
    with pytest.raises(UserError, match="holds no product model"):
        trainer.evaluate()
