"""Does 8-bit pay on this CPU? Texts and pictures through PyTorch, ONNX Runtime and OpenVINO, side by side.

    python benchmarks/int8.py                                       # texts and pictures, 2 threads
    python benchmarks/int8.py --only texts --threads 1 --posts ../shared/data/xhs/post_texts_dated.csv

Texts: a network of the size of BAAI/bge-small-zh-v1.5 (BERT, 4 layers x 512, 21,128 rows of vocabulary) with random
weights, from strings to unit rows through our encoders, batches of 32: `st:`, `hf:`, `onnx:` as
`fashion-assets encoders export` writes it, and the same file in OpenVINO. Pictures: MobileNetV2, one batch of float32
pixels that is ready in memory, no decoding. Rates are items per second of the clock and of CPU time, the best of
--repeat in turns; on a busy machine CPU seconds with --threads 1 say most. Cosines are to float32. Random weights keep
vectors close together, so "neighbours" says more: the share of a text's 10 nearest that stay the same.
OpenVINO is left out where it is not installed; the project does not need it.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import logging
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.onnx_export import export_text_encoder
from fashion_assets.encoders.onnx_texts import load_onnx_texts
from fashion_assets.keywords.lexicon import load_lexicon
from fashion_assets.networks.onnx_session import open_session

Rows = npt.NDArray[np.float32]
Run = Callable[[], Rows]

NETWORK = Path(__file__).resolve().parents[2] / "shared/data/weights/mobilenet_v2_imagenet.onnx"
#: Instructions that 8-bit products use; without them int8 gains less and U8S8 may saturate.
FLAGS = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16")
WIDTH, LAYERS, HEADS, VOCABULARY = 512, 4, 8, 21_128


class OpenVinoSession:
    """An ONNX file in OpenVINO behind the few methods of an ONNX Runtime session that our encoders call."""

    def __init__(self, path: Path, threads: int, precision: str) -> None:
        import openvino

        self.described = open_session(str(path), path, "cpu")
        options = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"}
        self.compiled = openvino.Core().compile_model(
            str(path), "CPU", options | {"INFERENCE_PRECISION_HINT": precision}
        )

    def get_inputs(self) -> Any:
        return self.described.get_inputs()

    def get_outputs(self) -> Any:
        return self.described.get_outputs()

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Rows]:
        found = self.compiled(inputs)
        return [found[name] for name in outputs]


def save_network(folder: Path) -> Path:
    """A sentence transformer with random weights; the mean over its tokens, so that `hf:` gives the same rows."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel, BertTokenizer

    bert, whole = folder / "bert", folder / "random-bge-small"
    bert.mkdir()
    characters = [chr(code) for code in (*range(33, 127), *range(0x4E00, 0x9FA6), *range(0xFF00, 0xFF20))]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters]
    (bert / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    BertTokenizer(str(bert / "vocab.txt"), model_max_length=512).save_pretrained(str(bert))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        intermediate_size=4 * WIDTH,
    )
    BertModel(config).save_pretrained(str(bert))
    modules = [Transformer(str(bert)), Pooling(WIDTH, pooling_mode="mean")]
    SentenceTransformer(modules=modules, device="cpu").save(str(whole))
    return whole


def made_texts(count: int) -> list[str]:
    """Texts of 1 to 30 terms of the lexicon, as titles and posts are short and long."""
    draw = np.random.default_rng(7)
    terms = np.asarray(load_lexicon().terms())
    return ["".join(draw.choice(terms, draw.integers(1, 31))) for _ in range(count)]


