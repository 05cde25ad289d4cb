"""The classifiers: scikit-learn's own checks, one contract for all kinds, and what each kind promises."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import scipy.sparse
from sklearn.covariance import ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils.estimator_checks import check_estimator

from fashion_assets.products.classifiers import CLASSIFIERS
from fashion_assets.products.classifiers.softmax_solver import SoftmaxLoss
from fashion_assets.storage.errors import UserError

QUICK = {
    "catboost": {"iterations": 20, "depth": 3},
    "mlp": {"hidden": (32,), "epochs": 30, "learning_rate": 0.01},
}
WEIGHTS = ("check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data")
NOT_REPETITIONS = {
    "knn": dict.fromkeys(WEIGHTS, "a row of weight 2 is one neighbour whose vote counts twice"),
    "mlp": dict.fromkeys(WEIGHTS, "batches and dropout are drawn by row"),
    "catboost": dict.fromkeys(WEIGHTS, "borders of the trees are drawn by row"),
}


def blobs(n: int = 240, d: int = 12, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    codes = generator.integers(0, k, n)
    rows = generator.normal(size=(k, d))[codes] * 1.5 + generator.normal(size=(n, d))
    return rows.astype(np.float32), np.array(["dress", "shirt", "a shoe", "bag"])[codes]


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind == "mlp")) for kind in CLASSIFIERS]
)
@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks(kind: str) -> None:
    results = check_estimator(
        CLASSIFIERS[kind](**QUICK.get(kind, {})),
        expected_failed_checks=NOT_REPETITIONS.get(kind, {}),
        on_skip=None,
    )
    passed = sum(result["status"] == "passed" for result in results)
    assert passed > 40


@pytest.mark.parametrize("kind", list(CLASSIFIERS))
def test_a_state_makes_an_equal_classifier(kind: str) -> None:
    rows, names = blobs()
    made = CLASSIFIERS[kind](**QUICK.get(kind, {})).fit(rows[:160], names[:160])
    arrays, card = made.state()
    assert all(isinstance(array, np.ndarray) and array.dtype != object for array in arrays.values())
    again = CLASSIFIERS[kind].from_state(arrays, json.loads(json.dumps(card)))
    np.testing.assert_array_equal(again.predict_proba(rows[160:]), made.predict_proba(rows[160:]))
    assert again.predict(rows[160:]).tolist() == made.predict(rows[160:]).tolist()
    assert again.get_params() == made.get_params()
    assert (made.predict(rows[160:]) == names[160:]).mean() > 0.9


@pytest.mark.parametrize("kind", ["logistic", "knn", "mlp", "catboost"])
def test_csr_rows_give_what_dense_rows_give(kind: str) -> None:
    rows, names = blobs()
    rows[np.abs(rows) < 0.8] = 0
    sparse = scipy.sparse.csr_matrix(rows)
    options = QUICK.get(kind, {})
    dense = CLASSIFIERS[kind](**options).fit(rows, names).predict_proba(rows)
    thin = CLASSIFIERS[kind](**options).fit(sparse, names)
    # CatBoost takes absent entries for a default bin of their own.
    np.testing.assert_allclose(thin.predict_proba(sparse), dense, atol=0.05 if kind == "catboost" else 2e-3)
    arrays, card = thin.state()
    again = CLASSIFIERS[kind].from_state(arrays, card)
    np.testing.assert_array_equal(again.predict_proba(sparse), thin.predict_proba(sparse))


@pytest.mark.parametrize("kind", list(CLASSIFIERS))
def test_one_class_is_refused_with_a_sentence(kind: str) -> None:
    with pytest.raises(UserError, match="at least two classes, the 4 training rows hold 1 class"):
        CLASSIFIERS[kind]().fit(np.eye(4, dtype=np.float32), ["dress"] * 4)


def test_a_state_of_another_kind_is_refused() -> None:
    rows, names = blobs()
    arrays, card = CLASSIFIERS["lda"]().fit(rows, names).state()
    with pytest.raises(UserError, match="kind 'lda', not 'logistic'"):
        CLASSIFIERS["logistic"].from_state(arrays, card)
    with pytest.raises(UserError, match="not the state of a lda classifier"):
        CLASSIFIERS["lda"].from_state({}, card)


@pytest.mark.parametrize("power", [0.0, 1.0])
@pytest.mark.parametrize("wide", [False, True])
def test_logistic_finds_scikit_learns_minimum(power: float, wide: bool) -> None:
    rows, names = blobs(n=150, d=300 if wide else 8, k=4)
    rows = rows.astype(np.float64)
    names[:60] = "dress"
    ours = CLASSIFIERS["logistic"](C=0.3, class_weight_power=power, tol=1e-14, max_iter=3000).fit(rows, names)
    # class_weighted keeps the total weight, so C stands for the same strength on both sides.
    theirs = LogisticRegression(C=0.3, class_weight="balanced" if power else None, tol=1e-9, max_iter=5000)
    np.testing.assert_allclose(
        ours.predict_proba(rows), theirs.fit(rows, names).predict_proba(rows), atol=1e-5
    )
    assert ours.converged_


def test_logistic_gradient_is_that_of_its_loss() -> None:
    rows, names = blobs(n=30, d=5)
    _, codes = np.unique(names, return_inverse=True)
    mixed = scipy.sparse.csr_matrix(np.where(np.arange(5) < 2, rows, rows * (rows > 1.5)).astype(np.float64))
    loss = SoftmaxLoss(mixed, codes, np.linspace(1, 2, 30), 0.1)
    assert 0 < loss.design.dense.shape[1] < 5
    point = np.random.default_rng(1).normal(size=(6, 3))

    def value(at: np.ndarray) -> float:
        return loss.value(loss.scores(at), float((at[:-1] ** 2).sum()))[0]

    found = loss.gradient(loss.value(loss.scores(point), 0.0)[1], point)
    for place in np.ndindex(6, 3):
        nudge = np.zeros((6, 3))
        nudge[place] = 1e-6
        slope = (value(point + nudge) - value(point - nudge)) / 2e-6
        assert found[place] == pytest.approx(slope, abs=1e-7)


def test_logistic_starts_where_it_ended() -> None:
    rows, names = blobs()
    warm = CLASSIFIERS["logistic"](warm_start=True, tol=1e-7).fit(rows, names)
    steps = warm.n_iter_
    warm.set_params(C=1.1).fit(rows, names)
    assert warm.n_iter_ < steps
    cold = CLASSIFIERS["logistic"](C=1.1, tol=1e-7).fit(rows, names)
    np.testing.assert_allclose(warm.predict_proba(rows), cold.predict_proba(rows), atol=2e-3)


def test_logistic_says_that_it_did_not_settle() -> None:
    rows, names = blobs()
    assert not CLASSIFIERS["logistic"](max_iter=1).fit(rows, names).converged_
    with pytest.raises(UserError, match="C is 0; expected a number above 0"):
        CLASSIFIERS["logistic"](C=0).fit(rows, names)


def test_class_weights_hear_rare_classes() -> None:
    generator = np.random.default_rng(3)
    rows = np.concatenate([generator.normal(0, 1, (300, 2)), generator.normal(1.5, 1, (15, 2))])
    codes = np.repeat([0, 1], [300, 15])
    called = [
        int(CLASSIFIERS["logistic"](class_weight_power=power).fit(rows, codes).predict(rows).sum())
        for power in (0.0, 0.5, 1.0)
    ]
    assert called[0] < called[1] < called[2]


@pytest.mark.parametrize(("n", "d"), [(120, 10), (40, 90)])
def test_lda_is_scikit_learns(n: int, d: int) -> None:
    rows, names = blobs(n=n, d=d)
    rows = rows.astype(np.float64) * np.linspace(1, 20, d)
    ours = CLASSIFIERS["lda"]().fit(rows, names)
    # scikit-learn estimates a shrunk covariance per class and averages them; ours pools the rows first, so the
    # shrinkage is compared with its ledoit_wolf and the solution at that shrinkage.
    _, codes = np.unique(names, return_inverse=True)
    means = np.stack([rows[codes == code].mean(axis=0) for code in range(3)])
    within = rows - means[codes]
    spread = within.std(axis=0)
    covariance, shrinkage = ledoit_wolf(within / spread, assume_centered=True)
    assert ours.shrinkage_ == pytest.approx(shrinkage)
    directions = np.linalg.solve(covariance * np.outer(spread, spread), means.T).T
    np.testing.assert_allclose(ours.coef_, directions, rtol=1e-6, atol=1e-9)
    theirs = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(rows, names)
    assert (ours.predict(rows) == theirs.predict(rows)).mean() > 0.95


def test_lda_takes_rows_that_do_not_vary() -> None:
    rows = np.repeat(np.eye(2), 5, axis=0)
    assert CLASSIFIERS["lda"]().fit(rows, [0] * 5 + [1] * 5).predict(rows).tolist() == [0] * 5 + [1] * 5
    with pytest.raises(UserError, match='shrinkage is 0; expected "auto"'):
        CLASSIFIERS["lda"](0).fit(rows, [0] * 5 + [1] * 5)


def test_knn_is_scikit_learns_but_for_the_smoothing() -> None:
    rows, names = blobs()
    made = CLASSIFIERS["knn"](5, weights="uniform", smoothing=0.5).fit(rows[:200], names[:200])
    theirs = KNeighborsClassifier(5, metric="cosine").fit(rows[:200], names[:200])
    smoothed = (5 * theirs.predict_proba(rows[200:]) + 0.5 * made.prior_) / 5.5
    np.testing.assert_allclose(made.predict_proba(rows[200:]), smoothed, atol=1e-6)


def test_knn_block_by_block_is_knn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, names = blobs()
    made = CLASSIFIERS["knn"]().fit(rows, names)
    whole = made.predict_proba(rows)
    monkeypatch.setattr(sys.modules["fashion_assets.products.classifiers.knn"], "BLOCK_NUMBERS", 1000)
    np.testing.assert_allclose(made.predict_proba(rows), whole, atol=1e-6)
    np.testing.assert_allclose(made.predict_proba(np.zeros((1, 12))), made.prior_[None])


def test_mlp_stops_early_and_keeps_the_best_epoch() -> None:
    generator = np.random.default_rng(0)
    rows, noise = generator.normal(size=(200, 20)), generator.integers(0, 2, 200)
    made = CLASSIFIERS["mlp"](epochs=200, patience=3, dropout=0.0).fit(rows, noise)
    losses = [row["validation_loss"] for row in made.history_]
    assert len(losses) < 200
    assert made.best_epoch_ == int(np.argmin(losses)) + 1 == len(losses) - 3
    same = CLASSIFIERS["mlp"](epochs=200, patience=3, dropout=0.0).fit(rows, noise)
    np.testing.assert_array_equal(same.predict_proba(rows), made.predict_proba(rows))
    assert (
        CLASSIFIERS["mlp"](epochs=2, validation_share=0).fit(rows, noise).history_[-1]["validation_loss"]
        is None
    )
    with pytest.raises(UserError, match="dropout 1 and"):
        CLASSIFIERS["mlp"](dropout=1).fit(rows, noise)


def test_catboost_missing_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(UserError, match=r"pip install 'fashion-assets\[boost\]'"):
        CLASSIFIERS["catboost"]().fit(*blobs())
