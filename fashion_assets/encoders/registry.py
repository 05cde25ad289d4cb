"""One string per encoder: which kinds there are, whether they work here, and how one is loaded."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fashion_assets.encoders.protocol import Encoder
from fashion_assets.networks.torch_runtime import TorchRuntime, check_precision, pick_runtime
from fashion_assets.networks.weights import local_path, missing_file
from fashion_assets.storage.errors import UserError

#: Where the pipeline keeps its own word vectors inside the models folder.
CBOW_FILE = Path("word_vectors") / "cbow.safetensors"


@dataclass(frozen=True)
class EncoderKind:
    """One kind of encoder, for people: ``usable`` with ``reason`` says what is missing and what to do."""

    kind: str
    form: str
    library: str
    purpose: str
    usable: bool
    reason: str


@dataclass(frozen=True)
class _Kind:
    form: str
    library: str
    modules: tuple[str, ...]
    purpose: str
    load: Callable[[str, _Options], Encoder]
    needs_weights: bool = True


@dataclass(frozen=True)
class _Options:
    """What ``load_encoder`` was given besides the spec."""

    models_dir: Path | None
    device: str | None
    batch_size: int | None
    precision: str
    compile: bool

    def runtime(self) -> TorchRuntime:
        return pick_runtime(self.device, self.batch_size, self.precision, self.compile)


def load_encoder(
    spec: str,
    *,
    models_dir: Path | str | None = None,
    device: str | None = None,
    batch_size: int | None = None,
    precision: str = "float32",
    compile: bool = False,
) -> Encoder:
    """The encoder that ``spec`` names, ready to encode.

    ``models_dir``: the project's models folder, where relative paths are looked for as well and where
    ``local:cbow`` finds the pipeline's word vectors. ``device``: ``cpu``, ``cuda``, ``cuda:1``; left out,
    the best there is. ``batch_size``: items a batch; left out, by device. ``precision``: ``float32``, ``bfloat16``
    or ``float16``; what PyTorch networks compute in on a GPU, where a model id ends in ``+bf16`` or ``+fp16``.
    ``compile``: PyTorch networks go through ``torch.compile``; ids and vectors (but for float error) stay.

    Raises UserError for an unknown kind or precision, a library or file that is missing, or a hub that cannot
    be reached.
    """
    known = _kinds()
    kind, separator, name = spec.partition(":") if isinstance(spec, str) else ("", "", "")
    key = f"{kind}:{name.partition(':')[0]}" if kind == "local" else kind
    if not separator or key not in known:
        raise UserError(
            f"there is no encoder {spec!r}; expected one of "
            f"{', '.join(entry.form for entry in known.values())}"
        )
    if not name:
        raise UserError(f"encoder {spec!r} names no model; expected {known[key].form}")
    missing = _missing_modules(known[key].modules)
    if missing:
        raise UserError(
            f"encoder {spec!r} needs {', '.join(missing)}, which is not installed; pip install "
            f"{known[key].library}"
        )
    check_precision(precision)
    models = Path(models_dir) if models_dir is not None else None
    return known[key].load(name, _Options(models, device, batch_size, precision, compile))


def encoder_specs() -> list[EncoderKind]:
    """Every kind with whether its libraries are installed; imports none of them."""
    found = []
    for key, kind in _kinds().items():
        missing = _missing_modules(kind.modules)
        if missing:
            reason = f"{', '.join(missing)} not installed; pip install {kind.library}"
        else:
            reason = "weights from a path or the hub's cache" if kind.needs_weights else "needs no download"
        found.append(EncoderKind(key, kind.form, kind.library, kind.purpose, not missing, reason))
    return found


def _missing_modules(modules: tuple[str, ...]) -> list[str]:
    return [module for module in modules if importlib.util.find_spec(module) is None]


def _kinds() -> dict[str, _Kind]:
    return {
        "local:cbow": _Kind(
            "local:cbow[:<path>]",
            "gensim",
            ("gensim", "scipy"),
            "texts, learned on the corpus",
            _load_cbow,
            False,
        ),
        "local:visual": _Kind(
            "local:visual",
            "opencv-python-headless",
            ("cv2",),
            "pictures, colour and shape descriptors",
            _load_visual,
            False,
        ),
        "words": _Kind(
            "words:<file>",
            "gensim",
            ("gensim",),
            "short texts, mean of any word2vec, GloVe, fastText or navec vectors",
            _load_words,
        ),
        "st": _Kind(
            "st:<name or path>",
            "sentence-transformers",
            ("torch", "sentence_transformers"),
            "texts, sentence networks",
            _load_st,
        ),
        "open_clip": _Kind(
            "open_clip:<arch>/<pretrained> or open_clip:hf-hub:<name>",
            "open_clip_torch",
            ("torch", "open_clip"),
            "texts and pictures in one space",
            _load_open_clip,
        ),
        "timm": _Kind(
            "timm:<name>[/<path>] or timm:<folder>",
            "timm",
            ("torch", "timm"),
            "pictures, BEiT, EfficientNet and others",
            _load_timm,
        ),
        "hf": _Kind(
            "hf:<name or path>",
            "transformers",
            ("torch", "transformers"),
            "BERT family (texts), Chinese-CLIP and CLIP (both)",
            _load_hf,
        ),
        "onnx": _Kind(
            "onnx:<file or folder>[#<output>]",
            "onnxruntime",
            ("onnxruntime", "cv2"),
            "pictures or texts, any exported network",
            _load_onnx,
        ),
    }


def _load_cbow(name: str, options: _Options) -> Encoder:
    from fashion_assets.encoders.cbow import CbowModel
    from fashion_assets.encoders.cbow_training import lexicon_cbow

    models_dir = options.models_dir
    text = name.partition(":")[2]
    if text:
        path = local_path(text, models_dir)
        if path is None or not path.is_file():
            raise missing_file(f"encoder 'local:{name}'", text, models_dir)
        return CbowModel.load(path)
    if models_dir is not None:
        return CbowModel.load(models_dir / CBOW_FILE)
    return lexicon_cbow()


def _load_visual(name: str, options: _Options) -> Encoder:
    from fashion_assets.encoders.local_visual import LocalVisualEncoder

    if name != "visual":
        raise UserError(f"encoder 'local:{name}': local:visual takes nothing behind its name")
    return LocalVisualEncoder()


def _load_words(name: str, options: _Options) -> Encoder:
    from fashion_assets.encoders.averaged_words import AveragedWords

    path = local_path(name, options.models_dir)
    if path is None:
        raise missing_file(f"encoder 'words:{name}'", name, options.models_dir)
    return AveragedWords.load(path)


def _load_st(name: str, options: _Options) -> Encoder:
    from fashion_assets.encoders.sentence_networks import load_sentence_transformer

    return load_sentence_transformer(name, models_dir=options.models_dir, runtime=options.runtime())


def _load_open_clip(name: str, options: _Options) -> Encoder:
    from fashion_assets.encoders.open_clip_networks import load_open_clip

    return load_open_clip(name, models_dir=options.models_dir, runtime=options.runtime())


def _load_timm(name: str, options: _Options) -> Encoder:
    from fashion_assets.encoders.timm_networks import load_timm

    return load_timm(name, models_dir=options.models_dir, runtime=options.runtime())


def _load_hf(name: str, options: _Options) -> Encoder:
    from fashion_assets.encoders.transformer_networks import load_transformers

    return load_transformers(name, models_dir=options.models_dir, runtime=options.runtime())


def _load_onnx(name: str, options: _Options) -> Encoder:
    from fashion_assets.encoders.onnx_networks import load_onnx

    return load_onnx(
        name, models_dir=options.models_dir, device=options.device, batch_size=options.batch_size
    )
