"""The encoders of a product model: their files put into its folder, and found there again."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest, write_atomic

if TYPE_CHECKING:
    from fashion_assets.encoders.protocol import Encoder

# By these a text network's folder is told: its tokenizer belongs to it, so all of the folder is copied.
_TOKENIZERS = ("tokenizer.json", "vocab.txt", "sentencepiece.bpe.model", "spiece.model")
# Kinds whose spec may be a path to copy as it stands behind the colon.
_PATH_KINDS = ("onnx", "st", "hf", "timm", "open_clip", "words")
# A larger network is not copied; its digest, in the model id, is checked instead.
MAX_COPIED_BYTES = 2_000_000_000
#: Where encoders lie in a model's folder: one folder each.
ENCODERS = "encoders"
#: Stands for word vectors that are learned on the products' own texts; those of posts are often of another language.
OWN_WORDS = "local:cbow"
#: Tells the colours of a picture, which networks that name things tell badly.
COLOURS = "local:visual"


def with_colours(*specs: str) -> tuple[str, ...]:
    """The picture encoders of products where none are named: ``specs``, and ``local:visual`` beside them."""
    return tuple(dict.fromkeys((*specs, COLOURS)))


@dataclass(frozen=True)
class EncoderEntry:
    """One encoder of a model: what it encodes ("image", "text", or "words": shop names and keys of characteristics),
    the spec to load it by, and its model id.

    ``inside``: the spec's path is below the model's folder, relative to it.
    """

    purpose: str
    spec: str
    model_id: str
    inside: bool


@dataclass(frozen=True)
class ModelEncoders:
    """The loaded encoders, pictures' in order, and their entries; ``words`` is None where cards have no such fields."""

    images: tuple[Encoder, ...]
    text: Encoder
    words: Encoder | None
    entries: tuple[EncoderEntry, ...]

    @classmethod
    def of(cls, loaded: Sequence[tuple[Encoder, EncoderEntry]]) -> ModelEncoders:
        """The encoders sorted by purpose. Raises UserError unless there is exactly one for texts."""
        by_purpose: dict[str, list[Encoder]] = {"image": [], "text": [], "words": []}
        for encoder, entry in loaded:
            by_purpose.setdefault(entry.purpose, []).append(encoder)
        if len(by_purpose["text"]) != 1:
            raise UserError(f"a model has one text encoder, found {len(by_purpose['text'])}; train anew")
        words = by_purpose["words"][0] if by_purpose["words"] else None
        return cls(
            tuple(by_purpose["image"]), by_purpose["text"][0], words, tuple(entry for _, entry in loaded)
        )


def encoder_places(text: str, images: Sequence[str], words: str | None) -> list[tuple[str, str, str]]:
    """(purpose, spec, name of the copy's folder) of each encoder of a model; equal specs share one folder."""
    wanted = [("text", text, "text")]
    wanted += [("image", spec, f"image{number}") for number, spec in enumerate(images)]
    wanted += [("words", words, "words")] if words is not None else []
    names: dict[str, str] = {}
    return [(purpose, spec, names.setdefault(spec, name)) for purpose, spec, name in wanted]


def adopt_encoder(
    root: Path, name: str, purpose: str, spec: str, *, models_dir: Path | None = None, **options: Any
) -> tuple[Encoder, EncoderEntry]:
    """The encoder that ``spec`` names, with its files copied below ``root`` where it is made of files.

    A hub's network, and files of more than ``MAX_COPIED_BYTES``, stay where they are: the entry then holds the id that
    has to be found again. ``options`` go to ``load_encoder``.
    """
    from fashion_assets.encoders import load_encoder

    copied = copy_encoder(root, name, spec, models_dir)
    encoder = load_encoder(
        _below(root, copied) if copied else spec, models_dir=models_dir if not copied else None, **options
    )
    return encoder, entry_of(purpose, spec, copied, encoder.model_id, models_dir)


def entry_of(
    purpose: str, spec: str, copied: str | None, model_id: str, models_dir: Path | None
) -> EncoderEntry:
    """The entry of an encoder whose files ``copy_encoder`` copied, or that stays where it is."""
    return EncoderEntry(purpose, copied or _absolute(spec, models_dir), model_id, copied is not None)


