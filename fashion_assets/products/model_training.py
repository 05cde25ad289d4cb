"""From a folder or zip of labelled products to a product model in a folder; a training that was killed goes on."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.products.cards import label_column, label_columns_of
from fashion_assets.products.embedding import embed_products
from fashion_assets.products.features import ProductFeatures, product_features
from fashion_assets.products.head_record import HeadRecord, metrics_of, rows_of
from fashion_assets.products.heads import HEADS_VERSION, HeadConfig
from fashion_assets.products.joint_decisions import HeldOut, fit_joint, save_held_out
from fashion_assets.products.joint_figures import JointFigures, joint_figures
from fashion_assets.products.labels import label_text
from fashion_assets.products.model_encoders import (
    ENCODERS,
    OWN_WORDS,
    EncoderEntry,
    ModelEncoders,
    adopt_encoder,
    encoder_places,
)
from fashion_assets.products.model_folder import (
    CACHE,
    CARD,
    LOCK,
    MANIFEST,
    METRICS,
    RECORD,
    REFUSED,
    TEST_PREDICTIONS,
    TEXTS,
    head_folder,
    seal,
)
from fashion_assets.products.predict import judged_predictions
from fashion_assets.products.reduction import reduce_vectors
from fashion_assets.products.splits import write_split
from fashion_assets.products.training import TrainedHead, train_attribute
from fashion_assets.products.training_products import training_products
from fashion_assets.storage.csv_text import csv_text
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_parquet_atomic, write_text_atomic
from fashion_assets.storage.locks import locked

#: Called with (what is being done, finished, all); all is 0 where nobody can know.
Progress = Callable[[str, int, int], None]
#: The trials of searches for options, by what was searched on.
SEARCHES = "searches.journal"


@dataclass(frozen=True)
class TrainingPlan:
    """What to train and with what; the defaults need no download."""

    labels: tuple[str, ...] | None = None
    image_encoders: tuple[str, ...] = ("local:visual",)
    text_encoder: str = OWN_WORDS
    #: Averaged word vectors of shop names and keys of characteristics; None: the own words, where cards have either and
    #: the texts are read by them too.
    word_encoder: str | None = None
    #: Principal components that the vectors of each encoder are reduced to; 0: the vectors as they are.
    components: int = 0
    heads: HeadConfig = field(default_factory=HeadConfig)
    seed: int = 7
    encoding: str | None = None


@dataclass(frozen=True)
class TrainedModel:
    """A finished training: records by attribute, how many were taken over, and ``notes`` for the person."""

    root: Path
    records: Mapping[str, HeadRecord]
    reused: tuple[str, ...]
    joint: JointFigures
    notes: tuple[str, ...]
    seconds: Mapping[str, float]


def train_model(
    source: Path,
    root: Path,
    plan: TrainingPlan,
    *,
    models_dir: Path | None = None,
    progress: Progress = lambda words, done, total: None,
    **encoder_options: Any,
) -> TrainedModel:
    """Train a model from ``source`` (folder or zip) into ``root``.

    Vectors are kept as they are made and a head is written when it is done, so the same call after a kill goes on where
    it was; heads whose products, vectors, labels, split and options are the same are taken over. Raises UserError if
    nothing can be trained, or another training is at work in ``root``.
    """
    root = Path(root)
    with locked(root / LOCK, wait=False) as own:
        if not own:
            raise UserError(
                f"another training is at work in {root}; let it end, or name another folder (--model-dir)"
            )
        return _train_model(source, root, plan, models_dir, progress, encoder_options)


def _train_model(
    source: Path,
    root: Path,
    plan: TrainingPlan,
    models_dir: Path | None,
    progress: Progress,
    encoder_options: Mapping[str, Any],
) -> TrainedModel:
    clock = _Clock()
    taken = training_products(
        source, root, plan.labels, encoding=plan.encoding, seed=plan.seed, progress=progress
    )
    clock.lap("cards, pictures and split")
    products, split, attributes, notes = taken.products, taken.split, taken.attributes, list(taken.notes)
    # From here on the folder is no model until it is sealed again.
    (root / MANIFEST).unlink(missing_ok=True)
    write_text_atomic(root / REFUSED, csv_text(taken.intake.quarantined))
    progress("learning words, loading encoders", 0, 0)
    encoders = model_encoders(root, plan, products, models_dir=models_dir, **encoder_options)
    vectors = embed_products(
        products,
        source,
        text_encoder=encoders.text,
        image_encoders=encoders.images,
        word_encoder=encoders.words,
        cache=EmbeddingCache(root / CACHE),
        progress=progress,
    ).vectors
    write_products(root, products, split)
    train = (split["split"] == "train").to_numpy()
    vectors = reduce_vectors(root, vectors, train, plan.components, seed=plan.seed)
    features = product_features(products, vectors)
    clock.lap("vectors")
    records: dict[str, HeadRecord] = {}
    reused = []
    for number, name in enumerate(attributes):
        progress(f"training heads: {name}", number, len(attributes))
        missing = nothing_labelled(name, products)
        if missing:
            notes.append(f"{name} is left out: {missing}")
            continue
        records[name], again = train_or_reuse(
            root, name, products, features, split["split"].to_numpy(), plan.heads
        )
        if again:
            reused.append(name)
        if records[name].note:
            notes.append(records[name].note)
    progress("training heads", len(attributes), len(attributes))
    if not records:
        raise UserError(f"no head could be trained from {source}: {'; '.join(notes)}")
    clock.lap("heads")
    progress("deciding together", 0, 0)
    joint = join_heads(root, list(records), products, split, seed=plan.seed)
    finish_model(root, records, encoders.entries, vectors.model_id, len(products), plan.seed, joint)
    return TrainedModel(root, records, tuple(reused), joint, tuple(notes), clock.laps)


def model_encoders(
    root: Path,
    plan: TrainingPlan,
    products: pd.DataFrame,
    *,
    models_dir: Path | None = None,
    **options: Any,
) -> ModelEncoders:
    """The encoders of a plan, their files in ``root``; ``OWN_WORDS`` are learned on the products' texts, no labels."""
    text_spec, words_spec = plan.text_encoder, plan.word_encoder
    if words_spec is None and text_spec == OWN_WORDS and has_fields(products):
        words_spec = OWN_WORDS
    if OWN_WORDS in (text_spec, words_spec):
        path = root / ENCODERS / "own_words" / "cbow.safetensors"
        learn_own_words(products["text"], path, seed=plan.seed)
        learned = f"{OWN_WORDS}:{path}"
        text_spec = learned if text_spec == OWN_WORDS else text_spec
        words_spec = learned if words_spec == OWN_WORDS else words_spec
    places = encoder_places(text_spec, plan.image_encoders, words_spec)
    return ModelEncoders.of(
        [
            adopt_encoder(root, name, purpose, spec, models_dir=models_dir, **options)
            for purpose, spec, name in places
        ]
    )


