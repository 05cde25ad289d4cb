"""Fine-tune the towers of pictures and texts jointly with attribute heads; the result are encoders for the registry."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.towers import NetworkEncoder
from fashion_assets.media.decoding import DECODING
from fashion_assets.networks.torch_runtime import pick_device
from fashion_assets.products.cards import label_column
from fashion_assets.products.embedding import packed_picture
from fashion_assets.products.evaluation import AttributeMetrics, evaluate_attribute
from fashion_assets.products.experiment_folder import ExperimentFolder
from fashion_assets.products.labels import label_text
from fashion_assets.products.pictures import open_product_images
from fashion_assets.products.tuning.adapters import merge_adapters
from fashion_assets.products.tuning.card import tuning_card
from fashion_assets.products.tuning.checkpoints import Checkpoints
from fashion_assets.products.tuning.config import TuningConfig
from fashion_assets.products.tuning.epochs import Parts, Progress, predict, run_epochs
from fashion_assets.products.tuning.joint_heads import (
    AttributeCodes,
    JointHeads,
    attribute_codes,
    build_heads,
)
from fashion_assets.products.tuning.optimisation import Learning
from fashion_assets.products.tuning.sides import Side
from fashion_assets.products.tuning.towers import (
    LoadedSide,
    SideItems,
    build_side,
    learning_parameters,
    load_sides,
)
from fashion_assets.products.vectors import join_vectors
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    from fashion_assets.products.pictures import ProductImages

CHECKPOINTS, ENCODERS, HEADS = "checkpoint", "encoders", "heads"
#: Where experiments of one folder share their tensors.
TENSORS = ".tensors"
#: A saved encoder whose rows turn further than this from the trained one's is not the same network.
LEAST_COSINE = 0.9999
#: Products that a saved encoder is compared on.
COMPARED = 8


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
    parts_of = _parts_of_split(split, len(products))
    labels = {one: _labels(products, one) for one in dict.fromkeys(attributes)}
    if not labels:
        raise UserError("no attribute is named; give at least one label column")
    codes, left_out = _codes(labels, parts_of["train"], config)
    labels = {one.attribute: labels[one.attribute] for one in codes}
    experiments = Path(experiments).absolute()
    loaded = load_sides(image_encoder, text_encoder, config, models_dir=models_dir, device=chosen)
    data_digest = _data_digest(products, labels, split)
    described = {
        "data": data_digest,
        "attributes": list(labels),
        "encoders": {one.name: one.encoder.model_id for one in loaded},
        **config.as_json(),
    }
    experiment = ExperimentFolder.open(experiments, name, described)
    if experiment.result is not None:
        return _finished(experiment, labels, parts_of["test"], families, models_dir)

    tensors = experiments / TENSORS
    sides, notes = _sides(products, source, loaded, config, tensors, chosen, progress)
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
    specs = _save_encoders(experiment.path, loaded, sides, products, source)
    heads = _joint_heads(parts, loaded, specs, models_dir, config)
    heads.save(experiment.path / HEADS)
    experiment.write_confusions({name: one.confusion for name, one in metrics.items()})
    came_from = {one.name: one.spec for one in loaded}
    shown = {side: _relative(spec, experiment.path) for side, spec in specs.items()}
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


def _parts_of_split(split: npt.NDArray[np.object_], n_products: int) -> dict[str, npt.NDArray[np.int64]]:
    if len(split) != n_products:
        raise UserError(
            f"there are {n_products} products and a split of {len(split)}; give one part per product"
        )
    parts = {name: np.flatnonzero(np.asarray(split) == name) for name in ("train", "validation", "test")}
    for name, rows in parts.items():
        if not len(rows):
            raise UserError(
                f"the split of {n_products} products has no {name} part; fine-tuning needs train, validation and test"
            )
    return parts


def _codes(
    labels: dict[str, npt.NDArray[np.object_]], train: npt.NDArray[np.int64], config: TuningConfig
) -> tuple[list[AttributeCodes], list[str]]:
    """(codes of the attributes that can be learned, a sentence about each other one). UserError if none can."""
    codes, left_out = [], []
    for name, values in labels.items():
        try:
            codes.append(attribute_codes(name, list(values), train, config.class_weight_power))
        except UserError as error:
            left_out.append(f"{name} is left out: {error}")
    if not codes:
        raise UserError(f"no attribute can be learned: {'; '.join(left_out)}")
    return codes, left_out


def _labels(products: pd.DataFrame, attribute: str) -> npt.NDArray[np.object_]:
    column = label_column(attribute)
    if column not in products.columns:
        raise UserError(f"the products have no label column {attribute!r}")
    return np.array([label_text(value) for value in products[column]], dtype=object)


def _data_digest(
    products: pd.DataFrame, labels: dict[str, npt.NDArray[np.object_]], split: npt.NDArray[np.object_]
) -> str:
    """SHA-256 of what is learned from: ids, texts, pictures, labels, split."""
    said = [
        products["id"].astype(str).tolist(),
        products["text"].fillna("").tolist(),
        products["image_digest"].fillna("").tolist(),
        {name: values.tolist() for name, values in labels.items()},
        list(split),
        DECODING,
    ]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False, default=str).encode()).hexdigest()


def _sides(
    products: pd.DataFrame,
    source: Path,
    loaded: Sequence[LoadedSide],
    config: TuningConfig,
    folder: Path,
    device: str,
    progress: Progress,
) -> tuple[list[Side], list[str]]:
    """(the sides, sentences about what they lack)."""
    sides, notes = [], []
    with open_product_images(source) as images:
        for one in loaded:
            content = _content(products, images, one.name)
            side, refused = build_side(one, content, config, folder, device, progress)
            missing = int((~side.has).sum())
            if missing:
                kind = "picture" if one.name == "image" else "text"
                notes.append(f"{missing:,} of {len(products):,} products go without a {kind}")
            notes += [f"a picture that cannot be read: {reason}" for reason in refused.values()]
            sides.append(side)
    return sides, notes


def _content(products: pd.DataFrame, images: ProductImages, name: str) -> SideItems:
    """The different pictures or texts of the products."""
    if name == "text":
        keys = products["text"].fillna("").str.strip().to_numpy(dtype=object)
        present = keys != ""
        items: list[Any] = list(products["text"].fillna(""))
    else:
        present = products["image_path"].notna().to_numpy() & products["image_digest"].notna().to_numpy()
        keys = products["image_digest"].fillna("").to_numpy(dtype=object)
        items = [packed_picture(images, path) if there else None for path, there in _zip(products, present)]
    first: dict[str, int] = {}
    rows = np.full(len(products), -1, dtype=np.int64)
    chosen = []
    for at in np.flatnonzero(present):
        if keys[at] not in first:
            first[keys[at]] = len(first)
            chosen.append(items[at])
        rows[at] = first[keys[at]]
    return SideItems(chosen, [str(key) for key in first], rows)


def _zip(products: pd.DataFrame, present: npt.NDArray[np.bool_]) -> Any:
    return zip(products["image_path"], present, strict=True)


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


def _save_encoders(
    folder: Path, loaded: Sequence[LoadedSide], sides: Sequence[Side], products: pd.DataFrame, source: Path
) -> dict[str, str]:
    """Side -> spec of its encoder, tuned ones in ``folder/encoders``; one that two sides share is saved once."""
    learned = [one for one in loaded if one.tower is not None]
    specs = {one.name: one.spec for one in loaded if one.tower is None}
    for one in learned:
        names = [other.name for other in learned if other.network is one.network]
        place = folder / ENCODERS / ("joint" if len(names) > 1 else one.name)
        if one.name == names[0]:
            _save_encoder(one, place)
        specs[one.name] = f"{one.spec.partition(':')[0]}:{place}"
        side = sides[loaded.index(one)]
        _check_saved(specs[one.name], one.name, side, products, source)
    return specs


def _save_encoder(one: LoadedSide, place: Path) -> None:
    """Write the network beside its place and move it there whole."""
    if not isinstance(one.encoder, NetworkEncoder) or one.encoder.save is None:
        raise UserError(f"the {one.name} encoder {one.spec!r} cannot be saved")
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=place.parent) as beside:
        made = Path(beside) / place.name
        made.mkdir()
        one.encoder.save(made)
        shutil.rmtree(place, ignore_errors=True)
        made.rename(place)


def _check_saved(spec: str, name: str, side: Side, products: pd.DataFrame, source: Path) -> None:
    """Load the saved encoder and compare its rows with those of the network that was trained."""
    import torch

    some = np.flatnonzero(side.has)[:COMPARED]
    with torch.no_grad():
        expected = side.rows(side.prepare(some, None)).cpu().numpy()
    with open_product_images(source) as images:
        content = _content(products.iloc[some], images, name)
        rows = load_encoder(spec, device="cpu").encode(content.items)[content.rows]
    cosine = float((rows * expected).sum(axis=1).min())
    if cosine < LEAST_COSINE:
        raise UserError(
            f"{spec} does not give the rows of the network that was trained (smallest cosine {cosine:.5f}, expected "
            f"{LEAST_COSINE}); keep the folder and report it, the checkpoint beside it holds what was learned"
        )


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
    models_dir: Path | None,
) -> TunedProducts:
    """The experiment as its files tell it."""
    result = experiment.result or {}
    specs = {side: _absolute(spec, experiment.path) for side, spec in result["encoders"].items()}
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


def _relative(spec: str, folder: Path) -> str:
    """The spec with a path below ``folder`` cut to ``./…``, so that an experiment may be moved."""
    return spec.replace(f":{folder}/", ":./", 1)


def _absolute(spec: str, folder: Path) -> str:
    return spec.replace(":./", f":{folder}/", 1)
