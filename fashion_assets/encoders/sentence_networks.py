"""``st:<name or path>``: a sentence-transformers model as a text encoder.

Pooling, padding side, length limit and prompt are the model's own, read from its files: mean for the BERT family, the
last token with left padding for decoders such as Qwen3-Embedding. That one's instruction is for queries; posts and
words are documents, so none is put before them (its ``default_prompt_name`` is null).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fashion_assets.encoders.towers import NetworkEncoder, Tower, Trainable
from fashion_assets.networks.hub import load_folder_or_hub
from fashion_assets.networks.torch_compile import compiled
from fashion_assets.networks.torch_runtime import TorchRuntime, ready
from fashion_assets.networks.torch_transfer import fetched, on_device, pinned
from fashion_assets.networks.weights import (
    UnloadableFiles,
    model_id_of,
)


def load_sentence_transformer(name: str, *, models_dir: Path | None, runtime: TorchRuntime) -> NetworkEncoder:
    """The encoder of a saved folder or a hub repository."""
    spec = f"st:{name}"
    return load_folder_or_hub(
        f"encoder {spec!r}",
        name,
        models_dir,
        lambda folder, short, revision: _load(spec, folder, model_id_of(f"st:{short}", revision), runtime),
    )


def _load(spec: str, folder: Path, model_id: str, runtime: TorchRuntime) -> NetworkEncoder:
    import torch
    from sentence_transformers import SentenceTransformer

    device = runtime.device
    try:
        # transformers casts by itself, because it knows what has to stay in float32 (rotary frequencies).
        model = SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"dtype": runtime.dtype},
        )
    except Exception as error:  # transformers passes on what torch's reader of pickled weights refuses with
        raise UnloadableFiles(
            f"encoder {spec!r}: {folder} does not hold a sentence-transformers model that loads "
            f"({type(error).__name__}: {error})"
        ) from error
    model.eval().requires_grad_(False)
    first, *others = model
    for module in others:
        ready(module, device, runtime.dtype)
    if runtime.compile and hasattr(first, "model"):
        # The network alone: what surrounds it reads dictionaries and options, which compile to nothing.
        first.model.forward = compiled(first.model.forward, spec)
    # What the model's own `encode` puts before every text.
    prompt = model.prompts.get(model.default_prompt_name) if model.default_prompt_name else None

    # Not `model.encode`, which tokenises while the network waits: here the next batch is made meanwhile.
    def prepare(texts: list[str]) -> Any:
        return pinned(model.preprocess(texts, prompt=prompt), device)

    def rows_of(features: Any) -> torch.Tensor:
        rows: torch.Tensor = model(on_device(features, device))["sentence_embedding"]
        return rows

    def forward(features: Any) -> Any:
        with torch.inference_mode():
            return fetched(rows_of(features))

    dim = model.get_embedding_dimension()
    if dim is None:
        dim = int(forward(prepare(["衣"])).shape[1])
    return NetworkEncoder(
        runtime.model_id(model_id),
        int(dim),
        text=Tower(prepare, forward, trainable=Trainable(model, rows_of)),
        batch_size=runtime.batch_size(),
        save=lambda target: model.save(str(target), create_model_card=False),
    )
