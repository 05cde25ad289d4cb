"""The trained projection: scikit-learn's checks, each loss separates classes, states, and the missing extra."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import check_estimator

from fashion_assets.products.metric_losses import LOSSES, MetricProjection
from fashion_assets.storage.errors import UserError

pytest.importorskip("pytorch_metric_learning", reason="the extra tune is not installed")


def made(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Classes that differ along three weak columns among thirty loud ones."""
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, 4, 240)
    rows = generator.normal(size=(240, 30))
    rows[:, :3] = rows[:, :3] * 0.3 + np.eye(4)[codes][:, :3]
    return rows.astype(np.float32), np.array(["bag", "dress", "shirt", "shoe"])[codes]


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks() -> None:
    results = check_estimator(MetricProjection(epochs=1, n_components=2), on_skip=None)
    assert {result["status"] for result in results} <= {"passed", "skipped"}


@pytest.mark.parametrize("loss", LOSSES)
def test_each_loss_brings_classes_together(loss: str) -> None:
    rows, names = made(0)
    held, truth = made(1)
    projection = MetricProjection(loss, n_components=8, epochs=40, batch_size=64, learning_rate=0.01).fit(
        rows, names
    )
    found = projection.transform(held)
    assert found.shape == (240, 8)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    plain = KNeighborsClassifier(5).fit(rows, names).score(held, truth)
    assert KNeighborsClassifier(5).fit(projection.transform(rows), names).score(found, truth) > plain + 0.05
    assert projection.losses_[-1] < projection.losses_[0]


def test_a_seed_and_a_state_make_an_equal_projection() -> None:
    rows, names = made(0)
    first = MetricProjection(epochs=2).fit(rows, names)
    second = MetricProjection(epochs=2).fit(rows, names)
    np.testing.assert_array_equal(first.transform(rows), second.transform(rows))
    arrays, card = first.state()
    again = MetricProjection.from_state(arrays, json.loads(json.dumps(card)))
    np.testing.assert_array_equal(again.transform(rows), first.transform(rows))
    assert again.get_params() == first.get_params()
    with pytest.raises(UserError, match="not the state of a metric projection"):
        MetricProjection.from_state({}, card)


def test_rare_classes_stand_in_every_batch() -> None:
    codes = np.repeat([0, 1, 2], [300, 10, 1])
    projection = MetricProjection(batch_size=30)
    projection.classes_ = np.arange(3)
    batches = list(projection._batches(codes, np.random.default_rng(0)))
    assert len(batches) == 10
    assert all(np.bincount(codes[places]).tolist() == [10, 10, 10] for places in batches)


def test_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, names = made(0)
    with pytest.raises(UserError, match="expected one of supcon, triplet"):
        MetricProjection("npairs").fit(rows, names)
    with pytest.raises(UserError, match="hold 1 class"):
        MetricProjection().fit(rows, ["bag"] * 240)
    monkeypatch.setitem(sys.modules, "pytorch_metric_learning", None)
    with pytest.raises(UserError, match=r"pip install 'fashion-assets\[tune\]'"):
        MetricProjection().fit(rows, names)
