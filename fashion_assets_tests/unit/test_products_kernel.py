"""The kernel machine: one factor answers for every leading part and every left-out set, exactly."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.products.heads.kernel import (
    Attribute,
    KernelBench,
    KernelMachine,
    kernel_machines,
    link,
    thinned,
)
from fashion_assets.products.heads.least_squares import REGULARISATION, class_ridge
from fashion_assets.products.heads.similarity import similarity
from fashion_assets.products.heads.space import Signals

N = 90


def made_signals(seed: int = 0) -> Signals:
    rng = np.random.default_rng(seed)
    words = scipy.sparse.random(N, 30, 0.15, random_state=seed, format="csr", dtype=np.float32)
    words = scipy.sparse.csr_matrix(unit_rows(words.toarray()))
    image = unit_rows(rng.normal(size=(N, 5)))
    image[:4] = 0
    return Signals(
        {"image": image}, {"words": words, "letters": scipy.sparse.csr_matrix((N, 0), dtype=np.float32)}
    )


SIGNALS = made_signals()
CODES = np.random.default_rng(1).integers(0, 3, N)
CODES[[3, 40, 77]] = -1


@pytest.fixture(scope="module")
def attribute() -> Attribute:
    return KernelBench(SIGNALS).prepare(CODES, 3)


def chances(scores: np.ndarray) -> np.ndarray:
    """In proportion to a power of the scores where they are above 0, next to nothing below."""
    positive = np.log1p(np.exp(4 * np.log(scores.shape[1]) * scores)) ** 2.5
    return positive / positive.sum(axis=1, keepdims=True)


def solved(train: np.ndarray, rows: np.ndarray, ridge: np.ndarray | None = None) -> np.ndarray:
    """The textbook: one system for the labelled products of ``train``, ``ridge`` (n,) on its diagonal."""
    known = train[CODES[train] >= 0]
    own = SIGNALS.take(known)
    targets = np.eye(3)[CODES[known]]
    mean = targets.mean(axis=0)
    diagonal = np.full(len(known), REGULARISATION) if ridge is None else ridge[known]
    weights = np.linalg.solve(similarity(own, own) + np.diag(diagonal), targets - mean)
    return chances(similarity(SIGNALS.take(rows), own) @ weights + mean)


@pytest.mark.parametrize("count", [20, 60])
def test_a_leading_part_of_the_factor_is_the_machine_of_these_products(
    attribute: Attribute, count: int
) -> None:
    found = attribute.held_out(count, slice(70, N))
    assert found == pytest.approx(solved(np.arange(count), np.arange(70, N)), abs=1e-4)


def test_leaving_products_out_afterwards_is_never_having_known_them(attribute: Attribute) -> None:
    rows = np.array([5, 40, 60, 88])
    others = np.setdiff1d(np.arange(N), rows)
    assert attribute.left_out(rows) == pytest.approx(solved(others, rows), abs=1e-4)


def test_scores_above_nought_count_by_their_power_and_all_stay_in_order() -> None:
    scores = np.zeros((2, 100))
    scores[:, :4] = [[0.75, 0.25, 0.1, -0.1], [-3.0, -2.0, -2.5, -1.9]]
    scores[:, 4:] = -np.linspace(0.2, 0.9, 96)
    found = link(scores)
    assert found == pytest.approx(chances(scores)) and found.sum(axis=1) == pytest.approx(np.ones(2))
    assert found[0, 0] / found[0, 1] == pytest.approx(3.0**2.5, rel=0.01)
    assert (np.argsort(found, axis=1) == np.argsort(scores, axis=1)).all() and (found > 0).all()


def test_class_weights_are_a_ridge_by_class() -> None:
    """Each product counts (m / (k m_c)) ** power times, 1 on average: the weighted squares have this least point."""
    codes = np.array([0] * 6 + [1] * 2 + [-1, 2])
    ridge = class_ridge(codes, 3, 0.5, slice(8))
    weights = np.array([8 / (2 * 6)] * 6 + [8 / (2 * 2)] * 2) ** 0.5
    assert REGULARISATION / ridge[:8] == pytest.approx(weights / weights.mean())
    # No label: as it is. A class that the counted ones lack: as loud as a class of one.
    assert ridge[8] == REGULARISATION and REGULARISATION / ridge[9] == pytest.approx(2 / weights.mean())
    assert class_ridge(codes, 3, 0.0, slice(8)) == pytest.approx(np.full(10, REGULARISATION))


def test_a_weighted_machine_is_the_weighted_textbook_everywhere() -> None:
    rare = np.where((CODES == 2) & (np.arange(N) % 4 > 0), 0, CODES)
    ridge = class_ridge(rare, 3, 0.5, slice(60))
    attribute = KernelBench(SIGNALS, ridge).prepare(CODES, 3)
    later = np.arange(70, N)
    expected = solved(np.arange(60), later, ridge)
    assert attribute.held_out(60, slice(70, N)) == pytest.approx(expected, abs=1e-4)
    assert np.abs(expected - solved(np.arange(60), later)).max() > 0.02
    rows = np.array([5, 40, 60, 88])
    others = np.setdiff1d(np.arange(N), rows)
    assert attribute.left_out(rows) == pytest.approx(solved(others, rows, ridge), abs=1e-4)
    made = kernel_machines(SIGNALS, {"one": CODES}, {"one": 3}, ridge)["one"]
    both = np.flatnonzero(SIGNALS.has_image & SIGNALS.has_text)
    assert made.predict_proba(SIGNALS.take(both)) == pytest.approx(
        solved(np.arange(N), both, ridge), abs=1e-4
    )


@pytest.fixture(scope="module")
def machine() -> KernelMachine:
    other = np.where(np.arange(N) % 7 == 0, -1, np.arange(N) % 2)
    return kernel_machines(SIGNALS, {"one": CODES, "other": other}, {"one": 3, "other": 2})["one"]


def test_the_machine_is_that_of_all_products_with_its_label(machine: KernelMachine) -> None:
    both = np.flatnonzero(SIGNALS.has_image & SIGNALS.has_text)
    assert machine.predict_proba(SIGNALS.take(both)) == pytest.approx(solved(np.arange(N), both), abs=1e-4)
    assert not machine.weights[CODES < 0].any()


def test_the_order_of_arrays_in_a_file_changes_no_digit() -> None:
    """A safetensors file is read in another order by every process."""
    rng = np.random.default_rng(3)
    vectors = {name: unit_rows(rng.normal(size=(N, 7))) for name in ("text", "shop", "characteristics")}
    signals = Signals({**SIGNALS.dense, **vectors}, SIGNALS.ngrams)
    arrays, card = kernel_machines(signals, {"kind": CODES}, {"kind": 3})["kind"].state()
    orders = (list(arrays), list(arrays)[::-1], sorted(arrays))
    read = [KernelMachine.from_state({name: arrays[name] for name in order}, card) for order in orders]
    first, *others = (one.predict_proba(signals).tobytes() for one in read)
    assert others == [first, first]


def test_products_are_predicted_in_blocks(machine: KernelMachine, monkeypatch: pytest.MonkeyPatch) -> None:
    from fashion_assets.products.heads import kernel

    whole = machine.predict_proba(SIGNALS)
    monkeypatch.setattr(kernel, "BLOCK", 7)
    assert machine.predict_proba(SIGNALS) == pytest.approx(whole, abs=1e-6)
    assert machine.predict_proba(SIGNALS.take(np.arange(0))).shape == (0, 3)


def test_one_side_alone_is_least_squares_on_that_side(machine: KernelMachine) -> None:
    pictures = SIGNALS.only("image").take(np.arange(4, N))
    known = np.flatnonzero(CODES[4:] >= 0)
    kernel = similarity(pictures, pictures)
    mean = np.eye(3)[CODES[CODES >= 0]].mean(axis=0)
    system = kernel[np.ix_(known, known)] + REGULARISATION * np.eye(len(known))
    weights = np.linalg.solve(system, np.eye(3)[CODES[4:][known]] - mean)
    expected = chances(kernel[:, known] @ weights + mean)
    assert machine.predict_proba(pictures) == pytest.approx(expected, abs=1e-4)


def test_the_similarity_is_a_kernel_with_one_on_its_diagonal() -> None:
    matrix = similarity(SIGNALS, SIGNALS)
    whole = SIGNALS.has_image & SIGNALS.has_text
    assert matrix == pytest.approx(matrix.T, abs=1e-6)
    assert np.diag(matrix)[whole] == pytest.approx(np.ones(whole.sum()), abs=1e-5)
    assert np.linalg.eigvalsh(matrix.astype(np.float64)).min() > -1e-4
    assert (matrix[~whole].max(axis=1) < 0.5).all()


def test_a_side_that_nobody_has_leaves_its_share_to_the_other() -> None:
    alone = SIGNALS.only("text")
    worded = alone.has_text
    assert np.diag(similarity(alone, alone))[worded] == pytest.approx(np.ones(worded.sum()), abs=1e-5)


def test_many_products_are_thinned_out_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    from fashion_assets.products.heads import kernel

    monkeypatch.setattr(kernel, "MAX_PRODUCTS", 10)
    rows = thinned(np.arange(50, 80), seed=3)
    assert len(rows) == 10 and (np.diff(rows) > 0).all() and np.isin(rows, np.arange(50, 80)).all()
    assert thinned(np.arange(7), seed=3).tolist() == list(range(7))
