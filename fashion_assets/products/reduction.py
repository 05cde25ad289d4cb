"""Principal components of product vectors, block by block: fewer numbers, fitted once and stored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.products.vectors import BLOCKS, ProductVectors, join_vectors
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic, write_text_atomic

FORMAT = "fashion-assets product reduction 1"
WEIGHTS_FILE = "reduction.safetensors"
CARD_FILE = "reduction.json"

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BlockReduction:
    """``mean`` (d,) and ``axes`` (k, d) of one block, and the share of its variance that they keep."""

    mean: Float32Array
    axes: Float32Array
    explained_variance: float


@dataclass(frozen=True)
class VectorReduction:
    """PCA of each block of vectors of ``source_model_id``; a block that is not in ``blocks`` stays as it is."""

    source_model_id: str
    blocks: dict[str, BlockReduction]
    seed: int

    @classmethod
    def fit(cls, vectors: ProductVectors, n_components: int, *, seed: int = 7) -> VectorReduction:
        """At most ``n_components`` axes a block, learnt from the products that have it (give training products
        only). A block that is no wider, or that fewer than two products have, stays as it is. Raises UserError for
        fewer than one component.
        """
        from sklearn.decomposition import PCA

        if n_components < 1:
            raise UserError(f"{n_components} principal components were asked for; expected 1 or more")
        blocks: dict[str, BlockReduction] = {}
        for name, columns in vectors.blocks.items():
            rows = vectors.matrix[vectors.has(name), columns]
            kept = min(n_components, len(rows) - 1)
            if kept < 1 or columns.stop - columns.start <= n_components:
                continue
            model = PCA(kept, random_state=seed).fit(rows.astype(np.float64))
            blocks[name] = BlockReduction(
                np.asarray(model.mean_, np.float32),
                np.asarray(model.components_, np.float32),
                float(np.nansum(model.explained_variance_ratio_)),
            )
        return cls(vectors.model_id, blocks, seed)

    @property
    def model_id(self) -> str:
        """The id of what ``transform`` gives: that of the vectors with the digest of this reduction."""
        return f"{self.source_model_id}|pca@{hashlib.sha256(self._weights()).hexdigest()[:12]}"

    def transform(self, vectors: ProductVectors) -> ProductVectors:
        """The same products in fewer numbers; rows of a block have length 1 again, missing ones stay zero.

        Raises UserError for vectors of other encoders.
        """
        if vectors.model_id != self.source_model_id:
            raise UserError(
                f"the reduction was fitted on vectors of {self.source_model_id!r}, these are of "
                f"{vectors.model_id!r}; encode the products with the first, or fit it anew"
            )
        parts: dict[str, npt.ArrayLike | None] = {}
        for name in vectors.blocks:
            rows = vectors.block(name)
            if name in self.blocks:
                block = self.blocks[name]
                rows = unit_rows((rows - block.mean) @ block.axes.T) * vectors.has(name)[:, None]
            parts[name] = rows
        joined = join_vectors(vectors.ids, parts)
        return ProductVectors(joined.ids, joined.matrix, self.model_id, joined.blocks)

    def _weights(self) -> bytes:
        from safetensors.numpy import save

        arrays = {
            f"{name}.{part}": np.ascontiguousarray(getattr(block, part))
            for name, block in self.blocks.items()
            for part in ("mean", "axes")
        }
        return save(arrays)

    def save(self, folder: Path) -> None:
        """Write ``reduction.safetensors`` and ``reduction.json`` (with the explained variance) into ``folder``."""
        weights = self._weights()
        card = {
            "format": FORMAT,
            "source_model_id": self.source_model_id,
            "model_id": self.model_id,
            "seed": self.seed,
            "weights_sha256": hashlib.sha256(weights).hexdigest(),
            "blocks": {
                name: {"components": len(block.axes), "explained_variance": block.explained_variance}
                for name, block in self.blocks.items()
            },
        }
        write_bytes_atomic(Path(folder) / WEIGHTS_FILE, weights)
        write_text_atomic(Path(folder) / CARD_FILE, json.dumps(card, ensure_ascii=False, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path) -> VectorReduction:
        """The reduction that ``save`` wrote. Raises UserError if there is none, or it is damaged."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            card = json.loads((Path(folder) / CARD_FILE).read_text("utf-8"))
            weights = (Path(folder) / WEIGHTS_FILE).read_bytes()
            if card["format"] != FORMAT or card["weights_sha256"] != hashlib.sha256(weights).hexdigest():
                raise ValueError("format or digest differ")
            arrays = load(weights)
            blocks = {
                name: BlockReduction(
                    arrays[f"{name}.mean"],
                    arrays[f"{name}.axes"],
                    float(card["blocks"][name]["explained_variance"]),
                )
                for name in BLOCKS
                if name in card["blocks"]
            }
            return cls(str(card["source_model_id"]), blocks, int(card["seed"]))
        except FileNotFoundError as error:
            raise UserError(
                f"{folder} holds no reduction of product vectors; train with one first"
            ) from error
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise UserError(f"the reduction in {folder} is damaged ({error}); train anew") from error
