"""Joint heads: the masked, weighted loss; the schedule; heads and checkpoints as files."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fashion_assets.products.tuning.checkpoints import Checkpoints, TuningState
from fashion_assets.products.tuning.config import TuningConfig
from fashion_assets.products.tuning.joint_heads import (
    UNLABELLED,
    JointHeads,
    attribute_codes,
    build_heads,
    multi_task_loss,
)
from fashion_assets.products.tuning.optimisation import (
    Learning,
    build_optimizer,
    optimizer_tensors,
    rate_factor,
    restore_optimizer,
    set_rates,
)
from fashion_assets.products.vectors import join_vectors
from fashion_assets.storage.errors import UserError


def test_codes_know_the_classes_of_the_training_part_alone() -> None:
    found = attribute_codes("season", ["b", "a", None, " ", "a", "c", "a"], np.array([0, 1, 2, 3, 4]), 1.0)
    assert found.classes == ("a", "b")
    assert found.codes.tolist() == [1, 0, UNLABELLED, UNLABELLED, 0, UNLABELLED, 0]
    np.testing.assert_allclose(found.weights, [3 / (2 * 2), 3 / (2 * 1)])
    with pytest.raises(
        UserError, match="none of the 2 training products has a value in the label column season"
    ):
        attribute_codes("season", [None, "", "a"], np.array([0, 1]), 0.5)


def test_the_loss_counts_what_is_labelled_by_the_weight_of_its_class() -> None:
    scores = [torch.tensor([[2.0, 0.0], [0.0, 1.0], [5.0, 5.0]]), torch.tensor([[0.0, 0.0, 3.0]] * 3)]
    codes = torch.tensor([[0, UNLABELLED], [1, 2], [UNLABELLED, 0]])
    weights = [torch.tensor([1.0, 3.0]), torch.tensor([2.0, 1.0, 1.0])]
    first = (1 * math.log(1 + math.exp(-2)) + 3 * math.log(1 + math.exp(-1))) / 4
    total = math.log(2 + math.exp(3))
    second = (1 * (total - 3) + 2 * total) / 3
    assert float(multi_task_loss(scores, codes, weights)) == pytest.approx((first + second) / 2, rel=1e-5)
    alone = torch.tensor([[0, UNLABELLED]] * 3)
    plain = torch.nn.functional.cross_entropy(scores[0], torch.zeros(3, dtype=torch.long))
    assert float(multi_task_loss(scores, alone, weights)) == pytest.approx(float(plain), rel=1e-5)


def test_a_batch_without_a_label_moves_nothing() -> None:
    head = torch.nn.Linear(4, 2)
    loss = multi_task_loss([head(torch.ones(3, 4))], torch.full((3, 1), UNLABELLED), [torch.ones(2)])
    loss.backward()
    assert float(loss.detach()) == 0
    assert head.weight.grad is not None
    assert not head.weight.grad.any()


@given(
    st.integers(1, 400).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n - 1))),
    st.floats(0, 0.9),
)
def test_rates_rise_and_fall_between_nothing_and_the_peak(steps: tuple[int, int], warmup: float) -> None:
    n_steps, step = steps
    factor = rate_factor(step, n_steps, warmup)
    assert 0 < factor <= 1
    n_rising = math.ceil(warmup * n_steps)
    if step + 1 < n_steps:
        following = rate_factor(step + 1, n_steps, warmup)
        assert following >= factor if step + 1 < n_rising else following <= 1
        if step >= n_rising:
            assert following < factor


def test_lower_blocks_and_vectors_have_their_own_rates() -> None:
    config = TuningConfig(
        tower_rate=1e-4, head_rate=1e-2, adapter_rate=1e-3, layer_decay=0.5, weight_decay=0.1
    )
    parameters = [torch.nn.Parameter(torch.ones(2, 2)), torch.nn.Parameter(torch.ones(2))]
    learning = [
        Learning("image/top.weight", parameters[0], 0),
        Learning("image/low.bias", parameters[1], 2),
        Learning("image/lora", torch.nn.Parameter(torch.ones(1, 2)), 1, adapter=True),
        Learning("heads/0.weight", torch.nn.Parameter(torch.ones(2, 2)), None),
    ]
    optimizer = build_optimizer(learning, config)
    peaks = {(group["peak"], group["weight_decay"]) for group in optimizer.param_groups}
    assert peaks == {(1e-4, 0.1), (2.5e-5, 0.0), (5e-4, 0.1), (1e-2, 0.1)}
    set_rates(optimizer, 0.5)
    assert all(group["lr"] == group["peak"] / 2 for group in optimizer.param_groups)


def test_checkpoints_bring_back_weights_and_optimiser(tmp_path: Path) -> None:
    def made() -> tuple[list[Learning], torch.optim.Optimizer]:
        torch.manual_seed(0)
        learning = [Learning("heads/w", torch.nn.Parameter(torch.randn(3, 2)), None)]
        return learning, build_optimizer(learning, TuningConfig())

    def step(learning: list[Learning], optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        (learning[0].parameter ** 3).sum().backward()
        optimizer.step()

    learning, optimizer = made()
    step(learning, optimizer)
    checkpoints = Checkpoints(tmp_path, "digest")
    weights = {"heads/w": learning[0].parameter}
    first = TuningState(epochs=1, steps=1, best_epoch=1, best_score=0.5, history=[{"epoch": 1}])
    checkpoints.save(first, weights, optimizer_tensors(optimizer, learning), is_best=True)
    step(learning, optimizer)
    second = TuningState(epochs=2, steps=2, best_epoch=1, best_score=0.5)
    best = checkpoints.best_weights()["heads/w"].clone()
    checkpoints.save(second, weights, optimizer_tensors(optimizer, learning), is_best=False)
    assert torch.equal(checkpoints.best_weights()["heads/w"], best)
    assert len(list(tmp_path.glob("*.safetensors"))) == 3

    again, other = made()
    found = checkpoints.load()
    assert found is not None
    state, tensors, kept = found
    assert state == second
    with torch.no_grad():
        again[0].parameter.copy_(tensors["heads/w"])
    restore_optimizer(other, again, kept)
    step(learning, optimizer)
    step(again, other)
    assert torch.equal(again[0].parameter, learning[0].parameter)

    with pytest.raises(UserError, match="other settings, data or encoders"):
        Checkpoints(tmp_path, "another").load()
    next(tmp_path.glob("weights-*")).write_bytes(b"cut off")
    with pytest.raises(UserError, match="missing or damaged"):
        checkpoints.load()
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(UserError, match=r"state\.json is damaged"):
        checkpoints.load()


def test_joint_heads_are_the_same_from_a_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = build_heads(5, [2, 3], [4], 0.5)
    classes = {"sex": ["f", "m"], "season/1": ["a", "b", "c"]}
    vectors = join_vectors(
        ["1", "2"],
        {"image": np.eye(2, 3), "text": np.eye(2, 2)},
        model_ids={"image": "v@1", "text": "t@2"},
    )
    heads = JointHeads(classes, vectors.model_id, {"image": 3, "text": 2}, network, [4])
    heads.save(tmp_path)
    again = JointHeads.load(tmp_path)
    expected = heads.predict_proba(vectors)
    for name, found in again.predict_proba(vectors).items():
        np.testing.assert_array_equal(found, expected[name])
        np.testing.assert_allclose(found.sum(axis=1), 1)
    assert again.classes["season/1"] == ("a", "b", "c")
    with pytest.raises(UserError, match="trained on vectors of"):
        again.predict_proba(join_vectors(["1"], {"image": np.eye(1, 3)}, model_ids={"image": "other"}))
    with pytest.raises(UserError, match="holds no joint heads"):
        JointHeads.load(tmp_path / "nowhere")
    card = json.loads((tmp_path / "joint_heads.json").read_text())
    (tmp_path / "joint_heads.json").write_text(json.dumps(card | {"weights_sha256": "0"}))
    with pytest.raises(UserError, match="does not belong to the weights"):
        JointHeads.load(tmp_path)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"dropout": 1.0}, "dropout is 1.0; it must lie between 0 and 0.95"),
        ({"head_rate": 0.0}, "head_rate is 0.0; it must be above 0"),
    ],
)
def test_settings_out_of_bounds_are_told(settings: dict[str, float], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        TuningConfig(**settings)  # type: ignore[arg-type]
