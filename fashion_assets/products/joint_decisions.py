"""What the joint decoder needs of each head's training, kept beside the head, so that a training that goes on after a
kill can fit the decoder over heads that it did not train itself.

The decoder itself, and deciding with it, are in ``heads.joint`` and ``heads.together``.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashion_assets.products.head_record import HeadRecord
from fashion_assets.products.heads import AttributeHead, JointDecoder
from fashion_assets.products.heads.together import fit_together
from fashion_assets.products.model_folder import JOINT, head_folder
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic

if TYPE_CHECKING:
    from fashion_assets.products.heads.trained import TrainedHead

HELD_OUT = "held_out.safetensors"

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HeldOut:
    """A head, and what it said of products that it had not seen: the part of ``TrainedHead`` that ``fit_together``
    reads.
    """

    head: AttributeHead
    validation_probabilities: FloatArray
    validation_rows: IntArray
    test_probabilities: FloatArray
    test_rows: IntArray
    test: pd.DataFrame

    @classmethod
    def load(cls, folder: Path) -> HeldOut:
        """What ``save_held_out`` wrote beside the head. Raises UserError if it is missing or damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        path = Path(folder) / HELD_OUT
        try:
            arrays = load(path.read_bytes())
            validation, test = arrays["validation"].astype(np.float64), arrays["test"].astype(np.float64)
            rows, test_rows = arrays["validation_rows"], arrays["test_rows"]
        except (OSError, KeyError, SafetensorError) as error:
            raise UserError(f"{path} is missing or damaged ({error}); train the head anew") from error
        table = pd.DataFrame(HeadRecord.load(folder).test, columns=["id", "truth", "predicted", "confidence"])
        return cls(AttributeHead.load(folder), validation, rows, test, test_rows, table)


def save_held_out(trained: TrainedHead, folder: Path) -> None:
    """Write ``held_out.safetensors`` into the head's folder."""
    from safetensors.numpy import save

    judged = len(trained.validation_probabilities)  # 0 where they were too few to calibrate by
    arrays = {
        "validation": trained.validation_probabilities.astype(np.float32),
        "validation_rows": np.asarray(trained.validation_rows, dtype=np.int64)[:judged],
        "test": trained.test_probabilities.astype(np.float32),
        "test_rows": np.asarray(trained.test_rows, dtype=np.int64),
    }
    content = save({name: np.ascontiguousarray(one) for name, one in arrays.items()})
    write_bytes_atomic(Path(folder) / HELD_OUT, content)


def fit_joint(
    root: Path, attributes: Sequence[str], products: pd.DataFrame, split: npt.NDArray[np.object_]
) -> tuple[dict[str, pd.DataFrame], dict[str, pd.DataFrame] | None]:
    """Fit the decoder over the heads in ``root`` and write it to ``root/joint``, unless it would change nothing.

    (attribute -> id, truth, predicted, confidence and abstained of the test products by each head alone, the same as
    they are decided together); None for the second where no decoder was written.
    """
    folder = Path(root) / JOINT
    shutil.rmtree(folder, ignore_errors=True)
    held = {name: HeldOut.load(head_folder(root, name)) for name in attributes}
    found = fit_together(held, products, split)  # type: ignore[arg-type]

    def marked(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
        return {
            name: table.assign(abstained=table["confidence"] < held[name].head.abstain_below)
            for name, table in tables.items()
        }

    alone = marked({name: one.test for name, one in held.items()})
    if found is None or not found[0].strength_:
        return alone, None
    decoder, tested = found
    decoder.save(folder)
    return alone, marked(tested)


def load_joint(root: Path) -> JointDecoder | None:
    """The decoder of the model in ``root``; None if it has none."""
    folder = Path(root) / JOINT
    return JointDecoder.load(folder) if folder.is_dir() else None
