"""``onnx:<folder>`` and ``onnx:<file>`` for texts: an exported transformer beside its tokenizer's files.

The folder holds ``model.onnx`` (or the file named), what ``AutoTokenizer`` reads (``tokenizer.json`` and its
configuration, or ``vocab.txt``), and ``<file name>.json``: ``{"pooling": "mean", "max_tokens": 512, "prompt": ""}``.
``fashion-assets encoders export`` writes such a folder. ``pooling`` may be left out where the network's output is one
row a text already. Rows are made unit length whatever the network does.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders.towers import NetworkEncoder, Tower
from fashion_assets.networks.onnx_session import lanes_of
from fashion_assets.networks.torch_runtime import CPU_BATCH_SIZE
from fashion_assets.networks.weights import model_id_of
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import file_digest

Pooling = Literal["mean", "cls", "lasttoken"]

#: The network's file in a folder.
NETWORK_FILE = "model.onnx"
#: The input by which a text network is told from a picture network.
TOKEN_INPUT = "input_ids"
#: Outputs that are taken if there are several and nobody chose: a row a text as sentence-transformers exports it, a
#: row a token as transformers does.
_OUTPUTS = ("sentence_embedding", "last_hidden_state")
_INPUTS = (TOKEN_INPUT, "attention_mask", "token_type_ids")
_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32}


@dataclass(frozen=True)
class OnnxTextSettings:
    """How tokens become one row: ``prompt`` is put before every text, ``max_tokens`` cuts it, ``pooling`` joins."""

    max_tokens: int
    pooling: Pooling | None = None
    prompt: str = ""


def takes_texts(session: Any) -> bool:
    """Whether an ONNX session is a text network: it has an input ``input_ids``."""
    return any(entry.name == TOKEN_INPUT for entry in session.get_inputs())


def load_onnx_texts(
    spec: str, path: Path, session: Any, *, chosen_output: str, batch_size: int | None
) -> NetworkEncoder:
    """The text encoder of the network at ``path``, open in ``session``; its id holds a digest of the whole folder.

    Raises UserError for a tokenizer or settings that are missing or do not fit, for inputs that no tokenizer fills,
    and for a batch or length that the export fixed.
    """
    folder = path.parent
    settings = _read_settings(spec, path.with_suffix(".json"))
    types = _input_types(spec, session)
    output = _chosen_output(spec, session, chosen_output)
    if settings.pooling is None and len(output.shape) != 2:
        raise UserError(
            f"encoder {spec!r}: {path.with_suffix('.json')} names no pooling, and the output {output.name!r} is "
            f'{output.shape}, a row a token; write {{"pooling": …}} with one of {", ".join(get_args(Pooling))}'
        )
    tower = _tower(session, _tokenizer(spec, folder), settings, types, output.name)
    shown = folder.name if path.name == NETWORK_FILE else f"{folder.name}/{path.name}"
    model_id = model_id_of(
        f"onnx:{shown}" + (f"#{chosen_output}" if chosen_output else ""), _files_digest(folder)
    )
    dim = int(tower.forward(tower.prepare(["衣"])).shape[1])
    return NetworkEncoder(model_id, dim, text=tower, batch_size=batch_size or CPU_BATCH_SIZE)


def _files_digest(folder: Path) -> str:
    """SHA-256 of the folder's own files with their names: the network, its data, the tokenizer, the settings.

    Folders below are not looked into: a network may lie in the models folder, beside caches that grow.
    """
    parts = [f"{file.name}\0{file_digest(file)}\n" for file in sorted(folder.iterdir()) if _counts(file)]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def _counts(file: Path) -> bool:
    return file.is_file() and file.suffix != ".md" and not file.name.startswith(".")


def _read_settings(spec: str, beside: Path) -> OnnxTextSettings:
    example = '{"pooling": "mean", "max_tokens": 512}'
    if not beside.is_file():
        raise UserError(
            f"encoder {spec!r}: there is no {beside}, which says how a text network is used; write {example}, or let "
            "fashion-assets encoders export make the folder"
        )
    try:
        given = json.loads(beside.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{beside} is not JSON: {error}") from error
    known = set(OnnxTextSettings.__dataclass_fields__)
    if not isinstance(given, dict) or set(given) - known or "max_tokens" not in given:
        raise UserError(
            f"{beside} holds {given!r}; expected {example}, and beside these only prompt (pooling may be left out "
            "where the network pools)"
        )
    settings = OnnxTextSettings(**given)
    fits = (
        isinstance(settings.max_tokens, int) and settings.max_tokens > 2 and isinstance(settings.prompt, str)
    )
    if not fits or settings.pooling not in (None, *get_args(Pooling)):
        raise UserError(
            f"{beside} holds {given!r}; max_tokens is a number over 2, pooling one of "
            f"{', '.join(get_args(Pooling))}, prompt a text"
        )
    return settings


def _input_types(spec: str, session: Any) -> dict[str, Any]:
    """The integer type that each input of the network wants."""
    types = {}
    for entry in session.get_inputs():
        if entry.name not in _INPUTS or entry.type not in _TYPES:
            raise UserError(
                f"encoder {spec!r}: the network wants {entry.name!r} ({entry.type}); expected integers named "
                f"{', '.join(_INPUTS)}"
            )
        if any(isinstance(side, int) for side in entry.shape):
            raise UserError(
                f"encoder {spec!r}: the input {entry.name!r} has the fixed shape {entry.shape}; export the network "
                "again with a free batch and length"
            )
        types[entry.name] = _TYPES[entry.type]
    return types


def _chosen_output(spec: str, session: Any, chosen: str) -> Any:
    outputs = {entry.name: entry for entry in session.get_outputs()}
    only = next(iter(outputs)) if len(outputs) == 1 else ""
    name = chosen or next((name for name in _OUTPUTS if name in outputs), only)
    if name not in outputs or len(outputs[name].shape) not in (2, 3):
        asked = f"has no output {name!r} with a row a text or token" if name else "has several outputs"
        raise UserError(
            f"encoder {spec!r}: the network {asked}; choose with onnx:<path>#<output> from {', '.join(outputs)}"
        )
    return outputs[name]


def _tokenizer(spec: str, folder: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True, trust_remote_code=False)
    except Exception as error:  # tokenizers and transformers raise what they like for a damaged file
        raise UserError(
            f"encoder {spec!r}: {folder} holds no tokenizer that loads ({type(error).__name__}: {error}); put "
            "tokenizer.json and tokenizer_config.json of the network there"
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def _tower(
    session: Any, tokenizer: Any, settings: OnnxTextSettings, types: dict[str, Any], output: str
) -> Tower:
    def prepare(texts: list[str]) -> dict[str, Any]:
        batch = tokenizer(
            [settings.prompt + text for text in texts],
            padding="longest",
            truncation=True,
            max_length=settings.max_tokens,
            return_tensors="np",
            return_attention_mask=True,
        )
        # RoBERTa's tokenizer makes no segments where an export may want them: one text is segment 0 throughout.
        batch.setdefault("token_type_ids", np.zeros_like(batch[TOKEN_INPUT]))
        return {name: batch[name] for name in _INPUTS}

    def forward(batch: dict[str, Any]) -> npt.NDArray[np.float32]:
        inputs = {name: np.ascontiguousarray(batch[name], dtype=dtype) for name, dtype in types.items()}
        rows = np.asarray(session.run([output], inputs)[0], dtype=np.float32)
        return rows if rows.ndim == 2 else pooled(rows, batch["attention_mask"], settings.pooling)

    return Tower(prepare, forward, lanes=lanes_of(session))


def pooled(
    hidden: npt.NDArray[np.float32], mask: npt.NDArray[np.integer[Any]], pooling: Pooling | None
) -> npt.NDArray[np.float32]:
    """(n, d) float32 of token rows (n, t, d): the mean of the real tokens, the first, or the last of them.

    ``mask`` (n, t) is 1 for real tokens, on whichever side the padding stands.
    """
    if pooling == "mean":
        weights = mask.astype(np.float32)
        summed = np.einsum("ntd,nt->nd", hidden, weights)
        return np.asarray(summed / np.maximum(weights.sum(axis=1, keepdims=True), 1), dtype=np.float32)
    if pooling == "cls":
        positions = mask.argmax(axis=1)
    else:
        positions = mask.shape[1] - 1 - mask[:, ::-1].argmax(axis=1)
    return hidden[np.arange(len(hidden)), positions]