def learn_own_words(texts: Iterable[str], path: Path, *, seed: int) -> str:
    """Save word vectors of the products' own texts at ``path``; what they were learned from. No label is looked at."""
    from fashion_assets.encoders.cbow_training import train_or_lexicon
    from fashion_assets.keywords.tokens import content_tokens

    model, told = train_or_lexicon(content_tokens([text for text in texts if text]), seed=seed)
    model.save(path)
    return told


def has_fields(products: pd.DataFrame) -> bool:
    """Whether any card has a shop name or characteristics, which are read as single words."""
    return bool(products["shop"].notna().any() or products["characteristics"].notna().any())


def nothing_labelled(attribute: str, products: pd.DataFrame) -> str:
    """Why these products can teach nothing of ``attribute``; empty where they can."""
    column = label_column(attribute)
    if column not in products.columns:
        names = [name.removeprefix("label_") for name in label_columns_of(products)]
        return (
            f"the product cards have no label column {attribute!r}; they have {', '.join(names) or 'none'}. Name those "
            "to learn in --labels or FASHION_PRODUCT_ATTRIBUTES"
        )
    if all(label_text(label) is None for label in products[column]):
        return f"the label column {attribute!r} is empty for all {len(products)} usable products"
    return ""


def train_or_reuse(
    root: Path,
    attribute: str,
    products: pd.DataFrame,
    features: ProductFeatures,
    split: npt.NDArray[np.object_],
    config: HeadConfig,
) -> tuple[HeadRecord, bool]:
    """(the record of the head in ``root``, whether it was there already for these inputs). A new head makes ``root`` no
    model until it is sealed again.
    """
    folder = head_folder(root, attribute)
    digest = input_digest(attribute, products, features, split, config)
    try:
        record = HeadRecord.load(folder)
        if record.input_digest == digest:
            HeldOut.load(folder)
            return record, True
    except UserError:
        pass
    began = time.monotonic()
    # Trials of the search are kept as they end, outside of what is sealed.
    journal = Path(root) / CACHE / SEARCHES
    trained = train_attribute(attribute, products, features, split, config=config, journal=journal)
    (root / MANIFEST).unlink(missing_ok=True)
    # Killed from here to the new record, the new head must not pass for the one that the old record tells of.
    (folder / RECORD).unlink(missing_ok=True)
    trained.head.save(folder)
    save_held_out(trained, folder)
    record = record_of(trained, digest, time.monotonic() - began)
    record.save(folder)
    return record, False


