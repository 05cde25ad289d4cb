"""Models month after month: the same again, whatever is made again; late posts; months without posts; scans."""

from __future__ import annotations

import dataclasses

import numpy as np
import pyarrow as pa
import pytest
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from fashion_assets.styles.fitting import SCAN_GROWTH, StyleParams, fit_style_model
from fashion_assets.styles.model import StyleModel, assign_styles, post_keys, unseen_posts
from fashion_assets.styles.unchanged import taken_as_they_are
from fashion_assets_tests.unit.styles_made import DriftingStyles, posts_table

DIM = 32
PARAMS = StyleParams(reduction="pca", k_max=12)


@pytest.fixture(scope="module")
def months() -> list[pa.Table]:
    """Seven months of six styles, the first one larger; the fourth sees a birth, the fifth a death."""
    styles = DriftingStyles(6, dim=DIM, seed=3)
    tables = [styles.month("2024-01", 700)[0]]
    for number in range(2, 8):
        if number == 4:
            styles.birth()
        if number == 5:
            del styles.alive[0]
        tables.append(styles.month(f"2024-{number:02d}", 100)[0])
    return tables


def fit(
    months: list[pa.Table], number: int, previous: StyleModel | None, params: StyleParams = PARAMS
) -> StyleModel:
    window = pa.concat_tables(months[max(0, number - 6) : number])
    return fit_style_model(window, f"2024-{number:02d}", text_dim=DIM, previous=previous, params=params)


@pytest.fixture(scope="module")
def models(months: list[pa.Table]) -> list[StyleModel]:
    found: list[StyleModel] = []
    for number in range(1, 8):
        found.append(fit(months, number, found[-1] if found else None))
    return found


def changes(model: StyleModel) -> list[tuple[str, int]]:
    return [(one.event, one.style_id) for one in model.events if one.event != "survive"]


def test_events_are_told_once_and_the_curve_is_that_of_the_scan(models: list[StyleModel]) -> None:
    told = {model.month: changes(model) for model in models}
    assert told.pop("2024-01") == [("born", style_id) for style_id in range(6)]
    happened = [change for month in sorted(told) for change in told[month]]
    assert sorted(kind for kind, _ in happened) == ["born", "dead"]
    assert ("born", 6) in happened and models[-1].k == 6 and models[-1].next_style_id == 7
    for model in models[1:]:
        assert model.scan_month == "2024-01" and "full scan, 2024-01" in model.k_reason
        assert model.silhouette_curve.equals(models[0].silhouette_curve)
        assert model.silhouette_micro == model.silhouette_unreduced
        assert model.silhouette_micro is not None and model.silhouette_macro is not None
        assert {one.style_id for one in model.events} >= set(model.style_ids.tolist())


def test_months_made_again_are_equal_to_the_byte(months: list[pa.Table], models: list[StyleModel]) -> None:
    previous = StyleModel.from_bytes(models[2].to_bytes())
    for number in range(4, 8):
        again = fit(months, number, previous)
        assert again.to_bytes() == models[number - 1].to_bytes()
        previous = StyleModel.from_bytes(again.to_bytes())


def test_the_order_of_posts_decides_nothing(months: list[pa.Table], models: list[StyleModel]) -> None:
    window = pa.concat_tables(months[:5])
    shuffled = window.take(np.random.default_rng(0).permutation(window.num_rows))
    again = fit_style_model(shuffled, "2024-05", text_dim=DIM, previous=models[3], params=PARAMS)
    assert again.to_bytes() == models[4].to_bytes()


def test_the_number_of_threads_changes_no_digit() -> None:
    styles = DriftingStyles(6, dim=192, seed=5)
    tables = [styles.month(f"2024-{number:02d}", 150)[0] for number in (1, 2)]
    found = []
    for threads in (1, 2, 3):
        with threadpool_limits(limits=threads):
            first = fit_style_model(tables[0], "2024-01", text_dim=192, params=PARAMS)
            both = fit_style_model(
                pa.concat_tables(tables), "2024-02", text_dim=192, previous=first, params=PARAMS
            )
            posts = assign_styles(first, tables[0], "2024-01")
        found.append((first.to_bytes(), both.to_bytes(), posts["distance"].to_numpy().tobytes()))
    assert len(set(found)) == 1


def test_a_late_post_makes_the_model_stale_and_is_assigned_by_it(
    months: list[pa.Table], models: list[StyleModel]
) -> None:
    model, ids = models[1], pa.concat_tables(months[:2])["post_id"].to_pylist()
    assert unseen_posts(model, post_keys(ids)) == 0
    assert unseen_posts(model, post_keys([*ids, "late-1", "late-2"])) == 2
    late = months[1].set_column(0, "post_id", pa.array([f"late-{row}" for row in range(100)]))
    before = assign_styles(model, months[1], "2024-02")["style_id"]
    assert assign_styles(model, late, "2024-02")["style_id"].tolist() == before.tolist()


