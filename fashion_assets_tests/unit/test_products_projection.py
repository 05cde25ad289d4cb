"""Projection of products onto foreign categories by Kullback-Leibler divergence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fashion_assets.encoders.cbow_training import train_cbow
from fashion_assets.products.projection import (
    ProjectionConfig,
    average_sides,
    keep_top,
    kl_divergence,
    project_categories,
    project_items,
    smooth,
)
from fashion_assets.products.projection_names import (
    name_distributions,
    read_category_names,
    shared_labels,
    spoken,
)
from fashion_assets.products.projection_sides import learn_target_words, train_side
from fashion_assets.products.schemas import CATEGORY_PROJECTION, PROJECTED_PRODUCTS
from fashion_assets.storage.errors import UserError

ROWS = hnp.arrays(np.float64, (3, 4), elements=st.floats(0.001, 1))
LABELS = ["dress", "shoe", "bag"]


@given(ROWS, ROWS)
def test_divergence_is_never_negative_and_zero_only_against_itself(p: np.ndarray, q: np.ndarray) -> None:
    found = kl_divergence(p, q)
    assert found.shape == (3, 3) and (found >= 0).all() and np.isfinite(found).all()
    assert np.diag(kl_divergence(p, p)) == pytest.approx(np.zeros(3), abs=1e-12)
    assert kl_divergence(3 * p, q) == pytest.approx(found)


def test_divergence_has_the_value_of_its_formula() -> None:
    expected = 0.5 * np.log(0.5 / 0.25) + 0.5 * np.log(0.5 / 0.75)
    assert kl_divergence([0.5, 0.5], [0.25, 0.75], smoothing=0.0)[0, 0] == pytest.approx(expected)
    assert kl_divergence([1.0, 0.0], [0.0, 1.0])[0, 0] == pytest.approx(np.log(0.9995 / 0.0005), rel=2e-3)
    # Without smoothing: nothing lost where p has no mass, infinitely far where q has none.
    unsmoothed = kl_divergence([[1.0, 0.0], [0.5, 0.5]], [[0.5, 0.5], [1.0, 0.0]], smoothing=0.0)
    assert unsmoothed[0] == pytest.approx([np.log(2), 0.0])
    assert unsmoothed[1, 0] == pytest.approx(0.0) and unsmoothed[1, 1] == np.inf


def test_smoothing_keeps_a_distribution() -> None:
    assert smooth([[1, 0, 0, 0]], 0.1).tolist()[0] == pytest.approx([0.925, 0.025, 0.025, 0.025])


@given(ROWS, st.integers(1, 6))
def test_the_largest_are_kept_and_add_up_to_one(p: np.ndarray, top_k: int) -> None:
    found = keep_top(p, top_k)
    assert found.sum(axis=1) == pytest.approx(np.ones(3))
    assert ((found > 0).sum(axis=1) == min(top_k, 4)).all()
    for row, own in zip(found, p, strict=True):
        assert own[row > 0].min() >= max(own[row == 0], default=0)
    assert keep_top(p, None) == pytest.approx(p / p.sum(axis=1, keepdims=True))


def test_sides_are_averaged_and_a_missing_one_does_not_count() -> None:
    image = np.array([[0.8, 0.2, 0.0], [0.0, 0.0, 0.0], [0.6, 0.4, 0.0], [0.0, 0.0, 0.0]])
    text = np.array([[0.2, 0.6, 0.2], [0.1, 0.1, 0.8], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    found = average_sides(image, text)
    assert found[0] == pytest.approx([0.5, 0.4, 0.1])
    assert found[1] == pytest.approx(text[1]) and found[2] == pytest.approx(image[2])
    assert found[3].sum() == 0
    weighted = average_sides(image, text, ProjectionConfig(image_weight=3, text_weight=1))
    assert weighted[0] == pytest.approx([0.65, 0.3, 0.05])
    best = average_sides(image, text, ProjectionConfig(top_k=1))
    assert best[0] == pytest.approx([0.5, 0.5, 0.0])
    alone = average_sides(image, text, ProjectionConfig(image_weight=0))
    assert alone[0] == pytest.approx(text[0]) and alone[2] == pytest.approx(image[2])
    with pytest.raises(UserError, match="same products over the same labels"):
        average_sides(image, text[:, :2])


def test_each_product_gets_the_nearest_target_with_what_carried_it() -> None:
    p = [[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.0, 0.0, 0.0]]
    q = [[0.98, 0.01, 0.01], [0.05, 0.5, 0.45]]
    found = project_items(
        ["1", "2", "3"], p, ["Kleider", "Schuhe und Taschen"], q, LABELS, inputs=["image", "text", "none"]
    )
    assert found["target_category"].tolist() == ["Kleider", "Schuhe und Taschen", None]
    assert found["runner_up"].tolist()[:2] == ["Schuhe und Taschen", "Kleider"]
    assert found["inputs"].tolist() == ["image", "text", "none"]
    assert found["explanation"][0].startswith("carried by dress 90%")
    assert found["explanation"][1].startswith("carried by shoe 90%")
    far = kl_divergence(p[:2], q)
    assert found["divergence"].tolist()[:2] == pytest.approx([far[0, 0], far[1, 1]])
    assert found["margin"].tolist()[:2] == pytest.approx([far[0, 1] - far[0, 0], far[1, 0] - far[1, 1]])
    assert pa.Table.from_pandas(found, schema=PROJECTED_PRODUCTS, preserve_index=False).num_rows == 3


@given(ROWS, ROWS)
def test_the_terms_of_an_explanation_add_up_to_the_margin(p: np.ndarray, q: np.ndarray) -> None:
    found = project_items(["a", "b", "c"], p, ["x", "y", "z"], q, ["l0", "l1", "l2", "l3"])
    for item, row in enumerate(found.to_dict("records")):
        best, second = ("xyz".index(row[name]) for name in ("target_category", "runner_up"))
        own, targets = smooth(p[item])[0], smooth(q)
        terms = own * np.log(targets[best] / targets[second])
        assert row["margin"] == pytest.approx(terms.sum(), abs=1e-9)
        if terms.max() > 1e-6:
            assert f"l{int(np.argmax(terms))} " in row["explanation"].split(", ")[0]


def test_a_single_target_has_no_runner_up_and_two_of_one_name_are_refused() -> None:
    found = project_items(["1"], [[0.5, 0.3, 0.2]], ["all"], [[0.3, 0.3, 0.4]], LABELS)
    assert found["target_category"].tolist() == ["all"] and found["margin"].isna().all()
    with pytest.raises(UserError, match="'all' stands twice"):
        project_items(["1"], [[0.5, 0.3, 0.2]], ["all", "all"], np.ones((2, 3)), LABELS)
    with pytest.raises(UserError, match="of which 2 are named"):
        project_items(["1"], [[0.5, 0.3, 0.2]], ["all"], [[1, 1, 1]], LABELS[:2])


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"image_weight": -1}, "give numbers of at least 0"),
        ({"image_weight": 0, "text_weight": 0}, "one of them above 0"),
        ({"top_k": 0}, "keep at least one"),
        ({"smoothing": 1.0}, "from 0 to below 1"),
    ],
)
def test_options_that_make_no_sense_are_sentences(values: dict[str, float], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        ProjectionConfig(**values)  # type: ignore[arg-type]


def test_a_labels_mass_goes_to_the_target_that_is_nearer() -> None:
    found = shared_labels([[0.5, 0.4, 0.1], [0.5, 0.1, 0.4]])
    assert found[0] == pytest.approx([0.5 / 1.5, 0.8 / 1.5, 0.2 / 1.5])
    assert found.sum(axis=1) == pytest.approx([1, 1])


def test_names_mean_the_labels_that_they_sound_like_or_stand_beside() -> None:
    texts = [["red", "dress", "gown"], ["blue", "gown", "dress"], ["leather", "shoes", "boots"]] * 40
    words = train_cbow(texts, dim=16, epochs=20, seed=3)
    targets = ["Dresses", "Boots", "SHOES"]
    flat = np.full((3, 3), 1 / 3)
    found = name_distributions(targets, ["dress", "shoes", "belt"], flat, words)
    assert found.sum(axis=1) == pytest.approx(np.ones(3))
    assert found.argmax(axis=1).tolist()[0] == 0
    assert found[2, 1] > 0.5  # the label's own name, but for case
    assert found[1, 1] > found[1, 0]
    assert spoken("CasualShoes") == spoken("casual_shoes") == "casual shoes"
    with pytest.raises(UserError, match="from 0 to 1"):
        name_distributions(targets, ["a"], flat, words, similarity_weight=2)


def test_category_names_are_read_from_text_and_csv(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("Shoes\n\n Bags \n包袋\n", encoding="utf-8")
    assert read_category_names(tmp_path / "names.txt") == ["Shoes", "Bags", "包袋"]
    (tmp_path / "names.csv").write_text('number,category\n1,Shoes\n2,"Bags, Wallets"\n', encoding="utf-8-sig")
    assert read_category_names(tmp_path / "names.csv") == ["Shoes", "Bags, Wallets"]
    (tmp_path / "one.csv").write_text("Shoes\nBags\n", encoding="utf-8")
    assert read_category_names(tmp_path / "one.csv") == ["Shoes", "Bags"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("none.txt", b"\n\n", "names no category"),
        ("twice.txt", b"a\nb\na\n", "'a' more than once"),
        ("wide.csv", b"x,y\n1,2\n", "has the columns x, y"),
        ("latin.txt", "Röcke\n".encode("latin-1"), "is not UTF-8 text"),
    ],
)
def test_faulty_category_files_are_sentences(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=sentence):
        read_category_names(tmp_path / name)
    with pytest.raises(UserError, match="there is no file"):
        read_category_names(tmp_path / "nowhere.txt")


def test_a_side_learns_from_what_is_labelled_and_is_silent_on_zeros() -> None:
    rng = np.random.default_rng(0)
    labels = ["a", "b"] * 20 + ["rare", None]
    rows = np.array([[1.0, 0, 0] if label == "a" else [0, 1.0, 0] for label in labels])
    rows += rng.normal(0, 0.05, rows.shape)
    rows[0] = 0
    side = train_side(rows, labels, ("a", "b"))
    found = side.probabilities([[1.0, 0, 0], [0, 1.0, 0], [0, 0, 0]])
    assert found[:2].argmax(axis=1).tolist() == [0, 1] and found[2].sum() == 0
    silent = train_side(rows, ["a"] * 42, ("a", "b"))
    assert silent.probabilities(rows).sum() == 0


def test_words_of_the_target_have_vectors() -> None:
    words = learn_target_words(["red dress"] * 30, ["blaues kleid"] * 30)
    assert "kleid" in words and "dress" in words


def test_each_foreign_category_finds_ours_with_its_evidence() -> None:
    source = np.array([[0.9, 0.05, 0.05], [0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.0, 0.1, 0.9]])
    target = np.array([[0.05, 0.9, 0.05], [0.2, 0.7, 0.1], [0.7, 0.2, 0.1]])
    found = project_categories(
        source, ["Apparel", "Apparel", "Footwear", "Bags"], target, ["обувь", "обувь", "платья"], LABELS
    )
    assert dict(zip(found["target_category"], found["best_match"], strict=True)) == {
        "обувь": "Footwear",
        "платья": "Apparel",
    }
    row = found[found["target_category"] == "обувь"].iloc[0]
    assert row["n_items"] == 2 and row["evidence"].startswith("carried by shoe (80% of theirs, 80% of ours)")
    assert (
        row["margin"] == pytest.approx(row["runner_up_divergence"] - row["divergence"]) and row["margin"] > 0
    )
    assert pa.Table.from_pandas(found, schema=CATEGORY_PROJECTION, preserve_index=False).num_rows == 2


def test_a_single_source_category_has_no_runner_up() -> None:
    found = project_categories([[0.5, 0.5]], ["all"], [[0.4, 0.6]], ["theirs"], ["a", "b"])
    assert found["runner_up"].isna().all() and found["margin"].isna().all()


def test_broken_distributions_get_a_sentence() -> None:
    with pytest.raises(UserError, match="at least one is above 0"):
        smooth([[0.0, 0.0]])
    with pytest.raises(UserError, match="over 2 and 3 labels"):
        kl_divergence([[1, 1]], [[1, 1, 1]])
    with pytest.raises(UserError, match="item 1 has no category"):
        project_categories([[1, 0], [0, 1]], ["a", None], [[1, 0]], ["b"], ["x", "y"])  # type: ignore[list-item]
    with pytest.raises(UserError, match="expected one row per item"):
        project_categories([[1, 0]], ["a", "b"], [[1, 0]], ["b"], ["x", "y"])
    with pytest.raises(UserError, match="of which 1 are named"):
        project_categories([[1, 0]], ["a"], [[1, 0]], ["b"], ["x"])
