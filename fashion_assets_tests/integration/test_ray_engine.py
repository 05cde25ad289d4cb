"""One contract for both engines, with files on a disk and in a bucket: the same vectors, order and refusals inline and
on Ray; and what Ray survives."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fashion_assets.encoders import load_encoder
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.cbow_training import train_cbow
from fashion_assets.encoders.pictures import PackedPicture
from fashion_assets.encoders.protocol import Encoder, ShardingEncoder
from fashion_assets.encoders.ray_encoder import RayEncoder
from fashion_assets.encoders.shards import list_shards, shard_hashes
from fashion_assets.media.errors import MediaError
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.files import write_bytes_atomic
from fashion_assets.storage.places import Place, is_remote
from fashion_assets_tests.unit.test_encoders_onnx import tiny_network

pytest.importorskip("ray")
pytestmark = [pytest.mark.ray, pytest.mark.slow]

PROJECT = Path(__file__).parents[2]
#: Ray's own limits, of a machine that others use too: seconds that a worker may take to start, and milliseconds that a
#: node may be silent; and no worker is killed because somebody else's process takes the memory.
PATIENT = {
    "RAY_worker_register_timeout_seconds": "600",
    "RAY_health_check_timeout_ms": "120000",
    "RAY_memory_monitor_refresh_ms": "0",
}
#: Vectors are those of the same code on the same pixels; only the sums of a network's batch may move.
EQUAL = {"rtol": 0, "atol": 1e-6}

Load = Callable[[str], Encoder]


@pytest.fixture(scope="module", autouse=True)
def patient_ray() -> Iterator[None]:
    """Every cluster below is started with ``PATIENT``."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in PATIENT.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def ray_cluster(s3_endpoint: str) -> Iterator[None]:
    """No cluster of somebody else, and none left behind; its workers know the bucket's endpoint from the start."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        yield
        ray.shutdown()


@pytest.fixture(scope="module", params=["inline", "ray"])
def load(request: pytest.FixtureRequest) -> Load:
    """How an engine loads an encoder, each spec once."""
    make: Load = load_encoder
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
        make = RayEncoder
    loaded: dict[str, Encoder] = {}
    return lambda spec: loaded.setdefault(spec, make(spec)) if spec not in loaded else loaded[spec]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """400 different pictures, the first larger than any encoder looks at."""
    from PIL import Image

    folder, generator = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    paths = []
    for number in range(400):
        small = Image.fromarray(generator.integers(0, 256, (8, 6, 3), dtype=np.uint8))
        paths.append(folder / f"{number}.jpg")
        small.resize((900, 1200) if number == 0 else (120, 160)).save(paths[-1])
    return paths


def at(root: Place, paths: list[Path]) -> list[Place]:
    """The pictures where ``root`` is: themselves on a disk, copies in a bucket."""
    if not is_remote(root):
        return list(paths)
    for path in dict.fromkeys(paths):
        write_bytes_atomic(root / "pictures" / path.name, path.read_bytes())
    return [root / "pictures" / path.name for path in paths]


def names(paths: list[Path]) -> list[str]:
    return [path.stem for path in paths]


def test_pictures_in_order_repeats_once_and_a_bad_one_alone(
    load: Load, pictures: list[Path], any_root: Place, tmp_path: Path
) -> None:
    bad, encoder = tmp_path / "bad.jpg", load("local:visual")
    bad.write_bytes(pictures[0].read_bytes()[:1500])
    here = [pictures[3], pictures[0], bad, pictures[3], *pictures[10:60]]
    asked = at(any_root, here)
    cache = EmbeddingCache(any_root / "cache", shard_rows=20)
    result = cache.encode_missing(encoder, names(here), asked)
    expected = load_encoder("local:visual").encode([pictures[0] if path == bad else path for path in here])
    expected[2] = 0
    np.testing.assert_allclose(result.vectors, expected, **EQUAL)
    assert list(result.refused) == [2] and result.refused[2].startswith("bad.jpg is truncated")
    assert (result.new, result.reused) == (52, 1)
    shards = list_shards(cache.folder(encoder.model_id))
    assert sum(len(shard_hashes(path)) for path in shards) == 52 and len(shards) == 3

    refused: dict[int, str] = {}
    np.testing.assert_allclose(encoder.encode(asked, refused), expected, **EQUAL)
    assert refused == result.refused
    with pytest.raises(UserError, match=r"bad\.jpg is truncated"):
        encoder.encode(asked[:4])


def test_what_is_cached_is_not_read(load: Load, pictures: list[Path], any_root: Place) -> None:
    encoder, cache = load("local:visual"), EmbeddingCache(any_root)
    first = cache.encode_missing(encoder, names(pictures[:5]), at(any_root, pictures[:5]))
    gone = [any_root / "gone" / path.name for path in pictures[:5]]
    again = EmbeddingCache(any_root).encode_missing(encoder, names(pictures[:5]), gone)
    assert (first.new, again.new, again.reused, again.refused) == (5, 0, 5, {})
    np.testing.assert_array_equal(again.vectors, first.vectors)


def test_items_of_a_function_in_memory_and_packed(load: Load, pictures: list[Path], tmp_path: Path) -> None:
    encoder, cache = load("local:visual"), EmbeddingCache(tmp_path, shard_rows=4)
    generator = np.random.default_rng(1)

    def torn() -> bytes:
        raise MediaError("torn.jpg cannot be read out of its archive")

    arrays = [generator.integers(0, 256, (40, 30, 3 + n % 2), dtype=np.uint8) for n in range(5)]
    items: list[Any] = [
        *arrays,
        PackedPicture("packed.jpg", pictures[7].read_bytes),
        PackedPicture("no.jpg", bytes),
        PackedPicture("torn.jpg", torn),
    ]
    asked: list[int] = []

    def fetch(indices: list[int]) -> list[Any]:
        asked.extend(indices)
        return [items[index] for index in indices]

    result = cache.encode_missing(encoder, [f"h{n}" for n in range(8)], fetch)
    assert asked == list(range(8))
    np.testing.assert_allclose(
        result.vectors[:6], load_encoder("local:visual").encode([*arrays, pictures[7]]), **EQUAL
    )
    assert list(result.refused) == [6, 7] and "no.jpg is empty" in result.refused[6]
    assert result.refused[7] == "torn.jpg cannot be read out of its archive"
    assert (result.new, result.reused) == (6, 0) and not result.vectors[6:].any()


def test_a_network(load: Load, pictures: list[Path], tmp_path: Path) -> None:
    spec = f"onnx:{tiny_network(tmp_path / 'net.onnx')}"
    cut_out = np.random.default_rng(2).integers(0, 256, (50, 40, 4), dtype=np.uint8)
    items, encoder = [pictures[0], cut_out, pictures[5]], load(spec)
    assert encoder.model_id == load_encoder(spec).model_id and encoder.modality == "image"
    np.testing.assert_allclose(encoder.encode(items), load_encoder(spec).encode(items), **EQUAL)


def test_texts(load: Load, tmp_path: Path) -> None:
    words = ["连衣裙", "碎花", "西装", "通勤"]
    generator = np.random.default_rng(3)
    corpus = [[str(word) for word in generator.permutation(words)] for _ in range(200)]
    train_cbow(corpus, dim=12, epochs=5, bucket=100).save(tmp_path / "model.safetensors")
    spec = f"local:cbow:{tmp_path / 'model.safetensors'}"
    texts = ["碎花连衣裙", "", "通勤西装", "碎花连衣裙", *(word * 2 for word in words)]
    encoder = load(spec)
    assert encoder.model_id == load_encoder(spec).model_id and encoder.modality == "text"
    result = EmbeddingCache(tmp_path).encode_missing(encoder, texts, texts)
    np.testing.assert_allclose(result.vectors, load_encoder(spec).encode(texts), **EQUAL)
    assert (result.new, result.reused) == (7, 1)


def test_faults_of_the_user_are_one_sentence(load: Load) -> None:
    with pytest.raises(UserError, match=r"^there is no encoder 'local:nothing'.*$"):
        load("local:nothing")
    with pytest.raises(UserError, match="wrap file names in Path"):
        load("local:visual").encode(["picture.jpg"])


def test_killed_workers_are_survived(ray_cluster: None, pictures: list[Path], tmp_path: Path) -> None:
    encoder = RayEncoder("local:visual", batch_size=16)
    assert isinstance(encoder, ShardingEncoder)
    cache, killed = EmbeddingCache(tmp_path, shard_rows=50), dict[str, int]()
    folder = cache.folder(encoder.model_id)

    def kill() -> None:
        for stage in ("decode_rows", "EncodeShards"):
            while stage not in killed:
                pids = workers(os.getpid(), stage)
                if pids and (stage == "decode_rows" or list_shards(folder)):
                    with suppress(ProcessLookupError):  # it ended by itself since it was looked up
                        os.kill(pids[0], signal.SIGKILL)
                        killed[stage] = len(list_shards(folder))
                time.sleep(0.002)

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    result = cache.encode_missing(encoder, names(pictures), pictures)
    killer.join(timeout=300)
    # Calls of 64 rows leave two shards each.
    assert set(killed) == {"decode_rows", "EncodeShards"} and killed["EncodeShards"] < 12
    assert (result.new, result.reused, result.refused) == (400, 0, {})
    np.testing.assert_allclose(result.vectors, load_encoder("local:visual").encode(pictures), **EQUAL)


#: Encodes the pictures of its input on Ray; each worker writes down how many rows it was handed.
COUNTING_DRIVER = """
import sys
from pathlib import Path
from fashion_assets.encoders import ray_pipeline
from fashion_assets.encoders.cache import EmbeddingCache
from fashion_assets.encoders.ray_encoder import RayEncoder

