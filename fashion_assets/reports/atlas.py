"""The style atlas: every post of every month as a point on one map, in one self-contained page."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup

from fashion_assets.reports.atlas_pictures import COLUMNS, TILE, TILES_PER_SHEET, PictureSheets
from fashion_assets.reports.label_anchors import core_ranks
from fashion_assets.reports.pages import render_template, template_source
from fashion_assets.reports.palette import DARK, LIGHT
from fashion_assets.reports.wording import clip, plain, style_label

POINT_COLUMNS = ["post_id", "month", "style_id", "style_name", "x", "y", "title", "keywords"]
TITLE_CHARACTERS = 60
KEYWORDS_PER_POINT = 8
COORDINATE_DIGITS = 4  # a pixel of a map 10,000 wide
DEFAULT_TITLE = "Style atlas"
_NO_PICTURES = PictureSheets([], {}, 0)


def render_style_atlas(
    points: pd.DataFrame,
    *,
    pictures: PictureSheets = _NO_PICTURES,
    sources: Sequence[str] = (),
    title: str = DEFAULT_TITLE,
) -> str:
    """The page as HTML text: pan, zoom, hover, search, months from-to, a legend that switches styles.

    `points` holds `POINT_COLUMNS`, one row per post; `keywords` are lists. Rows without a finite position
    are left out and counted on the page. `pictures` are shown beside the hovered post, `sources` are sentences on
    where the map comes from and what was left out. Data lie in a JSON block that cannot end its element, and the
    script writes text with textContent only. The policy admits this one script by its hash.
    """
    script = template_source("atlas.js.j2")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    content = atlas_content(points, pictures)
    return render_template(
        "atlas.html.j2",
        title=title,
        policy=policy,
        data=Markup(json_for_script(content)),
        script=Markup(script),
        n_points=len(content["x"]),
        n_without_place=len(points) - len(content["x"]),
        n_pictures=len(pictures.tile_of),
        n_with_picture=pictures.n_with_picture,
        sources=[plain(sentence) for sentence in sources],
        months=content["months"],
    )


def atlas_points(
    post_ids: Sequence[str],
    positions: npt.NDArray[np.float32],
    clusters: pd.DataFrame,
    profiles: pd.DataFrame,
    posts: pd.DataFrame,
    keywords: pd.DataFrame,
) -> pd.DataFrame:
    """`POINT_COLUMNS` for the posts that have a style, in the order of `post_ids`; `positions` is (n, 2).

    The other frames hold STYLE_CLUSTERS, STYLE_PROFILES, CLEANED_POSTS and FASHION_KEYWORDS rows of all
    months. A post's month is the one of its cluster row, and a style's name the newest one that is not
    empty.
    """
    placed = pd.DataFrame(
        {
            "post_id": pd.Series(list(post_ids), dtype=object),
            "x": positions[:, 0].astype(float),
            "y": positions[:, 1].astype(float),
        }
    )
    named = profiles[["month", "style_id", "name"]].sort_values("month")
    names = {
        int(style): str(name) for style, name in zip(named["style_id"], named["name"], strict=True) if name
    }
    merged = placed.merge(_first(clusters, ["post_id", "month", "style_id"]), on="post_id")
    merged = merged.merge(_first(posts, ["post_id", "title", "body"]), on="post_id", how="left")
    merged = merged.merge(_first(keywords, ["post_id", "keywords"]), on="post_id", how="left")
    merged["style_name"] = [names.get(int(style), "") for style in merged["style_id"]]
    merged["title"] = [
        clip(title, 200) or clip(body, 200)
        for title, body in zip(merged["title"], merged["body"], strict=True)
    ]
    return merged[POINT_COLUMNS]


def _first(frame: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    return frame[columns].drop_duplicates("post_id")


def atlas_content(points: pd.DataFrame, pictures: PictureSheets = _NO_PICTURES) -> dict[str, Any]:
    """What the script reads: columns of equal length; styles and months to index into, sheets of pictures.

    Styles come by falling size, posts without a style (id -1) last and in grey. `tile` is the number of the post's
    picture over all sheets, -1 where it has none. `core` is the post's rank from the densest place of its style
    outwards (`core_ranks`): the style's name stands at the visible post of the lowest.

    Coordinates are scaled to [0, 1] by one factor for both axes (distances on the map keep their
    proportion), y upwards in `points` and downwards here, as on a screen.
    """
    if points.empty:
        return {
            "x": [],
            "y": [],
            "style": [],
            "month": [],
            "title": [],
            "keywords": [],
            "tile": [],
            "core": [],
            "styles": [],
            "months": [],
            "sheets": [],
        }
    x, y = (points[name].to_numpy(dtype=float, na_value=np.nan) for name in ("x", "y"))
    placed = np.isfinite(x) & np.isfinite(y)
    shown = points[placed]
    x, y = _scaled(x[placed], y[placed])
    months = sorted({str(month)[:7] for month in shown["month"]})
    sizes = shown["style_id"].value_counts()
    order = sorted(sizes.index, key=lambda style: (style < 0, -int(sizes[style]), int(style)))
    names = dict(zip(shown["style_id"], shown["style_name"], strict=True))
    month_index = {month: index for index, month in enumerate(months)}
    style_index = {style: index for index, style in enumerate(order)}
    return {
        "x": [round(float(value), COORDINATE_DIGITS) for value in x],
        "y": [round(float(value), COORDINATE_DIGITS) for value in y],
        "style": [style_index[style] for style in shown["style_id"]],
        "month": [month_index[str(month)[:7]] for month in shown["month"]],
        "title": [clip(text, TITLE_CHARACTERS) for text in shown["title"]],
        "keywords": [_keywords(words) for words in shown["keywords"]],
        "tile": [pictures.tile_of.get(post_id, -1) for post_id in shown["post_id"]],
        "core": core_ranks(x, y, shown["style_id"].to_numpy(np.int64)).tolist(),
        "styles": [
            {
                "name": style_label(names[style], int(style)),
                "n": int(sizes[style]),
                **({"none": True} if style < 0 else {}),
            }
            for style in order
        ],
        "months": months,
        "sheets": pictures.sheets,
        "columns": COLUMNS,
        "per_sheet": TILES_PER_SHEET,
        "tile_size": TILE,
        "light": LIGHT,
        "dark": DARK,
    }


def _scaled(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], ...]:
    if not len(x):
        return x, y
    size = max(np.ptp(x), np.ptp(y)) or 1.0
    return (
        0.5 + (x - (x.max() + x.min()) / 2) / size,
        0.5 - (y - (y.max() + y.min()) / 2) / size,
    )


def _keywords(words: object) -> str:
    if not isinstance(words, (list, tuple, np.ndarray)):  # missing: None or NaN
        return ""
    return " ".join(clip(word, 20) for word in words[:KEYWORDS_PER_POINT])


def json_for_script(content: object) -> str:
    """JSON for a `<script type="application/json">`: nothing in it can end it or open a comment."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in ("<", ">", "&", "\u2028", "\u2029"):
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text
