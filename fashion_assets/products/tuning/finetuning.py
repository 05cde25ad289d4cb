"""Fine-tune the towers of pictures and texts jointly with attribute heads; the result are encoders for the registry."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.encoders import load_encoder
from fashion_assets.networks.torch_runtime import pick_device
from fashion_assets.products.evaluation import AttributeMetrics, evaluate_attribute
from fashion_assets.products.experiment_folder import ExperimentFolder
from fashion_assets.products.tuning.adapters import merge_adapters
from fashion_assets.products.tuning.card import tuning_card
from fashion_assets.products.tuning.checkpoints import Checkpoints
from fashion_assets.products.tuning.config import TuningConfig
from fashion_assets.products.tuning.epochs import Parts, Progress, predict, run_epochs
from fashion_assets.products.tuning.inputs import (
    build_sides,
    digest_of_data,
    label_values,
    learnable_codes,
    parts_of_split,
)
from fashion_assets.products.tuning.joint_heads import AttributeCodes, JointHeads, build_heads
from fashion_assets.products.tuning.optimisation import Learning
from fashion_assets.products.tuning.sides import Side
from fashion_assets.products.tuning.towers import LoadedSide, learning_parameters, load_sides
from fashion_assets.products.tuning.tuned_encoders import in_place, movable, save_encoders
from fashion_assets.products.vectors import join_vectors
from fashion_assets.storage.errors import UserError

CHECKPOINTS, HEADS = "checkpoint", "heads"
#: Where experiments of one folder share their tensors.
TENSORS = ".tensors"


@dataclass(frozen=True)
class TunedProducts:
    """A finished fine-tuning: ``image_spec`` and ``text_spec`` load the tuned encoders (None: there is no such side;
    a side that did not learn keeps its spec), ``heads`` read their vectors.

    ``metrics``: attribute -> figures on the test part. ``history``: a row per epoch.
    """

    folder: Path
    image_spec: str | None
    text_spec: str | None
    heads: JointHeads
    metrics: dict[str, AttributeMetrics]
    history: pd.DataFrame
    best_epoch: int
    notes: tuple[str, ...]


def finetune_products(
    products: pd.DataFrame,
    source: Path,
    *,
    split: npt.NDArray[np.object_],
    attributes: Sequence[str],
    image_encoder: str | None,
    text_encoder: str | None,
    experiments: Path,
    config: TuningConfig | None = None,
    name: str | None = None,
    families: npt.ArrayLike | None = None,
    models_dir: Path | None = None,
    device: str | None = None,
    progress: Progress = lambda words, done, total: None,
) -> TunedProducts:
    """Let the last blocks of both towers (or adapters in them) and one head per attribute learn together.

    ``products`` is the cleaned table, ``source`` holds the pictures, ``split`` (n,) is "train", "validation" or "test",
    families (n,) widen the intervals. Encoders are specs of the registry; None leaves that side out (pictures alone,
    texts alone). Everything lies in ``experiments/<name>``, cached tensors in ``experiments/.tensors``,
    which ``config.delete_tensors`` deletes at the end. A call that was killed goes on behind its
    last whole epoch, and the same call once it is finished returns at once.

    An attribute without a training label is left out with a note. Raises UserError for encoders that cannot learn, no
    attribute left, an empty part of the split, and an experiment of that name with other settings or data.
    """
    config = config or TuningConfig()
    chosen = pick_device(device)
    parts_of = parts_of_split(split, len(products))
    labels = {one: label_values(products, one) for one in dict.fromkeys(attributes)}
    if not labels:
        raise UserError("no attribute is named; give at least one label column")
    codes, left_out = learnable_codes(labels, parts_of["train"], config)
    labels = {one.attribute: labels[one.attribute] for one in codes}
    experiments = Path(experiments).absolute()
    loaded = load_sides(image_encoder, text_encoder, config, models_dir=models_dir, device=chosen)
    data_digest = digest_of_data(products, labels, split)
    described = {
        "data": data_digest,
        "attributes": list(labels),
        "encoders": {one.name: one.encoder.model_id for one in loaded},
        **config.as_json(),
    }
    experiment = ExperimentFolder.open(experiments, name, described)
    tensors = experiments / TENSORS
    if experiment.result is not None:
        if config.delete_tensors:
            shutil.rmtree(tensors, ignore_errors=True)
        return _finished(experiment, labels, parts_of["test"], families)

    sides, notes = build_sides(products, source, loaded, config, tensors, chosen, progress)
    notes += left_out
    notes += [
        f"{one.attribute} has one value only in the training part ({one.classes[0]}): nothing can be learned of it"
        for one in codes
        if len(one.classes) == 1
    ]
    parts, adapted = _parts(loaded, sides, codes, labels, config, chosen)
    checkpoints = Checkpoints(experiment.path / CHECKPOINTS, experiment.digest)
    state = run_epochs(
        parts,
        parts_of["train"],
        parts_of["validation"],
        config,
        checkpoints,
        on_epoch=lambda reached: experiment.write_history(reached.history),
        progress=progress,
    )
    experiment.write_history(state.history)
    if state.best_epoch <= config.head_epochs and any(one.tower for one in loaded):
        notes.append(
            f"the best epoch was {state.best_epoch}, in which the heads learned alone: the saved encoders are as they "
            "were; try other rates, more epochs or more blocks"
        )
    progress("judging on the test part", 0, 0)
    probabilities, _ = predict(parts, parts_of["test"], config.batch_size)
    guesses = {
        one.attribute: np.array(one.classes, dtype=object)[
            probabilities[one.attribute].argmax(axis=1)
        ].tolist()
        for one in codes
    }
    metrics = _metrics(labels, guesses, parts_of["test"], families)
    counted = _counted(parts.learning, loaded)
    for one in adapted:
        merge_adapters(one)
    progress("saving the tuned encoders", 0, 0)
    specs = save_encoders(experiment.path, loaded, sides, products, source)
    heads = _joint_heads(parts, loaded, specs, models_dir, config)
    heads.save(experiment.path / HEADS)
    experiment.write_confusions({name: one.confusion for name, one in metrics.items()})
    came_from = {one.name: one.spec for one in loaded}
    shown = {side: movable(spec, experiment.path) for side, spec in specs.items()}
    counts = {part: len(rows) for part, rows in parts_of.items()}
    experiment.write_card(
        tuning_card(
            config, came_from, shown, counts, data_digest, state, list(metrics.values()), counted, notes
        )
    )
    experiment.finish(
        {
            "best_epoch": state.best_epoch,
            "epochs": state.epochs,
            "stopped": state.stopped,
            "encoders": shown,
            "test": guesses,
            "figures": {one.attribute: one.summary() for one in metrics.values()},
            "history": state.history,
            "notes": notes,
        }
    )
    if config.delete_tensors:
        shutil.rmtree(tensors, ignore_errors=True)
    return _tuned(experiment, specs, heads, metrics, state.history, state.best_epoch, notes)


def _parts(
    loaded: Sequence[LoadedSide],
    sides: list[Side],
    codes: list[AttributeCodes],
    labels: dict[str, npt.NDArray[np.object_]],
    config: TuningConfig,
    device: str,
) -> tuple[Parts, list[Any]]:
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        width = sum(side.width for side in sides)
        heads = build_heads(width, [len(one.classes) for one in codes], config.hidden, config.dropout)
    heads.to(device)
    learning, adapted = learning_parameters(loaded, sides, config)
    learning += [Learning(f"heads/{name}", parameter, None) for name, parameter in heads.named_parameters()]
    return Parts(sides, heads, learning, codes, labels, device), adapted


def _metrics(
    labels: dict[str, npt.NDArray[np.object_]],
    guesses: dict[str, list[str]],
    test: npt.NDArray[np.int64],
    families: npt.ArrayLike | None,
) -> dict[str, AttributeMetrics]:
    """Figures of the attributes that the test part has a label of."""
    groups = None if families is None else np.asarray(families)[test]
    return {
        name: evaluate_attribute(values[test], guesses[name], attribute=name, families=groups)
        for name, values in labels.items()
        if any(label is not None for label in values[test])
    }


def _counted(learning: Sequence[Learning], loaded: Sequence[LoadedSide]) -> tuple[int, int]:
    """(parameters that learn, all parameters of the networks that learn and of the heads)."""
    learned = {id(one.parameter): one.parameter.numel() for one in learning}
    every = dict(learned)
    for side in loaded:
        if side.tower is not None:
            every |= {id(one): one.numel() for one in side.network.parameters()}
    return sum(learned.values()), sum(every.values())


def _joint_heads(
    parts: Parts,
    loaded: Sequence[LoadedSide],
    specs: dict[str, str],
    models_dir: Path | None,
    config: TuningConfig,
) -> JointHeads:
    widths = {side.name: side.width for side in parts.sides}
    model_ids = {
        one.name: one.encoder.model_id
        if one.tower is None
        else load_encoder(specs[one.name], models_dir=models_dir, device="cpu").model_id
        for one in loaded
    }
    empty = {name: np.zeros((0, width), np.float32) for name, width in widths.items()}
    model_id = join_vectors((), empty, model_ids=model_ids).model_id
    classes = {one.attribute: one.classes for one in parts.attributes}
    return JointHeads(classes, model_id, widths, parts.heads.cpu(), config.hidden)


def _finished(
    experiment: ExperimentFolder,
    labels: dict[str, npt.NDArray[np.object_]],
    test: npt.NDArray[np.int64],
    families: npt.ArrayLike | None,
) -> TunedProducts:
    """The experiment as its files tell it."""
    result = experiment.result or {}
    specs = {side: in_place(spec, experiment.path) for side, spec in result["encoders"].items()}
    return _tuned(
        experiment,
        specs,
        JointHeads.load(experiment.path / HEADS),
        _metrics(labels, result["test"], test, families),
        result["history"],
        result["best_epoch"],
        result["notes"],
    )


def _tuned(
    experiment: ExperimentFolder,
    specs: dict[str, str],
    heads: JointHeads,
    metrics: dict[str, AttributeMetrics],
    history: Sequence[dict[str, Any]],
    best_epoch: int,
    notes: Sequence[str],
) -> TunedProducts:
    return TunedProducts(
        experiment.path,
        specs.get("image"),
        specs.get("text"),
        heads,
        metrics,
        pd.json_normalize(list(history)),
        best_epoch,
        tuple(notes),
    )
