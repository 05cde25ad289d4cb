"""The code version of each asset: a number for the code, and a digest of the settings that it depends on.

A changed version shows the asset as stale in the UI, and ``fashion-assets run`` makes it anew. Raise the number
when the same input would give another output.
"""

from __future__ import annotations

import hashlib

from fashion_assets.settings import Settings

#: asset -> (version of its code, the settings it depends on).
_VERSIONS: dict[str, tuple[int, tuple[str, ...]]] = {
    "raw_posts": (1, ("first_month",)),
    "cleaned_posts": (2, ()),
    "quarantined_posts": (2, ()),
    "word_vectors": (2, ("tokenizer", "random_seed")),
    "keyword_training_words": (1, ("tokenizer", "random_seed")),
    "tfashion_model": (1, ("text_encoder", "tokenizer", "random_seed")),
    "fashion_keywords": (2, ("tokenizer", "text_encoder")),
    "post_images": (3, ()),
    "garment_images": (3, ("segmenter", "min_garment_share", "crop")),
    "text_embeddings": (1, ("text_encoder",)),
    "image_embeddings": (2, ("image_encoder",)),
    "multimodal_embeddings": (2, ("text_encoder", "image_encoder", "text_weight", "image_weight")),
    "style_model": (
        4,
        (
            "text_encoder",
            "image_encoder",
            "text_weight",
            "image_weight",
            # Other crops under the same encoder are other vectors: what was fitted on them does not carry over.
            "segmenter",
            "crop",
            "style_window",
            "style_k_min",
            "style_k_max",
            "random_seed",
        ),
    ),
    "style_trends": (5, ()),
    "style_profiles": (3, ()),
    "keyword_trends": (4, ()),
    "monthly_style_report": (4, ("blank_faces",)),
    "style_atlas": (4, ("blank_faces",)),
    "style_experiments": (3, ("random_seed",)),
    "product_eda": (2, ()),
    "products": (4, ()),
    "quarantined_products": (4, ()),
    "product_split": (1, ("random_seed",)),
    "product_embeddings": (
        5,
        ("product_texts", "product_pictures", "product_word_vectors", "product_components"),
    ),
    "attribute_classifiers": (
        6,
        (
            "random_seed",
            "product_head_kinds",
            "product_trials",
            "product_embedding_transforms",
            "product_resampling",
            "product_abstain_below",
        ),
    ),
    "product_predictions": (6, ("product_attributes",)),
    "product_evaluation": (2, ("random_seed",)),
    "product_finetuning": (2, ("image_encoder", "product_texts", "random_seed")),
    "product_report": (2, ("product_attributes",)),
    "category_projection": (2, ("random_seed",)),
    "projected_products": (1, ("random_seed",)),
}


def code_version(asset: str, settings: Settings) -> str:
    """``<number>`` or ``<number>-<digest of the settings>``; assets without an entry are version 1."""
    number, names = _VERSIONS.get(asset, (1, ()))
    if not names:
        return str(number)
    values = ";".join(f"{name}={_identity(name, settings)!r}" for name in names)
    return f"{number}-{hashlib.sha256(values.encode()).hexdigest()[:8]}"


def _identity(name: str, settings: Settings) -> object:
    """The setting itself; for encoders all that their model ids depend on and that is known without loading them.

    A precision counts also where no GPU is found to use it: the vectors are all in the cache then. Engine, pool and
    compilation change no vector.
    """
    value = getattr(settings, name)
    if name == "product_pictures":
        return [_encoder(spec, settings) for spec in value]
    return _encoder(value, settings) if name in ("text_encoder", "product_texts", "image_encoder") else value


def _encoder(value: str, settings: Settings) -> object:
    if value == "local:visual":
        from fashion_assets.encoders.local_visual import visual_model_id

        return visual_model_id()
    if value.startswith("local:"):
        return value
    from fashion_assets.encoders.towers import PREPROCESSING_VERSIONS

    return value, settings.precision, sorted(PREPROCESSING_VERSIONS.items())
