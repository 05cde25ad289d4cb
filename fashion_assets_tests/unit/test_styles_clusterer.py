"""The estimator under scikit-learn's own contract checks; UMAP is in `test_styles_umap.py`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import parametrize_with_checks

from fashion_assets.storage.errors import UserError
from fashion_assets.styles import StyleClusterer
from fashion_assets.styles.centroids import nearest_two, settle, spherical_centroids
from fashion_assets_tests.unit.styles_made import blobs


@parametrize_with_checks([StyleClusterer(reduction="none", k_range=(2, 6))])
def test_scikit_learn_contract(estimator: StyleClusterer, check: Any) -> None:
    check(estimator)  # no check is expected to fail


def test_k_is_found_and_training_rows_are_predicted_as_labelled() -> None:
    x, truth = blobs(500, 7, 48, 1.0, seed=5)
    styles = StyleClusterer(reduction="pca", k_range=(2, 12)).fit(x)
    assert styles.n_clusters_ == 7 and "maximum" in styles.k_reason_
    assert adjusted_rand_score(truth, styles.labels_) > 0.95
    np.testing.assert_array_equal(styles.predict(x), styles.labels_)
    np.testing.assert_array_equal(styles.transform(x).argmin(axis=1), styles.labels_)
    assert styles.agreement_ > 0.95
    assert list(styles.silhouette_curve_["k"]) == list(range(2, 13))
    again = clone(styles).fit(x)
    np.testing.assert_array_equal(again.labels_, styles.labels_)
    np.testing.assert_array_equal(again.cluster_centers_, styles.cluster_centers_)


def test_length_of_rows_is_nothing_and_new_rows_go_to_the_nearest_centroid() -> None:
    x, _ = blobs(400, 5, 32, 0.8, seed=6)
    styles = StyleClusterer(5, reduction="pca").fit(x[:300])
    lengths = np.random.default_rng(0).uniform(0.5, 20, size=(100, 1))
    np.testing.assert_array_equal(styles.predict(x[300:] * lengths), styles.predict(x[300:]))
    assert styles.silhouette_curve_.empty and "was asked for" in styles.k_reason_


def test_a_large_input_is_fitted_on_a_sample_and_wholly_labelled() -> None:
    x, truth = blobs(600, 5, 32, 0.8, seed=6)
    styles = StyleClusterer(reduction="pca", k_range=(2, 9), max_fit_rows=200).fit(x)
    assert styles.embedding_.shape[0] == len(styles.fit_rows_) == 200
    assert styles.labels_.shape == (600,)
    assert adjusted_rand_score(truth, styles.labels_) > 0.95


@pytest.mark.parametrize("judged_in", ["reduced", "embedding"])
def test_both_spaces_find_the_made_k(judged_in: str) -> None:
    x, _ = blobs(400, 6, 48, 1.0, seed=9)
    assert StyleClusterer(reduction="pca", k_range=(2, 12), judged_in=judged_in).fit(x).n_clusters_ == 6


def test_identical_few_and_zero_rows_are_one_group_and_it_is_said() -> None:
    same = StyleClusterer().fit(np.ones((30, 4)))
    assert same.n_clusters_ == 1 and "identical" in same.k_reason_
    assert same.reduction_ == "none" and "too few" in same.reduction_note_
    few = StyleClusterer().fit(np.eye(4))
    assert few.n_clusters_ == 1 and "too few" in few.k_reason_
    zero = StyleClusterer().fit(np.zeros((12, 4)))
    assert zero.labels_.tolist() == [0] * 12 and zero.predict(np.ones((2, 4))).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"n_clusters": 0}, "n_clusters is 0"),
        ({"n_clusters": "many"}, "n_clusters is 'many'"),
        ({"n_clusters": 50}, r"n_samples=30 should be >= n_clusters=50"),
        ({"n_neighbors": 1}, "n_neighbors is 1"),
        ({"judged_in": "sky"}, "judged_in is 'sky'"),
        ({"reduction": "tsne"}, "reduction is 'tsne'"),
        ({"k_range": (9, 4)}, r"range of k is 9\.\.4"),
    ],
)
def test_mistakes_are_sentences(parameters: dict[str, Any], said: str) -> None:
    x, _ = blobs(30, 3, 8, 0.5, seed=0)
    with pytest.raises(UserError, match=said):
        StyleClusterer(**{"reduction": "none", **parameters}).fit(x)


def test_centroids_ignore_what_has_no_label_and_zero_centroids_win_nothing() -> None:
    unit = np.array([[1, 0], [0, 1], [0.6, 0.8]], dtype=np.float32)
    centroids = spherical_centroids(unit, np.array([0, -1, 0], np.int32), 2)
    np.testing.assert_allclose(centroids, [[0.8944272, 0.4472136], [0, 0]], atol=1e-6)
    nearest = nearest_two(unit, centroids)
    assert nearest.first.tolist() == [0, 0, 0] and nearest.second.tolist() == [-1, -1, -1]
    none = nearest_two(unit, np.zeros((2, 2), np.float32))
    assert none.first.tolist() == [-1] * 3 and np.isnan(none.distance).all()


def test_settled_labels_are_those_of_the_nearest_centroid() -> None:
    x, truth = blobs(300, 4, 16, 0.7, seed=8)
    wrong = truth.astype(np.int32).copy()
    wrong[::6] = (wrong[::6] + 1) % 4
    labels, centroids = settle(x, wrong)
    np.testing.assert_array_equal(labels, nearest_two(x, centroids).first)
    assert adjusted_rand_score(truth, labels) > 0.95


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = (
        "import sys, fashion_assets.styles.model, fashion_assets.styles.profiles;"
        "import fashion_assets.styles.experiments;"
        "print([name for name in ('sklearn', 'umap', 'scipy', 'torch', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
