"""Each check passes on a history as it should be and fires on a fault made for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from fashion_assets.defs.checks import all_checks
from fashion_assets.defs.checks.factory import Check, Finding, Look
from fashion_assets.defs.checks.tables import columns_off
from fashion_assets.defs.resources import Encoders
from fashion_assets.defs.schemas import SCHEMAS
from fashion_assets.encoders.tables import embedding_table
from fashion_assets.settings import Settings
from fashion_assets.storage.lake import Lake
from fashion_assets.storage.months import shift_month
from fashion_assets.styles.model import StyleModel

MONTH = "2024-06"
EARLIER = [shift_month(MONTH, -n) for n in range(5, 0, -1)]
CHECKS: dict[str, Check] = {check.name: check for check in all_checks()}


@pytest.fixture
def look(tmp_path: Path) -> Look:
    settings = Settings(data_dir=tmp_path)
    encoders = cast(Encoders, SimpleNamespace(text=SimpleNamespace(model_id="t@1")))
    return Look(settings, Lake(settings.lake), encoders, f"{MONTH}-01", dg.DagsterInstance.ephemeral())


def found(name: str, look: Look) -> Finding:
    return CHECKS[name].look(look)


def write_posts(
    look: Look, month: str, posts: int = 300, *, refused: int = 9, texts: int | None = None, until: int = 31
) -> None:
    """A month of posts spread over its days up to ``until``, of ``texts`` different texts."""
    first = date.fromisoformat(f"{month}-01")
    last = date.fromisoformat(f"{shift_month(month, 1)}-01") - timedelta(days=1)
    days = min(until, last.day)
    look.lake.write(
        "cleaned_posts",
        month,
        pa.table(
            {
                "post_id": [f"{month}-{n}" for n in range(posts)],
                "post_date": pa.array([first + timedelta(days=n % days) for n in range(posts)], pa.date32()),
                "fetched_at": pa.array(
                    [datetime(last.year, last.month, last.day, 12) + timedelta(days=2)] * posts,
                    pa.timestamp("ms"),
                ),
                "content_hash": pa.array(
                    [f"h{n % (texts or posts or 1)}" for n in range(posts)], pa.string()
                ),
            }
        ),
    )
    look.lake.write("quarantined_posts", month, pa.table({"reason": ["x"] * refused}))


Fault = Callable[[Look], None]


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("quarantine_rate", lambda look: write_posts(look, MONTH, refused=45)),
        ("repeated_texts", lambda look: write_posts(look, MONTH, texts=200)),
        ("month_volume", lambda look: write_posts(look, MONTH, 60)),
        ("month_volume", lambda look: write_posts(look, MONTH, 0)),
        ("month_volume", lambda look: write_posts(look, MONTH, 1200)),
        ("no_missing_days", lambda look: write_posts(look, MONTH, until=20)),
    ],
)
def test_a_month_unlike_those_before_it_is_a_warning(look: Look, name: str, fault: Fault) -> None:
    for month in [*EARLIER, MONTH]:
        write_posts(look, month)
    assert found(name, look).passed, found(name, look).found
    fault(look)
    assert not found(name, look).passed
    assert CHECKS[name].severity == "WARN" and not CHECKS[name].blocking


def test_a_first_month_has_fixed_limits_only(look: Look) -> None:
    write_posts(look, MONTH, refused=60, texts=200)
    assert all(found(name, look).passed for name in ("quarantine_rate", "repeated_texts", "month_volume"))
    write_posts(look, MONTH, refused=90, texts=100)
    assert not found("quarantine_rate", look).passed and not found("repeated_texts", look).passed


@pytest.mark.parametrize("usual", [2, 5, 12])
def test_what_chance_does_to_small_months_is_no_warning(look: Look, usual: int) -> None:
    """As many posts as come by chance (Poisson), one of twelve refused, one of four a repeated text."""
    rng = np.random.default_rng(usual)
    fired = []
    for _ in range(40):
        for month in [*EARLIER, MONTH]:
            posts = int(rng.poisson(usual))
            refused, texts = rng.binomial(posts, 1 / 12), posts - rng.binomial(max(posts - 1, 0), 1 / 4)
            write_posts(look, month, posts, refused=int(refused), texts=int(texts))
        looks = [found(name, look) for name in ("month_volume", "quarantine_rate", "repeated_texts")]
        fired += [finding.found for finding in looks if not finding.passed]
    assert fired == []


def test_a_small_month_that_is_bad_throughout_is_a_warning(look: Look) -> None:
    write_posts(look, MONTH, posts=8, refused=9, texts=1)
    assert not found("quarantine_rate", look).passed and not found("repeated_texts", look).passed
    for month in EARLIER:
        write_posts(look, month, posts=20)
    write_posts(look, MONTH, posts=60)
    assert not found("month_volume", look).passed


def test_later_months_are_no_history(look: Look) -> None:
    for month in (shift_month(MONTH, n) for n in range(1, 5)):
        write_posts(look, month)
    write_posts(look, MONTH, 30)
    assert found("month_volume", look).passed


def test_a_running_month_is_not_late(look: Look, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crawl up to the 12th: nothing is missing on the 13th, the rest of the month is after it is due."""
    monkeypatch.setattr("fashion_assets.reports.closing.latest_due_month", lambda now: shift_month(MONTH, -1))
    write_posts(look, MONTH, until=12)
    table = look.lake.read("cleaned_posts", MONTH)
    crawled = pa.array([datetime(2024, 6, 13, 9)] * table.num_rows, pa.timestamp("ms"))
    look.lake.write("cleaned_posts", MONTH, table.set_column(2, "fetched_at", crawled))
    assert found("no_missing_days", look).passed and found("month_volume", look).passed
    monkeypatch.setattr("fashion_assets.reports.closing.latest_due_month", lambda now: MONTH)
    assert "2024-06-13 to 2024-06-30" in found("no_missing_days", look).found


