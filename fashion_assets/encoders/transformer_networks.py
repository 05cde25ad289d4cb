"""``hf:<name or path>``: transformers models.

The BERT family becomes a text encoder (mean of the last hidden states over the real tokens, as Reimers and
Gurevych 2019 found best); models with both towers (CLIP, Chinese-CLIP, SigLIP) become joint encoders in
their shared space; picture networks (ViT, DINOv2, BEiT) become picture encoders.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.towers import NetworkEncoder, Tower, decode_pool, read_pictures
from fashion_assets.networks.hub import load_from_hub, split_revision
from fashion_assets.networks.torch_runtime import on_device, pick_batch_size, pick_device, ready
from fashion_assets.networks.weights import (
    UnloadableFiles,
    local_path,
    looks_like_path,
    missing_file,
    model_id_of,
    path_digest,
)
from fashion_assets.storage.errors import UserError

#: Longest text if neither tokenizer nor network says (BERT's own limit).
DEFAULT_MAX_TOKENS = 512
#: Tokenizers without a limit report a huge number (transformers' VERY_LARGE_INTEGER).
_NO_LIMIT = 1_000_000
#: These count positions from the padding index on, so two of the table's rows are never used for tokens.
_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet")


def load_transformers(
    name: str, *, models_dir: Path | None, device: str | None, batch_size: int | None
) -> NetworkEncoder:
    """The encoder of a saved folder or a hub repository; which towers it has decides the modality."""
    spec = f"hf:{name}"
    folder = local_path(name, models_dir)
    if folder is not None:
        return _load(spec, folder, model_id_of(f"hf:{folder.name}", path_digest(folder)), device, batch_size)
    if looks_like_path(name):
        raise missing_file(f"encoder {spec!r}", name, models_dir)
    repository = split_revision(name)[0]
    return load_from_hub(
        f"encoder {spec!r}",
        name,
        lambda snapshot: _load(
            spec, snapshot.folder, model_id_of(f"hf:{repository}", snapshot.commit), device, batch_size
        ),
    )


def _load(
    spec: str, folder: Path, model_id: str, device: str | None, batch_size: int | None
) -> NetworkEncoder:
    import torch
    from transformers import AutoModel

    chosen = pick_device(device)
    try:
        model, report = AutoModel.from_pretrained(
            str(folder), dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
        text, image = _towers(model, folder, chosen)
    except UserError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
        raise UnloadableFiles(
            f"encoder {spec!r}: {folder} does not hold a transformers model that loads "
            f"({type(error).__name__}: {error})"
        ) from error
    # The pooler of BERT is not used and often not saved; anything else that is missing would be random
    # numbers.
    missing = sorted(key for key in report["missing_keys"] if "pooler" not in key)
    if missing:
        raise UnloadableFiles(
            f"encoder {spec!r}: {folder} lacks {len(missing)} weights of the network, first {missing[0]}"
        )
    ready(model, chosen)
    return NetworkEncoder(
        model_id, _dim(model, text), text=text, image=image, batch_size=pick_batch_size(batch_size, chosen)
    )


def _towers(model: Any, folder: Path, device: str) -> tuple[Tower | None, Tower | None]:
    if hasattr(model, "get_text_features") and hasattr(model, "get_image_features"):
        return _text_tower(model, folder, device, joint=True), _image_tower(model, folder, device, joint=True)
    if getattr(model, "main_input_name", "") == "pixel_values":
        return None, _image_tower(model, folder, device, joint=False)
    return _text_tower(model, folder, device, joint=False), None


def _dim(model: Any, text: Tower | None) -> int:
    import torch

    if text is not None:
        return int(text.forward(text.prepare(["衣"])).shape[1])
    size = model.config.image_size
    height, width = (size, size) if isinstance(size, int) else size
    with torch.inference_mode():
        pixels = torch.zeros(
            1, model.config.num_channels, height, width, device=next(model.parameters()).device
        )
        return int(_pooled(model(pixel_values=pixels)).shape[1])


def _text_tower(model: Any, folder: Path, device: str, *, joint: bool) -> Tower:
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    config = model.config.get_text_config() if joint else model.config
    max_tokens = _max_tokens(tokenizer, config)
    # SigLIP was trained on texts padded to the full length and reads the last position.
    padding: Any = "max_length" if "siglip" in model.config.model_type else "longest"

    def prepare(texts: list[str]) -> Any:
        return tokenizer(texts, padding=padding, truncation=True, max_length=max_tokens, return_tensors="pt")

    def forward(batch: Any) -> npt.NDArray[np.float32]:
        inputs = on_device(batch, device)
        with torch.inference_mode():
            if joint:
                rows = _pooled(model.get_text_features(**inputs))
            else:
                hidden = model(**inputs).last_hidden_state
                mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
                rows = (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        vectors: npt.NDArray[np.float32] = rows.float().cpu().numpy()
        return vectors

    return Tower(prepare, forward)


def _max_tokens(tokenizer: Any, config: Any) -> int:
    positions = getattr(config, "max_position_embeddings", None) or DEFAULT_MAX_TOKENS
    if config.model_type in _OFFSET_POSITIONS:
        positions -= 2
    limit = int(tokenizer.model_max_length)
    return int(positions if limit >= _NO_LIMIT else min(limit, positions))


def _image_tower(model: Any, folder: Path, device: str, *, joint: bool) -> Tower:
    import torch
    from transformers import AutoImageProcessor

    processor: Any = AutoImageProcessor.from_pretrained(str(folder), local_files_only=True)
    pool = decode_pool()

    def prepare(items: list[Any]) -> Any:
        from PIL import Image

        return processor(images=read_pictures(pool, items, Image.fromarray), return_tensors="pt")

    def forward(batch: Any) -> npt.NDArray[np.float32]:
        inputs = on_device(batch, device)
        with torch.inference_mode():
            rows = _pooled(model.get_image_features(**inputs) if joint else model(**inputs))
        vectors: npt.NDArray[np.float32] = rows.float().cpu().numpy()
        return vectors

    return Tower(prepare, forward)


def _pooled(output: Any) -> Any:
    """The (n, d) tensor in a model's output: the pooled row, else the mean over the positions."""
    if not hasattr(output, "last_hidden_state"):
        return output
    pooled = getattr(output, "pooler_output", None)
    return (pooled if pooled is not None else output.last_hidden_state.mean(dim=1)).flatten(start_dim=1)
