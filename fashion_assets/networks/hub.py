"""A repository of the Hugging Face hub as a folder on this machine, with the commit that it holds.

What is in the cache is taken as it is, without asking the network: a model id must not change because
somebody pushed a commit. Only what is missing is fetched, and one short request says first whether the hub
can be reached at all, so that nothing hangs on a machine without network.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from fashion_assets.networks.weights import (
    UnloadableFiles,
    local_path,
    looks_like_path,
    missing_file,
    path_digest,
)
from fashion_assets.storage.errors import UserError

#: Seconds for the first request; a hub that does not answer in this time will not deliver gigabytes either.
HUB_TIMEOUT = 10.0

#: The same weights for other frameworks, which would double or triple the download.
_OTHER_FRAMEWORKS = [
    "onnx/*",
    "openvino/*",
    "coreml/*",
    "*.onnx",
    "*.h5",
    "*.msgpack",
    "*.ot",
    "*.tflite",
    "*.gguf",
]
_PICKLED_WEIGHTS = ["*.bin", "*.pt", "*.pth", "*.ckpt"]

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class HubSnapshot:
    """A folder with a repository's files, and its full commit."""

    folder: Path
    commit: str


def split_revision(name: str) -> tuple[str, str | None]:
    """``("org/model", "revision")`` of ``org/model@revision``; the revision is None if none is given."""
    repository, separator, revision = name.partition("@")
    return repository, revision if separator else None


def load_folder_or_hub(
    what: str, name: str, models_dir: Path | None, load: Callable[[Path, str, str], Loaded]
) -> Loaded:
    """What ``load(folder, short name, revision)`` makes of a saved folder or, if there is none, a hub repository.

    A folder's short name is its own and its revision a digest of its files; a repository's are ``org/model`` and its
    commit. Raises UserError as ``load_from_hub``, and for a path that is not there.
    """
    folder = local_path(name, models_dir)
    if folder is not None:
        return load(folder, folder.name, path_digest(folder))
    if looks_like_path(name):
        raise missing_file(what, name, models_dir)
    repository = split_revision(name)[0]
    return load_from_hub(what, name, lambda snapshot: load(snapshot.folder, repository, snapshot.commit))


def load_from_hub(
    what: str, name: str, load: Callable[[HubSnapshot], Loaded], *, only: Sequence[str] | None = None
) -> Loaded:
    """What ``load`` makes of the repository ``name`` (``org/model`` or ``org/model@revision``).

    A cached snapshot is tried first; if it is not there, or ``load`` raises UnloadableFiles (an interrupted
    download), the repository is fetched, or the files ``only`` of it, and ``load`` runs again. Raises
    UserError that names the cache folder.
    """
    repository, revision = split_revision(name)
    cached = _cached_snapshot(what, repository, revision)
    if cached is not None:
        try:
            return load(cached)
        except UnloadableFiles as error:
            return load(
                _download(what, repository, revision, only, f"the cached copy is not complete ({error})")
            )
    return load(_download(what, repository, revision, only, "it is not in the cache"))


def _cached_snapshot(what: str, repository: str, revision: str | None) -> HubSnapshot | None:
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HFValidationError

    try:
        folder = Path(snapshot_download(repository, revision=revision, local_files_only=True))
        return HubSnapshot(folder, folder.name)
    except HFValidationError as error:
        raise UserError(
            f"{what}: {repository!r} is neither an existing path nor a hub name ({error})"
        ) from None
    except OSError:
        pass
    # A model id carries the first digits of the commit only; let it be given back as a spec.
    snapshots = Path(constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}" / "snapshots"
    matches = sorted(snapshots.glob(f"{revision}*")) if revision and revision.isalnum() else []
    return HubSnapshot(matches[0], matches[0].name) if len(matches) == 1 else None


def _download(
    what: str, repository: str, revision: str | None, only: Sequence[str] | None, why: str
) -> HubSnapshot:
    from huggingface_hub import HfApi, constants, snapshot_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError

    place = f"hub cache {constants.HF_HUB_CACHE}"
    try:
        info = HfApi().model_info(repository, revision=revision, timeout=HUB_TIMEOUT)
        names = [sibling.rfilename for sibling in info.siblings or []]
        pickled = _PICKLED_WEIGHTS if any(name.endswith(".safetensors") for name in names) else []
        folder = snapshot_download(
            repository,
            revision=info.sha,
            allow_patterns=list(only) if only else None,
            ignore_patterns=None if only else _OTHER_FRAMEWORKS + pickled,
        )
        return HubSnapshot(Path(folder), str(info.sha))
    except GatedRepoError as error:
        raise UserError(
            f"{what}: {repository} asks for an accepted licence; accept it on its hub page "
            f"and log in with `hf auth login` ({error})"
        ) from error
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        raise UserError(
            f"{what}: the hub has no {repository}{f' at revision {revision}' if revision else ''} "
            "that can be read without logging in; check the name"
        ) from error
    except Exception as error:  # the HTTP client's own error classes differ between hub releases
        raise UserError(
            f"{what}: {why} ({place}), and the hub cannot be reached "
            f"({type(error).__name__}: {error}); connect once to fetch it, copy the cache folder from a "
            "machine that has it, give the path of a saved model instead of a name, or use what needs no "
            "download: the encoders local:cbow and local:visual, the segmenter grabcut"
        ) from error
