"""Fine-tuning as a whole on tiny networks: what comes out, what stays as it was, and going on after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from fashion_assets.encoders import load_encoder
from fashion_assets.products.tuning.finetuning import TunedProducts
from fashion_assets.products.vectors import join_vectors
from fashion_assets.storage.errors import UserError
from fashion_assets_tests.unit.tiny_networks import tiny_chinese_clip, tiny_sentence_transformer, tiny_timm
from fashion_assets_tests.unit.tuning_made import NO_KIND, NO_PICTURE, NO_TEXT, Shop, make_shop, tune


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return make_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("networks")
    return {
        "image": f"timm:test_efficientnet/{tiny_timm(folder / 'e.safetensors', 'test_efficientnet')}",
        "text": f"st:{tiny_sentence_transformer(folder / 'sentence')}",
        "joint": f"hf:{tiny_chinese_clip(folder / 'chinese')}",
    }


@pytest.fixture(scope="module")
def experiments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("experiments")


@pytest.fixture(scope="module")
def tuned(shop: Shop, networks: dict[str, str], experiments: Path) -> TunedProducts:
    return tune(shop, networks["image"], networks["text"], experiments, name="both")


def encoded(spec: str, shop: Shop) -> dict[str, np.ndarray]:
    """Vectors of the first four texts or pictures of the shop."""
    encoder = load_encoder(spec, device="cpu")
    found = {}
    if encoder.modality != "image":
        found["text"] = encoder.encode(shop.products["text"].iloc[:4].tolist())
    if encoder.modality != "text":
        found["image"] = encoder.encode([shop.folder / f"images/{number}.png" for number in range(4)])
    return found


def test_the_tuned_encoders_are_of_the_registry_and_have_learned(
    tuned: TunedProducts, shop: Shop, networks: dict[str, str]
) -> None:
    assert tuned.image_spec == f"timm:{tuned.folder / 'encoders/image'}"
    assert tuned.text_spec == f"st:{tuned.folder / 'encoders/text'}"
    for side, spec in (("image", tuned.image_spec), ("text", tuned.text_spec)):
        before, after = encoded(networks[side], shop)[side], encoded(spec, shop)[side]
        assert np.abs(before - after).max() > 1e-4
        np.testing.assert_allclose(np.linalg.norm(after, axis=1), 1, atol=1e-5)
    losses = tuned.history["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0]
    assert tuned.metrics["colour"].accuracy.value == 1.0
    assert set(tuned.metrics) == {"colour", "kind"}


def test_the_joint_heads_read_the_tuned_vectors(tuned: TunedProducts, shop: Shop) -> None:
    assert tuned.image_spec is not None
    assert tuned.text_spec is not None
    image, text = load_encoder(tuned.image_spec, device="cpu"), load_encoder(tuned.text_spec, device="cpu")
    test = np.flatnonzero(shop.split == "test")
    rows = shop.products.iloc[test]
    pictures = np.zeros((len(test), image.dim), np.float32)
    shown = rows["image_path"].notna().to_numpy()
    pictures[shown] = image.encode([shop.folder / path for path in rows["image_path"].dropna()])
    vectors = join_vectors(
        rows["id"].tolist(),
        {"image": pictures, "text": text.encode(rows["text"].tolist())},
        model_ids={"image": image.model_id, "text": text.model_id},
    )
    probabilities = tuned.heads.predict_proba(vectors)
    guesses = json.loads((tuned.folder / "result.json").read_text())["test"]
    for name, found in probabilities.items():
        assert [tuned.heads.classes[name][at] for at in found.argmax(axis=1)] == guesses[name]


def test_what_an_experiment_leaves(tuned: TunedProducts) -> None:
    config = json.loads((tuned.folder / "config.json").read_text())
    assert config["epochs"] == 3
    assert config["attributes"] == ["colour", "kind"]
    lines = (tuned.folder / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == len(tuned.history)
    assert set(json.loads(lines[0])["attributes"]["kind"]) == {"accuracy", "macro_f1", "n_items"}
    card = (tuned.folder / "model_card.md").read_text()
    assert "1 of 30 products go without a picture" in card
    assert "1 of 30 products go without a text" in card
    assert "18 train, 6 validation, 6 test" in card
    assert "licences hold for them as well" in card
    assert not any(path.suffix in (".bin", ".pt", ".pkl") for path in tuned.folder.rglob("*"))
    for name in ("learning_curves.png", "confusion/01-colour.png", "confusion/02-kind.png"):
        with Image.open(tuned.folder / name) as picture:
            assert picture.width > 200
    assert (NO_PICTURE, NO_TEXT, NO_KIND) == (5, 7, 9)


def test_a_finished_experiment_is_not_run_again(
    tuned: TunedProducts, shop: Shop, networks: dict[str, str], experiments: Path
) -> None:
    told: list[str] = []
    again = tune(
        shop,
        networks["image"],
        networks["text"],
        experiments,
        name="both",
        progress=lambda words, done, total: told.append(words),
    )
    assert told == []
    assert again.image_spec == tuned.image_spec
    assert again.best_epoch == tuned.best_epoch
    assert again.metrics["kind"].accuracy == tuned.metrics["kind"].accuracy
    assert again.metrics["kind"].confusion.equals(tuned.metrics["kind"].confusion)
    with pytest.raises(UserError, match="holds another experiment: n_blocks differs"):
        tune(shop, networks["image"], networks["text"], experiments, name="both", n_blocks=1)


def test_a_run_that_broke_off_ends_with_the_same_bits(
    tuned: TunedProducts, shop: Shop, networks: dict[str, str], tmp_path: Path
) -> None:
    class PowerCut(Exception):
        pass

    def cut(words: str, done: int, total: int) -> None:
        if words == "epoch 2 of 3" and done == 2:
            raise PowerCut

    with pytest.raises(PowerCut):
        tune(shop, networks["image"], networks["text"], tmp_path, name="both", progress=cut)
    assert len((tmp_path / "both/metrics.jsonl").read_text().splitlines()) == 1
    epochs: list[str] = []
    again = tune(
        shop,
        networks["image"],
        networks["text"],
        tmp_path,
        name="both",
        progress=lambda words, done, total: epochs.append(words),
    )
    assert "epoch 1 of 3" not in epochs
    assert again.history.equals(tuned.history)
    assert_same_weights(tuned.folder, again.folder)


def assert_same_weights(first: Path, second: Path) -> None:
    names = sorted(path.relative_to(first) for path in first.rglob("*.safetensors"))
    assert names == sorted(path.relative_to(second) for path in second.rglob("*.safetensors"))
    assert len(names) >= 3
    for name in names:
        one, other = load_file(first / name), load_file(second / name)
        assert set(one) == set(other)
        for key, tensor in one.items():
            np.testing.assert_array_equal(tensor, other[key], err_msg=f"{name} {key}")


@pytest.mark.parametrize(
    "settings",
    [{"adapter_rank": 2, "head_epochs": 0}, {"cache_activations": True, "accumulate": 2, "head_epochs": 0}],
)
def test_a_joint_network_is_tuned_once_for_both_sides(
    shop: Shop, networks: dict[str, str], tmp_path: Path, settings: dict[str, int]
) -> None:
    found = tune(shop, networks["joint"], networks["joint"], tmp_path, n_blocks=1, **settings)
    assert found.image_spec == found.text_spec == f"hf:{found.folder / 'encoders/joint'}"
    before, after = encoded(networks["joint"], shop), encoded(found.image_spec, shop)
    assert all(np.abs(before[side] - after[side]).max() > 1e-4 for side in ("image", "text"))
    frozen = "text_model.embeddings.word_embeddings.weight"
    weights = load_file(found.folder / "encoders/joint/model.safetensors")
    origin = load_file(Path(networks["joint"].removeprefix("hf:")) / "model.safetensors")
    assert set(weights) == set(origin)
    np.testing.assert_array_equal(weights[frozen], origin[frozen])


def test_cached_activations_change_nothing_but_the_time(
    shop: Shop, networks: dict[str, str], tmp_path: Path
) -> None:
    both = networks["joint"], networks["joint"]
    plain = tune(shop, *both, tmp_path, n_blocks=1)
    cached = tune(shop, *both, tmp_path, n_blocks=1, cache_activations=True)
    assert len(list((tmp_path / ".tensors").glob("activations-*.npy"))) == 2
    np.testing.assert_allclose(cached.history["train_loss"], plain.history["train_loss"], atol=1e-4)


@pytest.mark.parametrize("side", ["image", "text"])
def test_one_side_alone(shop: Shop, networks: dict[str, str], tmp_path: Path, side: str) -> None:
    networks_of = (
        networks["image"] if side == "image" else None,
        networks["text"] if side == "text" else None,
    )
    found = tune(shop, *networks_of, tmp_path, augment=True, delete_tensors=True)
    assert (found.image_spec is None) == (side == "text")
    assert (found.text_spec is None) == (side == "image")
    assert list(found.heads.widths) == [side]
    assert not (tmp_path / ".tensors").exists()
    # Deleting them or not is no other experiment: the finished one is found again.
    assert tune(shop, *networks_of, tmp_path, augment=True).folder == found.folder
    assert not (tmp_path / ".tensors").exists()


def test_an_encoder_without_a_network_takes_part_as_it_is(
    shop: Shop, networks: dict[str, str], tmp_path: Path
) -> None:
    found = tune(shop, "local:visual", networks["text"], tmp_path, epochs=1)
    assert found.image_spec == "local:visual"
    assert found.text_spec == f"st:{found.folder / 'encoders/text'}"
    empty = Shop(shop.products.assign(label_kind=None), shop.folder, shop.split)
    without = tune(empty, "local:visual", None, tmp_path, n_blocks=0, epochs=1)
    assert set(without.heads.classes) == {"colour"}
    assert "kind is left out: none of the 18 training products has a value" in " ".join(without.notes)
    constant = Shop(shop.products.assign(label_kind="dress"), shop.folder, shop.split)
    noted = tune(constant, "local:visual", None, tmp_path, n_blocks=0, epochs=1)
    assert "kind has one value only in the training part (dress)" in " ".join(noted.notes)
    heads_alone = tune(shop, "local:visual", None, tmp_path, n_blocks=0, epochs=1)
    assert heads_alone.image_spec == "local:visual"


def test_early_stop_keeps_the_best_epoch(shop: Shop, networks: dict[str, str], tmp_path: Path) -> None:
    found = tune(
        shop, None, networks["text"], tmp_path, epochs=30, patience=2, tower_rate=1e-9, head_rate=1e-9
    )
    assert len(found.history) == max(found.best_epoch, 1) + 2
    assert found.best_epoch == found.history["macro_f1"].idxmax() + 1


def test_mistakes_are_sentences(shop: Shop, networks: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no network to fine-tune; give a spec st:, hf:"):
        tune(shop, "local:visual", None, tmp_path)
    with pytest.raises(UserError, match="neither a picture nor a text encoder"):
        tune(shop, None, None, tmp_path)
    with pytest.raises(UserError, match=r"the image encoder .* takes text items"):
        tune(shop, networks["text"], None, tmp_path)
    no_test = Shop(shop.products, shop.folder, np.where(shop.split == "test", "train", shop.split))
    with pytest.raises(UserError, match="has no test part"):
        tune(no_test, networks["image"], None, tmp_path)
    blank = Shop(shop.products.assign(text=""), shop.folder, shop.split)
    with pytest.raises(UserError, match="no product has a text; leave that encoder out"):
        tune(blank, networks["image"], networks["text"], tmp_path)


CHILD = """
import sys, threading
from pathlib import Path
from fashion_assets_tests.unit.tuning_made import make_shop, tune

