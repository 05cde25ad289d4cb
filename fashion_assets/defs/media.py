"""Group ``media``: the month's pictures, and the garment region of each."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pandas as pd

from fashion_assets.defs.compute import compute
from fashion_assets.defs.faults import asset
from fashion_assets.defs.metadata import picture, preview
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.settings import Settings
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.months import month_of_key

if TYPE_CHECKING:
    from fashion_assets.media.segmentation import Segmenter


@asset(partitions_def=MONTHS, group_name="media", kinds={"parquet"}, deps=["raw_posts"])
def post_images(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], cleaned_posts: pd.DataFrame
) -> dg.MaterializeResult:
    """The pictures of the kept posts: size, digest, perceptual hash, near-duplicate group.

    A picture that cannot be used stays as a row with status ``refused`` and the reason; one bad picture
    never fails the month.
    """
    from fashion_assets.media.pictures import describe_pictures
    from fashion_assets.posts.landed import read_media_manifest

    month = month_of_key(context.partition_key)
    manifest = read_media_manifest(settings.lake)
    manifest = manifest[manifest["post_id"].isin(cleaned_posts["post_id"])]
    known = _known(settings, "post_images", month)
    images = describe_pictures(manifest, settings.media, month, known=known, workers=settings.workers)
    usable = images[images["status"] == "ok"]
    return dg.MaterializeResult(
        value=images,
        metadata={
            "pictures": len(usable),
            "refused": len(images) - len(usable),
            "decoded": images.attrs["decoded"],
            "reused": images.attrs["reused"],
            "near_duplicates": int((~usable["is_representative"]).sum()),
            "near_duplicate_rate": float((~usable["is_representative"]).mean()) if len(usable) else 0.0,
            "reasons": preview(images[images["status"] == "refused"], ["image_id", "reason"], rows=10),
            "preview": preview(images, ["image_id", "width", "height", "phash", "duplicate_group", "status"]),
        },
    )


@asset(
    partitions_def=MONTHS, group_name="media", kinds={"parquet", "opencv"}, **compute(Settings(), "segmenter")
)
def garment_images(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], post_images: pd.DataFrame
) -> dg.MaterializeResult:
    """The garment region of each picture, or the person in it, as a crop without background, and the garment's share.

    Below the smallest share (5 % unless configured) a picture leaves the style branch, not the month.
    """
    from fashion_assets.media.garments import garment_images as find_garments
    from fashion_assets.reports.charts import histogram_png

    month = month_of_key(context.partition_key)
    garments = find_garments(
        post_images[post_images["status"] == "ok"],
        settings.media,
        settings.crops,
        _segmenter(settings.segmenter, settings.models),
        month,
        min_share=settings.min_garment_share,
        known=_known(settings, "garment_images", month),
        crop=settings.crop,
        workers=settings.workers,
    )
    kept, unreadable = int(garments["kept"].sum()), garments.attrs["unreadable"]
    return dg.MaterializeResult(
        value=garments,
        metadata={
            "pictures": len(garments),
            "kept": kept,
            "below_min_share": len(garments) - kept - unreadable,
            "unreadable": unreadable,
            "segmented": garments.attrs["segmented"],
            "reused": garments.attrs["reused"],
            "min_garment_share": settings.min_garment_share,
            "segmenter": settings.segmenter,
            "crop": settings.crop,
            "preview": preview(garments, ["image_id", "garment_share", "kept", "crop_path"]),
            **picture(
                histogram_png(
                    garments["garment_share"], title="garment share", threshold=settings.min_garment_share
                )
            ),
        },
    )


@lru_cache(maxsize=1)
def _segmenter(spec: str, models_dir: Path) -> "Segmenter":
    """The configured segmenter, kept for the months that follow: a network takes seconds to load."""
    from fashion_assets.media.segmentation import load_segmenter

    try:
        return load_segmenter(spec, models_dir=models_dir)
    except UserError as fault:
        raise UserError(f"FASHION_SEGMENTER={spec}: {fault}") from fault


def _known(settings: Settings, asset: str, month: str) -> pd.DataFrame | None:
    """What an earlier run of this month found, so that the same bytes are not looked at twice."""
    from fashion_assets.defs.io_managers import to_frame

    lake = Lake(settings.lake)
    return to_frame(lake.read(asset, month)) if lake.path(asset, month).exists() else None