def read_texts(path: Path, count: int) -> list[str]:
    """The first texts of a CSV with a column ``text``."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row["text"] for _, row in zip(range(count), csv.DictReader(file), strict=False)]


def text_runs(folder: Path, texts: list[str], threads: int) -> dict[str, Run]:
    """Each way to encode the texts, float32 of the original first."""
    source = save_network(folder)
    spec = f"st:{source}"
    plain = export_text_encoder(spec, folder / "float32").folder
    small = export_text_encoder(spec, folder / "int8", int8=True).folder
    encoders = {
        "st: (PyTorch float32)": load_encoder(spec, device="cpu"),
        "hf: (PyTorch float32)": load_encoder(f"hf:{folder / 'bert'}", device="cpu"),
        "onnx: float32": load_encoder(f"onnx:{plain}", device="cpu"),
        "onnx: int8": load_encoder(f"onnx:{small}", device="cpu"),
    }
    if importlib.util.find_spec("openvino"):
        for name, made, precision in (
            ("OpenVINO float32", plain, "f32"),
            ("OpenVINO bfloat16", plain, "bf16"),
            ("OpenVINO int8", small, "f32"),
        ):
            path = made / "model.onnx"
            session = OpenVinoSession(path, threads, precision)
            encoders[name] = load_onnx_texts(name, path, session, chosen_output="", batch_size=None)
    return {name: lambda encoder=encoder: encoder.encode(texts) for name, encoder in encoders.items()}


def picture_runs(folder: Path, network: Path, threads: int) -> dict[str, Run]:
    """Each way to run MobileNetV2 on one batch of 32 drawn outfits; the output is ``features`` (32, 1280)."""
    import timm
    import torch
    from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_dynamic, quantize_static

    pixels = drawn_pixels(folder, 96)
    batch = pixels[:32]
    session = open_session("benchmark", network, "cpu")
    name = session.get_inputs()[0].name

    class Calibration(CalibrationDataReader):
        """The pictures that are not in the batch, which decide the ranges of the activations."""

        def __init__(self) -> None:
            self.batches = iter([{name: pixels[at : at + 16]} for at in range(32, len(pixels), 16)])

        def get_next(self) -> dict[str, Any] | None:
            return next(self.batches, None)

    dynamic, static = folder / "dynamic.onnx", folder / "static.onnx"
    # ONNX Runtime has no ConvInteger for signed weights.
    quantize_dynamic(network, dynamic, weight_type=QuantType.QUInt8)
    quantize_static(network, static, Calibration(), per_channel=True, weight_type=QuantType.QInt8)
    torch_network = timm.create_model("mobilenetv2_100", pretrained=False, num_classes=0).eval()

    def torch_run() -> Rows:
        with torch.inference_mode():
            return torch_network(torch.from_numpy(batch)).numpy()

    sessions = {
        "onnx: float32": session,
        "onnx: int8, dynamic": open_session("benchmark", dynamic, "cpu"),
        "onnx: int8, calibrated": open_session("benchmark", static, "cpu"),
    }
    if importlib.util.find_spec("openvino"):
        sessions["OpenVINO float32"] = OpenVinoSession(network, threads, "f32")
        sessions["OpenVINO bfloat16"] = OpenVinoSession(network, threads, "bf16")
        sessions["OpenVINO int8, calibrated"] = OpenVinoSession(static, threads, "f32")

    def run_of(one: Any) -> Run:
        return lambda: unit(one.run(["features"], {name: batch})[0].reshape(len(batch), -1))

    runs = {name: run_of(one) for name, one in sessions.items()}
    return {**runs, "PyTorch float32 (timm, random weights)": lambda: unit(torch_run())}


def drawn_pixels(folder: Path, count: int) -> Rows:
    """(n, 3, 224, 224) float32 of outfits drawn by the sample generator, scaled as ``onnx:`` does by default."""
    import cv2

    from fashion_assets.sample.pictures import PicturePlan, write_picture
    from fashion_assets.sample.styles import STYLES

    (folder / "post").mkdir(parents=True)
    for number in range(count):
        style = STYLES[number % len(STYLES)].name
        write_picture(PicturePlan("post", f"{number}.jpg", style, "outfit", (7, number)), folder)
    pictures = [cv2.imread(str(path)) for path in sorted(folder.rglob("*.jpg"))]
    return cv2.dnn.blobFromImages(pictures, 1 / 128, (224, 224), (128, 128, 128), swapRB=True)


def unit(rows: Rows) -> Rows:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def neighbours(rows: Rows, wanted: Rows, n_nearest: int = 10) -> float:
    """The mean share of each row's nearest others that are the same among ``rows`` and ``wanted``."""

    def nearest(some: Rows) -> npt.NDArray[np.intp]:
        similar = some @ some.T
        np.fill_diagonal(similar, -2)
        return np.argsort(-similar, axis=1)[:, :n_nearest]

    pairs = zip(nearest(rows), nearest(wanted), strict=True)
    return float(np.mean([len(set(ours) & set(theirs)) / n_nearest for ours, theirs in pairs]))


