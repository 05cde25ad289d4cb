"""A text encoder of the registry as an ONNX folder (``onnx_texts``), in float32 or with 8-bit weights, and checked.

Belongs here: ``fashion-assets encoders export``. Does not: running such a folder (``onnx_texts``).
"""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from fashion_assets.encoders.onnx_texts import NETWORK_FILE, OnnxTextSettings, Pooling
from fashion_assets.encoders.protocol import Encoder
from fashion_assets.encoders.registry import load_encoder
from fashion_assets.networks.hub import load_from_hub
from fashion_assets.networks.weights import local_path
from fashion_assets.storage.errors import UserError

if TYPE_CHECKING:
    import torch

#: A float32 export whose vectors turn further than this from the original's was not the same network.
LEAST_COSINE = 0.999
#: 8-bit weights are worth their loss from here on: below, they save less time than a change of batch size does …
LEAST_GAIN = 1.2
#: … and the mean cosine that is still taken for the same vectors; published int8 encoders lie above.
LEAST_INT8_COSINE = 0.98
#: Protobuf's limit is 2 GiB a file; larger networks keep their weights in a file beside.
_ONE_FILE_BYTES = 1_800_000_000
_SETTINGS_FILE = Path(NETWORK_FILE).with_suffix(".json")

#: Chinese sentences of the lengths that titles and posts have; what an export is compared on.
CHECK_TEXTS = (
    "连衣裙",
    "通勤西装",
    "法式碎花连衣裙显瘦又温柔",
    "秋冬必备的驼色大衣,搭配高领毛衣刚刚好",
    "今日穿搭:白色衬衫加牛仔裤,简单干净",
    "这条半身裙的面料很垂,走路带风,小个子也能穿出大长腿",
    "ootd 复古港风 皮衣 马丁靴",
    "春天的第一件针织开衫,颜色是奶油黄,里面随便搭一件吊带就很好看。面料软糯不扎人,洗了两次也没有起球。",
    "羽绒服怎么选?先看充绒量和蓬松度,再看版型;短款显高,长款保暖。我身高一米六,冬天在北京,最后留下了这件黑色长款,"
    "零下十度里面只穿一件薄毛衣也不冷,帽子可以拆,口袋很深。",
    "新中式马面裙",
    "运动鞋配西装裤,今年最流行的混搭",
    "周末去海边拍照,穿了一条吊带长裙,戴了草帽和墨镜,朋友说像度假大片",
)


@dataclass(frozen=True)
class Comparison:
    """An ONNX encoder against the one that it was made from, on the same texts and threads."""

    cosine_mean: float
    cosine_min: float
    texts_per_second: float
    original_texts_per_second: float


@dataclass(frozen=True)
class TextExport:
    """What was written to ``folder``: ``int8`` is None for a float32 export, else the folder's own figures."""

    folder: Path
    spec: str
    float32: Comparison
    int8: Comparison | None

    @property
    def int8_pays(self) -> bool:
        """Whether 8-bit weights are clearly faster than float32 through ONNX, and keep the vectors."""
        return self.int8 is not None and (
            self.int8.texts_per_second >= LEAST_GAIN * self.float32.texts_per_second
            and self.int8.cosine_mean >= LEAST_INT8_COSINE
        )


def export_text_encoder(
    spec: str, folder: Path, *, models_dir: Path | None = None, int8: bool = False
) -> TextExport:
    """The text encoder ``spec`` (``st:`` or ``hf:``) written to ``folder`` as a spec ``onnx:<folder>``, compared.

    ``int8`` quantises the weights of matrix products and embeddings to 8 bits by channel; activations are quantised
    as they come (``onnxruntime.quantization.quantize_dynamic``). The folder appears whole or not at all.

    Raises UserError for other kinds, a missing library, a folder that holds something, a network with more than
    pooling behind the transformer, and for a float32 export under ``LEAST_COSINE``.
    """
    kind, _, name = spec.partition(":")
    if kind not in ("st", "hf"):
        raise UserError(
            f"{spec!r} cannot be exported; expected a text encoder st:<name or path> or hf:<name or path>"
        )
    require_exporter()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already and holds something; give a new folder")
    original = load_encoder(spec, models_dir=models_dir, device="cpu")
    if original.modality != "text":
        raise UserError(f"{spec!r} takes {original.modality} items; only text encoders are exported")
    source = local_path(name, models_dir) or load_from_hub(
        f"encoder {spec!r}", name, lambda snapshot: snapshot.folder
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=folder.parent) as beside:
        made = Path(beside) / folder.name
        made.mkdir()
        network, tokenizer, settings = (_sentence_parts if kind == "st" else _transformer_parts)(spec, source)
        tokenizer.save_pretrained(str(made))
        filled = {key: value for key, value in asdict(settings).items() if value}
        (made / _SETTINGS_FILE).write_text(json.dumps(filled, ensure_ascii=False) + "\n", encoding="utf-8")
        _export_network(network, tokenizer, made / NETWORK_FILE)
        del network
        plain = compare(original, made)
        if plain.cosine_min < LEAST_COSINE:
            raise UserError(
                f"{spec!r}: the exported network is not the same, the cosine of its vectors to the original's falls to "
                f"{plain.cosine_min:.4f} (expected at least {LEAST_COSINE}); nothing was written"
            )
        small = None
        if int8:
            _quantise(made)
            small = compare(original, made)
        if folder.exists():
            folder.rmdir()
        shutil.move(made, folder)
    return TextExport(folder, spec, plain, small)