def test_a_month_without_posts_carries_the_styles_on(
    months: list[pa.Table], models: list[StyleModel]
) -> None:
    previous = dataclasses.replace(models[2], style_max_ages=np.arange(models[2].k, dtype=np.int32))
    model = fit_style_model(
        pa.concat_tables(months[:3]), "2024-04", text_dim=DIM, previous=previous, params=PARAMS
    )
    assert model.style_max_ages.tolist() == list(range(1, model.k + 1))
    np.testing.assert_array_equal(model.joint_centroids, models[2].joint_centroids)
    assert "none of the 0 posts of 2024-04" in model.k_reason and changes(model) == []
    # and the month after it goes on from there
    assert fit(months, 5, model).previous_month == "2024-04"


def test_a_month_that_arrives_before_all_others_takes_their_ids(
    months: list[pa.Table], models: list[StyleModel]
) -> None:
    early = months[0].set_column(1, "month", pa.array(["2023-12"] * 700))
    model = taken_as_they_are(models[0], early, "2023-12", text_dim=DIM, arrived_after="2024-01")
    assert model.month == "2023-12" and model.style_ids.tolist() == models[0].style_ids.tolist()
    assert model.previous_month is None and changes(model) == []
    assert "arrived after 2024-01" in model.k_reason
    assert StyleModel.from_bytes(model.to_bytes()).to_bytes() == model.to_bytes()


def test_a_month_that_arrives_between_two_others_gives_no_id_away(
    months: list[pa.Table], models: list[StyleModel]
) -> None:
    early, later = models[0], models[2]
    early = dataclasses.replace(early, style_max_ages=np.arange(early.k, dtype=np.int32))
    model = taken_as_they_are(early, months[1], "2024-02", text_dim=DIM, arrived_after=later.month)
    assert model.style_max_ages.tolist() == list(range(1, model.k + 1))
    assert model.style_ids.tolist() == early.style_ids.tolist() and model.next_style_id == early.next_style_id
    assert model.previous_month == "2024-01" and changes(model) == []
    assert "arrived after 2024-03; the styles of 2024-01" in model.k_reason
    assert unseen_posts(model, post_keys(months[1]["post_id"].to_pylist())) == 0


def test_few_posts_are_scanned_again_when_they_have_doubled(months: list[pa.Table]) -> None:
    january = fit_style_model(months[0].slice(0, 60), "2024-01", text_dim=DIM, params=PARAMS)
    february = pa.concat_tables([months[0].slice(0, 60), months[1].slice(0, 50)])
    carried = fit_style_model(february, "2024-02", text_dim=DIM, previous=january, params=PARAMS)
    assert carried.scan_month == "2024-01" and SCAN_GROWTH * 60 > 110
    grown = pa.concat_tables([months[0].slice(0, 60), months[1]])
    scanned = fit_style_model(grown, "2024-02", text_dim=DIM, previous=january, params=PARAMS)
    assert scanned.scan_month == "2024-02" and scanned.n_scanned == 160
    assert {one.style_id for one in scanned.events} >= set(january.style_ids.tolist())


def test_a_full_scan_on_purpose_keeps_ids_where_posts_stay(
    months: list[pa.Table], models: list[StyleModel]
) -> None:
    scanned = fit(months, 3, models[1], dataclasses.replace(PARAMS, full_scan=True))
    assert scanned.scan_month == "2024-03" and scanned.previous_month == "2024-02"
    window = pa.concat_tables(months[:3])
    ours = assign_styles(models[2], window, "2024-03")["style_id"].to_numpy()
    theirs = assign_styles(scanned, window, "2024-03")["style_id"].to_numpy()
    assert (ours == theirs).mean() > 0.95
    assert all(one.evidence.startswith("full scan") for one in scanned.events)


def test_another_modality_is_scanned_and_a_wavering_share_is_none(months: list[pa.Table]) -> None:
    vectors = np.stack(months[0]["vector"].to_pylist())
    text, image = vectors[:, :DIM].copy(), vectors[:, DIM:].copy()

    def with_pictures(share: float, month: str) -> pa.Table:
        some = image.copy()
        some[int(share * len(some)) :] = 0
        return posts_table(month, text, some, ids=[f"{month}-{row}" for row in range(len(text))])

    first = fit_style_model(with_pictures(0.9, "2024-01"), "2024-01", text_dim=DIM, params=PARAMS)
    assert first.modality == "multimodal"
    for share, modality, scan_month in ((0.45, "multimodal", "2024-01"), (0.2, "text", "2024-02")):
        table = with_pictures(share, "2024-02")
        model = fit_style_model(table, "2024-02", text_dim=DIM, previous=first, params=PARAMS)
        assert (model.modality, model.scan_month) == (modality, scan_month)
