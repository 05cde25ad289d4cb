"""Which posts a variant is judged on: the block that its modality compares, a sample by month, one encoder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fashion_assets.encoders.multimodal import combine
from fashion_assets.encoders.tables import embedding_table, vectors_of
from fashion_assets.storage.errors import UserError
from fashion_assets.storage.lake import Lake
from fashion_assets.styles.experiments.experiment import nothing_to_judge
from fashion_assets.styles.experiments.rows import sample_texts, sample_vectors
from fashion_assets.styles.experiments.table import (
    STYLE_EXPERIMENTS,
    experiment_table,
    ranked,
    read_experiments,
)
from fashion_assets.styles.experiments.variants import VARIANTS

MONTHS = ["2024-01", "2024-02"]


def fill(lake: Lake, *, image_model: str = "images") -> None:
    """Two months of 40 and 20 posts: every fourth without a picture, every fifth without words."""
    generator = np.random.default_rng(1)
    for month, n in zip(MONTHS, (40, 20), strict=True):
        ids = [f"{month}-{row}" for row in range(n)]
        text, image = generator.normal(size=(n, 3)), generator.normal(size=(n, 3))
        text[::5] = 0
        text_table = embedding_table(ids, ids, month, ids, "texts", text.astype(np.float32))
        shown = [row for row in range(n) if row % 4]
        chosen = [ids[row] for row in shown]
        image_table = embedding_table(
            chosen, chosen, month, chosen, image_model, image[shown].astype(np.float32)
        )
        lake.write("text_embeddings", month, text_table)
        lake.write("multimodal_embeddings", month, combine(text_table, image_table, ids, month))
        posts = pa.table(
            {
                "post_id": ids,
                "text": ["" if row % 10 == 9 else f"text {row}" for row in range(n)],
                "tags": [[] if row % 2 else ["新中式", f"tag{row}"] for row in range(n)],
            }
        )
        lake.write("cleaned_posts", month, posts)


def test_each_modality_takes_its_block_of_the_posts_that_have_it(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake)
    expected = {"image": 45, "text_keywords": 48, "multimodal": 36}
    for modality, n in expected.items():
        found = sample_vectors(lake, modality, 1000, 7)  # type: ignore[arg-type]
        assert found is not None and found.n_posts == len(found.vectors) == len(found.months) == n
        assert found.vectors.shape[1] == (6 if modality == "multimodal" else 3)
        assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-6)
    texts = vectors_of(lake.read("text_embeddings", "2024-01"))
    keywords = sample_vectors(lake, "text_keywords", 1000, 7)
    assert keywords is not None
    expected_row = texts[1] / np.linalg.norm(texts[1])
    assert np.allclose(keywords.vectors[0], expected_row, atol=1e-6)


def test_a_sample_holds_each_month_by_its_share(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake)
    found = sample_vectors(lake, "image", 15, 7)
    assert found is not None and found.n_posts == 45
    assert np.unique(found.months, return_counts=True)[1].tolist() == [10, 5]
    again = sample_vectors(lake, "image", 15, 7)
    assert again is not None and (again.vectors == found.vectors).all()
    whole = sample_vectors(lake, "image", 1000, 7)
    assert whole is not None
    assert {row.tobytes() for row in found.vectors} <= {row.tobytes() for row in whole.vectors}


def test_one_space_for_both_is_there_only_where_one_model_made_it(tmp_path: Path) -> None:
    two, one = Lake(tmp_path / "two"), Lake(tmp_path / "one")
    fill(two)
    assert sample_vectors(two, "joint", 1000, 7) is None
    fill(one, image_model="texts")
    found = sample_vectors(one, "joint", 1000, 7)
    assert found is not None and found.vectors.shape == (36, 3)


def test_texts_and_hashtags_of_the_posts_that_have_any(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    fill(lake)
    content = sample_texts(lake, "text_content", 1000, 7)
    assert content.n_posts == len(content.texts) == 54 and "text 1" in content.texts
    tags = sample_texts(lake, "text_tags", 12, 7)
    assert tags.n_posts == 30 and len(tags.texts) == 12
    assert all(text.startswith("新中式 tag") for text in tags.texts)


def test_months_of_two_encoders_are_refused(tmp_path: Path) -> None:
    lake, other = Lake(tmp_path), Lake(tmp_path / "other")
    fill(lake)
    fill(other, image_model="newer")
    lake.write("multimodal_embeddings", "2024-02", other.read("multimodal_embeddings", "2024-02"))
    with pytest.raises(UserError, match="newer in 2024-02"):
        sample_vectors(lake, "image", 1000, 7)


def test_rows_come_back_best_verdict_first(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert read_experiments(lake) == []
    table = experiment_table(VARIANTS[3], nothing_to_judge("no words"), 0, "")
    assert table.schema.equals(STYLE_EXPERIMENTS)
    lake.write("style_experiments", VARIANTS[3].key, table)
    lake.write("style_experiments", "image-none", table)  # of an older version: no variant of today
    (row,) = read_experiments(lake)
    assert (row["variant"], row["level"], row["verdict"]) == (VARIANTS[3].key, "none", "no words")
    scored = [
        {"variant": name, "level": level, "silhouette_with_noise": score}
        for name, level, score in [
            ("a", "none", float("nan")),
            ("b", "fails", 0.9),
            ("c", "passes", 0.2),
            ("d", "passes", 0.4),
            ("e", "doubtful", 0.5),
        ]
    ]
    assert [one["variant"] for one in ranked(scored)] == ["d", "c", "e", "b", "a"]