image, text, marker, *places = sys.argv[1:]
def progress(words, done, total):
    if marker and words == "epoch 3 of 4" and done == 2:
        Path(marker).touch()
        threading.Event().wait()
for place in map(Path, places):
    shop = make_shop(place.with_name(f"shop-{place.name}-{bool(marker)}"))
    tune(shop, image, text, place, name="killed", epochs=4, augment=True, progress=progress)
"""


@pytest.mark.slow
def test_killed_in_the_middle_of_an_epoch_it_ends_with_the_same_bits(
    networks: dict[str, str], tmp_path: Path
) -> None:
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(root)}

    def command(marker: str, *places: str) -> list[str]:
        paths = [str(tmp_path / place) for place in places]
        return [sys.executable, "-c", CHILD, networks["image"], networks["text"], marker, *paths]

    marker = tmp_path / "in the middle"
    child = subprocess.Popen(command(str(marker), "cut"), env=environment, cwd=root)
    deadline = time.monotonic() + 900
    while not marker.exists():
        assert child.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not (tmp_path / "cut/killed/result.json").exists()
    subprocess.run(command("", "cut", "whole"), env=environment, cwd=root, check=True, timeout=1000)
    assert_same_weights(tmp_path / "whole/killed", tmp_path / "cut/killed")
