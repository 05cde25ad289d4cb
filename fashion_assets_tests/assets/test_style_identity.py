"""The style assets over a lake of made months: models that go on, lineage, registry, and what a late post flags."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fashion_assets.defs.resources import LakeReader, style_model_path
from fashion_assets.defs.styles import (
    StyleModelConfig,
    style_clusters,
    style_lineage,
    style_model,
    style_registry,
)
from fashion_assets.media.copies import COLUMNS
from fashion_assets.settings import Settings
from fashion_assets.styles.lineage import STYLE_LINEAGE, STYLE_REGISTRY
from fashion_assets.styles.model import StyleModel
from fashion_assets_tests.unit.styles_made import DriftingStyles

MONTHS = ["2024-02", "2024-03", "2024-05"]


class Room:
    """A data root with the tables that the style assets read."""

    def __init__(self, root: Path) -> None:
        self.settings = Settings(data_dir=root, style_k_max=8)
        self.lake = LakeReader(self.settings)
        self.styles = DriftingStyles(5, dim=16, noise=0.8, seed=3)

    def arrive(self, month: str, n: int = 120) -> None:
        table, _ = self.styles.month(month, n)
        self.store(month, table)

    def store(self, month: str, table: pa.Table) -> None:
        none = pa.table({name: pa.array([], pa.string()) for name in COLUMNS})
        write = self.lake.lake.write
        write("raw_posts", month, table.select(["post_id"]))
        write("multimodal_embeddings", month, table)
        text = np.reshape(np.asarray(table["vector"].to_pylist(), dtype=np.float64), (-1, 32))[:, :16]
        fixed = pa.FixedSizeListArray.from_arrays(pa.array(text.ravel()), 16)
        write("text_embeddings", month, pa.table({"vector": fixed}))
        write("post_images", month, none)
        write(
            "garment_images",
            month,
            pa.table({"image_id": pa.array([], pa.string()), "kept": pa.array([], pa.bool_())}),
        )

    def fit(self, month: str, **config: bool) -> dict[str, object]:
        context = dg.build_asset_context(partition_key=f"{month}-01")
        made = style_model(context, StyleModelConfig(**config), settings=self.settings, lake=self.lake)
        assert isinstance(made, dg.MaterializeResult) and made.metadata is not None
        return dict(made.metadata)

    def assign(self, month: str) -> dg.MaterializeResult:
        context = dg.build_asset_context(partition_key=f"{month}-01")
        table = self.lake.lake.read("multimodal_embeddings", month)
        made = style_clusters(context, self.settings, self.lake, table)
        assert isinstance(made, dg.MaterializeResult)
        return made

    def model(self, month: str) -> StyleModel:
        return StyleModel.load(style_model_path(self.settings, month))


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Room:
    from fashion_assets.styles import partition

    # PCA stands in for UMAP, which compiles for long
    reduce_rows = partition.reduce_rows
    monkeypatch.setattr(
        partition, "reduce_rows", lambda unit, method, **options: reduce_rows(unit, "pca", **options)
    )
    room = Room(tmp_path)
    for month in MONTHS:
        room.arrive(month)
    return room


def test_models_go_on_over_a_month_without_a_crawl(room: Room) -> None:
    told = [room.fit(month) for month in MONTHS]
    assert [each["goes_on_from"] for each in told] == ["no earlier month", "2024-02", "2024-03"]
    ids = [room.model(month).style_ids.tolist() for month in MONTHS]
    assert ids[0] == ids[1] == ids[2] == list(range(5))
    before = style_model_path(room.settings, "2024-03").read_bytes()
    room.fit("2024-03")
    assert style_model_path(room.settings, "2024-03").read_bytes() == before
    # the first one made again begins the numbering anew, as it did: the next one went on from it
    before = style_model_path(room.settings, "2024-02").read_bytes()
    room.fit("2024-02")
    assert style_model_path(room.settings, "2024-02").read_bytes() == before
    assert room.fit("2024-05", full_scan=True)["why_this_k"] != told[2]["why_this_k"]


def test_a_month_before_all_others_takes_their_ids(room: Room) -> None:
    room.fit("2024-02")
    room.arrive("2024-01")
    told = room.fit("2024-01")
    assert "arrived after 2024-02" in str(told["why_this_k"])
    assert room.model("2024-01").style_ids.tolist() == room.model("2024-02").style_ids.tolist()
    # with other encoders all months are made anew, the oldest first
    for month in ("2024-01", "2024-02"):
        table = room.lake.lake.read("multimodal_embeddings", month)
        at = table.schema.get_field_index("model_id")
        room.store(month, table.set_column(at, "model_id", pa.array(["other"] * len(table))))
    assert [room.fit(month)["goes_on_from"] for month in ("2024-01", "2024-02")] == [
        "no earlier month",
        "2024-01",
    ]


def test_a_month_before_one_without_styles_is_scanned(room: Room) -> None:
    table = room.lake.lake.read("multimodal_embeddings", "2024-02")
    room.store("2024-02", table.slice(0, 0))
    room.fit("2024-02")
    room.arrive("2024-01")
    assert room.model("2024-02").k == 0 and room.fit("2024-01")["styles"] == 5


def test_a_month_that_arrives_between_two_others_gives_birth_to_nothing(room: Room) -> None:
    for month in MONTHS:
        room.fit(month)
    others = {month: style_model_path(room.settings, month).read_bytes() for month in MONTHS}
    newborn, _ = DriftingStyles(1, dim=16, noise=0.8, seed=99).month("2024-04", 120)
    room.store("2024-04", newborn)
    told = room.fit("2024-04")
    assert "arrived after 2024-05; the styles of 2024-03 are taken as they are" in str(told["why_this_k"])
    assert room.model("2024-04").style_ids.tolist() == room.model("2024-03").style_ids.tolist()
    assert len(room.assign("2024-04").value) == 120
    again = style_model_path(room.settings, "2024-04").read_bytes()
    room.fit("2024-04")
    assert style_model_path(room.settings, "2024-04").read_bytes() == again
    assert others == {month: style_model_path(room.settings, month).read_bytes() for month in MONTHS}
    # fitted on purpose, the month after goes on from it and tells what its posts show
    assert room.fit("2024-05")["goes_on_from"] == "2024-04"
    assert room.model("2024-05").next_style_id > room.model("2024-04").next_style_id


def test_lineage_registry_and_the_flag_of_a_late_post(room: Room) -> None:
    for month in MONTHS:
        room.fit(month)
        metadata = room.assign(month).metadata
        assert metadata is not None and metadata["model_is_stale"] is False
    lineage = style_lineage(room.settings)
    assert isinstance(lineage, dg.MaterializeResult)
    assert pa.Table.from_pandas(lineage.value, schema=STYLE_LINEAGE, preserve_index=False).num_rows == 15
    profiles = pd.DataFrame({"style_id": [0, 0], "month": ["2024-02", "2024-05"], "name": ["old", "new"]})
    room.lake.lake.write("style_profiles", "2024-05", pa.Table.from_pandas(profiles, preserve_index=False))
    made = style_registry(room.settings, room.lake, lineage.value)
    assert isinstance(made, dg.MaterializeResult) and made.metadata is not None
    registry = pa.Table.from_pandas(made.value, schema=STYLE_REGISTRY, preserve_index=False).to_pandas()
    assert registry.loc[0, ["name", "first_month", "last_month", "n_months"]].tolist() == [
        "new",
        "2024-02",
        "2024-05",
        3,
    ]
    assert made.metadata["stale_models"] == "none" and made.metadata["living"] == 5

    february = room.lake.lake.read("multimodal_embeddings", "2024-02")
    late = february.slice(0, 2).set_column(0, "post_id", pa.array(["late-1", "late-2"]))
    models = {month: style_model_path(room.settings, month).read_bytes() for month in MONTHS}
    room.store("2024-02", pa.concat_tables([february, late]))
    assigned = room.assign("2024-02")
    assert assigned.metadata is not None and assigned.metadata["posts_the_model_has_not_seen"] == 2
    assert set(assigned.value.set_index("post_id").loc[["late-1", "late-2"], "model_month"]) == {"2024-02"}
    made = style_registry(room.settings, room.lake, lineage.value)
    assert isinstance(made, dg.MaterializeResult) and made.metadata is not None
    assert made.metadata["stale_models"] == "2024-02: 2 posts, 2024-03: 2 posts, 2024-05: 2 posts"
    assert models == {month: style_model_path(room.settings, month).read_bytes() for month in MONTHS}
