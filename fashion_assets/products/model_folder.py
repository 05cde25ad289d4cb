"""What ``--model-dir`` holds: encoders, heads, split and figures of one product model, complete in one folder.

    model.json         format, attributes, encoders, the id of the vectors, SHA-256 of every other file
    card.md            the same for people
    split.csv          id, family, split: which products were trained on
    refused.csv        cards that were refused in training, with the reason
    metrics.json       figures on the test part, by attribute and all at once
    test_predictions.csv  what the heads said of the test products before they learned from them
    encoders/          weights of the encoders that come from files: word vectors, ONNX networks, saved folders
    reduction/         principal components of the vectors, where that was asked for
    texts.parquet      cleaned texts and labels of the products: the projection learns its words from them
    heads/<attribute>/ one head with its n-grams, and training.json: what was tried and measured
    joint/             the decoder over all attributes, where there is one
    cache/             vectors by content; no part of the model, may be deleted at any time

The folder may be moved or copied: nothing in it names another place of the machine, but for encoders of the hub.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from fashion_assets.products.model_encoders import (
    ENCODERS,
    EncoderEntry,
    ModelEncoders,
    encoder_folders,
    load_entries,
)
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest, write_text_atomic

FORMAT = "fashion-assets product model"
# Raised when an older program could not read the folder, or this one not an older folder.
FORMAT_NUMBER = 2
MANIFEST, CARD, REFUSED, METRICS = "model.json", "card.md", "refused.csv", "metrics.json"
TEXTS, TEST_PREDICTIONS = "texts.parquet", "test_predictions.csv"
HEADS, JOINT, REDUCTION, CACHE, RECORD = "heads", "joint", "reduction", "cache", "training.json"
#: Where experiments of fine-tuning lie, and their split where it is not the model's.
FINETUNING = "finetuning"
#: Locked by the `products train` that is at work in the folder.
LOCK = ".training.lock"
# Below the folder, but no part of the model.
_NOT_MODEL = frozenset({MANIFEST, CACHE, FINETUNING, LOCK, "report.html", "export"})


@dataclass(frozen=True)
class Manifest:
    """The content of ``model.json``."""

    attributes: tuple[str, ...]
    encoders: tuple[EncoderEntry, ...]
    vectors_model_id: str
    files: Mapping[str, str]
    made: str
    seed: int
    n_products: int
    about: Mapping[str, Any] = field(default_factory=dict)


def head_folder(root: Path, attribute: str) -> Path:
    """Where the head of ``attribute`` lies; characters that a file name cannot hold are written as %XX."""
    safe = re.sub(
        r"[^\w.-]|^\.", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), attribute
    )
    return Path(root) / HEADS / safe


def seal(
    root: Path,
    *,
    attributes: Sequence[str],
    encoders: Sequence[EncoderEntry],
    vectors_model_id: str,
    made: str,
    seed: int,
    n_products: int,
    about: Mapping[str, Any] | None = None,
) -> Manifest:
    """Write ``model.json`` over what lies in ``root``: from then on the folder counts as a model.

    Heads and encoders that an earlier training left are no part of it; such encoders are deleted once the new
    ``model.json`` stands, which does not name them.
    """
    root = Path(root)
    wanted = {
        HEADS: {head_folder(root, name).name for name in attributes},
        ENCODERS: encoder_folders(encoders),
    }
    files = {
        name: file_digest(path)
        for name, path in _model_files(root).items()
        if (parts := name.split("/"))[0] not in wanted or parts[1] in wanted[parts[0]]
    }
    manifest = Manifest(
        tuple(attributes), tuple(encoders), vectors_model_id, files, made, seed, n_products, about or {}
    )
    content = {"format": FORMAT, "format_number": FORMAT_NUMBER, **asdict(manifest)}
    write_text_atomic(root / MANIFEST, json.dumps(content, ensure_ascii=False, indent=2) + "\n")
    for folder in (root / ENCODERS).glob("*"):
        if folder.is_dir() and folder.name not in wanted[ENCODERS]:
            shutil.rmtree(folder)
    return manifest


def _model_files(root: Path) -> dict[str, Path]:
    return {
        path.relative_to(root).as_posix(): path
        for path in sorted(root.rglob("*"))
        if path.is_file()
        and path.relative_to(root).parts[0] not in _NOT_MODEL
        and not path.name.startswith(".")
    }


class ModelFolder:
    """A finished product model on disk, every file checked against its digest when it is opened."""

    def __init__(self, root: Path, manifest: Manifest) -> None:
        self.root = root
        self.manifest = manifest

    @classmethod
    def open(cls, root: Path) -> ModelFolder:
        """The model in ``root``. Raises UserError if there is none, it is of another format, or a file of it is
        missing or was changed.
        """
        root = Path(root)
        path = root / MANIFEST
        if not path.is_file():
            begun = " (a training was begun there and not finished: run it again)" if root.is_dir() else ""
            raise UserError(
                f"{root} holds no product model: {MANIFEST} is missing{begun}; train one with "
                f"fashion-assets products train DIR --labels … --model-dir {root}"
            )
        manifest = _read_manifest(path)
        specs = [entry.spec.partition(":")[2] for entry in manifest.encoders if entry.inside]
        for name in (*manifest.files, *specs):
            if not _stays_inside(name):
                raise UserError(
                    f"{path} names {name!r}, a place outside of {root}; it was changed by somebody: train anew"
                )
        for name, digest in manifest.files.items():
            file = root / name
            if not file.is_file():
                raise UserError(
                    f"{root} lacks {name}, which its {MANIFEST} names; copy the folder again, whole"
                )
            if file_digest(file) != digest:
                raise UserError(
                    f"{file} is not the file that was trained: its SHA-256 differs from that in {MANIFEST}; copy "
                    "the folder again, or train anew"
                )
        return cls(root, manifest)

    @property
    def attributes(self) -> tuple[str, ...]:
        return self.manifest.attributes

    @property
    def cache(self) -> Path:
        return self.root / CACHE

    def encoders(self, *, models_dir: Path | None = None, **options: Any) -> ModelEncoders:
        """The encoders that the model was trained with, loaded; UserError for one that is another by now."""
        return load_entries(self.root, self.manifest.encoders, models_dir=models_dir, **options)

    def require_vectors(self, model_id: str) -> None:
        """UserError if vectors of ``model_id`` are not those that the heads were trained on."""
        if model_id != self.manifest.vectors_model_id:
            raise UserError(
                f"the model in {self.root} was trained on vectors of {self.manifest.vectors_model_id!r}, these are "
                f"of {model_id!r}: it is a model folder of another encoder; encode with its own encoders, or train anew"
            )


def _stays_inside(name: str) -> bool:
    """Whether the relative path cannot lead out of the folder that it is relative to, on any system."""
    parts = (*PurePosixPath(name).parts, *PureWindowsPath(name).parts)
    return ".." not in parts and not PurePosixPath(name).is_absolute() and not PureWindowsPath(name).drive


def _read_manifest(path: Path) -> Manifest:
    try:
        content = json.loads(path.read_text("utf-8"))
        kind, number = content.pop("format"), content.pop("format_number")
        if kind != FORMAT or number != FORMAT_NUMBER:
            raise UserError(
                f"{path} is {kind!r} number {number}; this program reads {FORMAT!r} number {FORMAT_NUMBER}: train "
                "anew, or use the program that made it"
            )
        content["encoders"] = tuple(EncoderEntry(**entry) for entry in content["encoders"])
        content["attributes"] = tuple(content["attributes"])
        return Manifest(**content)
    except UserError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} is damaged ({type(error).__name__}: {error}); copy the folder again, or train anew"
        ) from error
