"""How many requests of each kind a bucket gets for landing, pictures, vectors and tables, and what they would cost.

    python benchmarks/object_storage.py --files 24 --pictures 200

moto's S3 answers on loopback, so that requests are counted, not timed. Prices are examples, as in docs/scale.md.
"""

from __future__ import annotations

import argparse
import csv
import io
import logging
import os
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

#: $ a million requests: writes and lists, reads.
PUT_PRICE, GET_PRICE = 5.0, 0.4
_KINDS = {
    "PutObject": "PUT",
    "CreateMultipartUpload": "PUT",
    "UploadPart": "PUT",
    "CompleteMultipartUpload": "PUT",
    "GetObject": "GET",
    "HeadObject": "HEAD",
    "ListObjectsV2": "LIST",
    "DeleteObject": "DELETE",
}
_COLUMNS = ("PUT", "GET", "HEAD", "LIST", "DELETE")
_SALT = b"s" * 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--files", type=int, default=24, help="crawl files, a month each in turn of 12")
    parser.add_argument("--pictures", type=int, default=200)
    given = parser.parse_args()

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        _measure(given.files, given.pictures)
    finally:
        server.stop()


def _measure(n_files: int, n_pictures: int) -> None:
    from fashion_assets.encoders import load_encoder
    from fashion_assets.encoders.cache import EmbeddingCache
    from fashion_assets.media.garments import garment_images
    from fashion_assets.media.pictures import describe_pictures
    from fashion_assets.posts.landed import read_media_manifest
    from fashion_assets.posts.landing import land_incoming
    from fashion_assets.posts.month_digests import landing_digests
    from fashion_assets.storage.lake import Lake
    from fashion_assets.storage.places import place

    asked = _counted()
    root = place("s3://bench-requests/fashion")
    root.fs.call_s3("create_bucket", Bucket="bench-requests")
    incoming, lake = root / "incoming", root / "lake"
    _deliver(incoming, n_files, n_pictures)
    now = datetime(2025, 1, 15)
    rows: list[tuple[str, Counter[str]]] = []

    def step(name: str, work: Callable[[], Any]) -> Any:
        asked.clear()
        result = work()
        rows.append((name, Counter(asked)))
        return result

    step(
        f"land {n_files} files and {n_pictures} pictures",
        lambda: land_incoming(incoming, lake, _SALT, now=now),
    )
    step("look again: nothing new", lambda: land_incoming(incoming, lake, _SALT, now=now))
    step("digests of all months", lambda: landing_digests(lake))
    manifest = read_media_manifest(lake)
    images = step("describe pictures", lambda: describe_pictures(manifest, lake / "media", "2024-01"))
    step("again", lambda: describe_pictures(manifest, lake / "media", "2024-01", known=images))
    segmenter, usable = _MiddleSegmenter(), images[images["status"] == "ok"]

    def crops(known: Any = None) -> Any:
        return garment_images(
            usable, lake / "media", lake / "crops", segmenter, "2024-01", min_share=0.0, known=known
        )

    garments = step("cut crops", crops)
    step("again", lambda: crops(garments))
    paths = [lake / "crops" / name for name in garments["crop_path"].dropna()]
    names, encoder = [path.name for path in paths], load_encoder("local:visual")
    cache = lambda: EmbeddingCache(lake / "embedding_cache")  # noqa: E731 - a new process has a new one
    step("encode crops", lambda: cache().encode_missing(encoder, names, paths))
    step("again", lambda: cache().encode_missing(encoder, names, paths))
    tables = Lake(lake)
    table = pa.table(
        {"post_id": [str(n) for n in range(50_000)], "text": [os.urandom(300) for _ in range(50_000)]}
    )
    step("write a table of 15 MB", lambda: tables.write("posts", "2024-01", table))
    step("read it", lambda: tables.read("posts", "2024-01"))
    step("read one column of it", lambda: tables.read("posts", "2024-01", ["post_id"]))
    step("months of a table", lambda: tables.months("posts"))

    width = max(len(name) for name, _ in rows)
    print(f"| {'step':<{width}} | {' | '.join(_COLUMNS)} | $ a million times |")
    print(f"|{'-' * (width + 2)}|{'---|' * (len(_COLUMNS) + 1)}")
    for name, counts in rows:
        # Removing is free.
        cost = PUT_PRICE * (counts["PUT"] + counts["LIST"]) + GET_PRICE * (counts["GET"] + counts["HEAD"])
        print(f"| {name:<{width}} | {' | '.join(str(counts[kind]) for kind in _COLUMNS)} | {cost:,.0f} |")


class _MiddleSegmenter:
    """The middle half of every picture is garment: what is counted does not depend on what is seen."""

    name = "middle"
    finds_person = False

    def segment(self, rgb: Any) -> Any:
        from fashion_assets.media.segmentation import GARMENT, SegmentResult

        mask = np.zeros(rgb.shape[:2], dtype=np.uint8)
        mask[len(mask) // 4 : 3 * len(mask) // 4] = GARMENT
        return SegmentResult(mask)


def _counted() -> Counter[str]:
    """Counts every request that leaves this process, by its kind."""
    from aiobotocore.client import AioBaseClient

    asked: Counter[str] = Counter()
    original = AioBaseClient._make_api_call

    async def call(self: Any, operation_name: str, api_params: Any) -> Any:
        asked[_KINDS.get(operation_name, operation_name)] += 1
        return await original(self, operation_name, api_params)

    AioBaseClient._make_api_call = call
    return asked


def _deliver(incoming: Any, n_files: int, n_pictures: int) -> None:
    from PIL import Image

    from fashion_assets.posts.schemas import CRAWL_COLUMNS
    from fashion_assets.storage.files import write_bytes_atomic

    for number in range(n_files):
        text = io.StringIO()
        writer = csv.DictWriter(text, CRAWL_COLUMNS)
        writer.writeheader()
        row = dict.fromkeys(CRAWL_COLUMNS, "") | {"poster_id": f"u{number}", "post_id": f"p{number}"}
        row |= {"post_date": f"2024-{number % 12 + 1:02d}-05", "post_fetch_time": "2025-01-10 10:00:00"}
        writer.writerow(row | {"post_title": "新中式", "post_content": "马面裙"})
        write_bytes_atomic(incoming / f"{number}.csv", text.getvalue().encode())
    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.jpg"
        for number in range(n_pictures):
            small = generator.integers(0, 256, (8, 6, 3), dtype=np.uint8)
            Image.fromarray(small).resize((120, 160)).save(path)
            write_bytes_atomic(
                incoming / "media" / f"p{number % n_files}" / f"{number}.jpg", path.read_bytes()
            )


if __name__ == "__main__":
    main()
