"""Resources: the settings, the lake, and the encoders that a run loads once."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

    from fashion_assets.encoders.protocol import Encoder
    from fashion_assets.keywords.scorers import KeywordScorer
    from fashion_assets.tfashion.word_vectors import WordVectors


class LakeReader:
    """Reads of more than one month, or without Dagster's own input: frames by asset and month."""

    def __init__(self, settings: Settings) -> None:
        self.lake = Lake(settings.lake)

    def months(self, asset: str) -> list[str]:
        """The stored months of ``asset``, oldest first."""
        return self.lake.months(asset)

    def frame(self, asset: str, month: str | None = None, columns: list[str] | None = None) -> pd.DataFrame:
        """One stored table as a frame, or those ``columns`` of it. Raises UserError if it was never materialised."""
        from fashion_assets.defs.io_managers import to_frame

        return to_frame(self.lake.read(asset, month, columns))

    def frames(self, asset: str, months: list[str]) -> pd.DataFrame:
        """The months' tables below each other; every absent month is named in the error."""
        import pyarrow as pa

        from fashion_assets.defs.io_managers import to_frame

        tables = self.lake.read_months(asset, months)
        return to_frame(pa.concat_tables(tables.values(), promote_options="default"))

    def frames_of_posts(
        self, asset: str, months: list[str], posts: Collection[str], columns: list[str]
    ) -> pd.DataFrame:
        """The rows of ``posts`` over the months' tables, in their order; of the others nothing is held."""
        from fashion_assets.defs.io_managers import to_frame
        from fashion_assets.storage.row_picks import rows_of_posts

        return to_frame(rows_of_posts(self.lake, asset, months, posts, columns))


class Encoders:
    """The configured encoders, loaded at first use and kept; ``local:cbow`` while its file stays the same.

    With engine ``ray`` they are handles on encoders of the cluster, which hold the networks themselves.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: dict[str, tuple[float, Encoder]] = {}

    def _load(self, spec: str) -> Encoder:
        named = spec.removeprefix("local:cbow:")
        trained = Path(named) if named != spec else word_vectors_path(self._settings)
        stamp = trained.stat().st_mtime if spec.startswith("local:cbow") and trained.exists() else 0.0
        if spec not in self._loaded or self._loaded[spec][0] != stamp:
            self._loaded[spec] = (stamp, _encoder_of(spec, self._settings))
        return self._loaded[spec][1]

    @property
    def text(self) -> Encoder:
        try:
            return self._load(self._settings.text_encoder)
        except UserError as fault:
            raise UserError(f"FASHION_TEXT_ENCODER={self._settings.text_encoder}: {fault}") from fault

    def named(self, spec: str) -> Encoder:
        """Another encoder than the two that the settings name."""
        return self._load(spec)

    @property
    def words(self) -> WordVectors:
        """The text encoder for single words, each encoded once ever."""
        from fashion_assets.encoders.cache import EmbeddingCache
        from fashion_assets.tfashion.word_vectors import WordVectors

        return WordVectors(self.text, EmbeddingCache(self._settings.embedding_cache))

    @property
    def image(self) -> Encoder:
        try:
            return self._load(self._settings.image_encoder)
        except UserError as fault:
            raise UserError(f"FASHION_IMAGE_ENCODER={self._settings.image_encoder}: {fault}") from fault


def _encoder_of(spec: str, settings: Settings) -> Encoder:
    """The encoder where ``settings.engine`` has it work."""
    from fashion_assets.encoders import load_encoder

    # local:cbow is a table to look words up in: the way to a worker takes longer than the look-up.
    if settings.engine == "ray" and not spec.startswith("local:cbow"):
        from fashion_assets.encoders.ray_encoder import RayEncoder

        return RayEncoder(
            spec,
            models_dir=settings.models,
            precision=settings.precision,
            compile=settings.torch_compile,
            encoders=settings.ray_encoders,
        )
    return load_encoder(
        spec, models_dir=settings.models, precision=settings.precision, compile=settings.torch_compile
    )


def word_vectors_path(settings: Settings) -> Path:
    """Where ``word_vectors`` keeps the trained CBOW model."""
    return settings.models / "word_vectors" / "cbow.safetensors"


def tfashion_path(settings: Settings) -> Path:
    """The folder in which ``tfashion_model`` keeps the word classifier and its card."""
    return settings.models / "tfashion"


def recipe_path(settings: Settings) -> Path:
    """What the word classifier is trained from: written by ``fashion-assets keywords train``."""
    return tfashion_path(settings) / "recipe.json"


def word_scores_path(settings: Settings) -> Path:
    """Scores of words by classifier, so that a word is scored once ever."""
    return settings.models / "word_scores"


def user_dictionary_path(settings: Settings) -> Path:
    """Reviewed new terms, for people to edit."""
    return settings.root / "user_dictionary.txt"


def load_tfashion(settings: Settings, vectors: WordVectors) -> KeywordScorer:
    """The trained classifier of the data root, under which reviewed fashion terms are keywords for certain."""
    from fashion_assets.keywords.scorers import UserTermScorer
    from fashion_assets.keywords.user_dictionary import read_user_dictionary
    from fashion_assets.tfashion.model import TfashionModel

    model = TfashionModel.load(tfashion_path(settings), vectors)
    return UserTermScorer(model, read_user_dictionary(user_dictionary_path(settings)).terms)


def product_model_path(settings: Settings) -> Path:
    """The product model of the data root: heads of ``attribute_classifiers``, sealed by ``product_predictions``."""
    return settings.models / "products"


def style_model_path(settings: Settings, month: str) -> Path:
    """Where ``style_model`` keeps the model as of ``month``."""
    return settings.models / "style_model" / f"{month}.safetensors"
