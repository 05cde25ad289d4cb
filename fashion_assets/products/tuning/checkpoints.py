"""A fine-tuning on disk after each epoch: a killed run goes on from the last whole one.

Tensors lie in safetensors files of their own epoch; ``state.json``, written last, names those that belong together,
and only then are the older ones deleted. Random numbers need no place here: order, augmentation and dropout of an
epoch are seeded by (seed, epoch), and the rate follows from the step.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest, write_bytes_atomic, write_text_atomic

if TYPE_CHECKING:
    import torch

STATE_FILE = "state.json"
FORMAT = "fashion-assets tuning checkpoint 1"


@dataclass
class TuningState:
    """Where a fine-tuning stands: ``epochs`` done, optimiser ``steps``, the best epoch (0: before the first) and its
    mean macro-F1, ``stopped`` early or not, and one row of figures per epoch.
    """

    epochs: int = 0
    steps: int = 0
    best_epoch: int = 0
    best_score: float = -1.0
    stopped: bool = False
    history: list[dict[str, Any]] = field(default_factory=list)


class Checkpoints:
    """The checkpoint in ``folder`` of the experiment with this ``digest`` (configuration and data)."""

    def __init__(self, folder: Path, digest: str) -> None:
        self.folder, self.digest = folder, digest

    def save(
        self,
        state: TuningState,
        weights: Mapping[str, torch.Tensor],
        optimizer: Mapping[str, torch.Tensor],
        *,
        is_best: bool,
    ) -> None:
        """Put the epoch on disk; with ``is_best`` its weights are also the best so far."""
        before = self._read()
        files = {
            "weights": self._write("weights", state.epochs, weights),
            "optimizer": self._write("optimizer", state.epochs, optimizer),
        }
        if is_best or before is None:
            files["best"] = self._write("best", state.epochs, weights)
        else:
            files["best"] = before["files"]["best"]
        card = {"format": FORMAT, "digest": self.digest, "state": asdict(state), "files": files}
        write_text_atomic(self.folder / STATE_FILE, json.dumps(card, ensure_ascii=False, indent=1) + "\n")
        kept = {entry["name"] for entry in files.values()}
        for file in self.folder.glob("*.safetensors"):
            if file.name not in kept:
                file.unlink()

    def load(self) -> tuple[TuningState, dict[str, torch.Tensor], dict[str, torch.Tensor]] | None:
        """(state, weights, optimiser tensors) of the last whole epoch; None if there is none.

        Raises UserError for the checkpoint of another experiment and for damaged files.
        """
        card = self._read()
        if card is None:
            return None
        state = TuningState(**card["state"])
        return state, self._tensors(card, "weights"), self._tensors(card, "optimizer")

    def best_weights(self) -> dict[str, torch.Tensor]:
        """The learned weights of the best epoch."""
        card = self._read()
        if card is None:
            raise UserError(f"{self.folder} holds no checkpoint; fine-tune first")
        return self._tensors(card, "best")

    def _write(self, kind: str, epoch: int, tensors: Mapping[str, torch.Tensor]) -> dict[str, str]:
        from safetensors.torch import save

        content = save({name: one.detach().cpu().contiguous() for name, one in tensors.items()})
        name = f"{kind}-{epoch:05d}.safetensors"
        write_bytes_atomic(self.folder / name, content)
        return {"name": name, "sha256": hashlib.sha256(content).hexdigest()}

    def _tensors(self, card: dict[str, Any], kind: str) -> dict[str, torch.Tensor]:
        from safetensors.torch import load_file

        entry = card["files"][kind]
        path = self.folder / entry["name"]
        if not path.is_file() or file_digest(path) != entry["sha256"]:
            raise UserError(
                f"{path} is missing or damaged; delete {self.folder} to fine-tune from the beginning"
            )
        return load_file(path)

    def _read(self) -> dict[str, Any] | None:
        path = self.folder / STATE_FILE
        if not path.is_file():
            return None
        try:
            card: dict[str, Any] = json.loads(path.read_text("utf-8"))
            digest, form = card["digest"], card["format"]
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{path} is damaged ({error}); delete {self.folder} to fine-tune from the beginning"
            ) from error
        if form != FORMAT or digest != self.digest:
            raise UserError(
                f"{self.folder} holds a checkpoint of other settings, data or encoders; give another name, or "
                "delete it"
            )
        return card
