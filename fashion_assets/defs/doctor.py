"""``fashion-assets doctor``: what is installed, usable and present, each with what to do."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fashion_assets.encoders.profiles import PROFILE_SETTINGS, profile_named
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.places import Place, entries, require_reachable

#: Package -> what stops working without it, and how to get it.
_PACKAGES = {
    "dagster": "the platform",
    "dagster-webserver": "make ui",
    "duckdb": "the warehouse",
    "pyarrow": "the lake",
    "rjieba": "the tokenizer",
    "gensim": "word vectors (local:cbow)",
    "opencv-python-headless": "garment regions (grabcut)",
    "umap-learn": "styles",
    "scikit-learn": "styles and product heads",
    "torch": "st:, open_clip:, timm: and hf: encoders",
    "onnxruntime": "onnx: encoders",
}

#: A run writes pictures, crops and embeddings; below this many free bytes it will end in a full disk.
_LOW_DISK = 2 * 1024**3


@dataclass(frozen=True)
class Finding:
    """One line of the examination; ``optional`` findings do not make the command fail."""

    subject: str
    ok: bool
    found: str
    advice: str = ""
    optional: bool = False


def examine(settings: Settings) -> Iterator[Finding]:
    """Every finding: Python and packages, device, encoders, segmenter, engine, data root."""
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding(
        "python",
        sys.version_info >= (3, 11),
        python,
        "" if sys.version_info >= (3, 11) else "use Python 3.11 or newer",
    )
    for package, purpose in _PACKAGES.items():
        yield _package(package, purpose)
    yield _dagster_release()
    yield _device()
    yield from _encoders(settings)
    yield _segmenter(settings)
    yield _precision(settings)
    yield _engine(settings)
    yield from _data_root(settings)


def _package(package: str, purpose: str) -> Finding:
    try:
        return Finding(package, True, version(package))
    except PackageNotFoundError:
        return Finding(
            package,
            False,
            f"not installed; without it there is no {purpose}",
            f"pip install -c constraints.txt {package}",
        )


def _dagster_release() -> Finding:
    core, web = version("dagster"), version("dagster-webserver")
    advice = (
        ""
        if core == web
        else "install all dagster packages of one release: pip install -c constraints.txt -e ."
    )
    return Finding("dagster release", core == web, f"core {core}, webserver {web}", advice)


def _device() -> Finding:
    if importlib.util.find_spec("torch") is None:
        return Finding(
            "device", False, "torch is not installed", "pip install -c constraints.txt torch", optional=True
        )
    import torch

    if torch.cuda.is_available():
        return Finding("device", True, f"{torch.cuda.get_device_name(0)} (cuda)")
    return Finding(
        "device", True, f"cpu, {os.cpu_count()} cores (no GPU is needed for the embedded encoders)"
    )


def _encoders(settings: Settings) -> Iterator[Finding]:
    from fashion_assets.encoders.registry import encoder_specs

    for kind in encoder_specs():
        yield Finding(f"encoder {kind.kind}", kind.usable, kind.purpose, kind.reason, optional=True)
    yield _profile(settings)
    yield _configured_encoders(settings)


def _configured_encoders(settings: Settings) -> Finding:
    """Whether the encoders that are set can be found, as far as that shows without loading a network."""
    found = f"text {settings.text_encoder}, pictures {settings.image_encoder}"
    products = {
        "texts": settings.product_text_encoder,
        "pictures": settings.product_image_encoders,
        "words": settings.product_word_vectors,
    }
    found += "".join(f", {what} of products {spec}" for what, spec in products.items() if spec)
    specs = [
        ("FASHION_TEXT_ENCODER", settings.text_encoder),
        ("FASHION_IMAGE_ENCODER", settings.image_encoder),
        ("FASHION_PRODUCT_TEXT_ENCODER", settings.product_text_encoder),
        ("FASHION_PRODUCT_WORD_VECTORS", settings.product_word_vectors),
    ]
    specs += [
        ("FASHION_PRODUCT_IMAGE_ENCODERS", spec.strip())
        for spec in settings.product_image_encoders.split(",")
    ]
    faults = [
        f"{name}: {fault}" for name, spec in specs if spec and (fault := encoder_fault(spec, settings.models))
    ]
    return Finding("configured encoders", not faults, found, "; ".join(faults))


def encoder_fault(spec: str, models: Path) -> str:
    """The sentence that loading the encoder would end with; empty where that shows only by loading a network, or by
    asking the hub.
    """
    from fashion_assets.encoders.registry import encoder_specs, load_encoder
    from fashion_assets.networks.weights import missing_file

    kind, _, name = spec.partition(":")
    if kind == "local":
        kind, name = f"local:{name.partition(':')[0]}", name.partition(":")[2]
    usable = {one.kind for one in encoder_specs() if one.usable}
    if kind not in usable or kind == "local:visual" or not (name or kind == "local:cbow"):
        try:
            # Refused before anything is loaded, but for local:visual, which is no network.
            load_encoder(spec, models_dir=models)
        except UserError as fault:
            return str(fault)
    elif (path := _missing_path(kind, name, models)) is not None:
        return str(missing_file(f"encoder {spec!r}", path, models))
    return ""


def _missing_path(kind: str, name: str, models: Path) -> str | None:
    """The file or folder that an encoder's name has to be, or has to hold, and that is not there."""
    from fashion_assets.encoders.onnx_texts import NETWORK_FILE
    from fashion_assets.networks.weights import local_path, looks_like_path

    if kind in ("words", "local:cbow", "onnx"):
        wanted = name.partition("#")[0] if kind == "onnx" else name
        path = local_path(wanted, models)
        if kind == "onnx" and path is not None and path.is_dir():
            path, wanted = path / NETWORK_FILE, str(path / NETWORK_FILE)
        # Without a name local:cbow is what the first run learns.
        return wanted if wanted and (path is None or not path.is_file()) else None
    if local_path(name, models) is not None or name.startswith("hf-hub:"):
        return None
    if kind in ("timm", "open_clip") and not name.startswith(("/", "./", "../", "~")):
        # <architecture>/<weights>: those of timm are a file, those of open_clip also a published name.
        _, _, weights = name.partition("/")
        is_file = bool(weights) and (kind == "timm" or looks_like_path(weights))
        return weights if is_file and local_path(weights, models) is None else None
    return name if looks_like_path(name) else None


