"""``post_images`` and ``garment_images`` in Dagster: counts that add up, and a month that is run again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fashion_assets.definitions import build_definitions
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake

MONTH = "2024-05-01"
POSTS = ("raw_posts", "cleaned_posts", "quarantined_posts")
HEADER = "poster_id,post_id,post_title,post_date,post_content,post_fetch_time"
Metadata = dict[str, Mapping[str, Any]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Six posts: two with the same bytes of a drawn dress, another dress, a plain picture, a broken one, none."""
    incoming = tmp_path / "incoming"
    (incoming / "media").mkdir(parents=True)
    rows = [f"u{n},p{n},新中式,2024-05-0{n},马面裙 {n},2024-06-01 10:00:00" for n in range(1, 7)]
    (incoming / "crawl.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    blue, red = dress((40, 70, 150)), dress((170, 40, 50))
    plain = Image.fromarray(np.full((320, 240, 3), 137, dtype=np.uint8))
    for post, picture in {"p1": blue, "p2": blue, "p3": red, "p4": plain}.items():
        (incoming / "media" / post).mkdir()
        picture.save(incoming / "media" / post / "1.png")
    (incoming / "media" / "p5").mkdir()
    (incoming / "media" / "p5" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n cut off")
    return Settings(data_dir=tmp_path)


def dress(cloth: tuple[int, int, int]) -> Image.Image:
    """A person in a dress on blue-grey ground."""
    from fashion_assets_tests.unit.test_media_segmentation import figure

    return Image.fromarray(figure(cloth, ground=(120, 150, 170))[0])


def run(settings: Settings, *assets: str) -> Metadata:
    """Materialises the assets of the month and hands back what the UI shows of each."""
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        asset_selection=[dg.AssetKey(asset) for asset in assets],
        partition_key=MONTH,
        instance=dg.DagsterInstance.ephemeral(),
    )
    return {
        event.materialization.asset_key.to_user_string(): {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in (e.step_materialization_data for e in result.get_asset_materialization_events())
    }


def garments(settings: Settings) -> pd.DataFrame:
    table: pd.DataFrame = Lake(settings.lake).read("garment_images", "2024-05").to_pandas()
    return table


def test_counts_add_up_and_a_month_run_again_looks_at_nothing(settings: Settings) -> None:
    first = run(settings, *POSTS, "post_images", "garment_images")
    images, found = first["post_images"], first["garment_images"]
    assert (images["pictures"], images["refused"], images["decoded"], images["reused"]) == (4, 1, 3, 0)
    assert found["kept"] + found["below_min_share"] + found["unreadable"] == found["pictures"] == 4
    assert (found["kept"], found["below_min_share"], found["unreadable"]) == (3, 1, 0)
    assert (found["segmented"], found["reused"], found["crop"]) == (3, 0, "garment")
    assert str(found["picture"]).startswith("![")  # the histogram of shares

    again = run(settings, "post_images", "garment_images")
    assert (again["post_images"]["decoded"], again["post_images"]["reused"]) == (0, 4)
    assert (again["garment_images"]["segmented"], again["garment_images"]["reused"]) == (0, 4)
    for name in ("pictures", "kept", "below_min_share", "unreadable"):
        assert again["garment_images"][name] == found[name]


def test_a_picture_that_went_away_is_counted_as_unreadable(settings: Settings) -> None:
    run(settings, *POSTS, "post_images")
    gone = Lake(settings.lake).read("post_images", "2024-05").to_pandas().set_index("post_id")["path"]["p3"]
    (settings.media / gone).unlink()
    found = run(settings, "garment_images")["garment_images"]
    assert (found["kept"], found["below_min_share"], found["unreadable"]) == (2, 1, 1)
    assert found["pictures"] == 4


def test_person_crops_lie_beside_garment_crops(settings: Settings) -> None:
    run(settings, *POSTS, "post_images", "garment_images")
    before = garments(settings)
    chosen = settings.model_copy(update={"crop": "person"})
    found = run(chosen, "garment_images")["garment_images"]
    assert (found["crop"], found["segmented"], found["reused"]) == ("person", 3, 0)
    after = garments(settings)
    kept = after["kept"].astype(bool)
    assert after.loc[kept, "crop_path"].str.startswith("grabcut-1-person/").all()
    assert after["garment_path"].tolist() == before["crop_path"].tolist()
    assert after["garment_share"].tolist() == before["garment_share"].tolist()


def test_a_segmenter_that_cannot_be_loaded_is_named_with_its_setting(settings: Settings) -> None:
    run(settings, *POSTS, "post_images")
    chosen = settings.model_copy(update={"segmenter": "segformer:./nowhere"})
    with pytest.raises(Exception, match=r"FASHION_SEGMENTER=segformer:\./nowhere: segmenter"):
        run(chosen, "garment_images")
