"""Collects what a monthly report shows from the month's tables and crops."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import pandas as pd

from fashion_assets.keywords.facets import top_keywords
from fashion_assets.reports.montage import MontageRow
from fashion_assets.reports.monthly import PICTURES_PER_STYLE, TOP_STYLES, MonthlyReportData, ReportCounts
from fashion_assets.reports.pictures import Thumb, load_thumbnail, placeholder
from fashion_assets.reports.quarantine import quarantine_summary
from fashion_assets.reports.wording import percent, quantity, style_label
from fashion_assets.storage.places import Place

#: Representative posts quoted under a style.
POSTS_PER_STYLE = 3

#: Picture files that could not be read which the page names; the rest are a number.
REFUSED_NAMED = 5

#: Keywords offered to the page's facet lists, most frequent first; the page shows the first few of each facet.
KEYWORDS_SHOWN = 500


def gather_monthly_report(
    month: str,
    tables: Mapping[str, pd.DataFrame],
    history: pd.DataFrame,
    *,
    crops_root: Place,
    silhouette_curve: pd.DataFrame,
    chosen_k: int | None,
    k_reason: str,
    model_ids: Mapping[str, str],
    min_garment_share: float,
    generated_at: datetime,
    provenance: Mapping[str, str],
    lineage: pd.DataFrame | None = None,
    blank_faces: bool = True,
    closing: str = "",
) -> MonthlyReportData:
    """What the page of ``month`` shows.

    With ``blank_faces`` a picture is shown as its garment alone, whatever was cut out for the encoder: all above,
    below and beside the garment mask is blank. Without it, person crops are published as they are, faces and all.

    ``tables`` holds the month's ``raw_posts``, ``cleaned_posts``, ``quarantined_posts``, ``post_images``,
    ``garment_images``, ``fashion_keywords`` and ``style_profiles``; ``history`` the profiles of every month up to it;
    ``lineage`` the STYLE_LINEAGE rows of the same months, if there are any; ``closing`` whether the month is final.
    """
    images, garments, profiles = tables["post_images"], tables["garment_images"], tables["style_profiles"]
    usable, refused = images[images["status"] == "ok"], images[images["status"] != "ok"]
    counts = ReportCounts(
        arrived=len(tables["raw_posts"]),
        kept=len(tables["cleaned_posts"]),
        quarantined=len(tables["quarantined_posts"]),
        pictures=len(usable),
        refused_pictures=len(refused),
        refused_names=refused["image_id"].sort_values().head(REFUSED_NAMED).tolist(),
        low_garment=int((~garments["kept"].astype(bool)).sum()),
        near_duplicates=int((~usable["is_representative"].astype(bool)).sum()),
        garment_threshold=min_garment_share,
        older_crawls=int(tables["raw_posts"]["superseded"].sum()),
    )
    top = profiles.sort_values(["share", "style_id"], ascending=[False, True]).head(TOP_STYLES)
    shown = dict(
        zip(garments["image_id"], garments["garment_path" if blank_faces else "crop_path"], strict=True)
    )
    texts = dict(zip(tables["cleaned_posts"]["post_id"], tables["cleaned_posts"]["text"], strict=True))
    return MonthlyReportData(
        month=month,
        counts=counts,
        quarantine_reasons=quarantine_summary(tables["quarantined_posts"]),
        model_ids=model_ids,
        profiles=profiles,
        profile_history=history,
        silhouette_curve=silhouette_curve,
        chosen_k=chosen_k,
        k_reason=k_reason,
        pictures={
            style: _thumbs(images_of_style, shown, crops_root)
            for style, images_of_style in zip(top["style_id"], top["representative_images"], strict=True)
        },
        posts={
            style: [texts[post] for post in list(posts)[:POSTS_PER_STYLE] if post in texts]
            for style, posts in zip(top["style_id"], top["representative_posts"], strict=True)
        },
        facets=top_keywords(tables["fashion_keywords"], KEYWORDS_SHOWN),
        generated_at=generated_at,
        provenance=provenance,
        lineage=lineage,
        closing=closing,
    )


def _thumbs(image_ids: Sequence[str], crops: Mapping[str, str | None], crops_root: Place) -> list[Thumb]:
    tiles = []
    for image_id in list(image_ids)[:PICTURES_PER_STYLE]:
        path = crops.get(image_id)
        tiles.append(load_thumbnail(crops_root / path, image_id=image_id) if path else placeholder(image_id))
    return tiles


def montage_rows(data: MonthlyReportData) -> list[MontageRow]:
    """One montage row per top style: its name, its share with the 95 % interval and its posts, and its pictures."""
    top = data.profiles.sort_values(["share", "style_id"], ascending=[False, True]).head(TOP_STYLES)
    return [
        MontageRow(
            title=f"{style_label(name, style)}   {figures}",
            thumbs=data.pictures.get(style, ()),
            fallback=f"Style {style}   {figures}",
        )
        for style, name, figures in zip(top["style_id"], top["name"], _figures(top), strict=True)
    ]


def _figures(profiles: pd.DataFrame) -> list[str]:
    return [
        f"{percent(share)} (95% interval {percent(low)} to {percent(high)}), {quantity(n_posts)} posts"
        for share, low, high, n_posts in zip(
            profiles["share"], profiles["share_low"], profiles["share_high"], profiles["n_posts"], strict=True
        )
    ]
