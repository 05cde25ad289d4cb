"""`style_experiments` through Dagster: its rows, its figures, its check, its page, and which ones a plain run makes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest

from fashion_assets.definitions import build_definitions
from fashion_assets.defs.resources import Encoders
from fashion_assets.encoders.multimodal import combine
from fashion_assets.encoders.protocol import Vectors
from fashion_assets.encoders.rows import unit_rows
from fashion_assets.encoders.tables import embedding_table
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake
from fashion_assets.styles.experiments.variants import REFERENCE_VARIANTS, VARIANTS
from fashion_assets_tests.assets.test_planning import made, planner
from fashion_assets_tests.unit.styles_made import around

CONFIG = {"k_max": 12, "bootstraps": 2, "seeds": 1, "stability_rows": 60}
THEMES = ["马面裙 新中式 盘扣", "牛仔裤 工装 靴子", "连衣裙 碎花 法式", "西装 通勤 衬衫"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Two months of 60 posts: four groups by picture and by hashtag, one of them with most of the keywords."""
    root = tmp_path_factory.mktemp("experiments")
    lake = Lake(root / "lake")
    generator = np.random.default_rng(3)
    centres = unit_rows(generator.normal(size=(4, 12)))
    for month in ("2024-01", "2024-02"):
        ids = [f"{month}-{row}" for row in range(60)]
        styles = np.arange(60) % 4
        lopsided = np.where(np.arange(60) % 10 == 0, styles, 0)
        text = around(centres[lopsided], 0.2, generator)
        image = around(centres[styles], 0.4, generator)
        text_table = embedding_table(ids, ids, month, ids, "texts", text)
        image_table = embedding_table(ids, ids, month, ids, "images", image)
        lake.write("text_embeddings", month, text_table)
        lake.write("multimodal_embeddings", month, combine(text_table, image_table, ids, month))
        tags = [[*THEMES[style].split()[: 2 + row // 4 % 2]] for row, style in enumerate(styles)]
        lake.write("cleaned_posts", month, pa.table({"post_id": ids, "tags": tags}))
    return Settings(data_dir=root)


class OneDirectionPerWord:
    """A text encoder that needs no training: the mean of a fixed direction per word."""

    model_id, modality, dim = "made-words", "text", 24

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, items: Iterable[str], refused: dict[int, str] | None = None) -> Vectors:
        texts = list(items)
        self.asked += texts
        seeds = [[zlib.crc32(word.encode()) for word in text.split()] for text in texts]
        rows = [sum(np.random.default_rng(seed).normal(size=24) for seed in own) for own in seeds]
        return unit_rows(np.stack(rows))


def materialise(settings: Settings, asset: str, partition: str | None = None) -> dg.ExecuteInProcessResult:
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    ops = {asset: {"config": CONFIG}} if asset == "style_experiments" else {}
    return job.execute_in_process(
        asset_selection=[dg.AssetKey(asset)],
        partition_key=partition,
        run_config={"ops": ops},
        instance=dg.DagsterInstance.ephemeral(),
    )


def metadata(result: dg.ExecuteInProcessResult, asset: str = "style_experiments") -> dict[str, Any]:
    (made,) = result.asset_materializations_for_node(asset)
    return {name: value.value for name, value in made.metadata.items()}


def test_a_variant_is_judged_in_figures_words_and_pictures(settings: Settings) -> None:
    result = materialise(settings, "style_experiments", "image-none-kmeans")
    told = metadata(result)
    assert told["level"] == told["verdict"] == "passes" and told["best_k"] == 4
    assert told["posts"] == "120 of 120" and told["noise_share"] == 0
    assert len(told["ari_bootstraps"].split(",")) == 2
    for picture in ("curve", "scatter", "leaderboard"):
        assert told[picture].startswith("![chart](data:image/png;base64,")
    (check,) = [
        one for one in result.get_asset_check_evaluations() if one.check_name == "no_extreme_distribution"
    ]
    assert check.check_name == "no_extreme_distribution" and check.passed


def test_hashtags_go_through_the_text_encoder_once(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = OneDirectionPerWord()
    monkeypatch.setattr(Encoders, "text", property(lambda self: encoder))
    told = metadata(materialise(settings, "style_experiments", "text_tags-none-kmeans"))
    assert told["posts"] == "120 of 120" and 4 <= told["best_k"] <= 8
    (row,) = Lake(settings.lake).read("style_experiments", "text_tags-none-kmeans").to_pylist()
    assert row["model_id"] == "made-words"
    assert sorted(encoder.asked) == sorted(set(encoder.asked)) and len(encoder.asked) == 8
    materialise(settings, "style_experiments", "text_tags-none-kmeans")
    assert len(encoder.asked) == 8


def test_an_extreme_distribution_fails_the_check_and_not_the_run(settings: Settings) -> None:
    result = materialise(settings, "style_experiments", "text_keywords-none-agglomerative")
    (check,) = [
        one for one in result.get_asset_check_evaluations() if one.check_name == "no_extreme_distribution"
    ]
    assert not check.passed and check.severity == dg.AssetCheckSeverity.WARN
    assert "one cluster holds 9" in str(check.description)
    assert result.success


def test_what_cannot_be_tried_is_a_row_and_the_page_names_what_was_not(settings: Settings) -> None:
    told = metadata(materialise(settings, "style_experiments", "joint-none-kmeans"))
    assert told["level"] == "none" and "different models" in told["verdict"]
    told = metadata(materialise(settings, "style_experiments_report"), "style_experiments_report")
    page = Path(told["report"]).read_text(encoding="utf-8")
    made_here = ["image-none-kmeans", "joint-none-kmeans"]
    assert all(f'id="{key}"' in page for key in made_here)
    assert "<li>image-umap-evoc</li>" in page and 'id="image-umap-evoc"' not in page
    assert "different models" in page


def planned(instance: dg.DagsterInstance, root: Path, selected: set[str] | None = None) -> set[str]:
    nodes = planner(instance, root).plan(selected)
    return {str(node.partition) for node in nodes if node.asset == "style_experiments"}


def test_a_plain_run_makes_the_references_and_asking_makes_all(tmp_path: Path) -> None:
    instance = dg.DagsterInstance.ephemeral()
    reference = {variant.key for variant in REFERENCE_VARIANTS}
    assert planned(instance, tmp_path) == reference
    assert planned(instance, tmp_path, {"multimodal_embeddings", "style_experiments"}) == reference
    everything = {variant.key for variant in VARIANTS}
    assert planned(instance, tmp_path, {"style_experiments", "style_experiments_report"}) == everything


def test_the_page_follows_any_variant(tmp_path: Path) -> None:
    instance = dg.DagsterInstance.ephemeral()
    plan = planner(instance, tmp_path)
    made(instance, plan, plan.plan(), landed_posts=10)
    assert planner(instance, tmp_path).plan() == []
    extra = next(
        node for node in plan.plan({"style_experiments"}, force=True) if node.partition == "image-pca-hdbscan"
    )
    made(instance, plan, [extra])
    assert [node.asset for node in planner(instance, tmp_path).plan()] == ["style_experiments_report"]