def report(runs: dict[str, Run], baseline: str, count: int, repeat: int) -> None:
    """Rates, the gain on ``baseline`` by CPU time, and how far the rows are from the baseline's."""
    rows = {name: run() for name, run in runs.items()}
    seconds = {name: [np.inf, np.inf] for name in runs}
    for _ in range(repeat):
        for name, run in runs.items():
            clock, cpu = time.perf_counter(), time.process_time()
            run()
            spent = time.perf_counter() - clock, time.process_time() - cpu
            seconds[name] = [min(pair) for pair in zip(seconds[name], spent, strict=True)]
    wanted, base = rows[baseline], seconds[baseline][1]
    print(f"{'':40} {'items/s':>9} {'per CPU s':>9} {'gain':>6}   cosine mean, least; neighbours")
    for name, (clock, cpu) in seconds.items():
        line = f"{name:40} {count / clock:9,.0f} {count / cpu:9,.0f} {base / cpu:5.2f}x"
        cosines = (rows[name] * wanted).sum(axis=1)
        # Rows of other weights are no neighbours of these.
        if cosines.mean() > 0.5:
            line += f"   {cosines.mean():.4f} {cosines.min():.4f}; {neighbours(rows[name], wanted):.2f}"
        print(line)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("texts", "pictures"))
    parser.add_argument("--threads", type=int, default=2, help="cores (default %(default)s)")
    parser.add_argument("--texts", type=int, default=128, metavar="N", help="texts (default %(default)s)")
    parser.add_argument("--posts", type=Path, metavar="CSV", help="with a column text; default: made texts")
    parser.add_argument("--network", type=Path, default=NETWORK, metavar="ONNX", help="MobileNetV2")
    parser.add_argument("--repeat", type=int, default=5, help="runs of each; the best counts")
    given = parser.parse_args()
    import torch

    logging.disable(logging.WARNING)  # the quantisers' advice for their own developers
    restrict_cores(given.threads)
    torch.set_num_threads(given.threads)
    cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    flags = next(line for line in cpu.splitlines() if line.startswith("flags")).split()
    model = next(line for line in cpu.splitlines() if line.startswith("model name")).partition(": ")[2]
    print(
        f"{model}, {given.threads} threads; {', '.join(f for f in FLAGS if f in flags) or 'none of ' + str(FLAGS)}"
    )
    with tempfile.TemporaryDirectory() as name:
        if given.only != "pictures":
            texts = read_texts(given.posts, given.texts) if given.posts else made_texts(given.texts)
            lengths = [len(text) for text in texts]
            print(
                f"texts: {len(texts)}, {np.mean(lengths):.0f} characters in the mean, {max(lengths)} at most"
            )
            report(
                text_runs(Path(name), texts, given.threads), "st: (PyTorch float32)", len(texts), given.repeat
            )
        if given.only != "texts":
            print("pictures: MobileNetV2, one batch of 32 at 224 x 224")
            report(picture_runs(Path(name), given.network, given.threads), "onnx: float32", 32, given.repeat)
    return 0


def restrict_cores(threads: int) -> None:
    """Give this process so many cores: sessions take as many threads as they see."""
    import os

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])


if __name__ == "__main__":
    raise SystemExit(main())
