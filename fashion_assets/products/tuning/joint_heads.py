"""One MLP head per attribute over ``[image, text]``, learned together: scores, loss, and the heads as a file."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fashion_assets.products.labels import label_text
from fashion_assets.products.vectors import ProductVectors
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic, write_text_atomic

if TYPE_CHECKING:
    import torch

CARD_FILE, WEIGHTS_FILE = "joint_heads.json", "joint_heads.safetensors"
CARD_FORMAT = "fashion-assets joint heads 1"
#: Code of a product without a label, which no loss and no figure counts.
UNLABELLED = -1


@dataclass(frozen=True)
class AttributeCodes:
    """An attribute's classes (k, sorted) and the code of each product (n,), ``UNLABELLED`` where it has none of
    them; ``weights`` (k,) of the classes in the loss.
    """

    attribute: str
    classes: tuple[str, ...]
    codes: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]


def attribute_codes(
    attribute: str, labels: Sequence[object], train: npt.NDArray[np.int64], power: float
) -> AttributeCodes:
    """Classes are those of the products ``train``. Raises UserError if none of them has a label."""
    names = [label_text(label) for label in labels]
    classes = tuple(sorted({name for name in (names[at] for at in train) if name is not None}))
    if not classes:
        raise UserError(
            f"none of the {len(train)} training products has a value in the label column {attribute}; leave it out "
            "or add labelled cards"
        )
    position = {name: at for at, name in enumerate(classes)}
    codes = np.array([UNLABELLED if name is None else position.get(name, UNLABELLED) for name in names])
    counts = np.bincount(codes[train][codes[train] >= 0], minlength=len(classes))
    weights = (counts.sum() / (len(classes) * counts)) ** power
    return AttributeCodes(attribute, classes, codes.astype(np.int64), weights.astype(np.float32))


def build_heads(
    width: int, n_classes: Sequence[int], hidden: Sequence[int], dropout: float
) -> torch.nn.ModuleList:
    """One ``torchvision.ops.MLP`` per attribute: (m, width) -> (m, k) scores."""
    import torch
    from torchvision.ops import MLP

    return torch.nn.ModuleList([MLP(width, [*hidden, k], dropout=dropout, inplace=False) for k in n_classes])


def multi_task_loss(
    scores: Sequence[torch.Tensor], codes: torch.Tensor, weights: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Mean over the attributes of the class-weighted cross-entropy of ``scores`` ((m, k) each) against ``codes``
    (m, attributes); a product counts where it is labelled.

    An attribute that no product of the batch has a label of adds nothing.
    """
    import torch

    losses = []
    for at, (one, weight) in enumerate(zip(scores, weights, strict=True)):
        labelled = codes[:, at] >= 0
        if bool(labelled.any()):
            losses.append(
                torch.nn.functional.cross_entropy(one[labelled], codes[labelled, at], weight=weight)
            )
    if not losses:
        return torch.stack([one.sum() * 0.0 for one in scores]).sum()
    return torch.stack(losses).mean()


class JointHeads:
    """The learned heads of all attributes: ``classes`` by attribute, ``model_id`` of the vectors that they read."""

    def __init__(
        self,
        classes: Mapping[str, Sequence[str]],
        model_id: str,
        widths: Mapping[str, int],
        network: torch.nn.ModuleList,
        hidden: Sequence[int],
    ) -> None:
        self.classes = {name: tuple(values) for name, values in classes.items()}
        self.model_id, self.widths, self.hidden = model_id, dict(widths), tuple(hidden)
        self.network = network.eval()

    def predict_proba(self, vectors: ProductVectors) -> dict[str, npt.NDArray[np.float64]]:
        """attribute -> (n, k) probabilities in the order of ``classes``.

        Raises UserError for vectors of other encoders than the tuned ones.
        """
        import torch

        if vectors.model_id != self.model_id:
            raise UserError(
                f"the joint heads were trained on vectors of {self.model_id!r}, these are of {vectors.model_id!r}; "
                "encode the products with the tuned encoders beside the heads"
            )
        rows = np.hstack([vectors.block(name) for name in self.widths])
        with torch.inference_mode():
            scores = [head(torch.from_numpy(np.ascontiguousarray(rows))) for head in self.network]
        return {
            name: one.double().softmax(dim=1).numpy() for name, one in zip(self.classes, scores, strict=True)
        }

    def save(self, folder: Path) -> None:
        """Write ``joint_heads.safetensors`` and ``joint_heads.json`` into ``folder``."""
        from safetensors.torch import save

        weights = save({name: one.cpu().contiguous() for name, one in self.network.state_dict().items()})
        card = {
            "format": CARD_FORMAT,
            "model_id": self.model_id,
            "widths": self.widths,
            "hidden": list(self.hidden),
            "classes": {name: list(values) for name, values in self.classes.items()},
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
        }
        write_bytes_atomic(folder / WEIGHTS_FILE, weights)
        write_text_atomic(folder / CARD_FILE, json.dumps(card, ensure_ascii=False, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> JointHeads:
        """The heads that ``save`` wrote. Raises UserError if the folder holds none, or card and weights differ."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            card: dict[str, Any] = json.loads((folder / CARD_FILE).read_text("utf-8"))
            content = (folder / WEIGHTS_FILE).read_bytes()
            state = load(content)
        except FileNotFoundError as error:
            raise UserError(
                f"{folder} holds no joint heads ({Path(error.filename).name} is missing); fine-tune first"
            ) from error
        except (ValueError, SafetensorError) as error:
            raise UserError(f"the joint heads in {folder} are damaged ({error}); fine-tune anew") from error
        whole = hashlib.sha256(content).hexdigest() == card.get("weights_sha256")
        if card.get("format") != CARD_FORMAT or not whole:
            raise UserError(f"{folder / CARD_FILE} does not belong to the weights beside it; fine-tune anew")
        width = sum(card["widths"].values())
        network = build_heads(width, [len(k) for k in card["classes"].values()], card["hidden"], 0.0)
        network.load_state_dict(state)
        return cls(card["classes"], card["model_id"], card["widths"], network, card["hidden"])
