"""No face is published: what the page and the montage show of a person is the garment alone, unless asked else."""

from __future__ import annotations

import base64
import io
import re
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from PIL import Image

from fashion_assets.media.garments import garment_images
from fashion_assets.media.pictures import describe_pictures
from fashion_assets.media.segmentation import GARMENT, PERSON, SegmentResult
from fashion_assets.reports.gather import gather_monthly_report, montage_rows
from fashion_assets.reports.montage import montage_png
from fashion_assets.reports.monthly import MonthlyReportData, render_monthly_report
from fashion_assets_tests.unit.test_reports_demo import profiles_frame

MONTH = "2024-06"
FACE, CLOTH = (222, 150, 112), (30, 60, 200)


class Drawn:
    """Knows the drawn person: the face above, the cloth below it."""

    name = "drawn"
    finds_person = True

    def segment(self, rgb: npt.NDArray[np.uint8]) -> SegmentResult:
        mask = np.zeros(rgb.shape[:2], dtype=np.uint8)
        mask[_near(rgb, FACE)] = PERSON
        mask[_near(rgb, CLOTH)] = GARMENT
        return SegmentResult(mask)


def _near(rgb: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    return np.asarray(np.abs(rgb.astype(int) - colour).max(axis=2) < 45)


def has_colour(picture: bytes, colour: tuple[int, int, int]) -> bool:
    with Image.open(io.BytesIO(picture)) as opened:
        return bool(_near(np.asarray(opened.convert("RGB")), colour).mean() > 0.002)


@pytest.fixture(scope="module", params=["garment", "person"])
def tables(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, pd.DataFrame]]:
    """The crops' folder and a month's tables: one post, whose picture shows a face above a garment."""
    root = tmp_path_factory.mktemp(request.param)
    person = np.full((240, 160, 3), 255, dtype=np.uint8)
    person[20:80, 55:105] = FACE
    person[80:220, 30:130] = CLOTH
    Image.fromarray(person).save(root / "1.png")
    listed = pd.DataFrame(
        [{"post_id": "p1", "name": "1.png", "path": "1.png", "digest": None, "n_bytes": 1, "reason": None}]
    )
    images = describe_pictures(listed, root, MONTH)
    garments = garment_images(images, root, root / "crops", Drawn(), MONTH, crop=request.param)
    posts = pd.DataFrame({"post_id": ["p1"], "text": ["连衣裙"]})
    styles = profiles_frame(MONTH, ["连衣裙"]).assign(
        representative_images=[["p1/1.png"]], representative_posts=[["p1"]]
    )
    return root / "crops", {
        "raw_posts": posts.assign(superseded=2),
        "cleaned_posts": posts,
        "quarantined_posts": pd.DataFrame(),
        "post_images": images,
        "garment_images": garments,
        "fashion_keywords": pd.DataFrame(
            {"post_id": ["p1"], "month": [MONTH], "keywords": [["连衣裙"]], "facets": [["garment"]]}
        ),
        "style_profiles": styles,
    }


def report(tables: tuple[Path, dict[str, pd.DataFrame]], **options: bool) -> MonthlyReportData:
    crops, frames = tables
    return gather_monthly_report(
        MONTH,
        frames,
        frames["style_profiles"],
        crops_root=crops,
        silhouette_curve=pd.DataFrame(columns=["k", "micro", "macro", "inertia", "largest_share"]),
        chosen_k=1,
        k_reason="one style",
        model_ids={},
        min_garment_share=0.05,
        generated_at=datetime(2024, 7, 1),
        provenance={},
        **options,
    )


def published(data: MonthlyReportData) -> list[bytes]:
    """Every picture of the page and the montage."""
    page = render_monthly_report(data)
    found = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", page)
    return [*map(base64.b64decode, found), montage_png(montage_rows(data))]


def test_what_is_above_the_garment_is_blank_in_all_that_is_published(
    tables: tuple[Path, dict[str, pd.DataFrame]],
) -> None:
    pictures = published(report(tables))
    assert len(pictures) == 2
    for picture in pictures:
        assert has_colour(picture, CLOTH)
        assert not has_colour(picture, FACE)


def test_faces_of_person_crops_are_published_only_where_that_is_asked_for(
    tables: tuple[Path, dict[str, pd.DataFrame]],
) -> None:
    person = (tables[1]["garment_images"]["crop"] == "person").all()
    for picture in published(report(tables, blank_faces=False)):
        assert has_colour(picture, CLOTH)
        assert has_colour(picture, FACE) == person


def test_rows_that_newer_crawls_replaced_and_unreadable_files_are_told(
    tables: tuple[Path, dict[str, pd.DataFrame]],
) -> None:
    crops, frames = tables
    images = frames["post_images"]
    cut = images.assign(image_id="p1/0.png", status="refused", is_representative=False)
    told = report((crops, frames | {"post_images": pd.concat([images, cut])})).counts
    assert (told.rows_arrived, told.older_crawls, told.arrived) == (3, 2, 1)
    assert (told.pictures, told.refused_pictures, told.refused_names) == (1, 1, ["p1/0.png"])