def compare(original: Encoder, folder: Path, *, repeat: int = 3) -> Comparison:
    """The ONNX folder against ``original`` on ``CHECK_TEXTS``; texts a second by the clock, best of ``repeat`` in
    turns."""
    exported = load_encoder(f"onnx:{folder}", device="cpu")
    # An even number of full batches, as months of posts give.
    texts = [CHECK_TEXTS[at % len(CHECK_TEXTS)] for at in range(64)]
    cosines = (original.encode(CHECK_TEXTS) * exported.encode(CHECK_TEXTS)).sum(axis=1)
    seconds = np.array(
        [[_seconds(encoder, texts) for encoder in (exported, original)] for _ in range(repeat)]
    )
    ours, theirs = len(texts) / seconds.min(axis=0)
    return Comparison(float(cosines.mean()), float(cosines.min()), float(ours), float(theirs))


def _seconds(encoder: Encoder, texts: list[str]) -> float:
    start = time.perf_counter()
    encoder.encode(texts)
    return time.perf_counter() - start


def require_exporter() -> None:
    """UserError if a library that exporting needs is not installed."""
    missing = [name for name in ("onnx", "onnxscript") if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"exporting needs {' and '.join(missing)}, which is not installed; pip install 'fashion-assets[onnx]'"
        )


def _sentence_parts(spec: str, source: Path) -> tuple[torch.nn.Module, Any, OnnxTextSettings]:
    """The transformer of a sentence-transformers folder, its tokenizer, and what its other modules do."""
    from sentence_transformers import SentenceTransformer

    model = (
        SentenceTransformer(str(source), device="cpu", local_files_only=True, trust_remote_code=False)
        .float()
        .eval()
    )
    first, *others = model
    kinds = [type(module).__name__ for module in others]
    pooling = getattr(others[0], "pooling_mode", None) if others else None
    plain = not others or getattr(others[0], "include_prompt", True)
    if kinds not in (["Pooling"], ["Pooling", "Normalize"]) or pooling not in get_args(Pooling) or not plain:
        raise UserError(
            f"{spec!r} has {', '.join(kinds) or 'nothing'} behind its transformer (pooling {pooling!r}); expected "
            f"Pooling by {', '.join(get_args(Pooling))}, prompt included, and nothing else but Normalize"
        )
    prompt = model.prompts.get(model.default_prompt_name) if model.default_prompt_name else None
    return first.model, model.tokenizer, OnnxTextSettings(int(model.max_seq_length), pooling, prompt or "")


def _transformer_parts(spec: str, source: Path) -> tuple[torch.nn.Module, Any, OnnxTextSettings]:
    """A transformers network as ``hf:`` uses it: the mean of the real tokens."""
    from transformers import AutoModel, AutoTokenizer

    from fashion_assets.encoders.transformer_networks import _max_tokens

    tokenizer = AutoTokenizer.from_pretrained(str(source), local_files_only=True, trust_remote_code=False)
    model: Any = (
        AutoModel.from_pretrained(str(source), local_files_only=True, trust_remote_code=False).float().eval()
    )
    return model, tokenizer, OnnxTextSettings(_max_tokens(tokenizer, model.config), "mean")


def _export_network(network: torch.nn.Module, tokenizer: Any, path: Path) -> None:
    """Write the network with a free batch and length; its output is ``last_hidden_state`` (batch, tokens, d)."""
    import torch

    class Hidden(torch.nn.Module):
        """The token rows alone: an output that nobody reads would be computed all the same."""

        def __init__(self, names: list[str]) -> None:
            super().__init__()
            self.network, self.names = network, names

        def forward(self, *inputs: torch.Tensor) -> Any:
            return self.network(**dict(zip(self.names, inputs, strict=True))).last_hidden_state

    # Sizes of 0 and 1 would be taken for fixed.
    example = tokenizer(list(CHECK_TEXTS[:2]), padding=True, return_tensors="pt")
    names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in example]
    free = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC}
    n_bytes = sum(parameter.numel() * 4 for parameter in network.parameters())
    with warnings.catch_warnings(), torch.inference_mode(), quiet_logging():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Hidden(names).eval(),
            tuple(example[name] for name in names),
            str(path),
            input_names=names,
            output_names=["last_hidden_state"],
            dynamic_shapes=(tuple(free for _ in names),),
            external_data=n_bytes > _ONE_FILE_BYTES,
            dynamo=True,
            verbose=False,
        )


def _quantise(folder: Path) -> None:
    """Replace the folder's network by one with 8-bit weights."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    large = sorted(folder.glob(f"{NETWORK_FILE}*"))
    quantised = folder / f"int8-{NETWORK_FILE}"
    with quiet_logging():
        quantize_dynamic(
            folder / NETWORK_FILE,
            quantised,
            weight_type=QuantType.QInt8,
            per_channel=True,
            use_external_data_format=len(large) > 1,
        )
    for path in large:
        path.unlink()
    quantised.rename(folder / NETWORK_FILE)


@contextmanager
def quiet_logging() -> Iterator[None]:
    """No lines from the exporters, which log advice for their own developers to the root logger."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)
