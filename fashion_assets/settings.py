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
from fashion_assets.products.model_encoders import with_colours
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import Place, is_remote, place


class Settings(BaseSettings):
    """Where the data lies and which parts do the work. Every field can be set as ``FASHION_<FIELD>``."""

    model_config = SettingsConfigDict(env_prefix="FASHION_", extra="ignore")

    data_dir: Path = Field(
        Path("data"), description="Data root: incoming/, lake/, models/, reports/, warehouse.duckdb"
    )
    lake_url: str | None = Field(
        None,
        description="Where the lake lies: tables, ledger, media, crops, and in a bucket the vector cache; a path or "
        "s3://bucket/prefix; unset: <data root>/lake. Endpoint and credentials: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, …",
    )
    incoming_url: str | None = Field(
        None,
        description="Where crawl files and their media arrive: a path or s3://bucket/prefix; unset: "
        "<data root>/incoming. Product cards and taxonomies arrive in the data root",
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
        description="Reports blank what lies outside of the garment mask; false publishes whole-person crops as they "
        "are, faces included",
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
    product_image_encoders: str = Field(
        "",
        description="Picture encoders of products, with commas: their vectors stand side by side; unset: "
        "FASHION_IMAGE_ENCODER beside local:visual, which tells the colours",
    )
    product_text_encoder: str = Field(
        "",
        description="Encoder of product texts; local:cbow: word vectors learned on the cards themselves; unset: "
        "FASHION_TEXT_ENCODER, of which local:cbow means the words of the cards here",
    )
    product_components: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Principal components that each encoder's vectors of products are reduced to, fitted on the "
        "training part; 0: the vectors as they are",
    )
    product_head_kinds: str = Field(
        "",
        description="Kinds of head that are tried for each attribute, with commas; unset: those that pay, see "
        "docs/products.md",
    )
    product_trials: int = Field(
        0, ge=0, description="Optuna trials of each head's options; 0 takes options that were found before"
    )
    product_embedding_transforms: str = Field(
        "",
        description="Metric learning that is tried before the kinds of head, the kernel machine aside, with commas: "
        "none, lfda, supcon, …, see docs/products.md; unset: none",
    )
    product_resampling: Literal["none", "auto"] = Field(
        "none",
        description="auto: drawing classes evenly (SMOTE too) is compared with class weights, and what wins is kept",
    )
    product_abstain_below: float = Field(
        0.5, ge=0, le=1, description="Under this confidence a predicted attribute is marked as an abstention"
    )
    product_word_vectors: str = Field(
        "local:cbow",
        description="Encoder of shop names and keys of characteristics: local:cbow (word vectors learned on the "
        "cards), words:<file>, or empty for none",
    )

    automation: bool = Field(
        False,
        description="Sensors and schedules are on when the code location is first loaded; unset, they are switched on "
        "in the UI, under Automation",
    )
    workers: int = Field(2, ge=1, description="Threads that decode and segment pictures")
    executor: Literal["in_process", "multiprocess", "kubernetes"] = Field(
        "in_process",
        description="How one run executes its steps; multiprocess uses a fork server with the heavy modules "
        "preloaded, kubernetes a pod per step with the GPU that it asks for (extra [k8s], see deploy/README.md)",
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
    def product_texts(self) -> str:
        """The encoder of product texts; ``local:cbow`` is learned on the cards, not on posts."""
        return self.product_text_encoder or self.text_encoder

    @property
    def product_pictures(self) -> tuple[str, ...]:
        """The picture encoders of products, in the order of their vectors."""
        named = dict.fromkeys(spec.strip() for spec in self.product_image_encoders.split(",") if spec.strip())
        return tuple(named) or with_colours(self.image_encoder)

    @property
    def product_files(self) -> Path:
        return self.local_incoming / "products"

    @property
    def taxonomy_files(self) -> Path:
        """Cards that carry the categories of another shop, for ``category_projection``."""
        return self.local_incoming / "taxonomy"

    @property
    def incoming(self) -> Place:
        """Where crawl files and media arrive: a folder or an S3 prefix."""
        return self._place(self.incoming_url, "incoming")

    @property
    def local_incoming(self) -> Path:
        """``incoming``, or where that is a bucket the folder of the data root that takes product cards."""
        incoming = self.incoming
        return self.root / "incoming" if is_remote(incoming) else incoming

    @property
    def lake(self) -> Place:
        """Tables, ledger, media and crops: a folder or an S3 prefix."""
        return self._place(self.lake_url, "lake")

    @property
    def media(self) -> Place:
        return self.lake / "media"

    @property
    def crops(self) -> Place:
        return self.lake / "crops"

    def _place(self, url: str | None, name: str) -> Place:
        chosen = place(url) if url else self.root / name
        return chosen if is_remote(chosen) else chosen.expanduser().absolute()

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def embedding_cache(self) -> Place:
        """Vectors by content: with the models, or in the bucket that the lake is in, where every worker reaches it."""
        return self.lake / "embedding_cache" if is_remote(self.lake) else self.models / "embedding_cache"

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
    def run_summaries(self) -> Path:
        """One JSON line per run, a file a month: what ``fashion-assets status --runs`` shows."""
        return self.root / "run_summaries"

    @property
    def dagster_home(self) -> Path:
        """Run history of this data root; ``make ui`` and ``fashion-assets run`` share it."""
        return self.root / "dagster_home"
