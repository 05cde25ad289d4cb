"""What reads products: the encoders that the settings name, ``local:cbow`` being words learned on the cards themselves.

Belongs here: settings to encoders, for the assets of the group ``products``. Does not: the same for the command line,
which has its own options (``products.model_training``).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fashion_assets.defs.resources import Encoders, product_model_path
from fashion_assets.products.model_encoders import OWN_WORDS
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

    from fashion_assets.encoders.protocol import Encoder
    from fashion_assets.products.model_encoders import EncoderEntry


def product_words_path(settings: Settings) -> Path:
    """Where ``product_embeddings`` keeps the words that it learned on the cards."""
    return settings.models / "product_words" / "cbow.safetensors"


def learn_product_words(settings: Settings, products: pd.DataFrame) -> str:
    """Learn the words of the cards where the settings have them read by those; what was done."""
    from fashion_assets.products.model_training import learn_own_words

    if OWN_WORDS not in (settings.product_texts, _words(settings, products)):
        return "not used"
    return learn_own_words(products["text"], product_words_path(settings), seed=settings.random_seed)


def text_encoder(settings: Settings, encoders: Encoders) -> Encoder:
    """What reads the texts of products."""
    try:
        return encoders.named(text_spec(settings))
    except UserError as fault:
        raise UserError(
            f"FASHION_PRODUCT_TEXT_ENCODER, or where it is unset FASHION_TEXT_ENCODER: {fault}"
        ) from fault


def word_encoder(settings: Settings, encoders: Encoders, products: pd.DataFrame) -> Encoder | None:
    """What reads shop names and keys of characteristics; None where ``product_word_vectors`` is empty, or the shop's
    own ``products`` have neither.
    """
    words = _words(settings, products)
    return encoders.named(_place(settings, words)) if words else None


def picture_encoders(settings: Settings, encoders: Encoders) -> list[Encoder]:
    """What reads the pictures of products, in the order in which their vectors stand side by side."""
    try:
        return [encoders.named(spec) for spec in settings.product_pictures]
    except UserError as fault:
        raise UserError(
            "FASHION_PRODUCT_IMAGE_ENCODERS, or where it is unset FASHION_IMAGE_ENCODER beside local:visual: "
            f"{fault}"
        ) from fault


def encoder_entries(settings: Settings, encoders: Encoders, products: pd.DataFrame) -> list[EncoderEntry]:
    """The files of these encoders copied into the product model, so that it is complete by itself."""
    from fashion_assets.products.model_encoders import copy_encoder, encoder_places, entry_of

    root, words = product_model_path(settings), _words(settings, products)
    entries = []
    for purpose, spec, name in encoder_places(settings.product_texts, settings.product_pictures, words):
        place = _place(settings, spec)
        copied = copy_encoder(root, name, place, settings.models)
        entries.append(entry_of(purpose, place, copied, encoders.named(place).model_id, settings.models))
    return entries


def _words(settings: Settings, products: pd.DataFrame) -> str | None:
    from fashion_assets.products.model_training import has_fields

    return settings.product_word_vectors or None if has_fields(products) else None


def text_spec(settings: Settings) -> str:
    """The spec of what reads the texts of products."""
    return _place(settings, settings.product_texts)


def _place(settings: Settings, spec: str) -> str:
    if spec != OWN_WORDS:
        return spec
    if not (path := product_words_path(settings)).is_file():
        raise UserError(
            f"{path} is gone, the words that read the product cards: materialise product_embeddings again"
        )
    return f"{OWN_WORDS}:{path}"