def record_of(trained: TrainedHead, digest: str, seconds: float) -> HeadRecord:
    """What a training came to, for the folder and the report."""
    head = trained.head
    return HeadRecord(
        attribute=head.attribute,
        input_digest=digest,
        kind=trained.kind,
        embedding_transform=head.embedding_transform,
        classes=[str(name) for name in head.classes_],
        note=head.note_,
        seconds=round(seconds, 3),
        n_train=trained.n_train,
        **metrics_of(trained.metrics),
        splits=rows_of(trained.splits),
        candidates=rows_of(trained.candidates),
        history=rows_of(trained.history),
        search=rows_of(trained.search),
        imbalance=rows_of(trained.imbalance),
        learning_curve=rows_of(trained.learning_curve),
        calibration_before=rows_of(trained.calibration_before),
        calibration_after=rows_of(trained.calibration_after),
        test=rows_of(trained.test),
    )


def input_digest(
    attribute: str,
    products: pd.DataFrame,
    features: ProductFeatures,
    split: npt.NDArray[np.object_],
    config: HeadConfig,
) -> str:
    """SHA-256 of all that a head comes from: program, options, products, vectors, labels and split."""
    labels = [label_text(label) for label in products[label_column(attribute)]]
    said = [attribute, HEADS_VERSION, repr(config), features.vectors.model_id, list(features.vectors.ids)]
    said += [list(features.titles), list(features.texts), labels, list(split)]
    digest = hashlib.sha256(json.dumps(said, ensure_ascii=False).encode())
    digest.update(np.ascontiguousarray(features.vectors.matrix).tobytes())
    return digest.hexdigest()


def join_heads(
    root: Path, attributes: Sequence[str], products: pd.DataFrame, split: pd.DataFrame, *, seed: int = 7
) -> JointFigures:
    """Fit the joint decoder over the heads in ``root``; the figures of the test products with and without it.

    What was said of them goes into ``test_predictions.csv``, as ``products evaluate`` reads it.
    """
    # The decoder is written anew: until the folder is sealed it is no model.
    (root / MANIFEST).unlink(missing_ok=True)
    alone, together = fit_joint(root, attributes, products, split["split"].to_numpy(dtype=object))
    said = csv_text(judged_predictions(alone, together), float_format="%.6f")
    write_text_atomic(root / TEST_PREDICTIONS, said)
    families = dict(zip(split["id"], split["family"], strict=True))
    return joint_figures(alone, together, families, seed=seed)


def finish_model(
    root: Path,
    records: Mapping[str, HeadRecord],
    entries: Sequence[EncoderEntry],
    vectors_model_id: str,
    n_products: int,
    seed: int,
    joint: JointFigures,
) -> None:
    """Write figures and card, and seal the folder."""
    from fashion_assets.products.model_card import card_text

    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    figures = {
        "attributes": {name: {"kind": one.shown_kind, **one.metrics} for name, one in records.items()},
        "all_attributes_right": joint.as_json(),
    }
    write_text_atomic(root / METRICS, json.dumps(figures, ensure_ascii=False, indent=2) + "\n")
    write_text_atomic(
        root / CARD, card_text(list(records.values()), entries, vectors_model_id, n_products, joint, made)
    )
    seal(
        root,
        attributes=list(records),
        encoders=entries,
        vectors_model_id=vectors_model_id,
        made=made,
        seed=seed,
        n_products=n_products,
    )


def write_products(root: Path, products: pd.DataFrame, split: pd.DataFrame) -> None:
    """Put the split, and what the projection learns words from, into ``root``."""
    import pyarrow as pa

    write_split(root, split)
    columns = ["id", "text", *label_columns_of(products)]
    write_parquet_atomic(root / TEXTS, pa.Table.from_pandas(products[columns], preserve_index=False))


class _Clock:
    """Seconds of each step."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.monotonic()

    def lap(self, name: str) -> None:
        now = time.monotonic()
        self.laps[name] = now - self._last
        self._last = now
