"""``st:<name or path>``: a sentence-transformers model as a text encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.hub import load_from_hub, split_revision
from fashion_assets.encoders.torch_runtime import pick_batch_size, pick_device
from fashion_assets.encoders.towers import NetworkEncoder, Tower
from fashion_assets.encoders.weights import (
    UnloadableFiles,
    local_path,
    looks_like_path,
    missing_file,
    model_id_of,
    path_digest,
)


def load_sentence_transformer(
    name: str, *, models_dir: Path | None, device: str | None, batch_size: int | None
) -> NetworkEncoder:
    """The encoder of a saved folder or a hub repository; its own pooling and length limit are kept."""
    spec = f"st:{name}"
    folder = local_path(name, models_dir)
    if folder is not None:
        return _load(spec, folder, model_id_of(f"st:{folder.name}", path_digest(folder)), device, batch_size)
    if looks_like_path(name):
        raise missing_file(spec, name, models_dir)
    repository = split_revision(name)[0]
    return load_from_hub(
        spec,
        name,
        lambda snapshot: _load(
            spec, snapshot.folder, model_id_of(f"st:{repository}", snapshot.commit), device, batch_size
        ),
    )


def _load(
    spec: str, folder: Path, model_id: str, device: str | None, batch_size: int | None
) -> NetworkEncoder:
    import torch
    from sentence_transformers import SentenceTransformer

    chosen = pick_device(device)
    try:
        model = SentenceTransformer(
            str(folder), device=chosen, local_files_only=True, model_kwargs={"dtype": torch.float32}
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise UnloadableFiles(
            f"encoder {spec!r}: {folder} does not hold a sentence-transformers model that loads "
            f"({type(error).__name__}: {error})"
        ) from error
    model.eval()

    def forward(texts: list[str]) -> npt.NDArray[np.float32]:
        rows: Any = model.encode(texts, batch_size=len(texts), show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(rows, dtype=np.float32)

    dim = model.get_embedding_dimension()
    if dim is None:
        dim = int(forward(["衣"]).shape[1])
    # sentence-transformers tokenises inside encode, so there is nothing to prepare ahead.
    return NetworkEncoder(
        model_id, int(dim), text=Tower(list, forward), batch_size=pick_batch_size(batch_size, chosen)
    )
