"""A head as two files: ``head.safetensors`` with all arrays, and ``head.json``, which people can read."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fashion_assets.products.heads.config import KERNEL
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic, write_text_atomic

if TYPE_CHECKING:
    from fashion_assets.products.heads.head import AttributeHead

CARD_FILE = "head.json"
ARRAYS_FILE = "head.safetensors"
FORMAT = "fashion-assets attribute head 4"


def save_head(head: AttributeHead, folder: Path) -> None:
    """Write both files of ``head``."""
    from safetensors.numpy import save

    arrays: dict[str, Any] = {}
    card: dict[str, Any] = {
        "format": FORMAT,
        "attribute": head.attribute,
        "kind": head.kind,
        "params": head.params,
        "embedding_transform": head.embedding_transform,
        "model_id": head.model_id,
        "classes": [str(name) for name in head.classes_],
        "class_counts": head.class_counts_,
        "n_unlabelled": head.n_unlabelled_,
        "abstain_below": head.abstain_below,
        "seed": head.seed,
        "temperatures": head.temperatures_.values(),
        "adjustment_strength": None if head.adjustment_ is None else head.adjustment_.strength,
        "note": head.note_,
        "machine": None,
    }
    if head.adjustment_ is not None:
        arrays["adjustment.prior"] = head.adjustment_.prior
    if head.space_ is not None and head.machine_ is not None:
        arrays |= {f"space.{name}": values for name, values in head.space_.state().items()}
        fitted, card["machine"] = head.machine_.state()
        arrays |= {f"machine.{name}": values for name, values in fitted.items()}
    content = save({name: np.ascontiguousarray(values) for name, values in arrays.items()})
    card["arrays_sha256"] = hashlib.sha256(content).hexdigest()
    write_bytes_atomic(folder / ARRAYS_FILE, content)
    write_text_atomic(folder / CARD_FILE, json.dumps(card, ensure_ascii=False, indent=2) + "\n")


def load_head(folder: Path) -> AttributeHead:
    """The head in ``folder``. Raises UserError if there is none, or a file is damaged or of another head."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    card_path, arrays_path = folder / CARD_FILE, folder / ARRAYS_FILE
    try:
        card = json.loads(card_path.read_text("utf-8"))
        content = arrays_path.read_bytes()
        arrays = load(content)
    except FileNotFoundError as error:
        raise UserError(
            f"{folder} holds no attribute head ({Path(error.filename).name} is missing); train one first"
        ) from error
    except (ValueError, SafetensorError) as error:
        raise UserError(f"the attribute head in {folder} is damaged ({error}); train it anew") from error
    given = card if isinstance(card, dict) else {}
    if given.get("format") != FORMAT or given.get("arrays_sha256") != hashlib.sha256(content).hexdigest():
        raise UserError(
            f"{card_path} does not belong to the arrays beside it (format or digest differ); train the head anew"
        )
    try:
        return _restored(card, arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the attribute head in {folder} is damaged ({type(error).__name__}: {error}); train it anew"
        ) from error


def _restored(card: dict[str, Any], arrays: dict[str, Any]) -> AttributeHead:
    from fashion_assets.products.calibration import Temperature
    from fashion_assets.products.heads.head import AttributeHead
    from fashion_assets.products.heads.kernel import KernelMachine
    from fashion_assets.products.heads.rows import RowClassifier
    from fashion_assets.products.heads.sides import SideTemperatures
    from fashion_assets.products.heads.space import FeatureSpace
    from fashion_assets.products.logit_adjustment import LogitAdjustment

    head = AttributeHead(
        card["attribute"],
        kind=card["kind"],
        params=card["params"],
        embedding_transform=card["embedding_transform"],
        abstain_below=card["abstain_below"],
        seed=card["seed"],
    )
    head.classes_ = np.array(card["classes"], dtype=object)
    head.class_counts_, head.n_unlabelled_, head.note_ = (
        card["class_counts"],
        card["n_unlabelled"],
        card["note"],
    )
    space, machine = None, None
    if card["machine"] is not None:
        space = FeatureSpace.from_state(_below("space.", arrays))
        restore = KernelMachine if card["kind"] == KERNEL else RowClassifier
        machine = restore.from_state(_below("machine.", arrays), card["machine"])
    head.adopt(card["model_id"], space, machine)
    strength = card["adjustment_strength"]
    adjustment = None if strength is None else LogitAdjustment(strength, arrays["adjustment.prior"])
    temperatures = {side: Temperature(value) for side, value in card["temperatures"].items()}
    return head.calibrate(SideTemperatures(**temperatures), adjustment)


def _below(prefix: str, arrays: dict[str, Any]) -> dict[str, Any]:
    return {name.removeprefix(prefix): values for name, values in arrays.items() if name.startswith(prefix)}