def _profile(settings: Settings) -> Finding:
    profile = profile_named(settings.profile)
    own = [
        f"FASHION_{name.upper()}"
        for name in PROFILE_SETTINGS
        if getattr(settings, name) != getattr(profile, name)
    ]
    found = f"{settings.profile}: {profile.purpose}" + (f"; but {', '.join(own)} set" if own else "")
    if settings.profile == "gpu" and not _has_gpu():
        return Finding(
            "profile",
            False,
            found,
            "there is no GPU here, so it will be slow: FASHION_PROFILE=cpu",
            optional=True,
        )
    return Finding("profile", True, found)


def _has_gpu() -> bool:
    if not _libraries("torch"):
        return False
    import torch

    return bool(torch.cuda.is_available())


def _segmenter(settings: Settings) -> Finding:
    from fashion_assets.media.segmentation import load_segmenter

    kind, _, name = settings.segmenter.partition(":")
    found = f"{settings.segmenter}, crop {settings.crop}"
    repository, _, revision = name.partition("@")
    if kind == "segformer" and _is_hub_name(name, settings) and not _is_cached(repository, revision):
        # Looking must not fetch it.
        advice = (
            "the first use fetches it: needs network"
            if _libraries("transformers")
            else "pip install transformers"
        )
        return Finding("segmenter", False, f"{found}: not in the hub's cache", advice, optional=True)
    try:
        segmenter = load_segmenter(settings.segmenter, models_dir=settings.models)
    except UserError as fault:
        return Finding("segmenter", False, found, str(fault))
    if settings.crop == "person" and not segmenter.finds_person:
        return Finding(
            "segmenter",
            False,
            f"{found}: it finds garments, not persons",
            "FASHION_CROP=garment, or another FASHION_SEGMENTER",
        )
    return Finding("segmenter", True, found)


def _is_hub_name(name: str, settings: Settings) -> bool:
    from fashion_assets.networks.weights import local_path, looks_like_path

    return bool(name) and local_path(name, settings.models) is None and not looks_like_path(name)


def _is_cached(repository: str, revision: str) -> bool:
    if not _libraries("huggingface_hub"):
        return False
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        return isinstance(try_to_load_from_cache(repository, "config.json", revision=revision or None), str)
    except HFValidationError:
        return True  # loading it says what is wrong with the name, before it asks any network


def _libraries(*modules: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in modules)


def _precision(settings: Settings) -> Finding:
    found = settings.precision + (
        ", compiled by torch.compile" if settings.torch_compile else ", not compiled"
    )
    if settings.precision != "float32" and not _has_gpu():
        found += "; float32 here, there is no GPU"
    return Finding("precision", True, found)


def _engine(settings: Settings) -> Finding:
    pool = f"{settings.gpu_pool} step(s) of pool gpu at a time"
    has_ray = _libraries("ray")
    ray = f"ray {version('ray')} is installed" if has_ray else "ray is not installed"
    if settings.engine == "inline":
        return Finding("engine", True, f"inline; {pool}; {ray}")
    advice = "" if has_ray else 'pip install "fashion-assets[ray]", or FASHION_ENGINE=inline'
    return Finding("engine", has_ray, f"ray, {settings.ray_encoders} encoder(s); {pool}; {ray}", advice)


def _data_root(settings: Settings) -> Iterator[Finding]:
    root = settings.root
    existing = next(folder for folder in (root, *root.parents) if folder.exists())
    writable = os.access(existing, os.W_OK)
    yield Finding(
        "data root", writable, str(root), "" if writable else "choose a folder you may write: --data-dir"
    )
    free = shutil.disk_usage(existing).free
    yield Finding(
        "free disk",
        free > _LOW_DISK,
        f"{free / 1024**3:.0f} GiB",
        "" if free > _LOW_DISK else "make room: at least 2 GiB",
    )
    yield _in_place(
        "incoming",
        settings.incoming,
        "put crawl files there, or: fashion-assets sample " + str(settings.data_dir),
    )
    yield _in_place("lake", settings.lake, f"fashion-assets run --data-dir {settings.data_dir}")
    made = settings.warehouse.exists()
    yield Finding(
        "warehouse",
        made,
        str(settings.warehouse) if made else "not made yet",
        "" if made else f"fashion-assets run --data-dir {settings.data_dir}",
        optional=True,
    )


def _in_place(subject: str, folder: Place, advice: str) -> Finding:
    """Whether something lies in a folder or bucket prefix; one that cannot be reached makes the command fail."""
    try:
        require_reachable(folder)
    except UserError as fault:
        return Finding(subject, False, str(folder), str(fault))
    files, folders = entries(folder)
    n_entries = len(files) + len(folders)
    shown = f"{folder}: {n_entries} entries" if n_entries else f"{folder} is empty or absent"
    return Finding(subject, bool(n_entries), shown, "" if n_entries else advice, optional=True)
