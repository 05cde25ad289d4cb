"""``ProductTrainer``: product classification from a notebook, from pictures and texts to heads and tuned encoders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fashion_assets.products.experiment_folder import CONFIG_FILE, ExperimentFolder
from fashion_assets.products.trainer_source import put_source, read_cards
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_text_atomic

if TYPE_CHECKING:
    from fashion_assets.products.heads import HeadConfig
    from fashion_assets.products.intake import ProductIntake
    from fashion_assets.products.model_training import Progress, TrainedModel
    from fashion_assets.products.tuning.finetuning import TunedProducts

SOURCE, MODEL, FINETUNING = "source", "model", "finetuning"


class ProductTrainer:
    """Trains product classifiers; everything lands in the folder ``experiment``.

    ``images``: a folder or zip of pictures named after the product ids. ``texts``: a CSV or Parquet file or a data
    frame with an id, title, description …; None if the cards lie beside the pictures. ``labels``: the columns to learn
    (None: all that look like labels). The default encoders need no download and no GPU. ``components``: principal
    components that the vectors of each encoder are reduced to; 0: none.

    In a notebook::

        from fashion_assets.products.trainer import ProductTrainer

        trainer = ProductTrainer(
            images="images.zip", texts="cards.parquet", labels=["category", "season"], experiment="experiments/wb"
        )
        trainer.train_heads()                      # heads alone, on ready vectors
        trainer.evaluate()                         # figures on product families that were not trained on
        trainer.predict(images="new/", texts="new.csv")

        trainer = ProductTrainer(
            images="images.zip", texts="cards.parquet", experiment="experiments/wb-tuned",
            image_encoder="open_clip:ViT-B-32/laion2b_s34b_b79k", text_encoder="open_clip:ViT-B-32/laion2b_s34b_b79k",
        )
        trainer.finetune(n_blocks=2, epochs=5)     # last blocks of both towers with the heads; figures per epoch
        trainer.train_heads()                      # heads anew, on the tuned vectors

    For another data set override ``load_texts`` or ``prepare_texts``::

        class Wildberries(ProductTrainer):
            def prepare_texts(self, cards):
                return cards.assign(title=cards["name"] + " " + cards["brand"])

    A call that was killed goes on where it was when it is made again. ``experiment`` then holds ``config.json``,
    ``confusion/``, ``model_card.md``, the model in ``model/`` and every fine-tuning in ``finetuning/``.
    """

    def __init__(
        self,
        images: Path | str,
        texts: Path | str | pd.DataFrame | None = None,
        labels: Sequence[str] | None = None,
        *,
        experiment: Path | str = "experiments/products",
        image_encoder: str | None = "local:visual",
        text_encoder: str | None = "local:cbow",
        components: int = 0,
        heads: HeadConfig | None = None,
        seed: int = 7,
        models_dir: Path | str | None = None,
        device: str | None = None,
        show_progress: bool = True,
    ) -> None:
        self.images, self.texts = Path(images), texts
        self.labels = None if labels is None else tuple(labels)
        self.experiment_dir = Path(experiment)
        self.image_encoder, self.text_encoder = image_encoder, text_encoder
        self.components, self.heads, self.seed = components, heads, seed
        self.models_dir = None if models_dir is None else Path(models_dir)
        self.device, self.show_progress = device, show_progress
        self._intake: tuple[Path, ProductIntake] | None = None

    def load_texts(self, texts: Path | str | pd.DataFrame) -> pd.DataFrame:
        """The cards as they come, one row each, with an id column; override it for other files."""
        return read_cards(texts)

    def prepare_texts(self, cards: pd.DataFrame) -> pd.DataFrame:
        """The cards with what is to be read in ``title`` and ``description``; override it for other data sets.

        The house's cleaning (HTML, digits, units, stopwords) comes after it.
        """
        return cards

    @property
    def model_dir(self) -> Path:
        """Where ``train_heads`` puts the model, as ``fashion-assets products predict --model-dir`` takes it."""
        return self.experiment_dir / MODEL

    @property
    def source(self) -> Path:
        """The folder or zip of cards and pictures that is trained on."""
        return self._source(self.images, self.texts)

    @property
    def products(self) -> pd.DataFrame:
        """The cleaned products, one row each."""
        return self._taken_in().products

    @property
    def quarantined(self) -> pd.DataFrame:
        """The cards that were refused, each with the reason."""
        return self._taken_in().quarantined

    def train_heads(self) -> TrainedModel:
        """Embed the products (cached), split them by family, and train one head per label.

        Raises UserError if nothing can be trained.
        """
        from fashion_assets.products.heads import HeadConfig
        from fashion_assets.products.model_folder import CARD
        from fashion_assets.products.model_training import TrainingPlan, train_model

        if self.image_encoder is None or self.text_encoder is None:
            raise UserError(
                "heads over ready vectors need a picture and a text encoder; give both (the defaults need no "
                "download), or use finetune(n_blocks=0), which takes one alone"
            )
        plan = TrainingPlan(
            labels=self.labels,
            image_encoders=(self.image_encoder,),
            text_encoder=self.text_encoder,
            components=self.components,
            heads=self.heads or HeadConfig(seed=self.seed),
            seed=self.seed,
        )
        self._write_config(asdict(plan))
        with self._bars() as progress:
            trained = train_model(
                self.source,
                self.model_dir,
                plan,
                models_dir=self.models_dir,
                progress=progress,
                device=self.device,
            )
        folder = ExperimentFolder(self.experiment_dir, "")
        folder.write_confusions(
            {
                name: pd.DataFrame(one.confusion["counts"], one.confusion["labels"], one.confusion["labels"])
                for name, one in trained.records.items()
                if one.confusion
            }
        )
        folder.write_card((self.model_dir / CARD).read_text("utf-8"))
        return trained

    def finetune(
        self,
        *,
        n_blocks: int = 2,
        adapters: int | None = None,
        epochs: int = 5,
        name: str | None = None,
        **settings: Any,
    ) -> TunedProducts:
        """Let the last ``n_blocks`` of both towers, or LoRA adapters of rank ``adapters`` in them, learn with heads.

        ``settings`` are those of ``TuningConfig``. Afterwards ``image_encoder`` and ``text_encoder`` of this trainer
        are the tuned ones, so that ``train_heads`` reads their vectors. The split is that of ``train_heads``. Raises
        as ``finetune_products``.
        """
        from fashion_assets.products.splits import store_first_split, stored_or_new_split
        from fashion_assets.products.tuning.config import TuningConfig
        from fashion_assets.products.tuning.finetuning import finetune_products

        config = TuningConfig(
            n_blocks=n_blocks, adapter_rank=adapters or 0, epochs=epochs, **{"seed": self.seed, **settings}
        )
        products = self.products
        split, _ = stored_or_new_split(self.model_dir, products, seed=self.seed)
        store_first_split(self.model_dir, split)
        with self._bars() as progress:
            tuned = finetune_products(
                products,
                self.source,
                split=np.asarray(split["split"], dtype=object),
                families=split["family"].to_numpy(),
                attributes=self._attributes(),
                image_encoder=self.image_encoder,
                text_encoder=self._fixed_words(),
                experiments=self.experiment_dir / FINETUNING,
                config=config,
                name=name,
                models_dir=self.models_dir,
                device=self.device,
                progress=progress,
            )
        self.image_encoder, self.text_encoder = tuned.image_spec, tuned.text_spec
        return tuned

    def predict(
        self, images: Path | str | None = None, texts: Path | str | pd.DataFrame | None = None
    ) -> pd.DataFrame:
        """One row per product: id, and ``<label>``, ``<label>_confidence``, ``<label>_abstained`` for each label.

        Without arguments the products that were trained on. Raises UserError if no heads were trained.
        """
        from fashion_assets.products.model_folder import ModelFolder
        from fashion_assets.products.model_predicting import predict_model, take_in

        model = ModelFolder.open(self.model_dir)
        source = self.source if images is None else self._source(Path(images), texts)
        with self._bars() as progress:
            taken = take_in(source, model, models_dir=self.models_dir, progress=progress, device=self.device)
        return predict_model(model, taken)

    def evaluate(self) -> pd.DataFrame:
        """One row per label: the figures of its head on the test families, with their intervals.

        Raises UserError if no heads were trained.
        """
        from fashion_assets.products.head_record import HeadRecord
        from fashion_assets.products.model_folder import ModelFolder, head_folder

        model = ModelFolder.open(self.model_dir)
        records = [HeadRecord.load(head_folder(model.root, name)) for name in model.attributes]
        return pd.DataFrame(
            [{"attribute": one.attribute, "kind": one.shown_kind, **one.metrics} for one in records]
        )

    def _source(self, images: Path, texts: Path | str | pd.DataFrame | None) -> Path:
        if texts is None:
            return images
        return put_source(self.experiment_dir / SOURCE, images, self.prepare_texts(self.load_texts(texts)))

    def _taken_in(self) -> ProductIntake:
        from fashion_assets.products.intake import take_in_products

        source = self.source
        if self._intake is None or self._intake[0] != source:
            with self._bars() as progress:
                self._intake = source, take_in_products(source, self.labels, progress=progress)
        return self._intake[1]

    def _attributes(self) -> list[str]:
        from fashion_assets.products.cards import label_columns_of

        return [name.removeprefix("label_") for name in label_columns_of(self.products)]

    def _fixed_words(self) -> str | None:
        """The text encoder's spec; word vectors learned on the products' own texts stand for ``local:cbow``."""
        from fashion_assets.products.model_encoders import OWN_WORDS
        from fashion_assets.products.model_training import TrainingPlan, model_encoders

        if self.text_encoder != OWN_WORDS:
            return self.text_encoder
        plan = TrainingPlan(seed=self.seed)
        root = self.experiment_dir / FINETUNING / ".words"
        encoders = model_encoders(root, plan, self.products)
        words = next(entry for entry in encoders.entries if entry.purpose == "text")
        return f"{OWN_WORDS}:{root / words.spec.removeprefix(f'{OWN_WORDS}:')}"

    def _write_config(self, plan: Mapping[str, Any]) -> None:
        told = {
            "images": str(self.images),
            "texts": self.texts if isinstance(self.texts, str | Path) else "a data frame",
        }
        config = json.dumps({**told, **plan}, ensure_ascii=False, indent=2, default=str)
        write_text_atomic(self.experiment_dir / CONFIG_FILE, config + "\n")

    @contextmanager
    def _bars(self) -> Iterator[Progress]:
        """A progress bar on standard error, or silence."""
        if not self.show_progress:
            yield lambda words, done, total: None
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True)) as bars:
            task = bars.add_task("")

            def show(words: str, done: int, total: int) -> None:
                bars.update(task, description=words, completed=done, total=total or None)

            yield show
