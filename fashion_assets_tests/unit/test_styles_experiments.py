"""Ways of finding styles: the figures on made groups, the words of the verdict, noise that stays noise."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, silhouette_score

from fashion_assets.storage.errors import UserError
from fashion_assets.styles.experiments import clusterers
from fashion_assets.styles.experiments.balance import cluster_balance, month_shares
from fashion_assets.styles.experiments.clusterers import Partition, find_partitions
from fashion_assets.styles.experiments.experiment import (
    ExperimentParams,
    ExperimentResult,
    by_size,
    run_experiment,
)
from fashion_assets.styles.experiments.stability import judge_stability
from fashion_assets.styles.experiments.variants import (
    REFERENCE_VARIANTS,
    VARIANTS,
    Clusterer,
    Modality,
    Variant,
    variant_of,
)
from fashion_assets.styles.experiments.verdict import Figures, Limits, judge
from fashion_assets.styles.reduction import REDUCTIONS
from fashion_assets_tests.unit.styles_made import blobs

Rows = npt.NDArray[np.float32]


@pytest.fixture(scope="module")
def made() -> tuple[Rows, npt.NDArray[np.int64]]:
    return blobs(300, 5, 16, 0.6, seed=4)


def tried(
    x: Rows, clusterer: Clusterer = "kmeans", reduction: str = "none", k_max: int = 12
) -> ExperimentResult:
    months = np.where(np.arange(len(x)) % 2, "2024-01", "2024-02")
    variant = Variant("image", reduction, clusterer)  # type: ignore[arg-type]
    return run_experiment(x, months, variant, ExperimentParams(k_max=k_max, stability_rows=200), 7)


def test_every_combination_is_a_variant_once() -> None:
    assert len({variant.key for variant in VARIANTS}) == 72
    assert {variant[:2] for variant in VARIANTS} == {
        (modality, reduction) for modality in get_args(Modality) for reduction in REDUCTIONS
    }
    assert all(variant_of(variant.key) == variant for variant in VARIANTS)
    assert set(REFERENCE_VARIANTS) < set(VARIANTS)
    with pytest.raises(UserError, match="no variant 'image-umap'"):
        variant_of("image-umap")


@pytest.mark.parametrize("clusterer", ["kmeans", "agglomerative"])
def test_groups_that_are_there_pass(made: tuple[Rows, npt.NDArray[np.int64]], clusterer: Clusterer) -> None:
    x, truth = made
    result = tried(x, clusterer)
    assert result.verdict.level == "passes" and result.k == 5 and result.verdict.sentence == "passes"
    assert adjusted_rand_score(truth, result.labels) > 0.97
    assert result.curve["k"].tolist() == list(range(2, 13))
    assert min(result.stability.bootstraps) > 0.9
    # exact, not sampled
    expected = silhouette_score(x, result.labels, metric="cosine")
    assert result.silhouette["micro"] == pytest.approx(expected, abs=1e-6)
    assert result.silhouette["with_noise"] == result.silhouette["micro"]
    again = tried(x, clusterer)
    assert (again.labels == result.labels).all() and again.stability == result.stability


def test_seeds_are_asked_only_where_something_is_drawn(made: tuple[Rows, npt.NDArray[np.int64]]) -> None:
    assert len(tried(made[0], "kmeans").stability.seeds) == 2
    assert tried(made[0], "agglomerative", "pca").stability.seeds == []


def test_a_curve_that_still_rises_fails(made: tuple[Rows, npt.NDArray[np.int64]]) -> None:
    rising = tried(made[0], k_max=4)
    assert rising.verdict.level == "fails"
    assert rising.verdict.faults[0] == "the silhouette has no interior maximum"


def test_one_cluster_with_most_posts_fails(made: tuple[Rows, npt.NDArray[np.int64]]) -> None:
    lopsided = tried(np.concatenate([np.repeat(made[0][:1], 400, axis=0), made[0]]), reduction="pca")
    assert lopsided.verdict.extreme and "one cluster holds" in lopsided.verdict.sentence


def test_nothing_to_compare_is_said_in_words() -> None:
    same = tried(np.ones((9, 4), np.float32), reduction="umap")
    assert same.verdict.level == "none" and same.k == 0 and same.curve.empty
    assert "which are all the same" in same.verdict.sentence
    blank = tried(np.zeros((3, 4), np.float32))
    assert "none of the 3 vectors has a direction" in blank.verdict.sentence and not len(blank.labels)
    assert "no post has a vector of what is compared" in tried(np.zeros((0, 4), np.float32)).verdict.sentence


def scattered(made: tuple[Rows, npt.NDArray[np.int64]]) -> Rows:
    """The groups, and half as many rows that belong to none."""
    noise = np.random.default_rng(5).normal(size=(150, 16)).astype(np.float32)
    return np.concatenate([made[0], noise])


@pytest.mark.parametrize("reduction", ["none", "pca"])
def test_noise_is_counted_and_given_to_no_cluster(
    made: tuple[Rows, npt.NDArray[np.int64]], reduction: str
) -> None:
    result = tried(scattered(made), "hdbscan", reduction)
    left_out = result.labels < 0
    assert left_out[300:].mean() > 0.8 and left_out[:300].mean() < 0.4
    assert result.noise == pytest.approx(left_out.mean())
    assert result.silhouette["with_noise"] == pytest.approx(result.silhouette["micro"] * (1 - result.noise))
    assert "partitions that the method found" in result.reason
    assert not any("interior" in fault for fault in result.verdict.faults)


def test_hdbscan_finds_the_same_by_tree_and_by_all_distances(
    made: tuple[Rows, npt.NDArray[np.int64]], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = scattered(made)
    by_tree = [partition.labels for partition in find_partitions(rows, "hdbscan", [], 7)]
    monkeypatch.setattr(clusterers, "TREE_COLUMNS", 2)
    by_distances = [partition.labels for partition in find_partitions(rows, "hdbscan", [], 7)]
    assert len(by_tree) == len(by_distances) >= 1
    for one, other in zip(by_tree, by_distances, strict=True):
        assert adjusted_rand_score(one, other) > 0.95


def test_ward_along_a_graph_finds_the_groups_and_says_so(
    made: tuple[Rows, npt.NDArray[np.int64]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusterers, "EXACT_WARD_ROWS", 100)
    result = tried(made[0], "agglomerative")
    assert result.k == 5 and adjusted_rand_score(made[1], result.labels) > 0.97
    assert "15 nearest neighbours" in result.notes[0]


def test_a_tree_is_cut_as_scikit_learn_cuts_it() -> None:
    from sklearn.cluster import AgglomerativeClustering, ward_tree

    x = np.random.default_rng(2).normal(size=(40, 3))
    children = ward_tree(x)[0]
    for k in (1, 2, 7, 39, 40):
        expected = AgglomerativeClustering(k).fit_predict(x)
        found = clusterers.cut_tree(children, 40, k)
        assert found.max() == k - 1 and adjusted_rand_score(expected, found) == 1


def test_without_evoc_its_variants_say_so(
    made: tuple[Rows, npt.NDArray[np.int64]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "evoc", None)
    result = tried(made[0], "evoc")
    assert result.verdict.level == "none" and "fashion-assets[evoc]" in result.verdict.sentence


def test_layers_of_evoc_are_its_partitions(
    made: tuple[Rows, npt.NDArray[np.int64]], monkeypatch: pytest.MonkeyPatch
) -> None:
    x, truth = made
    fine = np.where(np.arange(300) % 10 == 0, -1, truth * 7)  # labels with gaps, and noise

    class EVoC:
        def __init__(self, **options: object) -> None:
            assert options["random_state"] in (7, 8, 9)

        def fit(self, rows: Rows) -> SimpleNamespace:
            return SimpleNamespace(cluster_layers_=[np.full(len(rows), -1), fine[: len(rows)]])

    monkeypatch.setitem(sys.modules, "evoc", SimpleNamespace(EVoC=EVoC))
    result = tried(x, "evoc")
    assert result.k == 5 and result.noise == pytest.approx(0.1)
    assert adjusted_rand_score(fine, result.labels) == 1


@pytest.mark.slow
def test_evoc_itself_finds_the_groups() -> None:
    pytest.importorskip("evoc", reason="evoc is not installed (pip install 'fashion-assets[evoc]')")
    x, truth = blobs(600, 6, 64, 0.8, seed=3)
    result = tried(x, "evoc")
    clustered = result.labels >= 0
    assert clustered.mean() > 0.8
    assert adjusted_rand_score(truth[clustered], result.labels[clustered]) > 0.9


@given(st.lists(st.integers(-1, 9), min_size=1, max_size=60).filter(lambda values: max(values) >= 0))
def test_balance_stays_in_its_ranges(values: list[int]) -> None:
    balance = cluster_balance(np.asarray(values, dtype=np.int32))
    assert 0 < balance["largest_share"] <= 1
    assert -1e-12 <= balance["normalised_entropy"] <= 1 + 1e-12
    assert -1e-12 <= balance["gini"] < 1


def test_balance_of_known_partitions() -> None:
    even = cluster_balance(np.repeat(np.arange(4, dtype=np.int32), 5))
    assert even == pytest.approx({"largest_share": 0.25, "normalised_entropy": 1.0, "gini": 0.0})
    # sizes 1 and 3: mean absolute difference 1, mean 2, so gini 1 / 4
    assert cluster_balance(np.array([0, 1, 1, 1], np.int32))["gini"] == pytest.approx(0.25)


def test_shares_of_months_leave_noise_and_small_months_out() -> None:
    labels = np.array([0] * 20 + [1] * 20 + [0] * 30 + [1] * 10 + [0] * 5 + [-1] * 5, np.int32)
    months = np.array(["2024-01"] * 40 + ["2024-02"] * 40 + ["2024-03"] * 10)
    found = month_shares(labels, months)
    assert found.months == ["2024-01", "2024-02", "2024-03"] and found.posts.tolist() == [40, 40, 5]
    assert found.shares.tolist() == [[0.5, 0.5], [0.75, 0.25], [1.0, 0.0]]
    assert (found.largest, found.month) == (0.75, "2024-02")


def test_labels_go_by_size() -> None:
    assert by_size(np.array([0, -1, 1, 1, 2, 2, 2], np.int32)).tolist() == [2, -1, 1, 1, 0, 0, 0]


def test_stability_is_one_for_groups_and_near_zero_for_none(made: tuple[Rows, npt.NDArray[np.int64]]) -> None:
    def stability(rows: Rows, labels: npt.NDArray[np.int32]) -> list[float]:
        found = judge_stability(
            rows,
            "kmeans",
            Partition(labels, 5.0),
            seed=7,
            bootstraps=3,
            seeds=2,
            limit=250,
            reduce_again=None,
        )
        assert found.n_rows == 250 and len(found.bootstraps) == 3 and len(found.seeds) == 2
        return found.bootstraps + found.seeds

    assert min(stability(made[0], made[1].astype(np.int32))) > 0.9
    shuffled = np.random.default_rng(1).permutation(made[1]).astype(np.int32)
    assert max(map(abs, stability(made[0], shuffled))) < 0.1


GOOD = Figures(
    interior=True,
    silhouette=0.3,
    largest_share=0.2,
    entropy=0.9,
    noise=0.0,
    month_share=0.3,
    month="2024-03",
    ari_bootstraps=0.9,
    ari_seeds=float("nan"),
)


@pytest.mark.parametrize(
    ("change", "level", "fault", "extreme"),
    [
        ({}, "passes", "", False),
        ({"interior": False}, "fails", "the silhouette has no interior maximum", False),
        ({"largest_share": 0.61}, "fails", "one cluster holds 61%", True),
        ({"entropy": 0.4}, "fails", "few clusters hold nearly all posts (normalised entropy 0.40", True),
        ({"noise": 0.7}, "fails", "70% of the posts are in no cluster", False),
        ({"month_share": 0.8}, "doubtful", "in 2024-03 one cluster holds 80%", True),
        (
            {"ari_bootstraps": 0.2},
            "doubtful",
            "not the same twice: adjusted Rand index over bootstraps",
            False,
        ),
        ({"ari_seeds": 0.2}, "doubtful", "not the same twice: adjusted Rand index over seeds 0.20", False),
        ({"silhouette": 0.01}, "doubtful", "clusters hardly stand apart (silhouette 0.010)", False),
    ],
)
def test_each_fault_has_its_words_and_its_weight(
    change: dict[str, float], level: str, fault: str, extreme: bool
) -> None:
    verdict = judge(Figures(**{**vars(GOOD), **change}), Limits())
    assert (verdict.level, verdict.extreme) == (level, extreme)
    assert len(verdict.faults) == bool(fault) and verdict.sentence.startswith(fault or "passes")


def test_limits_are_the_users() -> None:
    assert judge(GOOD, Limits(largest_share=0.1)).level == "fails"
    noisy = judge(Figures(**{**vars(GOOD), "noise": 0.7}), Limits(noise=0.8))
    assert noisy.level == "passes" and noisy.sentence == "passes, with 70% of the posts in no cluster"


@pytest.mark.parametrize("reduction", ["none", "pca"])
def test_the_number_of_threads_changes_no_digit(reduction: str) -> None:
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    x, _ = blobs(600, 5, 500, 1.2, seed=4)
    found = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            result = tried(x, reduction=reduction)
        found.append(
            (result.positions.tobytes(), result.curve.to_numpy().tobytes(), result.silhouette_unreduced)
        )
    assert found[0] == found[1]
