"""The kernel machine: one factor answers for every leading part and every left-out set, exactly."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from fashion_assets.encoders.rows import unit_rows
from fashion_assets.products.classifiers.base import softmax
from fashion_assets.products.heads.kernel import (
    REGULARISATION,
    SHARPNESS,
    Attribute,
    KernelBench,
    KernelMachine,
    kernel_machines,
    thinned,
)
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


def solved(train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The textbook: one system for the labelled products of ``train``."""
    known = train[CODES[train] >= 0]
    own = SIGNALS.take(known)
    targets = np.eye(3)[CODES[known]]
    mean = targets.mean(axis=0)
    weights = np.linalg.solve(similarity(own, own) + REGULARISATION * np.eye(len(known)), targets - mean)
    scores = SHARPNESS * (similarity(SIGNALS.take(rows), own) @ weights + mean)
    return softmax(scores)


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


@pytest.fixture(scope="module")
def machine() -> KernelMachine:
    other = np.where(np.arange(N) % 7 == 0, -1, np.arange(N) % 2)
    return kernel_machines(SIGNALS, {"one": CODES, "other": other}, {"one": 3, "other": 2})["one"]


def test_the_machine_is_that_of_all_products_with_its_label(machine: KernelMachine) -> None:
    both = np.flatnonzero(SIGNALS.has_image & SIGNALS.has_text)
    assert machine.predict_proba(SIGNALS.take(both)) == pytest.approx(solved(np.arange(N), both), abs=1e-4)
    assert not machine.weights[CODES < 0].any()


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
    expected = softmax(SHARPNESS * (kernel[:, known] @ weights + mean))
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
