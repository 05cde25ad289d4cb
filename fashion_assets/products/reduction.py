"""Principal components of product vectors, encoder by encoder: fewer numbers, fitted once and stored."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.networks.cores import one_blas_thread
from fashion_assets.products.model_folder import MANIFEST, REDUCTION
from fashion_assets.products.vectors import ProductVectors, join_vectors
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic, write_text_atomic

FORMAT = "fashion-assets product reduction 1"
WEIGHTS_FILE = "reduction.safetensors"
CARD_FILE = "reduction.json"

Float32Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class BlockReduction:
    """``mean`` (d,) and ``axes`` (k, d) of one encoder's vectors, and the share of their variance that they keep."""

    mean: Float32Array
    axes: Float32Array
    explained_variance: float


@dataclass(frozen=True)
class VectorReduction:
    """PCA of each block of vectors of ``source_model_id``; in a block of several encoders of each encoder's
    (``image.0``, ``image.1``), so that none outweighs another. What is not in ``blocks`` stays as it is.
    """

    source_model_id: str
    blocks: dict[str, BlockReduction]
    seed: int

    @classmethod
    def fit(cls, vectors: ProductVectors, n_components: int, *, seed: int = 7) -> VectorReduction:
        """At most ``n_components`` axes an encoder, learnt from the products that have its vectors (give training
        products only). Vectors that are no wider, or that fewer than two products have, stay as they are. Raises
        UserError for fewer than one component.
        """
        from sklearn.decomposition import PCA

        if n_components < 1:
            raise UserError(f"{n_components} principal components were asked for; expected 1 or more")
        blocks: dict[str, BlockReduction] = {}
        for _, name, whole in _encoder_rows(vectors):
            rows = whole[np.any(whole != 0, axis=1)]
            kept = min(n_components, len(rows) - 1)
            if kept < 1 or whole.shape[1] <= n_components:
                continue
            # The id is a digest of the axes: it must not change with the number of threads.
            with one_blas_thread():
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

        Raises UserError for vectors of other encoders, or of another width.
        """
        if vectors.model_id != self.source_model_id:
            raise UserError(
                f"the reduction was fitted on vectors of {self.source_model_id!r}, these are of "
                f"{vectors.model_id!r}; encode the products with the first, or fit it anew"
            )
        found: dict[str, list[Float32Array]] = {}
        for block_name, name, rows in _encoder_rows(vectors):
            there = np.any(rows != 0, axis=1)[:, None]
            if name in self.blocks:
                block = self.blocks[name]
                if rows.shape[1] != len(block.mean):
                    raise UserError(
                        f"the reduction was fitted on {len(block.mean)} {name} numbers per product, these vectors have "
                        f"{rows.shape[1]}; use the encoder that it was fitted with ({self.source_model_id!r})"
                    )
                rows = np.asarray((rows - block.mean) @ block.axes.T, dtype=np.float32)
            found.setdefault(block_name, []).append(unit_rows(rows) * there)
        joined = join_vectors(
            vectors.ids,
            {name: np.hstack(parts) for name, parts in found.items()},
            parts={
                name: tuple(part.shape[1] for part in parts)
                for name, parts in found.items()
                if len(parts) > 1
            },
        )
        return replace(joined, model_id=self.model_id)

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
                for name in card["blocks"]
            }
            return cls(str(card["source_model_id"]), blocks, int(card["seed"]))
        except FileNotFoundError as error:
            raise UserError(
                f"{folder} holds no reduction of product vectors; train with one first"
            ) from error
        except (ValueError, KeyError, TypeError, SafetensorError) as error:
            raise UserError(f"the reduction in {folder} is damaged ({error}); train anew") from error


def _encoder_rows(vectors: ProductVectors) -> Iterator[tuple[str, str, Float32Array]]:
    """(block, name in the reduction, (n, d) rows) of each encoder."""
    for name in vectors.blocks:
        widths = vectors.widths(name)
        ends = np.cumsum(widths)[:-1]
        for number, rows in enumerate(np.split(vectors.block(name), ends, axis=1)):
            yield name, name if len(widths) == 1 else f"{name}.{number}", rows


def reduce_vectors(
    root: Path, vectors: ProductVectors, train: npt.NDArray[np.bool_], n_components: int, *, seed: int = 7
) -> ProductVectors:
    """``vectors`` in at most ``n_components`` numbers an encoder, by axes of the products where ``train`` (n,) is True.

    The reduction goes into the model folder ``root``, for products that come later (``reduced``); with 0 components
    the vectors stay as they are and one of an earlier training is deleted. Where that changes the folder, it is no
    model until it is sealed again.
    """
    folder = Path(root) / REDUCTION
    if not n_components:
        if folder.is_dir():
            (Path(root) / MANIFEST).unlink(missing_ok=True)
            shutil.rmtree(folder)
        return vectors
    reduction = VectorReduction.fit(vectors.take(train), n_components, seed=seed)
    found = reduction.transform(vectors)
    if _stored_id(folder) != reduction.model_id:
        (Path(root) / MANIFEST).unlink(missing_ok=True)
        reduction.save(folder)
    return found


def reduced(root: Path, vectors: ProductVectors) -> ProductVectors:
    """``vectors`` as the model in ``root`` was trained on them: by its reduction, where it has one.

    Raises as ``VectorReduction``.
    """
    folder = Path(root) / REDUCTION
    return VectorReduction.load(folder).transform(vectors) if folder.is_dir() else vectors


def _stored_id(folder: Path) -> str | None:
    try:
        return VectorReduction.load(folder).model_id
    except UserError:
        return None
