"""The style model: modality, ids that last, assignment, small windows, its file. PCA stands in for UMAP."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, silhouette_score

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.storage.errors import UserError
from fashion_assets.styles.fitting import StyleParams, fit_style_model
from fashion_assets.styles.identity import carry_ids, first_ids
from fashion_assets.styles.model import StyleModel, assign_styles
from fashion_assets.styles.schemas import STYLE_CLUSTERS
from fashion_assets.styles.window import stratified_rows
from fashion_assets_tests.unit.styles_made import DriftingStyles, posts_table

DIM = 32
QUICK = StyleParams(reduction="pca", k_max=12)


@pytest.fixture(scope="module")
def january() -> tuple[pa.Table, np.ndarray]:
    return DriftingStyles(6, dim=DIM, seed=1).month("2024-01", 240)


@pytest.fixture(scope="module")
def model(january: tuple[pa.Table, np.ndarray]) -> StyleModel:
    return fit_style_model(january[0], "2024-01", text_dim=DIM, params=QUICK)


def test_finds_the_made_styles_and_says_how(model: StyleModel, january: tuple[pa.Table, np.ndarray]) -> None:
    clusters = assign_styles(model, january[0], "2024-01")
    assert adjusted_rand_score(january[1], clusters["style_id"]) > 0.95
    assert model.k == 6 and model.modality == "multimodal" and "maximum" in model.k_reason
    assert list(model.style_ids) == list(range(6)) and model.next_style_id == 6
    assert list(model.style_sizes) == sorted(model.style_sizes, reverse=True)
    assert model.weights == pytest.approx((0.7071, 0.7071), abs=1e-3)
    assert (model.n_window, model.n_usable, model.n_fit) == (240, 240, 240)
    for kind in ("multimodal", "text", "image"):
        np.testing.assert_allclose(np.linalg.norm(model.centroids(kind), axis=1), 1, atol=1e-5)


def test_assignment_fits_its_schema_and_its_own_arithmetic(
    model: StyleModel, january: tuple[pa.Table, np.ndarray]
) -> None:
    clusters = assign_styles(model, january[0], "2024-01")
    assert pa.Table.from_pandas(clusters, schema=STYLE_CLUSTERS, preserve_index=False).num_rows == 240
    vectors = np.stack(january[0]["vector"].to_pylist())
    distances = np.sort(1 - vectors @ model.joint_centroids.T, axis=1)
    np.testing.assert_allclose(clusters["distance"], distances[:, 0], atol=1e-5)
    np.testing.assert_allclose(clusters["runner_up_distance"], distances[:, 1], atol=1e-5)
    assert (clusters["margin"] >= 0).all() and (clusters["runner_up"] != clusters["style_id"]).all()


def test_the_silhouette_of_the_vectors_themselves_stands_beside_the_reduced(
    model: StyleModel, january: tuple[pa.Table, np.ndarray]
) -> None:
    vectors = np.stack(january[0]["vector"].to_pylist())
    labels = assign_styles(model, january[0], "2024-01")["style_id"]
    assert model.silhouette_unreduced == pytest.approx(
        silhouette_score(vectors, labels, metric="cosine"), abs=1e-4
    )
    assert model.silhouette_unreduced < model.silhouette_micro


def test_order_of_posts_decides_nothing(model: StyleModel, january: tuple[pa.Table, np.ndarray]) -> None:
    shuffled = january[0].take(np.random.default_rng(0).permutation(240))
    assert fit_style_model(shuffled, "2024-01", text_dim=DIM, params=QUICK).to_bytes() == model.to_bytes()


def test_a_post_that_lacks_a_modality_is_assigned_by_the_other(
    model: StyleModel, january: tuple[pa.Table, np.ndarray]
) -> None:
    vectors = np.stack(january[0]["vector"].to_pylist())[:5]
    text, image = vectors[:, :DIM].copy(), vectors[:, DIM:].copy()
    text[1], image[2], text[3], image[3] = 0, 0, 0, 0
    clusters = assign_styles(model, posts_table("2024-02", text, image), "2024-02")
    assert clusters["modality"].tolist() == ["multimodal", "image", "text", None, "multimodal"]
    whole = assign_styles(model, january[0].slice(0, 5), "2024-01")["style_id"].tolist()
    assert clusters["style_id"].tolist() == [*whole[:3], -1, whole[4]]
    nothing = clusters.iloc[3]
    assert nothing[["distance", "runner_up", "runner_up_distance", "margin"]].isna().all()
    stored = pa.Table.from_pandas(clusters, schema=STYLE_CLUSTERS, preserve_index=False)
    assert stored["distance"].null_count == 1 and stored["modality"].null_count == 1


@pytest.mark.parametrize(
    ("without_image", "without_text", "expected"),
    [(0.4, 0, "multimodal"), (0.7, 0, "text"), (0, 0.7, "image")],
)
def test_modality_follows_what_most_posts_have(
    without_image: float, without_text: float, expected: str
) -> None:
    table, truth = DriftingStyles(4, dim=DIM, seed=2).month("2024-01", 160)
    vectors = np.stack(table["vector"].to_pylist())
    text, image = vectors[:, :DIM].copy(), vectors[:, DIM:].copy()
    text[: int(160 * without_text)], image[: int(160 * without_image)] = 0, 0
    window = posts_table("2024-01", text, image)
    fitted = fit_style_model(window, "2024-01", text_dim=DIM, params=QUICK)
    assert fitted.modality == expected
    clusters = assign_styles(fitted, window, "2024-01")
    assert (clusters["style_id"] >= 0).all()
    assert adjusted_rand_score(truth, clusters["style_id"]) > 0.9
    if expected == "text":  # a post with both is compared by what the model was fitted on
        assert set(clusters["modality"]) == {"text"}


def test_ids_last_over_months_with_a_birth_and_a_death() -> None:
    styles = DriftingStyles(6, dim=DIM, seed=3)
    months: list[pa.Table] = []
    previous: StyleModel | None = None
    kept: list[float] = []
    for number in range(1, 8):
        month = f"2024-{number:02d}"
        if number == 4:
            born = styles.birth()
        if number == 5:
            del styles.alive[0]
        table, truth = styles.month(month, 150)
        probe = pa.concat_tables(months[-2:]) if months else None
        months.append(table)
        fitted = fit_style_model(
            pa.concat_tables(months[-3:]), month, text_dim=DIM, previous=previous, params=QUICK
        )
        if previous is not None and probe is not None:
            before = assign_styles(previous, probe, month)["style_id"].to_numpy()
            kept.append(float((before == assign_styles(fitted, probe, month)["style_id"].to_numpy()).mean()))
            assert fitted.next_style_id >= previous.next_style_id
            assert fitted.n_kept_ids + fitted.n_new_ids == fitted.k
            assert fitted.previous_month == previous.month
        if number == 5:  # found by its second month, as its first is 5 % of the window
            ids = assign_styles(fitted, table, month)["style_id"].to_numpy()[truth == born]
            newest = np.bincount(ids).argmax()
            assert newest == 6 and (ids == newest).mean() > 0.9
        assert adjusted_rand_score(truth, assign_styles(fitted, table, month)["style_id"]) > 0.85
        previous = fitted
    assert min(kept) >= 0.9
    assert previous is not None and previous.next_style_id == 7 and previous.k == 6


def test_ids_are_matched_where_posts_overlap_and_never_used_again() -> None:
    known = np.repeat(np.array([0, 1, 2], np.int32), 20)
    labels = np.r_[np.zeros(20), np.ones(12), np.full(8, 2), np.full(20, 3)].astype(np.int32)
    found = carry_ids(labels, known, 4, np.array([4, 7, 9], np.int32), 12)
    assert found.ids.tolist() == [4, 7, 12, 9]  # style 7 split: the larger part keeps the id
    assert (found.next_id, found.n_kept, found.n_new) == (13, 3, 1)
    scattered = carry_ids(
        np.tile(np.arange(6, dtype=np.int32), 10), known, 6, np.array([4, 7, 9], np.int32), 12
    )
    assert scattered.n_kept == 0 and scattered.ids.min() == 12


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 1000))
def test_carried_ids_are_unique_and_old_or_new(k: int, n_old: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    labels = np.r_[np.arange(k), generator.integers(0, k, size=30)].astype(np.int32)
    known = generator.integers(-1, n_old, size=len(labels)).astype(np.int32)
    old = np.arange(n_old, dtype=np.int32) * 3
    found = carry_ids(labels, known, k, old, 100)
    assert len(set(found.ids.tolist())) == k
    assert set(found.ids.tolist()) <= set(old.tolist()) | set(range(100, found.next_id))
    assert first_ids(labels, k, next_id=5).next_id == 5 + k


@pytest.mark.parametrize("n", [1, 3, 8])
def test_few_identical_posts_are_one_style_and_it_is_said(n: int) -> None:
    row = np.ones((n, DIM))
    window = posts_table("2024-01", row, row)
    fitted = fit_style_model(window, "2024-01", text_dim=DIM, params=StyleParams())
    assert fitted.k == 1 and fitted.k_reason.startswith("one style") and fitted.silhouette_micro is None
    clusters = assign_styles(StyleModel.from_bytes(fitted.to_bytes()), window, "2024-01")
    assert clusters["style_id"].tolist() == [0] * n and clusters["runner_up"].isna().all()
    np.testing.assert_allclose(clusters["distance"], 0, atol=1e-6)
    assert (
        pa.Table.from_pandas(clusters, schema=STYLE_CLUSTERS, preserve_index=False)["margin"].null_count == n
    )


def test_few_different_posts_are_one_style() -> None:
    x = np.eye(DIM)[:3]
    fitted = fit_style_model(posts_table("2024-01", x, x), "2024-01", text_dim=DIM)
    assert fitted.k == 1 and "3 rows are too few" in fitted.k_reason and "too few" in fitted.note


def test_window_without_vectors_has_no_style_or_carries_on(model: StyleModel) -> None:
    none = np.zeros((4, DIM))
    window = posts_table("2024-02", none, none)
    empty = fit_style_model(window, "2024-02", text_dim=DIM, params=QUICK)
    assert empty.k == 0 and empty.k_reason.startswith("no style")
    assert (
        assign_styles(StyleModel.from_bytes(empty.to_bytes()), window, "2024-02")["style_id"].tolist()
        == [-1] * 4
    )
    carried = fit_style_model(window, "2024-02", text_dim=DIM, previous=model, params=QUICK)
    assert carried.month == "2024-02" and carried.style_ids.tolist() == model.style_ids.tolist()
    assert "carried on" in carried.k_reason
    started = fit_style_model(
        DriftingStyles(4, dim=DIM, seed=2).month("2024-03", 120)[0],
        "2024-03",
        text_dim=DIM,
        previous=empty,
        params=QUICK,
    )
    assert started.style_ids.tolist() == [0, 1, 2, 3]


def test_sample_is_bounded_and_keeps_every_month() -> None:
    months = np.array(["2024-01"] * 900 + ["2024-02"] * 95 + ["2024-03"] * 5)
    rows = stratified_rows(months, np.arange(1000), 100, 7)
    assert len(rows) <= 101 and (np.diff(rows) > 0).all()
    assert {"2024-01", "2024-02", "2024-03"} == set(months[rows])
    table, truth = DriftingStyles(6, dim=DIM, seed=1).month("2024-01", 240)
    fitted = fit_style_model(
        table, "2024-01", text_dim=DIM, params=dataclasses.replace(QUICK, max_fit_rows=120)
    )
    assert fitted.n_fit == 120 and fitted.n_usable == 240
    assert adjusted_rand_score(truth, assign_styles(fitted, table, "2024-01")["style_id"]) > 0.95


def test_file_holds_everything_and_refuses_what_it_is_not(model: StyleModel, tmp_path: Path) -> None:
    path = tmp_path / "models" / "2024-01.safetensors"
    model.save(path)
    loaded = StyleModel.load(path)
    for field in dataclasses.fields(StyleModel):
        ours, theirs = getattr(model, field.name), getattr(loaded, field.name)
        if field.name == "silhouette_curve":
            assert ours.equals(theirs)
        elif isinstance(ours, np.ndarray):
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype
        else:
            assert ours == theirs
    with pytest.raises(UserError, match="there is no style model"):
        StyleModel.load(tmp_path / "none.safetensors")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match=r"2024-01\.safetensors: this is no style model"):
        StyleModel.load(path)
    with pytest.raises(UserError, match="expected 'fashion-assets style model 2'"):
        StyleModel.from_bytes(model.to_bytes().replace(b"style model 2", b"style model 9"))


def test_a_flipped_bit_is_refused_wherever_it_lies(model: StyleModel) -> None:
    whole = model.to_bytes()
    start = 8 + int.from_bytes(whole[:8], "little")
    for place in np.linspace(start, len(whole) - 1, 60).astype(int):
        flipped = bytearray(whole)
        flipped[place] ^= 0x10
        with pytest.raises(UserError, match="the file is damaged: the digest of its content is"):
            StyleModel.from_bytes(bytes(flipped))


def test_vectors_of_another_encoder_are_refused(
    model: StyleModel, january: tuple[pa.Table, np.ndarray]
) -> None:
    x = unit_rows(np.random.default_rng(0).normal(size=(5, DIM)))
    other = posts_table("2024-02", x, x, model_id="1*another|1*made-image")
    with pytest.raises(UserError, match="were made by 1\\*another"):
        assign_styles(model, other, "2024-02")
    with pytest.raises(UserError, match="has 64 and 32"):
        assign_styles(model, posts_table("2024-02", x[:, :8], x), "2024-02")
    with pytest.raises(UserError, match="2 encoder settings"):
        fit_style_model(pa.concat_tables([january[0], other]), "2024-02", text_dim=DIM, params=QUICK)
    with pytest.raises(UserError, match="2024-01-0003 is in the window more than once"):
        fit_style_model(pa.concat_tables([january[0], january[0].slice(3, 1)]), "2024-01", text_dim=DIM)
    with pytest.raises(UserError, match="text_dim is 99"):
        fit_style_model(january[0], "2024-01", text_dim=99)


def test_of_copied_pictures_one_is_fitted_on_and_all_are_counted(
    january: tuple[pa.Table, np.ndarray],
) -> None:
    table = january[0]
    ids = table.column("post_id").to_pylist()
    # A picture that went round: sixty posts of it beside the month's own.
    row = table.slice(0, 1)
    again = [row.set_column(0, row.schema.field("post_id"), pa.array([f"again-{i}"])) for i in range(60)]
    flooded = pa.concat_tables([table, *again])
    copies = {f"again-{i}": ids[0] for i in range(60)}
    with_copies = fit_style_model(flooded, "2024-01", text_dim=DIM, params=QUICK, copies=copies)
    without = fit_style_model(table, "2024-01", text_dim=DIM, params=QUICK)
    assert with_copies.n_fit == without.n_fit == with_copies.n_window - 60
    np.testing.assert_array_equal(with_copies.joint_centroids, without.joint_centroids)
    assigned = assign_styles(with_copies, flooded, "2024-01").set_index("post_id")["style_id"]
    assert len(assigned) == table.num_rows + 60
    assert (assigned[list(copies)] == assigned[ids[0]]).all()