cache, handed = (Path(name) for name in sys.argv[1:])

class Counting(ray_pipeline.EncodeShards):
    def __call__(self, rows):
        with handed.open("a") as lines:
            lines.write(f"{rows.num_rows}\\n")
        return super().__call__(rows)

ray_pipeline.EncodeShards = Counting
paths = [Path(line) for line in sys.stdin.read().splitlines()]
encoder = RayEncoder("local:visual", batch_size=16)
EmbeddingCache(cache, shard_rows=20).encode_missing(encoder, [path.stem for path in paths], paths)
"""


def test_a_killed_driver_ends_its_cluster_and_loses_a_call_an_encoder_at_most(
    pictures: list[Path], tmp_path: Path
) -> None:
    root, handed = tmp_path / "cache", tmp_path / "handed"
    environment = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    driver = subprocess.Popen(
        [sys.executable, "-c", COUNTING_DRIVER, str(root), str(handed)],
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert driver.stdin is not None
    driver.stdin.write("\n".join(map(str, pictures)))
    driver.stdin.close()
    encoder = load_encoder("local:visual")
    cache = EmbeddingCache(root, shard_rows=20)
    while driver.poll() is None and len(list_shards(cache.folder(encoder.model_id))) < 2:
        time.sleep(0.01)
    left = workers(driver.pid, "")
    driver.send_signal(signal.SIGKILL)
    assert driver.wait() == -signal.SIGKILL, "the driver ended before it could be killed"
    assert left
    until_gone(left)

    shards = list_shards(cache.folder(encoder.model_id))
    kept = sum(len(shard_hashes(path)) for path in shards)
    assert len(shards) >= 2 and max(len(shard_hashes(path)) for path in shards) <= 20
    # Four batches of 16 are a call.
    assert 0 <= sum(map(int, handed.read_text().split())) - kept <= 64
    result = cache.encode_missing(encoder, names(pictures), pictures)
    assert result.new == 400 - kept
    np.testing.assert_allclose(result.vectors, encoder.encode(pictures), **EQUAL)


def workers(driver: int, stage: str) -> list[int]:
    """Process ids of the driver's own Ray workers that run (or are kept for) ``stage``."""
    parents, titles = {}, {}
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            titles[int(entry.name)] = (entry / "cmdline").read_bytes().decode(errors="replace")
        except (OSError, IndexError):
            continue  # ended meanwhile

    def below(pid: int) -> bool:
        while pid in parents and pid != driver:
            pid = parents[pid]
        return pid == driver

    own = [
        pid for pid, title in titles.items() if title.startswith("ray::") and stage in title and below(pid)
    ]
    # A pool's actor has its title until it ends; of tasks, the idle are named so.
    return [pid for pid in own if "IDLE" not in titles[pid] and "Agent" not in titles[pid]]


def until_gone(pids: list[int]) -> None:
    """Returns when no process of ``pids`` runs; the test's own time limit ends it otherwise."""
    while any(running(pid) for pid in pids):
        time.sleep(0.05)


def running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