def load_entries(
    root: Path, entries: Sequence[EncoderEntry], *, models_dir: Path | None = None, **options: Any
) -> ModelEncoders:
    """The encoders of ``entries``. Raises UserError if one cannot be loaded, or is another than it was."""
    from fashion_assets.encoders import load_encoder

    loaded: list[Encoder] = []
    for entry in entries:
        spec = _below(root, entry.spec) if entry.inside else entry.spec
        try:
            encoder = load_encoder(spec, models_dir=None if entry.inside else models_dir, **options)
        except UserError as error:
            raise UserError(
                f"the model in {root} needs the encoder {entry.spec} ({entry.model_id}): {error}"
            ) from error
        if encoder.model_id != entry.model_id:
            raise UserError(
                f"the model in {root} was trained with the encoder {entry.model_id}, {entry.spec} is "
                f"{encoder.model_id} by now: vectors of another encoder cannot be used; bring back the weights that it "
                "was trained with, or train anew"
            )
        loaded.append(encoder)
    return ModelEncoders.of(list(zip(loaded, entries, strict=True)))


def copy_encoder(root: Path, name: str, spec: str, models_dir: Path | None) -> str | None:
    """The spec of the copy in ``encoders/<name>-<digest of its files>``, relative to ``root``; None where there is
    nothing to copy. Files that lie in ``root/encoders`` already stay where they are.

    Files of another content never go where a finished model has its own: that stays whole until the next is sealed.
    """
    from fashion_assets.networks.weights import local_path

    prefix, text, output = _parts_of(spec)
    if prefix != "local:cbow:" and prefix[:-1] not in _PATH_KINDS:
        return None
    path = local_path(text, models_dir)
    if path is None:
        return None
    inside = Path(root).absolute() / ENCODERS
    if path.absolute().is_relative_to(inside):
        return f"{prefix}{ENCODERS}/{path.absolute().relative_to(inside).as_posix()}{output}"
    files = _files_of(path, prefix[:-1])
    if sum(file.stat().st_size for file in files.values()) > MAX_COPIED_BYTES:
        return None
    folder = f"{ENCODERS}/{name}-{_digest(files)}"
    for relative, file in files.items():
        _copy_file(file, Path(root) / folder / relative)
    return f"{prefix}{folder}/{path.name}{output}"


def encoder_folders(entries: Sequence[EncoderEntry]) -> set[str]:
    """The folders below ``encoders`` that hold the files of ``entries``."""
    return {_parts_of(entry.spec)[1].split("/")[1] for entry in entries if entry.inside}


def _parts_of(spec: str) -> tuple[str, str, str]:
    """``spec`` as (kind with its colon, path or name, the output of an ONNX network with its #)."""
    if spec.startswith("local:cbow:"):
        return "local:cbow:", spec.removeprefix("local:cbow:"), ""
    kind, _, name = spec.partition(":")
    text, mark, output = name.partition("#") if kind == "onnx" else (name, "", "")
    return f"{kind}:", text, f"{mark}{output}"


def _digest(files: Mapping[str, Path]) -> str:
    """12 hex digits that stand for names and contents."""
    lines = sorted(f"{relative}\0{file_digest(file)}" for relative, file in files.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def _files_of(path: Path, kind: str) -> dict[str, Path]:
    """Path in the copy -> file."""
    if path.is_dir():
        # The folder's own name is in a model id, so the copy keeps it.
        return {f"{path.name}/{file.relative_to(path).as_posix()}": file for file in _visible(path)}
    if kind == "onnx" and any((path.parent / name).is_file() for name in _TOKENIZERS):
        return {file.relative_to(path.parent).as_posix(): file for file in _visible(path.parent)}
    beside = [path.with_suffix(".json")]
    # Weights that were too large for the ONNX file itself.
    beside += [path.with_name(f"{path.name}{end}") for end in (".data", "_data")] if kind == "onnx" else []
    return {file.name: file for file in (path, *beside) if file.is_file()}


def _visible(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(folder).parts)
    ]


def _copy_file(source: Path, target: Path) -> None:
    """The file at its new place, all or nothing; one that is there already with the same bytes stays."""
    if target.is_file() and (target.samefile(source) or file_digest(target) == file_digest(source)):
        return
    with source.open("rb") as handle:
        write_atomic(target, lambda out: shutil.copyfileobj(handle, out))


def _below(root: Path, spec: str) -> str:
    """The spec with its relative path put below ``root``."""
    prefix, text, output = _parts_of(spec)
    return f"{prefix}{Path(root) / text}{output}"


def _absolute(spec: str, models_dir: Path | None) -> str:
    """A spec whose path holds from any working folder."""
    from fashion_assets.networks.weights import local_path

    prefix, text, output = _parts_of(spec)
    if prefix[:-1] not in _PATH_KINDS:
        return spec
    path = local_path(text, models_dir)
    return spec if path is None else f"{prefix}{path.absolute()}{output}"
