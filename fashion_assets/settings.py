"""One Settings object: what a user can set by environment (``FASHION_*``) or by flag, with the reason.

This is the only module that reads environment variables. The domain packages take what they need as
arguments.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from fashion_assets.encoders.profiles import DEFAULT_PROFILE, PROFILE_SETTINGS, PROFILES, profile_named
from fashion_assets.storage.errors import UserError


class Settings(BaseSettings):
    """Where the data lies and which parts do the work. Every field can be set as ``FASHION_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix="FASHION_", extra="ignore")

    data_dir: Path = Field(
        Path("data"), description="Data root: incoming/, lake/, models/, reports/, warehouse.duckdb"
    )
    first_month: str = Field(
        "2019-01", description="First monthly partition; older posts are refused", pattern=r"^\d{4}-\d{2}$"
    )
    author_salt: str | None = Field(
        None,
        description="Salt of the author hashes; unset: made once and kept in <data root>/author_salt",
        repr=False,
    )

    tokenizer: Literal["rjieba", "jieba"] = Field("rjieba", description="Chinese tokenizer")
    profile: str = Field(
        DEFAULT_PROFILE,
        description="local, cpu or gpu: what encoders, segmenter and precision are where they are not set, see "
        "docs/encoders.md",
    )
    text_encoder: str = Field(
        PROFILES[DEFAULT_PROFILE].text_encoder, description="Text encoder spec, see docs/encoders.md"
    )
    image_encoder: str = Field(
        PROFILES[DEFAULT_PROFILE].image_encoder, description="Picture encoder spec, see docs/encoders.md"
    )
    segmenter: str = Field(
        PROFILES[DEFAULT_PROFILE].segmenter, description="Garment segmenter, see docs/media.md"
    )
    crop: Literal["garment", "person"] = Field(
        "garment",
        description="What a picture is cut down to: the garment alone (groups by colour and cut), or the whole "
        "person (brings pose in)",
    )
    min_garment_share: float = Field(
        0.05,
        ge=0,
        le=1,
        description="Below this share of garment pixels a picture leaves the style branch (the reference's rule)",
    )
    blank_faces: bool = Field(
        True,
        description="Reports show the garment alone; false publishes whole-person crops as they are, faces included",
    )
    precision: Literal["float32", "bfloat16", "float16"] = Field(
        PROFILES[DEFAULT_PROFILE].precision,
        description="What networks compute in on a GPU; on a CPU always float32. Vectors of another precision "
        "are another model's",
    )
    torch_compile: bool = Field(
        False, description="Compile torch networks (torch.compile); the first batches wait for the compiler"
    )
    text_weight: float = Field(1.0, ge=0, description="Weight of the text block in multimodal embeddings")
    image_weight: float = Field(1.0, ge=0, description="Weight of the picture block in multimodal embeddings")

    style_window: int = Field(
        12, ge=1, le=60, description="Months that a style model is fitted on (fewer at the start)"
    )
    style_k_min: int = Field(4, ge=2, description="Smallest number of styles tried")
    style_k_max: int = Field(40, ge=2, description="Largest number of styles tried; bounded by the posts too")
    random_seed: int = Field(7, description="Seed of UMAP, k-means and every other draw")

    product_attributes: str = Field(
        "category,sub_category,sex,season,colour",
        description="Label columns of product cards that get a trained head, one partition each",
    )

    workers: int = Field(2, ge=1, description="Threads that decode and segment pictures")
    executor: Literal["in_process", "multiprocess"] = Field(
        "in_process",
        description="How one run executes its steps; multiprocess uses a fork server with the heavy modules preloaded",
    )
    engine: Literal["inline", "ray"] = Field(
        "inline",
        description="Where texts and pictures are encoded: in the step, or on Ray (RAY_ADDRESS, else a local "
        "cluster that ends with the run), see docs/scale.md",
    )
    ray_encoders: int = Field(
        1,
        ge=1,
        description="Encoders that work side by side on Ray, one per GPU where there are any; loaded anew by every "
        "step that encodes",
    )
    gpu_pool: int = Field(
        1,
        ge=1,
        le=1000,
        description="Steps of pool gpu at a time, over all runs: two networks rarely fit one GPU",
    )

    def __init__(self, **values: object) -> None:
        super().__init__(**values)  # type: ignore[arg-type]
        profile = profile_named(self.profile)
        for name in PROFILE_SETTINGS:
            # Set by environment or by argument: it wins, also where it equals the default of the default profile.
            if name not in self.model_fields_set:
                setattr(self, name, getattr(profile, name))
        if self.style_k_max < self.style_k_min:
            raise UserError(
                f"FASHION_STYLE_K_MAX={self.style_k_max} is below FASHION_STYLE_K_MIN={self.style_k_min}"
            )

    @property
    def root(self) -> Path:
        """The data root, absolute, so that a step in another working folder finds the same files."""
        return self.data_dir.expanduser().absolute()

    @property
    def attributes(self) -> list[str]:
        """``product_attributes`` as a list."""
        return [name.strip() for name in self.product_attributes.split(",") if name.strip()]

    @property
    def product_files(self) -> Path:
        return self.incoming / "products"

    @property
    def taxonomy_files(self) -> Path:
        """Cards that carry the categories of another shop, for ``category_projection``."""
        return self.incoming / "taxonomy"

    @property
    def incoming(self) -> Path:
        return self.root / "incoming"

    @property
    def lake(self) -> Path:
        return self.root / "lake"

    @property
    def media(self) -> Path:
        return self.lake / "media"

    @property
    def crops(self) -> Path:
        return self.lake / "crops"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def embedding_cache(self) -> Path:
        return self.models / "embedding_cache"

    @property
    def reports(self) -> Path:
        return self.root / "reports"

    @property
    def warehouse(self) -> Path:
        return self.root / "warehouse.duckdb"

    @property
    def salt_file(self) -> Path:
        return self.root / "author_salt"

    @property
    def dagster_home(self) -> Path:
        """Run history of this data root; ``make ui`` and ``fashion-assets run`` share it."""
        return self.root / "dagster_home"
