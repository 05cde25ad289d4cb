"""Pictures of the map: who gets one, sheets that hold what they should, a bounded page, the still as PNG."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_assets.reports import atlas_pictures
from fashion_assets.reports.atlas import atlas_content, render_style_atlas
from fashion_assets.reports.atlas_pictures import (
    TILE,
    TILES_PER_SHEET,
    chosen_posts,
    picture_sheets,
    posts_with_pictures,
)
from fashion_assets.reports.style_map import style_map_png
from fashion_assets_tests.unit.test_reports_demo import HOSTILE, PageCheck, atlas_frame


def test_only_kept_pictures_of_shown_posts_and_the_first_of_each() -> None:
    garments = pd.DataFrame(
        {
            "image_id": ["p0/2.jpg", "p0/1.jpg", "p1/1.jpg", "p2/1.jpg", "zz/1.jpg"],
            "post_id": ["p0", "p0", "p1", "p2", "zz"],
            "kept": [True, True, False, True, True],
            "garment_path": ["b.webp", "a.webp", "c.webp", None, "e.webp"],
        }
    )
    points = atlas_frame(5)
    assert posts_with_pictures(points, garments, path_column="garment_path") == {"p0": "a.webp"}


def test_small_styles_keep_their_pictures_when_not_all_fit() -> None:
    points = atlas_frame(400, 2)
    points["style_id"] = [1 if i < 3 else 0 for i in range(400)]
    paths = dict.fromkeys(points["post_id"], "x.webp")
    chosen = chosen_posts(points, paths, seed=0, limit=30)
    assert len(chosen) == 30
    assert {"p0", "p1", "p2"} <= set(chosen)
    assert chosen == chosen_posts(points, paths, seed=0, limit=30)
    assert chosen_posts(points, {"p7": "x.webp"}, seed=0, limit=30) == ["p7"]


def test_each_post_has_its_own_picture_at_its_place(tmp_path: Path) -> None:
    colours = [(200, 30, 30), (30, 160, 60), (40, 60, 200)]
    for index, colour in enumerate(colours):
        Image.new("RGBA", (60, 80), (*colour, 255)).save(tmp_path / f"{index}.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    paths = {"p0": "0.png", "p1": "broken.png", "p2": "1.png", "p3": "2.png"}
    sheets = picture_sheets(list(paths), paths, tmp_path)
    assert sheets.tile_of == {"p0": 0, "p2": 1, "p3": 2}
    assert sheets.n_with_picture == 4
    data = base64.b64decode(sheets.sheets[0].removeprefix("data:image/jpeg;base64,"))
    sheet = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)
    for place, colour in enumerate(colours):
        middle = sheet[TILE[1] // 2, place * TILE[0] + TILE[0] // 2]
        assert np.abs(middle - colour).max() < 25
    content = atlas_content(atlas_frame(4), sheets)
    assert content["tile"] == [0, -1, 1, 2]


def test_sheets_are_full_before_the_next_begins(tmp_path: Path) -> None:
    Image.new("RGBA", (30, 40), (90, 90, 90, 255)).save(tmp_path / "a.png")
    posts = [f"p{i}" for i in range(TILES_PER_SHEET + 1)]
    sheets = picture_sheets(posts, dict.fromkeys(posts, "a.png"), tmp_path)
    assert len(sheets.sheets) == 2
    assert sheets.tile_of[posts[-1]] == TILES_PER_SHEET


def test_heavy_pictures_are_written_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 60, 3), dtype=np.uint8)
    Image.fromarray(noise).convert("RGBA").save(tmp_path / "noise.png")
    posts = [f"p{i}" for i in range(20)]
    paths = dict.fromkeys(posts, "noise.png")
    free = sum(map(len, picture_sheets(posts, paths, tmp_path).sheets))
    monkeypatch.setattr(atlas_pictures, "MAX_SHEET_BYTES", int(free * 0.8))
    assert sum(map(len, picture_sheets(posts, paths, tmp_path).sheets)) <= 0.8 * free


def test_page_with_pictures_is_inert_and_says_where_it_comes_from(tmp_path: Path) -> None:
    Image.new("RGBA", (30, 40), (90, 90, 90, 255)).save(tmp_path / "a.png")
    sheets = picture_sheets(["p0"], {"p0": "a.png"}, tmp_path)
    page = render_style_atlas(atlas_frame(6), pictures=sheets, sources=["6 of 9 posts.", HOSTILE[1]])
    PageCheck(page).assert_inert()
    assert "6 of 9 posts." in page
    assert "1 of 1 posts with a garment picture" in page
    assert HOSTILE[1] not in page


def test_still_opens_for_any_points() -> None:
    hostile = atlas_frame(300, 40, hostile=True)
    hostile.loc[0, "x"] = np.nan
    hostile.loc[1, "style_id"] = -1
    for points in (atlas_frame(0), atlas_frame(1), hostile):
        assert Image.open(io.BytesIO(style_map_png(points))).format == "PNG"
