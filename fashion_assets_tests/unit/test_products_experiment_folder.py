"""The folder of an experiment: found again by its settings, pictures and lines that can be read."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_assets.products.experiment_folder import ExperimentFolder
from fashion_assets.products.experiment_plots import OTHERS, _frequent, confusion_png
from fashion_assets.storage.errors import UserError

ROW = {
    "epoch": 1,
    "train_loss": 0.9,
    "loss": 1.0,
    "macro_f1": 0.5,
    "attributes": {"sex": {"macro_f1": 0.4}, "season": {"macro_f1": 0.6}},
}


def test_the_same_settings_find_their_folder_again(tmp_path: Path) -> None:
    first = ExperimentFolder.open(tmp_path, None, {"epochs": 2, "encoders": {"image": "a"}})
    again = ExperimentFolder.open(tmp_path, None, {"encoders": {"image": "a"}, "epochs": 2})
    other = ExperimentFolder.open(tmp_path, None, {"epochs": 3, "encoders": {"image": "a"}})
    assert first.path == again.path == tmp_path / first.digest[:12]
    assert other.path != first.path
    assert first.result is None
    first.finish({"best_epoch": 1})
    assert again.result == {"best_epoch": 1}


def test_a_name_that_another_experiment_has_is_told(tmp_path: Path) -> None:
    folder = ExperimentFolder.open(tmp_path, "vit", {"epochs": 2, "seed": 7})
    assert folder.path == tmp_path / "vit"
    with pytest.raises(UserError, match="vit holds another experiment: epochs differs; give another name"):
        ExperimentFolder.open(tmp_path, "vit", {"epochs": 3, "seed": 7})
    (folder.path / "config.json").write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        ExperimentFolder.open(tmp_path, "vit", {"epochs": 2, "seed": 7})


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden"])
def test_names_are_folder_names(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="cannot be named"):
        ExperimentFolder.open(tmp_path / "experiments", name, {})


def test_history_and_confusions_are_written(tmp_path: Path) -> None:
    folder = ExperimentFolder.open(tmp_path, "x", {})
    folder.write_history([ROW, {**ROW, "epoch": 2, "attributes": {"sex": {"macro_f1": 0.5}}}])
    lines = (folder.path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    labels = ["男", "女"]
    folder.write_confusions({"пол / sex": pd.DataFrame([[3, 1], [0, 2]], labels, labels)})
    names = sorted(path.name for path in (folder.path / "confusion").iterdir())
    assert names == ["01-пол_sex.png"]
    for path in (folder.path / "learning_curves.png", folder.path / "confusion" / names[0]):
        with Image.open(path) as picture:
            assert min(picture.size) > 200


def test_rare_classes_of_a_large_matrix_are_put_together() -> None:
    generator = np.random.default_rng(0)
    labels = [f"class {number:03}" for number in range(60)]
    counts = generator.integers(0, 3, (60, 60))
    counts[7, 7] = 500
    table = pd.DataFrame(counts, labels, labels)
    small = _frequent(table, 10)
    assert len(small) == 10
    assert small.to_numpy().sum() == counts.sum()
    assert small.loc["class 007", "class 007"] == 500
    assert list(small.index)[-1] == OTHERS
    first, second = confusion_png(table, title="many"), confusion_png(table, title="many")
    assert first == second
    with Image.open(io.BytesIO(first)) as picture:
        assert picture.format == "PNG"
