"""Fuzz targets: each takes any bytes, and fails only if a promise of the code under it is broken.

The promises: nothing but ``UserError`` is raised, each row that arrived is kept or refused with a sentence, and what
comes out can be stored.
"""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime
from pathlib import Path

import pandas as pd
import pyarrow as pa

from fashion_assets.encoders.word_vector_files import load_word_vectors
from fashion_assets.posts.archives import open_zip, read_member, zip_members
from fashion_assets.posts.cleaning import clean_posts
from fashion_assets.posts.counts import MAX_COUNT, parse_count
from fashion_assets.posts.crawl_files import CrawlRead, read_crawl_file
from fashion_assets.posts.dates import combine_date_text, resolve_post_date_with_source
from fashion_assets.posts.placement import date_rows
from fashion_assets.products.cards import clean_products, read_product_cards
from fashion_assets.products.pictures import ProductImages
from fashion_assets.products.text import clean_text, parse_characteristics, strip_html
from fashion_assets.storage.errors import UserError

#: Bytes that a member of an archive may unpack to here, so that a bomb is refused and not waited for.
MEMBER_LIMIT = 1 << 20
FETCHED = datetime(2024, 7, 3, 12, 0)


def crawl_csv(data: bytes) -> None:
    _crawl(data, "crawl.csv")


def crawl_jsonl(data: bytes) -> None:
    _crawl(data, "crawl.jsonl")


def crawl_parquet(data: bytes) -> None:
    _crawl(data, "crawl.parquet")


def crawl_gzip(data: bytes) -> None:
    _crawl(data, "crawl.csv.gz")


def crawl_zip(data: bytes) -> None:
    _crawl(data, "crawl.zip")


def archive(data: bytes) -> None:
    """No name leads out of the archive, and no member is longer than was asked for."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "media.zip"
        path.write_bytes(data)
        with suppress(UserError), open_zip(path) as opened:
            for member in zip_members(opened, MEMBER_LIMIT):
                if member.reason is not None:
                    assert member.reason.endswith(".")
                    continue
                target = Path(folder, "unpacked", member.name)
                assert target.resolve().is_relative_to(Path(folder, "unpacked").resolve())
                with suppress(UserError):
                    assert len(read_member(opened, member, MEMBER_LIMIT)) <= MEMBER_LIMIT


def dates(data: bytes) -> None:
    """A day that is not after the fetch, with its source; or a sentence."""
    shown, clock, post_id = [*data.decode("utf-8", "surrogateescape").split("\0"), "", ""][:3]
    for fetched in (FETCHED, shown, None):
        day, source, fault = resolve_post_date_with_source(
            combine_date_text(shown, clock), fetched, post_id or None
        )
        assert (day is None) == (source is None) == (fault is not None)
        assert fault is None or fault.endswith(".")
        assert day is None or fetched is not FETCHED or day <= FETCHED.date()


def counts(data: bytes) -> None:
    with suppress(UserError):
        assert 0 <= parse_count(data.decode("utf-8", "surrogateescape")) <= MAX_COUNT


def card_csv(data: bytes) -> None:
    _cards(data, "cards.csv")


def card_parquet(data: bytes) -> None:
    _cards(data, "cards.parquet")


def card_zip(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.zip"
        path.write_bytes(data)
        with suppress(UserError), ProductImages(path) as images:
            for name in list(images._where)[:20]:
                with suppress(UserError):
                    images.read(name)
        _count_cards(path)


def characteristics(data: bytes) -> None:
    """A dictionary that JSON and Parquet hold, or a ``ValueError``."""
    with suppress(ValueError):
        found = parse_characteristics(data.decode("utf-8", "surrogateescape"))
        pa.array([json.dumps(found, ensure_ascii=False, allow_nan=False)], pa.string())


def html(data: bytes) -> None:
    """One line, and no tag that a browser would open."""
    text = data.decode("utf-8", "replace")
    shown = strip_html(text)
    assert shown == " ".join(shown.split())
    if "&" not in text:  # what is written as &lt;b&gt; is text, and stays
        assert "<script>" not in shown.lower()
    assert len(shown) <= 2 * len(text)
    clean_text(text)


def word_vectors(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "vectors.bin"
        path.write_bytes(data)
        with suppress(UserError):
            found = load_word_vectors(path)
            assert found.dim > 0 and found.size > 0
            found.find("unknown")


def _crawl(data: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(data)
        read = read_crawl_file(path)
    assert (read.refused is None) == bool(len(read.frame))
    assert read.refused is None or read.refused.startswith(name)
    if read.refused is None:
        _count_posts(read)


def _count_posts(read: CrawlRead) -> None:
    """Rows are dated, cleaned and stored, and none is lost on the way."""
    rows = date_rows(read.frame, "2019-01", "2024-07", date(2024, 7, 3))
    assert len(rows) == len(read.frame)
    kept, refused = clean_posts(rows, salt=b"fuzz")
    assert len(kept) + len(refused) == len(rows)
    assert refused["reason"].str.len().gt(0).all()
    for table in (kept, refused):
        _stored(table)


def _cards(data: bytes, name: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(data)
        _count_cards(Path(folder))


def _count_cards(source: Path) -> None:
    try:
        raw = read_product_cards(source)
    except UserError:
        return
    for purpose in ("training", "prediction"):
        products, refused = clean_products(raw, purpose=purpose)  # type: ignore[arg-type]
        assert len(products) + len(refused) == len(raw)
        assert refused["reason"].str.len().gt(0).all()
        for table in (products, refused):
            _stored(table)


def _stored(table: pd.DataFrame) -> None:
    table.to_parquet(io.BytesIO())


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        crawl_csv, crawl_jsonl, crawl_parquet, crawl_gzip, crawl_zip, archive, dates, counts, card_csv, card_parquet,
        card_zip, characteristics, html, word_vectors,
    )
}  # fmt: skip
