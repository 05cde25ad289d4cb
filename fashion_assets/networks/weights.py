"""Where a network's files are, and the short digest that stands for them in a model id."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest

#: Hex digits of a revision inside a model id: 48 bits, no accidental repeat among any number of models that a
#: person could keep, and still readable.
DIGEST_LENGTH = 12


class UnloadableFiles(UserError):
    """The files of a network are not what they should be; for a hub snapshot: fetch it again."""


def model_id_of(name: str, revision: str) -> str:
    """``name@revision``, the revision in its first digits."""
    return f"{name}@{revision[:DIGEST_LENGTH]}"


def with_preprocessing(model_id: str, version: int) -> str:
    """The model id with the preprocessing version behind it (``….p2``) once that is not the first."""
    return model_id if version == 1 else f"{model_id}.p{version}"


def path_digest(path: Path) -> str:
    """SHA-256 (64 hex digits) of a file, or of all files of a folder with their relative names.

    A folder counts whole because tokenizer, pooling and configuration change the vectors as well as the
    weights do. Hidden files and Markdown are left out: they change nothing.
    """
    if path.is_file():
        return file_digest(path)
    digest = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        relative = file.relative_to(path)
        if (
            file.is_file()
            and file.suffix != ".md"
            and not any(part.startswith(".") for part in relative.parts)
        ):
            digest.update(f"{relative.as_posix()}\0{file_digest(file)}\n".encode())
    return digest.hexdigest()


def local_path(text: str, models_dir: Path | None) -> Path | None:
    """The existing file or folder that ``text`` names: as it is, or inside ``models_dir``; None if neither
    is."""
    return next((path for path in candidate_paths(text, models_dir) if path.exists()), None)


def candidate_paths(text: str, models_dir: Path | None) -> list[Path]:
    """The places where ``local_path`` looks, in order, for error sentences."""
    given = Path(text).expanduser()
    return [given] if models_dir is None or given.is_absolute() else [given, models_dir / given]


def looks_like_path(text: str) -> bool:
    """Whether a person meant a file: it starts like a path or ends like a weights file."""
    return text.startswith(("/", "./", "../", "~")) or text.endswith(
        (".safetensors", ".pt", ".pth", ".bin", ".onnx", ".ckpt", ".npz")
    )


def missing_file(what: str, text: str, models_dir: Path | None) -> UserError:
    """The sentence for a path that is not there; ``what`` names the user of the file (``encoder 'st:…'``)."""
    tried = " and ".join(str(path) for path in candidate_paths(text, models_dir))
    return UserError(f"{what}: no file or folder at {tried}; give the path of saved weights")
