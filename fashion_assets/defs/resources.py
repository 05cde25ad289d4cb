"""Resources: the settings, the lake, and the encoders that a run loads once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

    from fashion_assets.encoders.protocol import Encoder


class LakeReader:
    """Reads of more than one month, or without Dagster's own input: frames by asset and month."""

    def __init__(self, settings: Settings) -> None:
        self.lake = Lake(settings.lake)

    def months(self, asset: str) -> list[str]:
        """The stored months of ``asset``, oldest first."""
        return self.lake.months(asset)

    def frame(self, asset: str, month: str | None = None) -> pd.DataFrame:
        """One stored table as a frame. Raises UserError if it was never materialised."""
        from fashion_assets.defs.io_managers import to_frame

        return to_frame(self.lake.read(asset, month))

    def frames(self, asset: str, months: list[str]) -> pd.DataFrame:
        """The months' tables below each other; every absent month is named in the error."""
        import pyarrow as pa

        from fashion_assets.defs.io_managers import to_frame

        tables = self.lake.read_months(asset, months)
        return to_frame(pa.concat_tables(tables.values(), promote_options="default"))


class Encoders:
    """The configured encoders, loaded at first use and kept while their weights on disk stay the same."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._loaded: dict[str, tuple[float, Encoder]] = {}

    def _load(self, spec: str) -> Encoder:
        from fashion_assets.encoders import load_encoder

        trained = word_vectors_path(self._settings)
        stamp = trained.stat().st_mtime if spec.startswith("local:cbow") and trained.exists() else 0.0
        if spec not in self._loaded or self._loaded[spec][0] != stamp:
            self._loaded[spec] = (stamp, load_encoder(spec, models_dir=self._settings.models))
        return self._loaded[spec][1]

    @property
    def text(self) -> Encoder:
        return self._load(self._settings.text_encoder)

    @property
    def image(self) -> Encoder:
        return self._load(self._settings.image_encoder)


def word_vectors_path(settings: Settings) -> Path:
    """Where ``word_vectors`` keeps the trained CBOW model."""
    return settings.models / "word_vectors" / "cbow.safetensors"


def style_model_path(settings: Settings, month: str) -> Path:
    """Where ``style_model`` keeps the model as of ``month``."""
    return settings.models / "style_model" / f"{month}.safetensors"
