"""``hf:<name or path>``: transformers models.

The BERT family becomes a text encoder (mean of the last hidden states over the real tokens, as Reimers and
Gurevych 2019 found best); models with both towers (CLIP, Chinese-CLIP, SigLIP) become joint encoders in
their shared space; picture networks (ViT, DINOv2, BEiT) become picture encoders.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from fashion_assets.encoders.torch_pictures import from_image_processor
from fashion_assets.encoders.towers import NetworkEncoder, Tower, Trainable
from fashion_assets.networks.hub import load_folder_or_hub
from fashion_assets.networks.torch_compile import compiled
from fashion_assets.networks.torch_runtime import TorchRuntime
from fashion_assets.networks.torch_transfer import fetched, on_device, pinned
from fashion_assets.networks.weights import (
    UnloadableFiles,
    model_id_of,
)
from fashion_assets.storage.errors import UserError

#: Longest text if neither tokenizer nor network says (BERT's own limit).
DEFAULT_MAX_TOKENS = 512
#: Tokenizers without a limit report a huge number (transformers' VERY_LARGE_INTEGER).
_NO_LIMIT = 1_000_000
#: Files beside the weights that say how tokens and pictures are made.
_DESCRIPTION_SUFFIXES = (".json", ".txt", ".model", ".jinja")
#: These count positions from the padding index on, so two of the table's rows are never used for tokens.
_OFFSET_POSITIONS = ("roberta", "xlm-roberta", "camembert", "mpnet")


def load_transformers(name: str, *, models_dir: Path | None, runtime: TorchRuntime) -> NetworkEncoder:
    """The encoder of a saved folder or a hub repository; which towers it has decides the modality."""
    spec = f"hf:{name}"
    return load_folder_or_hub(
        f"encoder {spec!r}",
        name,
        models_dir,
        lambda folder, short, revision: _load(spec, folder, model_id_of(f"hf:{short}", revision), runtime),
    )


def _load(spec: str, folder: Path, model_id: str, runtime: TorchRuntime) -> NetworkEncoder:
    from transformers import AutoModel

    try:
        # transformers casts by itself, because it knows what has to stay in float32 (rotary frequencies).
        model, report = AutoModel.from_pretrained(
            str(folder),
            dtype=runtime.dtype,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
        model.eval().requires_grad_(False).to(runtime.device)
        text, image = _towers(spec, model, folder, runtime)
    except UserError:
        raise
    except Exception as error:  # transformers passes on what torch's reader of pickled weights refuses with
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
    return NetworkEncoder(
        runtime.model_id(model_id),
        _dim(model, text, runtime),
        text=text,
        image=image,
        batch_size=runtime.batch_size(),
        save=lambda target: _save(model, folder, target),
    )


def _save(model: Any, source: Path, target: Path) -> None:
    """The network, and beside it what its source says about tokens and pictures, file by file."""
    model.save_pretrained(str(target))
    for file in source.iterdir():
        described = file.suffix in _DESCRIPTION_SUFFIXES and not file.name.endswith(".index.json")
        if file.is_file() and described and not (target / file.name).exists():
            shutil.copyfile(file, target / file.name)


def _towers(spec: str, model: Any, folder: Path, runtime: TorchRuntime) -> tuple[Tower | None, Tower | None]:
    if hasattr(model, "get_text_features") and hasattr(model, "get_image_features"):
        return (
            _text_tower(spec, model, folder, runtime, joint=True),
            _image_tower(spec, model, folder, runtime, joint=True),
        )
    if getattr(model, "main_input_name", "") == "pixel_values":
        return None, _image_tower(spec, model, folder, runtime, joint=False)
    return _text_tower(spec, model, folder, runtime, joint=False), None


def _dim(model: Any, text: Tower | None, runtime: TorchRuntime) -> int:
    """The width of the rows, from the plain network, so that loading compiles nothing."""
    import torch

    with torch.inference_mode():
        if text is not None:
            inputs = on_device(text.prepare(["衣"]), runtime.device)
            joint = hasattr(model, "get_text_features")
            return int((_text_features if joint else _mean_over_tokens)(model, **inputs).shape[1])
        size = model.config.image_size
        height, width = (size, size) if isinstance(size, int) else size
        pixels = torch.zeros(
            1, model.config.num_channels, height, width, device=runtime.device, dtype=runtime.dtype
        )
        return int(_pooled(model(pixel_values=pixels)).shape[1])


def _text_tower(spec: str, model: Any, folder: Path, runtime: TorchRuntime, *, joint: bool) -> Tower:
    import torch
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    config = model.config.get_text_config() if joint else model.config
    max_tokens = _max_tokens(tokenizer, config)
    # SigLIP was trained on texts padded to the full length and reads the last position.
    padding: Any = "max_length" if "siglip" in model.config.model_type else "longest"
    plain: Any = partial(_text_features if joint else _mean_over_tokens, model)
    rows_of = compiled(plain, spec) if runtime.compile else plain

    def prepare(texts: list[str]) -> Any:
        batch = tokenizer(texts, padding=padding, truncation=True, max_length=max_tokens, return_tensors="pt")
        return pinned(batch, runtime.device)

    def forward(batch: Any) -> Any:
        with torch.inference_mode():
            return fetched(rows_of(**on_device(batch, runtime.device)))

    trainable = Trainable(model, lambda batch: plain(**on_device(batch, runtime.device)))
    return Tower(prepare, forward, trainable=trainable)


def _text_features(model: Any, **inputs: Any) -> Any:
    """(n, d) rows in the shared space of a joint model."""
    return _pooled(model.get_text_features(**inputs))


def _mean_over_tokens(model: Any, **inputs: Any) -> Any:
    """(n, d) mean of the last hidden states over the real tokens, summed in float32."""
    hidden = model(**inputs).last_hidden_state.float()
    mask = inputs["attention_mask"].unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def _max_tokens(tokenizer: Any, config: Any) -> int:
    positions = getattr(config, "max_position_embeddings", None) or DEFAULT_MAX_TOKENS
    if config.model_type in _OFFSET_POSITIONS:
        positions -= 2
    limit = int(tokenizer.model_max_length)
    return int(positions if limit >= _NO_LIMIT else min(limit, positions))


def _image_tower(spec: str, model: Any, folder: Path, runtime: TorchRuntime, *, joint: bool) -> Tower:
    import torch
    from transformers import AutoImageProcessor

    picture = from_image_processor(
        AutoImageProcessor.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    )
    moved = picture.onto(runtime.device, runtime.dtype)

    def rows_of(batch: Any) -> Any:
        pixels = moved(batch)
        return _pooled(model.get_image_features(pixel_values=pixels) if joint else model(pixel_values=pixels))

    run = compiled(rows_of, spec) if runtime.compile else rows_of

    def forward(batch: Any) -> Any:
        with torch.inference_mode():
            return fetched(run(batch))

    return Tower(
        lambda fitted: picture.batch(fitted, runtime.device),
        forward,
        picture.fit,
        trainable=Trainable(model, rows_of, picture),
    )


def _pooled(output: Any) -> Any:
    """The (n, d) tensor in a model's output: the pooled row, else the mean over the positions."""
    if not hasattr(output, "last_hidden_state"):
        return output
    pooled = getattr(output, "pooler_output", None)
    return (pooled if pooled is not None else output.last_hidden_state.mean(dim=1)).flatten(start_dim=1)
