"""The embedding assets over a tiny lake: unreadable crops, nothing encoded twice, old vectors never mixed."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.partitions import MONTHS
from fashion_assets.defs.resources import Encoders
from fashion_assets.encoders import ray_encoder, registry
from fashion_assets.encoders.local_visual import LocalVisualEncoder, visual_model_id
from fashion_assets.encoders.protocol import Vectors
from fashion_assets.encoders.schemas import multimodal_schema
from fashion_assets.encoders.tables import embedding_table, vectors_of
from fashion_assets.media.schemas import GARMENT_IMAGES, as_table
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake

MONTH = "2024-05"
KEY = "2024-05-01"
EARLIER = "2024-04"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A lake with four crops of a month: one damaged, one whose file is gone."""
    settings = Settings(data_dir=tmp_path)
    generator = np.random.default_rng(7)
    rows: list[dict[str, object]] = []
    for name in ("a", "b", "damaged", "gone"):
        crop = settings.crops / f"{name}.webp"
        crop.parent.mkdir(parents=True, exist_ok=True)
        pixels = generator.integers(0, 255, (60, 40, 4), dtype=np.uint8)
        Image.fromarray(pixels, "RGBA").save(crop, lossless=True)
        rows.append(
            {
                "image_id": f"p-{name}/1.jpg",
                "post_id": f"p-{name}",
                "month": MONTH,
                "digest": name,
                "segmenter": "grabcut-1",
                "crop": "garment",
                "garment_share": 0.5,
                "kept": True,
                "crop_path": f"{name}.webp",
                "garment_path": f"{name}.webp",
            }
        )
    damaged = settings.crops / "damaged.webp"
    damaged.write_bytes(damaged.read_bytes()[:200])
    (settings.crops / "gone.webp").unlink()
    rows.append({**rows[0], "image_id": "p-a/2.jpg", "kept": False, "crop_path": None, "garment_path": None})
    Lake(settings.lake).write("garment_images", MONTH, _arrow(as_table(rows, GARMENT_IMAGES), GARMENT_IMAGES))
    return settings


def _arrow(frame: Any, schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)


def make(settings: Settings, *assets: str) -> dg.ExecuteInProcessResult:
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        asset_selection=[dg.AssetKey(asset) for asset in assets],
        partition_key=KEY,
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    assert result.success
    return {
        name: value.value for name, value in result.asset_materializations_for_node(asset)[0].metadata.items()
    }


def test_an_unreadable_crop_leaves_the_table_not_the_month(settings: Settings) -> None:
    told = metadata(make(settings, "image_embeddings"), "image_embeddings")
    table = Lake(settings.lake).read("image_embeddings", MONTH)
    assert table.column("item_id").to_pylist() == ["p-a/1.jpg", "p-b/1.jpg"]
    assert np.linalg.norm(vectors_of(table), axis=1) == pytest.approx(1)
    assert (told["crops"], table.num_rows, told["unreadable"]) == (4, 2, 2)
    assert (told["new"], told["reused"], told["model_id"]) == (2, 0, visual_model_id())
    assert "damaged.webp" in told["reasons"] and "gone.webp" in told["reasons"]
    again = metadata(make(settings, "image_embeddings"), "image_embeddings")
    assert (again["new"], again["reused"], again["unreadable"]) == (0, 2, 2)


def test_a_month_made_again_encodes_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (settings.crops / "damaged.webp").write_bytes((settings.crops / "a.webp").read_bytes())
    (settings.crops / "gone.webp").write_bytes((settings.crops / "b.webp").read_bytes())
    assert metadata(make(settings, "image_embeddings"), "image_embeddings")["new"] == 4

    def refuse(*arguments: object) -> Vectors:
        raise AssertionError("a picture was encoded again")

    monkeypatch.setattr(LocalVisualEncoder, "encode", refuse)
    again = metadata(make(settings, "image_embeddings"), "image_embeddings")
    assert (again["new"], again["reused"], again["unreadable"]) == (0, 4, 0)


def write_vectors(settings: Settings, asset: str, month: str, models: list[str]) -> None:
    """A table with one post a model."""
    rows = np.asarray([[0, 1]], np.float32)
    parts = [
        embedding_table([f"p{n}"], [f"p{n}"], month, [f"h{n}"], model, rows).replace_schema_metadata(None)
        for n, model in enumerate(models)
    ]
    table = pa.concat_tables(parts)
    if asset == "multimodal_embeddings":
        masks = {name: pa.array([True] * len(models)) for name in ("has_text", "has_image")}
        columns = {name: table[name] for name in table.column_names} | masks
        schema = multimodal_schema(2)
        table = pa.table([columns[name] for name in schema.names], schema=schema)
    Lake(settings.lake).write(asset, month, table)


