"""Changed inputs of every parser, the failures that fuzzing found, and inputs that would take for ever."""

from __future__ import annotations

import io
import json
import signal
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from fashion_assets.posts.schemas import CRAWL_COLUMNS
from fashion_assets.posts.text import clean_text as clean_post
from fashion_assets.posts.text import split_hashtags, split_tag_list
from fashion_assets.products.text import clean_text as clean_card
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.parquet_cells import MAX_CELLS, parquet_columns
from fashion_assets_tests.fuzz.seeds import seeds
from fashion_assets_tests.fuzz.targets import TARGETS

SEEDS = seeds()
#: Processor seconds for one input below: a hundred times what the slowest reader in linear time needs for it.
PATIENCE = 120.0
#: Pieces that parsers trip over: marks of each format, half characters, numbers beyond every type.
PIECES = [
    b'"', b"\0", b"\n", b"\r", b",", b"'", b"{", b"[", b"(", b"<", b"&#", b"-", b"=", b"\xff", b"\xed\xa0\x80", b"\x1a",
    b"1e999", b"9" * 30, b"NaN", b"\\ud800", "年".encode(), b"\xe2\x80\xa8",
]  # fmt: skip
#: A change: where (a share of the length, in 65536ths), how many bytes go, and what comes there.
CHANGE = st.tuples(
    st.integers(0, 65535), st.integers(0, 12), st.one_of(st.sampled_from(PIECES), st.binary(max_size=8))
)


@contextmanager
def patience(seconds: float = PATIENCE) -> Iterator[None]:
    """Fail what takes more processor time, also in the middle of a regular expression."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"more than {seconds} processor seconds")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def test_every_target_has_seeds() -> None:
    assert set(SEEDS) == set(TARGETS)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_valid_inputs_keep_the_promises(name: str) -> None:
    for data in SEEDS[name]:
        TARGETS[name](data)


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_changed_inputs_keep_the_promises(name: str) -> None:
    @settings(max_examples=40, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(SEEDS[name]), st.lists(CHANGE, min_size=1, max_size=6))
    @example(b"", [])
    def check(data: bytes, changes: list[tuple[int, int, bytes]]) -> None:
        for share, gone, piece in changes:
            at = share * len(data) // 65536
            data = data[:at] + piece + data[at + gone :]
        with patience():
            TARGETS[name](data)

    check()


def parquet(**columns: pa.Array) -> bytes:
    """Two crawl rows and cards in one, with these columns besides or instead."""
    texts = {name: pa.array(["a", "b"]) for name in (*CRAWL_COLUMNS, "id", "title")}
    target = io.BytesIO()
    pq.write_table(pa.table({**texts, **columns}), target)
    return target.getvalue()


#: "\xe6\xb0" is the beginning of a Chinese character; Arrow does not check what a file says to be text.
HALF_CHARACTERS = pa.Array.from_buffers(
    pa.string(),
    2,
    [
        None,
        pa.py_buffer(b"".join(end.to_bytes(4, "little") for end in (0, 2, 4))),
        pa.py_buffer(b"\xe6\xb0" * 2),
    ],
)


@pytest.mark.parametrize(
    "column",
    [
        HALF_CHARACTERS,
        pa.array([2**62, 1], pa.timestamp("us")),
        pa.array([1, 1], pa.timestamp("s", tz="Nowhere/Zone")),
        pa.array([2**30, 1], pa.date32()),
    ],
    ids=["half characters", "year 148,000", "no such time zone", "no such day"],
)
@pytest.mark.parametrize("name", ["crawl_parquet", "card_parquet"])
def test_cells_of_parquet_that_are_no_values_refuse_their_rows_alone(name: str, column: pa.Array) -> None:
    for place in ("other", "post_title", "title"):
        TARGETS[name](parquet(**{place: column}))


def test_a_parquet_file_that_repeats_one_cell_without_end_is_not_unpacked() -> None:
    target = io.BytesIO()
    with pq.ParquetWriter(target, pa.schema([("id", pa.null())])) as writer:
        for _ in range(2):
            writer.write_table(pa.table({"id": pa.nulls(MAX_CELLS // 2 + 1)}))
    assert len(target.getvalue()) < MAX_CELLS // 100
    with pytest.raises(UserError, match="unpacks to 100,000,002 cells"):
        parquet_columns(target.getvalue())


def test_members_packed_with_lzma_and_damaged_are_told() -> None:
    """``zipfile`` passes on what ``lzma`` raises, which is none of its own errors."""
    for name in ("archive", "crawl_zip", "card_zip"):
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", zipfile.ZIP_LZMA) as archive:
            archive.writestr("cards.csv", b"id,title\n1,coat\n" * 40)
        data = bytearray(target.getvalue())
        for at in range(45, 75):
            TARGETS[name](bytes(data[:at]) + bytes([data[at] ^ 0xFF]) + bytes(data[at + 1 :]))


def test_a_navec_file_of_no_parts_or_no_dictionary_is_told() -> None:
    for meta, quantised in ((b"[]", bytes(16)), (b'{"version": 1}', bytes(16)), (b"\xff", b"")):
        target = io.BytesIO()
        with tarfile.open(fileobj=target, mode="w") as archive:
            for name, content in (("meta.json", meta), ("vocab.bin", b"\x1f\x8b\x08"), ("pq.bin", quantised)):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        TARGETS["word_vectors"](target.getvalue())


_CRAWL_HEADER = ",".join(CRAWL_COLUMNS).encode() + b"\n"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("card_csv", b"id,title\n" + b'a"b,"c\n' * 40_000),
        ("card_csv", b",".join(b"c%d" % number for number in range(100_000)) + b"\n"),
        ("crawl_csv", b",".join(b"c%d" % number for number in range(100_000)) + b"\n1\n"),
        ("crawl_csv", _CRAWL_HEADER + b'a"b,"c\n' * 30_000),
        ("crawl_jsonl", json.dumps(dict.fromkeys(map(str, range(60_000)))).encode()),
        ("dates", b"1" * 150_000),
        ("dates", b"2024-01-01" + b" " * 150_000 + b"x"),
        ("counts", b"1,111" * 40_000),
        ("characteristics", b"{" * 190_000),
        ("characteristics", b'{"a": ' + b"[" * 990 + b"]" * 990 + b"}"),
        ("characteristics", b"1+" * 90_000 + b"1"),
        ("html", b"<a " * 300_000),
        ("html", b"<!--" * 300_000),
        ("html", b"1." * 100_000),
    ],
)
def test_no_input_takes_for_ever(name: str, data: bytes) -> None:
    with patience():
        TARGETS[name](data)


@pytest.mark.parametrize(
    "piece", ["|", "-小红书 ", "#", "@a", "a.", "[a", ":a", "http://", "&#", "1.", "1x", "a-", "a%", "👍🏽"]
)
def test_no_text_takes_for_ever(piece: str) -> None:
    text = piece * (60_000 // len(piece))
    with patience():
        for clean in (clean_post, split_hashtags, split_tag_list, clean_card):
            clean(text)