def write_words(look: Look, month: str, words: list[str]) -> None:
    rows = [[words[n % len(words)], words[(n + 1) % len(words)]] for n in range(200)]
    look.lake.write("fashion_keywords", month, pa.table({"keywords": pa.array(rows, pa.list_(pa.string()))}))


def test_other_words_are_vocabulary_drift(look: Look) -> None:
    for month in [*EARLIER, MONTH]:
        write_words(look, month, ["马面裙", "大衣", "帽子", "皮衣"])
    assert found("vocabulary_drift", look).passed
    write_words(look, MONTH, ["马面裙", "新词", "怪词", "乱码"])
    drifted = found("vocabulary_drift", look)
    assert (
        not drifted.passed
        and drifted.figures["unseen"] == pytest.approx(0.75)
        and "大衣 25.0% -> 0.0%" in drifted.found
    )


def write_vectors(look: Look, month: str, shift: float = 0.0, wide: float = 1.0, model: str = "t@1") -> None:
    rng = np.random.default_rng(int(month[-2:]))
    rows = (rng.normal(size=(200, 16)) * wide + shift).astype(np.float32)
    ids = [f"p{n}" for n in range(len(rows))]
    look.lake.write("text_embeddings", month, embedding_table(ids, ids, month, ids, model, rows))


@pytest.mark.parametrize("fault", [{"shift": 0.7}, {"wide": 0.3}, {"wide": 2.0}])
def test_vectors_elsewhere_are_embedding_drift(look: Look, fault: dict[str, float]) -> None:
    for month in [*EARLIER, MONTH]:
        write_vectors(look, month)
    assert found("text_embedding_drift", look).passed
    write_vectors(look, MONTH, **fault)
    assert not found("text_embedding_drift", look).passed


def test_months_of_another_encoder_are_no_reference(look: Look) -> None:
    for month in EARLIER:
        write_vectors(look, month, shift=9.0, model="old@1")
    write_vectors(look, MONTH)
    assert found("text_embedding_drift", look).passed
    assert found("text_embeddings_one_model", look).passed
    write_vectors(look, MONTH, model="old@1")
    assert not found("text_embeddings_one_model", look).passed


def model_of(month: str, ids: list[int], sizes: list[int], **changes: Any) -> StyleModel:
    k = len(ids)
    empty = np.zeros(0, np.int32)
    import pandas as pd

    model = StyleModel(
        month=month,
        modality="multimodal",
        style_ids=np.array(ids, np.int32),
        joint_centroids=np.eye(k, 4, dtype=np.float32),
        text_centroids=np.eye(k, 2, dtype=np.float32),
        image_centroids=np.eye(k, 2, dtype=np.float32),
        style_sizes=np.array(sizes, np.int64),
        style_max_ages=np.zeros(k, np.int32),
        retired_ids=empty,
        retired_centroids=np.zeros((0, 4), np.float32),
        seen_posts=np.zeros(0, np.uint64),
        weights=(1.0, 1.0),
        model_ids=("1*t@1|1*v@1",),
        events=(),
        silhouette_curve=pd.DataFrame(
            {"k": [k], "micro": [0.5], "macro": [0.5], "inertia": [1.0], "largest_share": [0.5]}
        ),
        k_reason="made",
        reduction="none",
        note="",
        silhouette_micro=0.6,
        silhouette_macro=0.6,
        silhouette_unreduced=0.6,
        scan_month=month,
        n_scanned=10,
        next_style_id=max(ids) + 1,
        n_window=10,
        n_usable=10,
        n_fit=10,
        n_kept_ids=0,
        n_new_ids=k,
        previous_month=None,
        seed=7,
    )
    return replace(model, **changes)


def save(look: Look, model: StyleModel) -> None:
    from fashion_assets.defs.resources import style_model_path

    path = style_model_path(look.settings, model.month)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.to_bytes())


