"""Profiles: which encoders which segmenter and which precision a machine takes when nobody names them one by one."""

from __future__ import annotations

from dataclasses import dataclass

from fashion_assets.networks.torch_runtime import Precision
from fashion_assets.storage.errors import UserError


@dataclass(frozen=True)
class Profile:
    """Defaults of the settings of the same names; ``purpose`` says in a few words when to take it."""

    purpose: str
    text_encoder: str
    image_encoder: str
    segmenter: str
    precision: Precision


#: What a profile decides, by the names of the settings and of the fields above.
PROFILE_SETTINGS = ("text_encoder", "image_encoder", "segmenter", "precision")
DEFAULT_PROFILE = "local"
#: docs/encoders.md holds sizes, licences and published scores.
PROFILES = {
    "local": Profile("no download, any machine", "local:cbow", "local:visual", "grabcut", "float32"),
    "cpu": Profile(
        "small networks from the hub, no GPU",
        "st:BAAI/bge-small-zh-v1.5",
        "timm:tf_efficientnetv2_b0.in1k",
        "grabcut",
        "float32",
    ),
    # bfloat16, because that is what Qwen publishes these weights in; it has float32's range, so nothing overflows.
    "gpu": Profile(
        "large networks from the hub, a GPU",
        "st:Qwen/Qwen3-Embedding-0.6B",
        "open_clip:hf-hub:Marqo/marqo-fashionSigLIP",
        "grabcut",
        "bfloat16",
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