def look(settings: Settings, asset: str, name: str) -> tuple[dg.AssetCheckEvaluation, bool]:
    """Check ``name`` of ``asset`` over what lies in the lake, and whether an asset below it was made after it."""

    @dg.asset(name=asset, partitions_def=MONTHS)
    def lies_there() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    @dg.asset(deps=[lies_there], partitions_def=MONTHS)
    def below() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    built = build_definitions(settings)
    own = [
        check
        for check in built.asset_checks or []
        if {key.asset_key for key in check.check_keys} == {lies_there.key}
    ]
    result = dg.materialize(
        [lies_there, below, *own],
        partition_key=KEY,
        instance=dg.DagsterInstance.ephemeral(),
        resources=built.resources,
        raise_on_error=False,
    )
    (check,) = [found for found in result.get_asset_check_evaluations() if found.check_name == name]
    return check, bool(result.asset_materializations_for_node("below"))


def test_vectors_of_another_encoder_than_the_configured_block_what_is_below(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    configured = visual_model_id()
    for models, passes in (([configured], True), (["old@1"], False), ([configured, "old@1"], False)):
        write_vectors(settings, "image_embeddings", MONTH, models)
        check, made_below = look(settings, "image_embeddings", "image_embeddings_one_model")
        assert (check.passed, made_below) == (passes, passes)
        assert all(model in str(check.description) for model in models)
    assert f"the configured encoder is {configured}" in str(check.description)


def test_texts_are_held_against_the_text_encoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(data_dir=tmp_path)
    monkeypatch.setattr(Encoders, "text", SimpleNamespace(model_id="st:new@2"))
    write_vectors(settings, "text_embeddings", MONTH, ["st:new@1"])
    check, made_below = look(settings, "text_embeddings", "text_embeddings_one_model")
    assert not check.passed and not made_below and "FASHION_TEXT_ENCODER" in str(check.description)


@pytest.mark.parametrize(("window", "passes"), [(2, False), (1, True)])
def test_months_of_two_encoders_in_one_style_window_block_the_model(
    tmp_path: Path, window: int, passes: bool
) -> None:
    settings = Settings(data_dir=tmp_path, style_window=window)
    write_vectors(settings, "multimodal_embeddings", EARLIER, ["1*old@1|1*v@1"])
    write_vectors(settings, "multimodal_embeddings", MONTH, ["1*new@1|1*v@1"])
    check, made_below = look(settings, "multimodal_embeddings", "one_model_in_the_style_window")
    assert (check.passed, made_below) == (passes, passes)
    if not passes:
        assert "1*old@1|1*v@1 in 2024-04; 1*new@1|1*v@1 in 2024-05" in str(check.description)


def test_the_ray_engine_encodes_all_but_the_table_of_words(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: dict[str, dict[str, Any]] = {}

    class OnTheCluster:
        def __init__(self, spec: str, **options: Any) -> None:
            made[spec] = options

    monkeypatch.setattr(ray_encoder, "RayEncoder", OnTheCluster)
    monkeypatch.setattr(registry, "load_encoder", lambda spec, **options: (spec, options))
    values = {"engine": "ray", "ray_encoders": 2, "precision": "float16", "torch_compile": True}
    encoders = Encoders(settings.model_copy(update=values))
    loaded_here = {"models_dir": settings.models, "precision": "float16", "compile": True}
    assert encoders.text == ("local:cbow", loaded_here)
    assert isinstance(encoders.image, OnTheCluster) and encoders.image is encoders.image
    assert made == {"local:visual": {**loaded_here, "encoders": 2}}


@pytest.mark.ray
def test_ray_makes_the_table_that_the_step_makes(settings: Settings) -> None:
    tables = []
    for engine in ("inline", "ray"):
        told = metadata(
            make(settings.model_copy(update={"engine": engine}), "image_embeddings"), "image_embeddings"
        )
        assert (told["new"], told["unreadable"]) == (2, 2)
        tables.append(Lake(settings.lake).read("image_embeddings", MONTH))
        shutil.rmtree(settings.embedding_cache)
    assert tables[0].equals(tables[1], check_metadata=True)


def test_one_model_for_texts_and_pictures_adds_their_joint_mean(settings: Settings) -> None:
    for models, joint in ((("clip@1", "clip@1"), "yes"), (("text@1", "image@1"), "no")):
        for asset, model in zip(("text_embeddings", "image_embeddings"), models, strict=True):
            write_vectors(settings, asset, MONTH, [model])
        posts = pa.table({"post_id": ["p0", "p9"]})
        Lake(settings.lake).write("cleaned_posts", MONTH, posts)
        told = metadata(make(settings, "multimodal_embeddings"), "multimodal_embeddings")
        assert told["joint"] == joint
        table = Lake(settings.lake).read("multimodal_embeddings", MONTH)
        assert ("joint_vector" in table.column_names) == (joint == "yes")
        if joint == "yes":
            assert table.column("joint_vector").to_pylist() == [[0.0, 1.0], None]
