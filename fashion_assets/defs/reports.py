"""Group ``reports``: the monthly page with its montage, and the map over all months."""

import time
from datetime import datetime

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa

from fashion_assets.defs.closing import closing_record
from fashion_assets.defs.faults import asset
from fashion_assets.defs.landing import PLATFORM_ZONE
from fashion_assets.defs.metadata import picture
from fashion_assets.defs.partitions import MONTHS, REPORT_MONTHS
from fashion_assets.defs.resources import LakeReader, style_model_path
from fashion_assets.settings import Settings
from fashion_assets.storage.files import file_digest, write_bytes_atomic, write_text_atomic
from fashion_assets.storage.months import month_of_key, shift_month
from fashion_assets.styles.model import StyleModel

#: What a monthly page needs of each table; none names all columns.
_TABLES: dict[str, list[str] | None] = {
    "raw_posts": ["post_id", "superseded"],
    "cleaned_posts": ["post_id", "text"],
    "quarantined_posts": None,
    "post_images": ["image_id", "status", "is_representative"],
    "garment_images": ["image_id", "kept", "garment_path", "crop_path"],
    "fashion_keywords": ["month", "keywords", "facets"],
    "style_profiles": None,
}


@asset(
    partitions_def=MONTHS,
    group_name="reports",
    kinds={"html"},
    deps=[*_TABLES, "style_model", "text_embeddings", "image_embeddings", "closed_month"],
)
def monthly_style_report(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    lake: dg.ResourceParam[LakeReader],
) -> dg.MaterializeResult:
    """A self-contained HTML page of the month's styles, and its montage as PNG: 5 styles x 10 pictures."""
    from fashion_assets.reports.closing import closing_sentence
    from fashion_assets.reports.gather import gather_monthly_report, montage_rows
    from fashion_assets.reports.montage import montage_png
    from fashion_assets.reports.monthly import render_monthly_report

    started = time.perf_counter()
    month = month_of_key(context.partition_key)
    first = shift_month(month, 1 - REPORT_MONTHS)
    shown = [known for known in lake.months("style_profiles") if first <= known <= month]
    model = StyleModel.load(style_model_path(settings, month))
    lineage = _lineage(settings, shown)
    data = gather_monthly_report(
        month,
        {name: lake.frame(name, month, of_it) for name, of_it in _TABLES.items()},
        lake.frames("style_profiles", shown),
        crops_root=settings.crops,
        silhouette_curve=model.silhouette_curve,
        chosen_k=model.k,
        k_reason=_reason(model),
        model_ids=_model_ids(settings, lake, month),
        min_garment_share=settings.min_garment_share,
        generated_at=datetime.now(PLATFORM_ZONE),
        provenance={name: file_digest(lake.lake.path(name, month))[:16] for name in _TABLES},
        lineage=lineage,
        blank_faces=settings.blank_faces,
        closing=closing_sentence(closing_record(lake, month), lake.lake.row_count("cleaned_posts", month)),
    )
    folder = settings.reports / month
    montage = montage_png(montage_rows(data))
    page = render_monthly_report(data)
    write_text_atomic(folder / "style_report.html", page)
    write_bytes_atomic(folder / "montage.png", montage)
    return dg.MaterializeResult(
        metadata={
            "report": dg.MetadataValue.path(folder / "style_report.html"),
            "montage": dg.MetadataValue.path(folder / "montage.png"),
            "kept": data.counts.kept,
            "quarantined": data.counts.quarantined,
            "dagster/row_count": len(data.profiles),
            "page_bytes": len(page.encode()),
            "seconds": round(time.perf_counter() - started, 1),
            **picture(montage),
        }
    )


def _lineage(settings: Settings, months: list[str]) -> pd.DataFrame:
    """STYLE_LINEAGE of the months' style models, which lie beside each other on disk."""
    from fashion_assets.styles.lineage import lineage_table

    paths = {month: style_model_path(settings, month) for month in months}
    return lineage_table(
        [(month, StyleModel.load(path).events) for month, path in paths.items() if path.is_file()]
    )


def _reason(model: StyleModel) -> str:
    """Why this k; what the curve is of, and the silhouette among the vectors themselves, which does not flatter."""
    if model.silhouette_unreduced is None:
        return model.k_reason
    scan = (
        "of this month"
        if model.scan_month == model.month
        else f"of the last full scan, in {model.scan_month}"
    )
    harder = f"among the vectors themselves these styles score {model.silhouette_unreduced:.3f}"
    return (
        f"{model.k_reason} The curve is {scan}, on {model.n_scanned:,} posts in the reduced space; {harder}."
    )


