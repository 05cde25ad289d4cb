"""Profiles: which encoders and which segmenter a machine takes when nobody names them one by one."""

from __future__ import annotations

from dataclasses import dataclass

from fashion_assets.storage.errors import UserError


@dataclass(frozen=True)
class Profile:
    """Defaults of the settings of the same names; ``purpose`` says in a few words when to take it."""

    purpose: str
    text_encoder: str
    image_encoder: str
    segmenter: str


#: What a profile decides, by the names of the settings and of the fields above.
PROFILE_SETTINGS = ("text_encoder", "image_encoder", "segmenter")
DEFAULT_PROFILE = "local"
#: docs/encoders.md holds sizes, licences and published scores.
PROFILES = {
    "local": Profile("no download, any machine", "local:cbow", "local:visual", "grabcut"),
    "cpu": Profile(
        "small networks from the hub, no GPU",
        "st:BAAI/bge-small-zh-v1.5",
        "timm:tf_efficientnetv2_b0.in1k",
        "grabcut",
    ),
    # bfloat16, because that is what Qwen publishes these weights in.
    "gpu": Profile(
        "large networks from the hub, a GPU",
        "st-bf16:Qwen/Qwen3-Embedding-0.6B",
        "open_clip:hf-hub:Marqo/marqo-fashionSigLIP",
        "grabcut",
    ),
}


def profile_named(name: str) -> Profile:
    """The profile of that name. Raises UserError for any other than those of ``PROFILES``."""
    if name not in PROFILES:
        raise UserError(
            f"FASHION_PROFILE={name!r}: there is no such profile; expected one of "
            + ", ".join(f"{known} ({profile.purpose})" for known, profile in PROFILES.items())
        )
    return PROFILES[name]
