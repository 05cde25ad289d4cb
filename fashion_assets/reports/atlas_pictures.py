"""Small garment pictures for the map's hover box: which posts get one, and the sheets that hold them."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from fashion_assets.reports.pictures import GROUND, load_thumbnail
from fashion_assets.storage.places import Place

TILE = (54, 72)  # width, height in pixels: three quarters of a phone's hover box, about 1 kB each
MAX_TILES = 3000  # about 3 MB of drawn garments: the page still opens at once from a share or a mail
TILES_PER_SHEET = 500  # one JPEG of 25 x 20 tiles is decoded at a time
COLUMNS = 25
QUALITIES = (72, 55, 40)  # of the JPEG sheets: the next one is taken where the pictures are too heavy
MAX_SHEET_BYTES = 4_000_000


@dataclass(frozen=True)
class PictureSheets:
    """`sheets` are JPEG data URIs of `TILES_PER_SHEET` tiles each; `tile_of` maps a post id to its tile's number."""

    sheets: list[str]
    tile_of: dict[str, int]
    n_with_picture: int  # posts that have a picture, shown or not


def posts_with_pictures(points: pd.DataFrame, garments: pd.DataFrame, *, path_column: str) -> dict[str, str]:
    """post id -> path of its first kept garment picture, for the posts of `points` that have one.

    `garments` holds GARMENT_IMAGES rows; `path_column` names the crop that may be published.
    """
    usable = garments[garments["kept"].astype(bool) & garments[path_column].notna()]
    usable = usable[usable["post_id"].isin(points["post_id"])].sort_values("image_id", kind="stable")
    first = usable.drop_duplicates("post_id")
    return dict(zip(first["post_id"], first[path_column], strict=True))


def chosen_posts(
    points: pd.DataFrame, paths: Mapping[str, str], seed: int, limit: int = MAX_TILES
) -> list[str]:
    """At most `limit` post ids with a picture, spread evenly over styles and months: small styles keep theirs."""
    known = points[points["post_id"].isin(paths.keys())]
    if len(known) <= limit:
        return known["post_id"].tolist()
    shuffled = known.iloc[np.random.default_rng(seed).permutation(len(known))]
    turn = shuffled.groupby(["style_id", "month"]).cumcount()
    taken = shuffled.assign(turn=turn).sort_values("turn", kind="stable").head(limit)["post_id"]
    return known.loc[known["post_id"].isin(set(taken)), "post_id"].tolist()


def picture_sheets(posts: Sequence[str], paths: Mapping[str, str], crops_root: Place) -> PictureSheets:
    """The sheets of the pictures of `posts` (`paths` below `crops_root`); one that cannot be read gets no tile."""
    tiles: list[bytes] = []
    tile_of: dict[str, int] = {}
    for post_id in posts:
        thumb = load_thumbnail(crops_root / paths[post_id], TILE)
        if not thumb.missing:
            tile_of[post_id] = len(tiles)
            tiles.append(thumb.jpeg)
    sheets = _sheets(tiles, QUALITIES[0])
    for quality in QUALITIES[1:]:
        if sum(map(len, sheets)) <= MAX_SHEET_BYTES:
            break
        sheets = _sheets(tiles, quality)
    return PictureSheets(sheets, tile_of, len(paths))


def _sheets(tiles: Sequence[bytes], quality: int) -> list[str]:
    from PIL import Image

    sheets = []
    for start in range(0, len(tiles), TILES_PER_SHEET):
        part = tiles[start : start + TILES_PER_SHEET]
        sheet = Image.new("RGB", (COLUMNS * TILE[0], math.ceil(len(part) / COLUMNS) * TILE[1]), GROUND)
        for place, jpeg in enumerate(part):
            with Image.open(io.BytesIO(jpeg)) as tile:
                sheet.paste(tile, (place % COLUMNS * TILE[0], place // COLUMNS * TILE[1]))
        buffer = io.BytesIO()
        sheet.save(buffer, "JPEG", quality=quality, optimize=True)
        sheets.append("data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii"))
    return sheets