def _model_ids(settings: Settings, lake: LakeReader, month: str) -> dict[str, str]:
    """The encoders that the month's vectors were really made by, not those that are configured by now."""
    ids = {}
    for table, purpose in (("text_embeddings", "text"), ("image_embeddings", "pictures")):
        models = lake.lake.read(table, month, columns=["model_id"])["model_id"].unique().to_pylist()
        ids[purpose] = ", ".join(models) or "none (no row this month)"
    return {**ids, "segmenter": settings.segmenter, "tokenizer": settings.tokenizer}


@asset(
    group_name="reports",
    kinds={"html"},
    deps=[
        "style_clusters",
        "style_profiles",
        "multimodal_embeddings",
        "fashion_keywords",
        "cleaned_posts",
        "garment_images",
    ],
)
def style_atlas(
    settings: dg.ResourceParam[Settings], lake: dg.ResourceParam[LakeReader]
) -> dg.MaterializeResult:
    """An interactive map of the posts of all months, coloured by style: hover, pictures, search, filter by month."""
    from fashion_assets.encoders.tables import vectors_of
    from fashion_assets.reports.atlas import atlas_points, render_style_atlas
    from fashion_assets.reports.atlas_pictures import chosen_posts, picture_sheets, posts_with_pictures
    from fashion_assets.reports.style_map import style_map_png
    from fashion_assets.storage.row_picks import picked_rows, places_by_month
    from fashion_assets.styles.atlas_positions import map_positions, sample_rows

    started = time.perf_counter()
    months = lake.months("style_clusters")
    counts = {month: lake.lake.row_count("multimodal_embeddings", month) for month in months}
    n_posts = sum(counts.values())
    # The posts that are shown are drawn first, and nothing of the others is read but which model made their vectors.
    drawn = places_by_month(counts, sample_rows(n_posts, settings.random_seed))
    table = pa.concat_tables(
        picked_rows(lake.lake, "multimodal_embeddings", month, rows, ["post_id", "vector"])
        for month, rows in drawn
    )
    shown = table["post_id"].to_pylist()
    points = atlas_points(
        shown,
        map_positions(np.asarray(vectors_of(table)), settings.random_seed),
        lake.frames_of_posts("style_clusters", months, shown, ["post_id", "month", "style_id"]),
        lake.frames("style_profiles", months),
        lake.frames_of_posts("cleaned_posts", months, shown, ["post_id", "title", "body"]),
        lake.frames_of_posts("fashion_keywords", months, shown, ["post_id", "keywords"]),
    )
    path_column = "garment_path" if settings.blank_faces else "crop_path"
    garments = lake.frames_of_posts(
        "garment_images", months, shown, ["post_id", "image_id", "kept", path_column]
    )
    paths = posts_with_pictures(points, garments, path_column=path_column)
    pictures = picture_sheets(chosen_posts(points, paths, settings.random_seed), paths, settings.crops)
    page = render_style_atlas(
        points,
        pictures=pictures,
        sources=_sources(_models(lake, months), n_posts, len(points), datetime.now(PLATFORM_ZONE)),
    )
    path = settings.reports / "style_atlas.html"
    write_text_atomic(path, page)
    still = style_map_png(points)
    write_bytes_atomic(settings.reports / "style_map.png", still)
    return dg.MaterializeResult(
        metadata={
            "atlas": dg.MetadataValue.path(path),
            "dagster/row_count": len(points),
            "posts_shown": len(points),
            "posts_in_all": n_posts,
            "posts_with_picture": pictures.n_with_picture,
            "pictures_shown": len(pictures.tile_of),
            "page_bytes": len(page.encode()),
            "seconds": round(time.perf_counter() - started, 1),
            **picture(still),
        }
    )


def _models(lake: LakeReader, months: list[str]) -> str:
    """The encoders that made the vectors of ``months``."""
    columns = [lake.lake.read("multimodal_embeddings", month, ["model_id"])["model_id"] for month in months]
    return ", ".join(sorted({str(model) for column in columns for model in column.unique().to_pylist()}))


def _sources(models: str, n_posts: int, n_shown: int, made: datetime) -> list[str]:
    """What the map was made of, and what it leaves out."""
    sample = "" if n_shown == n_posts else ", an even sample"
    return [
        f"{n_shown:,} of {n_posts:,} embedded posts{sample}; vectors by {models}; "
        f"places by UMAP on cosine distance.",
        f"Made {made:%Y-%m-%d %H:%M} {made.tzname()}.",
    ]
