"""Everything that needs a real UMAP, in one module: its first fit in a process compiles for long."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from sklearn.metrics import adjusted_rand_score

from fashion_assets.styles import StyleClusterer
from fashion_assets.styles.fitting import StyleParams, fit_style_model
from fashion_assets.styles.model import assign_styles
from fashion_assets_tests.unit.styles_made import DriftingStyles, blobs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def made() -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    return blobs(900, 12, 256, 2.0, seed=11)


@pytest.fixture(scope="module")
def fitted(made: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]) -> StyleClusterer:
    return StyleClusterer(k_range=(4, 25)).fit(made[0][:700])


def test_recovers_twelve_noisy_styles(
    fitted: StyleClusterer, made: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
) -> None:
    x, truth = made
    assert fitted.reduction_ == "umap" and not fitted.reduction_note_
    assert fitted.n_clusters_ == 12
    assert adjusted_rand_score(truth[:700], fitted.labels_) > 0.95
    assert adjusted_rand_score(truth[700:], fitted.predict(x[700:])) > 0.95
    np.testing.assert_array_equal(fitted.predict(x[:700]), fitted.labels_)
    assert fitted.embedding_.shape == (700, 10)


def test_the_same_seed_gives_the_same_styles(
    fitted: StyleClusterer, made: tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
) -> None:
    again = StyleClusterer(k_range=(4, 25)).fit(made[0][:700])
    np.testing.assert_array_equal(again.embedding_, fitted.embedding_)
    np.testing.assert_array_equal(again.labels_, fitted.labels_)


@pytest.mark.parametrize("n", [10, 11, 16])
def test_neighbours_and_components_shrink_with_the_sample(n: int) -> None:
    x, _ = blobs(n, 2, 24, 0.3, seed=1)
    styles = StyleClusterer().fit(x)
    assert styles.embedding_.shape[0] == n and styles.labels_.shape == (n,)


def test_a_model_of_months_keeps_its_ids() -> None:
    styles = DriftingStyles(8, noise=1.4, seed=12)
    january, _ = styles.month("2024-01", 260)
    february, truth = styles.month("2024-02", 260)
    params = StyleParams(k_max=16)
    first = fit_style_model(january, "2024-01", text_dim=32, params=params)
    window = pa.concat_tables([january, february])
    second = fit_style_model(window, "2024-02", text_dim=32, previous=first, params=params)
    assert (
        second.to_bytes()
        == fit_style_model(window, "2024-02", text_dim=32, previous=first, params=params).to_bytes()
    )
    before = assign_styles(first, january, "2024-01")["style_id"].to_numpy()
    now = assign_styles(second, january, "2024-01")["style_id"].to_numpy()
    assert (before == now).mean() >= 0.9
    assert adjusted_rand_score(truth, assign_styles(second, february, "2024-02")["style_id"]) > 0.9
