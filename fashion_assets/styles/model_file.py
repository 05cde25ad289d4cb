"""A style model as one safetensors file: arrays as tensors, the rest as a JSON card in the metadata; no
pickle.

Belongs here: the bytes. Does not: where they lie, or what the fields mean (`model.py`).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, fields
from typing import Any

import numpy as np
import pandas as pd

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.lineage import StyleEvent
from fashion_assets.styles.model import StyleModel
from fashion_assets.styles.schemas import SILHOUETTE_CURVE

FORMAT = "fashion-assets style model 2"
"""First entry of the card; a change of fields that older code cannot read raises the number."""

_CURVE = "silhouette_curve."


def model_to_bytes(model: StyleModel) -> bytes:
    """The safetensors file of the model; equal models give equal bytes."""
    from safetensors.numpy import save

    tensors: dict[str, np.ndarray[Any, Any]] = {}
    card: dict[str, Any] = {"format": FORMAT}
    for field in fields(model):
        value = getattr(model, field.name)
        if isinstance(value, np.ndarray):
            tensors[field.name] = np.ascontiguousarray(value)
        elif isinstance(value, pd.DataFrame):
            for column in SILHOUETTE_CURVE:
                tensors[_CURVE + column.name] = value[column.name].to_numpy(
                    dtype=column.type.to_pandas_dtype(), copy=True
                )
        elif field.name == "events":
            card[field.name] = [asdict(one) for one in model.events]
        else:
            card[field.name] = value
    card["digest"] = _digest(card, tensors)
    # one metadata entry: several would be written in an order that changes from run to run
    return bytes(save(tensors, metadata={"card": json.dumps(card, ensure_ascii=False, sort_keys=True)}))


def _digest(card: dict[str, Any], tensors: dict[str, np.ndarray[Any, Any]]) -> str:
    """SHA-256 of the card, without its digest, and of the arrays."""
    digest = hashlib.sha256(json.dumps(card, ensure_ascii=False, sort_keys=True).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()


def model_from_bytes(data: bytes) -> StyleModel:
    """The model; UserError if the bytes are no safetensors file, no style model of this format, or were changed."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        tensors = load(data)
        # the file starts with the header's length (8 bytes, little endian) and the header as JSON
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
        card = json.loads(header["__metadata__"]["card"])
    except (SafetensorError, KeyError, ValueError) as error:
        raise UserError(
            "this is no style model (a safetensors file with a card); materialise style_model again."
        ) from error
    found = card.get("format")
    if found != FORMAT:
        raise UserError(
            f"this is {found!r}, expected {FORMAT!r}; materialise style_model again with this version."
        )
    # files of earlier versions tell no digest
    written = card.pop("digest", None)
    if written is not None and written != (digest := _digest(card, tensors)):
        raise UserError(
            f"the file is damaged: the digest of its content is {digest[:12]}, but it was written with "
            f"{str(written)[:12]}; copy it again, or materialise style_model of that month again."
        )
    del card["format"]
    curve = {name: tensors.pop(_CURVE + name) for name in SILHOUETTE_CURVE.names}
    card["weights"], card["model_ids"] = tuple(card["weights"]), tuple(card["model_ids"])
    card["events"] = tuple(
        StyleEvent(**{**one, "other_style_ids": tuple(one["other_style_ids"])}) for one in card["events"]
    )
    return StyleModel(**card, **tensors, silhouette_curve=pd.DataFrame(curve))
