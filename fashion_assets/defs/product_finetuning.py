"""Group ``products``: encoders tuned on the products. Made where it is asked for by its name, never on the way."""

import dagster as dg
import numpy as np
import pandas as pd
from pydantic import Field

from fashion_assets.defs.compute import compute
from fashion_assets.defs.faults import asset
from fashion_assets.defs.metadata import escaped, picture, preview
from fashion_assets.defs.product_encoders import learn_product_words, text_spec
from fashion_assets.defs.resources import product_model_path
from fashion_assets.settings import Settings

#: Takes the place of an encoder: that side is left out.
NO_SIDE = "none"


class FinetuningConfig(dg.Config):
    """Which encoders learn, how deep and how long."""

    image_encoder: str = Field(
        default="",
        description="Picture network, such as timm:…, open_clip:…; empty: FASHION_IMAGE_ENCODER; none: texts alone",
    )
    text_encoder: str = Field(
        default="",
        description="Text network, such as st:…, hf:…, open_clip:…; empty: FASHION_PRODUCT_TEXT_ENCODER; none: "
        "pictures alone",
    )
    n_blocks: int = Field(default=2, ge=0, le=1000, description="Last blocks that learn; 0: the heads alone")
    adapters: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Rank of LoRA adapters in those blocks (extra tune); 0: the blocks themselves learn",
    )
    epochs: int = Field(
        default=5, ge=1, le=10_000, description="Most epochs; it ends earlier when nothing gets better"
    )
    batch_size: int = Field(default=32, ge=1, le=100_000, description="Products a batch")


@asset(group_name="products", kinds={"pytorch"}, **compute(Settings(), "product_texts", "image_encoder"))
def product_finetuning(
    config: FinetuningConfig,
    settings: dg.ResourceParam[Settings],
    products: pd.DataFrame,
    product_split: pd.DataFrame,
) -> dg.MaterializeResult:
    """The last blocks of both encoders tuned jointly with heads; a killed run goes on behind its last whole epoch.

    The tuned encoders lie in the experiment's folder; name them in FASHION_PRODUCT_IMAGE_ENCODERS and
    FASHION_PRODUCT_TEXT_ENCODER to use them.
    """
    from fashion_assets.products.cards import label_column
    from fashion_assets.products.model_folder import FINETUNING
    from fashion_assets.products.splits import store_first_split
    from fashion_assets.products.tuning.config import TuningConfig
    from fashion_assets.products.tuning.finetuning import finetune_products

    # So that whatever is trained on these encoders is judged on products that they did not learn from.
    store_first_split(product_model_path(settings), product_split)
    if not config.text_encoder:
        learn_product_words(settings, products)
    parts = product_split.set_index("id").reindex(products["id"].astype(str))
    tuned = finetune_products(
        products,
        settings.product_files,
        split=parts["split"].to_numpy(dtype=object),
        families=np.asarray(parts["family"]),
        attributes=[name for name in settings.attributes if label_column(name) in products.columns],
        image_encoder=_spec(config.image_encoder, settings.image_encoder),
        text_encoder=_spec(config.text_encoder, "" if config.text_encoder else text_spec(settings)),
        experiments=product_model_path(settings) / FINETUNING,
        config=TuningConfig(
            n_blocks=config.n_blocks,
            adapter_rank=config.adapters,
            epochs=config.epochs,
            batch_size=config.batch_size,
            seed=settings.random_seed,
        ),
        models_dir=settings.models,
    )
    figures = pd.DataFrame([found.summary() for found in tuned.metrics.values()])
    confusions = sorted((tuned.folder / "confusion").glob("*.png"))
    return dg.MaterializeResult(
        metadata={
            "experiment": dg.MetadataValue.path(tuned.folder),
            "image_encoder": tuned.image_spec or NO_SIDE,
            "text_encoder": tuned.text_spec or NO_SIDE,
            "best_epoch": tuned.best_epoch,
            "epochs": len(tuned.history),
            "figures": preview(figures.round(4), rows=20),
            "notes": dg.MetadataValue.md("\n".join(f"- {escaped(note)}" for note in tuned.notes)),
            **picture((tuned.folder / "learning_curves.png").read_bytes(), "learning_curves"),
            **{
                name: shown
                for path in confusions
                for name, shown in picture(path.read_bytes(), f"confusion_{path.stem}").items()
            },
        }
    )


def _spec(asked: str, configured: str) -> str | None:
    return None if asked == NO_SIDE else asked or configured