def write_styles(look: Look, styles: npt.NDArray[np.int32], noise: float) -> None:
    """Posts of three styles around three corners; ``styles`` says what they are taken for."""
    rng = np.random.default_rng(5)
    n = len(styles)
    rows = np.eye(3, 4)[np.arange(n) % 3] + rng.normal(0, noise, (n, 4))
    ids = [f"p{i}" for i in range(n)]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.astype(np.float32).ravel()), 4)
    look.lake.write("multimodal_embeddings", MONTH, pa.table({"post_id": ids, "vector": vectors}))
    clusters = {"post_id": ids[::-1], "style_id": styles[::-1], "modality": ["multimodal"] * n}
    look.lake.write("style_clusters", MONTH, pa.table(clusters))


def test_styles_that_are_not_told_apart_have_no_silhouette(look: Look) -> None:
    save(look, model_of(MONTH, [0, 1, 2], [40, 40, 40]))
    right = (np.arange(120) % 3).astype(np.int32)
    write_styles(look, right, 0.05)
    assert found("style_silhouette", look).passed and found("no_dominant_style", look).passed
    write_styles(look, np.roll(np.sort(right), 7), 0.05)
    assert not found("style_silhouette", look).passed


def test_one_style_of_most_posts_is_dominant(look: Look) -> None:
    styles = np.array([0] * 70 + [1] * 30 + [-1] * 100, np.int32)
    write_styles(look, styles, 0.05)
    dominant = found("no_dominant_style", look)
    assert not dominant.passed and dominant.figures["largest_share"] == pytest.approx(0.7)


def test_styles_that_all_end_at_once_lose_their_ids(look: Look) -> None:
    before = shift_month(MONTH, -1)
    save(look, model_of(before, [0, 1, 2], [80, 10, 10]))
    save(look, model_of(MONTH, [0, 7, 8], [80, 10, 10], previous_month=before))
    assert found("style_ids_retained", look).passed, "by posts, not by styles"
    save(look, model_of(MONTH, [1, 2, 9], [10, 10, 80], previous_month=before))
    lost = found("style_ids_retained", look)
    assert not lost.passed and "2 of 3 styles" in lost.found
    save(look, model_of(MONTH, [0, 1], [1, 1]))
    assert found("style_ids_retained", look).passed


def test_an_extreme_variant_of_the_experiments_is_a_warning(look: Look) -> None:
    row = {"level": "bad", "verdict": "one cluster holds all", "extreme": True}
    row |= {"largest_share": 0.99, "normalised_entropy": 0.1, "largest_month_share": float("nan")}
    look.lake.write("style_experiments", "text-umap-kmeans", pa.Table.from_pylist([row]))
    variant = replace(look, partition="text-umap-kmeans")
    bad = found("no_extreme_distribution", variant)
    assert not bad.passed and "largest_month_share" not in bad.figures
    look.lake.write("style_experiments", "text-umap-kmeans", pa.Table.from_pylist([row | {"extreme": False}]))
    assert found("no_extreme_distribution", variant).passed


@pytest.mark.parametrize("asset", sorted(SCHEMAS))
def test_an_empty_table_of_its_schema_passes_and_a_column_less_fails(look: Look, asset: str) -> None:
    monthly = look if asset in ("raw_posts", "style_profiles") else replace(look, partition=None)
    look.lake.write(asset, monthly.partition, SCHEMAS[asset].empty_table())
    assert found(f"{asset}_schema", monthly).passed, found(f"{asset}_schema", monthly).found
    gone = SCHEMAS[asset].names[-1]
    look.lake.write(asset, monthly.partition, SCHEMAS[asset].empty_table().drop_columns([gone]))
    short = found(f"{asset}_schema", monthly)
    assert not short.passed and f"{gone} (missing" in short.found


def test_a_type_a_null_and_a_repeated_pair_are_named(look: Look) -> None:
    look = replace(look, partition=None)
    schema = SCHEMAS["product_predictions"]
    row = {"id": "1", "attribute": "sex"}
    table = pa.Table.from_pylist([row, row, row | {"attribute": "season"}], schema=schema)
    look.lake.write("product_predictions", None, table)
    assert "repeated id and attribute: 1" in found("product_predictions_schema", look).found
    other = pa.schema([pa.field("a", pa.int32()), pa.field("b", pa.string())])
    assert columns_off(pa.schema([("a", pa.int64())]), other) == [
        "a (int64, expected int32)",
        "b (missing, expected string)",
    ]
    nulls = pa.Table.from_pylist([{"word": "x"}, {"word": None}])
    filled = [
        (name, pa.nulls(2, SCHEMAS["new_words"].field(name).type)) for name in SCHEMAS["new_words"].names[1:]
    ]
    for name, column in filled:
        nulls = nulls.append_column(name, column)
    look.lake.write("new_words", None, nulls)
    assert "empty places in word" in found("new_words_schema", look).found


def test_a_check_that_blocks_is_an_error() -> None:
    with pytest.raises(ValueError, match="only a failed check of severity ERROR"):
        Check("cleaned_posts", "odd", lambda look: Finding(True, ""), blocking=True)
