"""``st:<name or path>``: a sentence-transformers model as a text encoder; ``st-bf16:``: in bfloat16 on a GPU.

bfloat16 moves vectors by about one part in two hundred, so it is asked for by name and has model ids of its own: a
cache or a trained head never mixes the two by accident. On a CPU, where it gains nothing, ``st-bf16`` computes in
float32 and says so: its model id is that of ``st`` there, and so are its vectors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.towers import NetworkEncoder, Tower
from fashion_assets.networks.hub import load_from_hub, split_revision
from fashion_assets.networks.torch_runtime import pick_batch_size, pick_device
from fashion_assets.networks.weights import (
    UnloadableFiles,
    local_path,
    looks_like_path,
    missing_file,
    model_id_of,
    path_digest,
)


def load_sentence_transformer(
    name: str, *, models_dir: Path | None, device: str | None, batch_size: int | None, bf16: bool = False
) -> NetworkEncoder:
    """The encoder of a saved folder or a hub repository; its own pooling and length limit are kept."""
    chosen = pick_device(device)
    half = bf16 and chosen.startswith("cuda")
    kind = "st-bf16" if half else "st"
    spec = f"{'st-bf16' if bf16 else 'st'}:{name}"
    folder = local_path(name, models_dir)
    if folder is not None:
        model_id = model_id_of(f"{kind}:{folder.name}", path_digest(folder))
        return _load(spec, folder, model_id, chosen, batch_size, half)
    if looks_like_path(name):
        raise missing_file(f"encoder {spec!r}", name, models_dir)
    repository = split_revision(name)[0]
    return load_from_hub(
        f"encoder {spec!r}",
        name,
        lambda snapshot: _load(
            spec,
            snapshot.folder,
            model_id_of(f"{kind}:{repository}", snapshot.commit),
            chosen,
            batch_size,
            half,
        ),
    )


def _load(
    spec: str, folder: Path, model_id: str, device: str, batch_size: int | None, half: bool
) -> NetworkEncoder:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.util import batch_to_device

    try:
        model = SentenceTransformer(
            str(folder), device=device, local_files_only=True, model_kwargs={"dtype": torch.float32}
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UnloadableFiles(
            f"encoder {spec!r}: {folder} does not hold a sentence-transformers model that loads "
            f"({type(error).__name__}: {error})"
        ) from error
    model.eval()
    if half:
        model.bfloat16()
    # What the model's own `encode` puts before every text.
    prompt = model.prompts.get(model.default_prompt_name) if model.default_prompt_name else None

    # Not `model.encode`, which tokenises while the network waits: here the next batch is made meanwhile.
    def prepare(texts: list[str]) -> Any:
        return model.preprocess(texts, prompt=prompt)

    def forward(features: Any) -> npt.NDArray[np.float32]:
        with torch.inference_mode():
            rows = model(batch_to_device(features, model.device))["sentence_embedding"]
        vectors: npt.NDArray[np.float32] = rows.float().cpu().numpy()
        return vectors

    dim = model.get_embedding_dimension()
    if dim is None:
        dim = int(forward(prepare(["衣"])).shape[1])
    return NetworkEncoder(
        model_id, int(dim), text=Tower(prepare, forward), batch_size=pick_batch_size(batch_size, device)
    )
