"""Valid inputs of each fuzz target, small: what a fuzzer changes from there reaches deeper than random bytes."""

from __future__ import annotations

import gzip
import io
import json
import struct
import tarfile
import zipfile

import numpy as np
import pandas as pd

from fashion_assets.posts.schemas import CRAWL_COLUMNS

_POST = {
    "post_id": "65a1b2c3000000001e00a1b2",
    "poster_id": "5f0a",
    "post_title": "新中式 穿搭 <b>分享</b>",
    "post_content": '马面裙 "显瘦" #ootd[话题]#\n第二行',
    "post_tag": "穿搭, 国风",
    "post_date": "06-11",
    "post_time": "",
    "post_location": "上海",
    "post_like": "1.2万",
    "post_collect": "10+",
    "post_comments": "3",
    "post_fetch_time": "2024-07-03 12:00:00",
}
_CARD = {
    "id": "7",
    "title": "<b>Wool</b> coat",
    "description": "Warm &amp; long\n<script>x</script>",
    "characteristics": json.dumps({"colour": "red", "sizes": ["M", "L"]}),
    "shop": "Atelier",
    "kind": "coat",
}


def _csv(row: dict[str, str], columns: list[str]) -> bytes:
    frame = pd.DataFrame([{name: row.get(name, "") for name in columns}] * 2)
    frame.iloc[1, 0] = "second"
    return frame.to_csv(index=False).encode()


def _parquet(row: dict[str, str]) -> bytes:
    target = io.BytesIO()
    pd.DataFrame([row, row]).to_parquet(target)
    return target.getvalue()


def _zip(*members: tuple[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", packing) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def _navec() -> bytes:
    words = ["дом", "платье", "<unk>"]
    vocabulary = struct.pack("<4I", 3, 1, 1, 1) + "\n".join(words).encode()
    quantised = struct.pack("<4I", 3, 4, 2, 2) + bytes(6) + np.ones(8, "<f4").tobytes()
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in (
            ("meta.json", b'{"version": 1}'),
            ("vocab.bin", gzip.compress(vocabulary)),
            ("pq.bin", quantised),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def seeds() -> dict[str, list[bytes]]:
    """Target name -> inputs."""
    posts = _csv(_POST, list(CRAWL_COLUMNS))
    cards = _csv(_CARD, list(_CARD))
    inner = _zip(("images/7.jpg", b"\xff\xd8\xff"))
    evil = _zip(("../../evil.jpg", b"x"), ("/abs.jpg", b"x"), ("p/1.jpg", b"x" * 50), ("C:\\x.jpg", b"x"))
    packed = [
        _zip(("a.csv", posts), packing=kind)
        for kind in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    ]
    shops = [
        _zip(("cards.csv", cards), ("images.zip", inner), packing=kind)
        for kind in (zipfile.ZIP_STORED, zipfile.ZIP_LZMA)
    ]
    return {
        "crawl_csv": [
            posts,
            posts.decode().encode("gb18030"),
            b"\xff\xfe" + posts.decode().encode("utf-16-le"),
        ],
        "crawl_jsonl": [
            json.dumps(_POST).encode() + b"\n{}\n[1]\n",
            json.dumps({**_POST, "x": [[1], {"a": 1e999}]}).encode(),
        ],
        "crawl_parquet": [_parquet(_POST)],
        "crawl_gzip": [gzip.compress(posts)],
        "crawl_zip": packed,
        "archive": [evil, *packed],
        "dates": [
            text.encode()
            for text in (
                "06-11",
                "2024-06-11",
                "昨天 15:20",
                "3天前",
                "编辑于 02-29 上海",
                "半小时前",
                "99999周前",
            )
        ],
        "counts": [text.encode() for text in ("1.2万", "1千+", "1,234", "-3", "赞", "１２", "9" * 50)],
        "card_csv": [cards, b"\xff\xfe" + cards.decode().encode("utf-16-le")],
        "card_parquet": [_parquet(_CARD)],
        "card_zip": shops,
        "characteristics": [
            b'{"colour": "red"}',
            b"{'a': (1, 2), 'b': {3}}",
            b'[{"name": "n", "value": NaN}]',
            b"[" * 2000,
        ],
        "html": [b"<p>a<br>b</p><!-- c --><script>d</script>&amp;", b"<a href='x", b"&#0;&#xD800;&#x110000;"],
        "word_vectors": [
            b"2 3\na 1 2 3\nb 4 5 6\n",
            b"a 1 2 3\nb 4 5 6\n",
            b"2 2\na " + bytes(8) + b"\nb " + bytes(8),
            gzip.compress(b"1 2\na 1 2\n"),
            _navec(),
            struct.pack("<i", 793_712_314) + bytes(60),
        ],
    }
