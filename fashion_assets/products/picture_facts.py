"""What is known of a product's picture once it has been looked at: digest, size, hashes, or why it is no use."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from fashion_assets.media.decoding import decode_image
from fashion_assets.media.errors import MediaError
from fashion_assets.media.hashing import perceptual_hash, thumbprint
from fashion_assets.media.pictures import HASH_SIDE
from fashion_assets.products.pictures import ProductImages, nameless
from fashion_assets.storage.errors import UserError

#: Threads that decode; zlib, libjpeg and hashlib release the GIL.
WORKERS = 2

#: Called with (what is being done, finished, all).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class PictureFacts:
    """``digest`` is the sha256 hex of the file, ``width`` x ``height`` its upright pixels, ``phash`` and
    ``thumbprint`` those of ``media.hashing``; where ``fault`` is set only the digest may be known.
    """

    digest: str | None = None
    width: int | None = None
    height: int | None = None
    phash: str | None = None
    thumbprint: str | None = None
    fault: str | None = None


def inspect_picture(images: ProductImages, relative: str) -> PictureFacts:
    """What the picture at ``relative`` is. All of it is decoded: a file that was cut off has a good header."""
    try:
        content = images.read(relative)
    except UserError as error:
        return PictureFacts(fault=str(error))
    digest = hashlib.sha256(content).hexdigest()
    if not content:
        return PictureFacts(
            digest, fault=f"the picture {relative} is an empty file; put a good copy there or delete it"
        )
    try:
        decoded = decode_image(content, name=nameless(relative), max_side=HASH_SIDE)
    except MediaError as error:
        return PictureFacts(digest, fault=f"the picture {relative} cannot be used: {error}")
    return PictureFacts(
        digest, decoded.width, decoded.height, perceptual_hash(decoded.rgb), thumbprint(decoded.rgb)
    )


def inspect_pictures(
    images: ProductImages, paths: Sequence[str], progress: Progress | None = None
) -> dict[str, PictureFacts]:
    """The facts of each path, each looked at once."""
    distinct = list(dict.fromkeys(paths))
    found: dict[str, PictureFacts] = {}
    with ThreadPoolExecutor(max_workers=WORKERS, thread_name_prefix="decode") as pool:
        for path, facts in zip(
            distinct, pool.map(lambda one: inspect_picture(images, one), distinct), strict=True
        ):
            found[path] = facts
            if progress is not None:
                progress("looking at the pictures", len(found), len(distinct))
    return found
