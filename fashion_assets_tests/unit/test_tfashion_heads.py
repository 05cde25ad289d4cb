"""Heads of the word classifier: learning, figures per epoch, saving, calibration and the threshold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]
from torch import nn
from torch.nn import functional

from fashion_assets.storage.errors import UserError
from fashion_assets.tfashion.calibration import (
    PlattCalibration,
    best_threshold,
    expected_calibration_error,
)
from fashion_assets.tfashion.epochs import EpochFigures, epoch_table, log_loss, validated_epoch
from fashion_assets.tfashion.heads import (
    Head,
    Standardisation,
    head_from_tensors,
    head_names,
    make_head,
    seeded_torch,
)
from fashion_assets.tfashion.mlp_head import focal_loss
from fashion_assets.tfashion.resnet_head import build_network

DIM = 12
#: Options under which each head learns 400 rows within a few seconds. What is no question of quality is asked of
#: 64 rows and one epoch: a step of ResNet18 moves 12 million numbers.
QUICK: dict[str, dict[str, Any]] = {
    "resnet": {"batch_size": 32, "epochs": 3, "learning_rate": 1e-3, "device": "cpu"},
    "mlp": {"batch_size": 32, "epochs": 8},
    "logistic": {},
}
BRIEF: dict[str, dict[str, Any]] = {
    "resnet": {"batch_size": 32, "epochs": 1, "device": "cpu"},
    "mlp": {"batch_size": 32, "epochs": 2},
    "logistic": {},
}
HEADS = pytest.mark.parametrize("name", QUICK)


def words(seed: int = 0, n: int = 400, noise: float = 0.3, dim: int = DIM) -> tuple[np.ndarray, np.ndarray]:
    """Features (n, dim) whose first direction tells the labels (n,) apart, but for the noise."""
    rng = np.random.default_rng(seed)
    labels = rng.random(n) < 0.5
    features = rng.normal(0, 1, (n, dim))
    features[:, 0] = np.where(labels, 1.0, -1.0) + rng.normal(0, noise, n)
    return features.astype(np.float32), labels


def quick(name: str, seed: int = 7, dim: int = DIM, **options: Any) -> Head:
    return make_head(name, dim, seed, **{**QUICK[name], **options})


def brief(name: str, seed: int = 7, **options: Any) -> Head:
    return make_head(name, DIM, seed, **{**BRIEF[name], **options})


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Two threads win nothing at this size, and wait long for each other where tests run side by side."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=list(QUICK))
def learnt(request: pytest.FixtureRequest) -> tuple[Head, list[EpochFigures]]:
    head = quick(request.param)
    return head, head.fit(*words(), validation=words(1))


@pytest.fixture(scope="module")
def trained(learnt: tuple[Head, list[EpochFigures]]) -> Head:
    return learnt[0]


def accuracy(head: Head, features: np.ndarray, labels: np.ndarray) -> float:
    return float(np.mean((head.decision(features) >= 0) == labels))


def test_every_head_has_a_name_in_the_registry() -> None:
    assert head_names() == ("resnet", "mlp", "logistic")
    assert [quick(name).name for name in head_names()] == list(head_names())


def test_a_separable_problem_is_learnt(trained: Head) -> None:
    assert accuracy(trained, *words(1)) > 0.97


@HEADS
def test_a_noisy_problem_is_learnt_better_than_chance(name: str) -> None:
    head = quick(name)
    figures = head.fit(*words(0, noise=1.5), validation=words(1, noise=1.5))
    # The best possible is about 0.75 here: half of one spread of the noise beyond the middle.
    assert 0.6 < accuracy(head, *words(1, noise=1.5)) < 0.85
    assert figures[-1].accuracy == pytest.approx(accuracy(head, *words(1, noise=1.5)))


def test_figures_come_per_epoch(learnt: tuple[Head, list[EpochFigures]]) -> None:
    head, figures = learnt
    assert [row.epoch for row in figures] == list(range(1, QUICK[head.name].get("epochs", 1) + 1))
    assert all(row.val_loss is not None and np.isfinite(row.val_loss) for row in figures)
    if len(figures) > 1:
        assert figures[-1].train_loss < figures[0].train_loss


@HEADS
def test_looking_on_changes_nothing(name: str) -> None:
    watched = brief(name).fit(*words(n=64), validation=words(1, n=20))
    unwatched = brief(name).fit(*words(n=64))
    assert unwatched[-1].f1 is None and unwatched[-1].val_loss is None
    assert unwatched[-1].train_loss == watched[-1].train_loss


def test_validation_loss_is_the_log_loss_of_the_decision(
    learnt: tuple[Head, list[EpochFigures]],
) -> None:
    features, labels = words(1)
    expected = functional.binary_cross_entropy_with_logits(
        torch.from_numpy(learnt[0].decision(features)), torch.from_numpy(labels.astype(np.float32))
    )
    assert learnt[1][-1].val_loss == pytest.approx(float(expected), rel=1e-4)


def test_it_is_the_same_after_safetensors_and_json(trained: Head) -> None:
    config = json.loads(json.dumps(trained.config()))
    tensors = load(save({name: np.ascontiguousarray(array) for name, array in trained.tensors().items()}))
    again = head_from_tensors(trained.name, config, tensors)
    np.testing.assert_allclose(again.decision(words(2)[0]), trained.decision(words(2)[0]), rtol=0, atol=1e-5)
    assert again.config() == trained.config()
    assert trained.tensors().keys() == again.tensors().keys()
    for key, array in trained.tensors().items():
        np.testing.assert_array_equal(again.tensors()[key], array, err_msg=key)


@HEADS
def test_the_same_seed_gives_the_same_tensors(name: str) -> None:
    fits = []
    for seed in (7, 7, 8):
        head = brief(name, seed)
        head.fit(*words(n=64))
        fits.append(head.tensors())
    assert all(np.array_equal(fits[0][key], fits[1][key]) for key in fits[0])
    if name != "logistic":
        assert any(not np.array_equal(fits[0][key], fits[2][key]) for key in fits[0])


@HEADS
def test_a_second_fit_begins_anew(name: str) -> None:
    once, twice = brief(name), brief(name)
    once.fit(*words(n=64))
    twice.fit(*words(3, n=64))
    twice.fit(*words(n=64))
    np.testing.assert_array_equal(once.decision(words(2)[0]), twice.decision(words(2)[0]))


@HEADS
def test_random_numbers_and_threads_of_the_caller_are_left_alone(name: str) -> None:
    torch.manual_seed(123)
    np.random.seed(5)
    threads, expected = torch.get_num_threads(), torch.get_rng_state()
    numpy_before = np.random.get_state()[1].copy()  # type: ignore[index,union-attr]
    head = brief(name)
    head.fit(*words(n=64))
    head_from_tensors(name, head.config(), head.tensors()).decision(words(n=10)[0])
    assert torch.equal(torch.get_rng_state(), expected) and torch.get_num_threads() == threads
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # type: ignore[index]


@pytest.mark.parametrize("size", [1, 3, 64, 299])
def test_a_decision_does_not_depend_on_its_batch(trained: Head, size: int) -> None:
    features = words(4, n=300)[0]
    starts = range(0, 300, size) if size > 3 else range(0, 300, 23)
    whole = trained.decision(features)
    assert whole.dtype == np.float32 and whole.shape == (300,)
    for start in starts:
        piece = slice(start, start + size)
        np.testing.assert_allclose(trained.decision(features[piece]), whole[piece], rtol=0, atol=1e-5)


def test_a_word_without_numbers_has_no_decision(trained: Head) -> None:
    with pytest.raises(UserError, match="row 2 of the features holds NaN"):
        trained.decision(np.where(np.arange(5)[:, None] == 2, np.nan, words(n=5)[0]))


def test_no_words_have_no_decisions(trained: Head) -> None:
    assert trained.decision(np.empty((0, DIM), np.float32)).shape == (0,)


@HEADS
def test_weights_move_recall(name: str) -> None:
    features, labels = words(0, noise=1.5)
    unseen, truth = words(1, noise=1.5)
    recall = []
    for weight in (0.2, 5.0):
        head = quick(name)
        head.fit(features, labels, np.where(labels, weight, 1.0))
        recall.append(float(np.mean(head.decision(unseen)[truth] >= 0)))
    assert recall[0] + 0.1 < recall[1]


@HEADS
def test_only_the_proportions_of_weights_matter(name: str) -> None:
    features, labels = words(n=64)
    weights = np.where(labels, 2.0, 0.5)
    heads = [brief(name), brief(name)]
    # A factor of 4 is exact in binary, so nothing may move.
    losses = [
        head.fit(features, labels, weights * factor)[-1].train_loss
        for head, factor in zip(heads, (1, 4), strict=True)
    ]
    assert losses[0] == losses[1]
    np.testing.assert_array_equal(heads[0].decision(features), heads[1].decision(features))


@HEADS
def test_rows_of_weight_zero_are_not_there(name: str) -> None:
    features, labels = words(n=64)
    wrong = np.concatenate([features, words(9, n=64)[0]]), np.concatenate([labels, ~words(9, n=64)[1]])
    with_zeros, without = brief(name), brief(name)
    with_zeros.fit(*wrong, np.repeat([1.0, 0.0], 64))
    without.fit(features, labels)
    np.testing.assert_array_equal(with_zeros.decision(features), without.decision(features))


@HEADS
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39])
def test_a_feature_that_is_no_number_is_refused_with_its_row(name: str, value: float) -> None:
    features, labels = words(n=20)
    broken = features.astype(np.float64)
    broken[13, 4] = value
    with pytest.raises(UserError, match="row 13 of the features"):
        brief(name).fit(broken, labels)
    with pytest.raises(UserError, match="row 13 of the features"):
        brief(name).fit(features, labels, validation=(broken, labels))


@HEADS
def test_what_cannot_be_learnt_from_is_refused_in_a_sentence(name: str) -> None:
    features, labels = words(n=20)
    head = quick(name)
    with pytest.raises(UserError, match="all 20 training words are fashion"):
        head.fit(features, np.ones(20, bool))
    with pytest.raises(UserError, match="training words are not fashion"):
        head.fit(features, labels, np.where(labels, 0.0, 1.0))
    with pytest.raises(UserError, match="no training words"):
        head.fit(features[:0], labels[:0])
    with pytest.raises(UserError, match="one label per word"):
        head.fit(features, labels[:19])
    with pytest.raises(UserError, match="row 2 of the labels is"):
        head.fit(features, np.where(np.arange(20) == 2, 3, labels))
    with pytest.raises(UserError, match="one weight per word"):
        head.fit(features, labels, np.ones(19))
    with pytest.raises(UserError, match=r"row 5 of the weights is -1"):
        head.fit(features, labels, np.where(np.arange(20) == 5, -1.0, 1.0))
    with pytest.raises(UserError, match=r"validation set .* holds no words"):
        head.fit(features, labels, validation=(features[:0], labels[:0]))
    with pytest.raises(UserError, match=r"\(words, 12\)"):
        head.fit(features[:, :5], labels)
    for ask in (lambda: head.decision(features), head.tensors):
        with pytest.raises(UserError, match="has not been trained"):
            ask()


def test_names_options_and_weights_that_do_not_fit_are_refused(trained: Head) -> None:
    with pytest.raises(UserError, match=r"no head 'forest'.*resnet, mlp, logistic"):
        make_head("forest", DIM, 0)
    with pytest.raises(UserError, match="no head 'forest'"):
        head_from_tensors("forest", {}, {})
    with pytest.raises(UserError, match="has no option 'depth'; its options are dim, seed"):
        make_head(trained.name, DIM, 0, depth=3)
    with pytest.raises(UserError, match="dim=0; expected 1 or more"):
        make_head(trained.name, 0, 0)
    with pytest.raises(UserError, match="needs the option 'dim'"):
        head_from_tensors(trained.name, {"seed": 1}, trained.tensors())
    some = next(iter(trained.tensors()))
    fewer = {key: array for key, array in trained.tensors().items() if key != some}
    with pytest.raises(UserError, match=f"should hold {some} of shape .* found nothing"):
        head_from_tensors(trained.name, trained.config(), fewer)
    with pytest.raises(UserError, match="do not belong together"):
        head_from_tensors(trained.name, {**trained.config(), "dim": 5}, trained.tensors())


@pytest.mark.parametrize(
    ("name", "option", "value"),
    [
        ("resnet", "batch_size", 1),
        ("resnet", "layout", "picture"),
        ("mlp", "gamma", -1.0),
        ("mlp", "dropout", 1.0),
        ("mlp", "members", 0),
        ("logistic", "C", 0.0),
    ],
)
def test_options_out_of_bounds_are_refused(name: str, option: str, value: object) -> None:
    with pytest.raises(UserError, match=f"{option}={value!r}; expected"):
        make_head(name, DIM, 0, **{option: value})


# --- the reference's network


def test_the_network_is_the_references_layer_by_layer() -> None:
    network = build_network(1024)
    projection = list(network.embedding_to_resnet)
    assert [type(layer) for layer in projection] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU]
    assert projection[0].weight.shape == (512, 1024) and projection[2].weight.shape == (512, 512)
    assert network.embedding_conv.weight.shape == (3, 512, 1, 1)
    assert network.adaptive_pool.output_size == 7
    assert network.resnet.fc.weight.shape == (2, 512)

    shapes: dict[str, tuple[int, ...]] = {}
    watched = (
        "embedding_conv",
        "adaptive_pool",
        "resnet.conv1",
        "resnet.maxpool",
        "resnet.layer1",
        "resnet.layer2",
    )
    for name in (*watched, "resnet.layer4", "resnet.fc"):

        def note(_module: nn.Module, _inputs: Any, output: torch.Tensor, name: str = name) -> None:
            shapes[name] = tuple(output.shape)

        network.get_submodule(name).register_forward_hook(note)
    assert network.eval()(torch.zeros(5, 1024)).shape == (5, 2)
    assert shapes == {
        "embedding_conv": (5, 3, 1, 1),
        "adaptive_pool": (5, 3, 7, 7),
        "resnet.conv1": (5, 64, 4, 4),
        "resnet.maxpool": (5, 64, 2, 2),
        "resnet.layer1": (5, 64, 2, 2),
        "resnet.layer2": (5, 128, 1, 1),
        "resnet.layer4": (5, 512, 1, 1),
        "resnet.fc": (5, 2),
    }


def test_the_network_has_the_references_parameters() -> None:
    from torchvision.models import resnet18

    network = build_network(1024)
    linear = (1024 * 512 + 512) + (512 * 512 + 512)
    # torchvision's ResNet18 has 11,689,512 parameters with 1000 outputs, 11,177,538 with two.
    expected = linear + (512 * 3 + 3) + 11_177_538
    assert sum(parameter.numel() for parameter in network.parameters()) == expected == 11_966_533
    theirs = resnet18(weights=None, num_classes=2).state_dict()
    ours = network.resnet.state_dict()
    assert {name: value.shape for name, value in ours.items()} == {
        name: value.shape for name, value in theirs.items()
    }


@pytest.mark.parametrize("layout", ["channels", "row"])
@pytest.mark.parametrize("training", [False, True])
def test_the_shorter_arithmetic_is_torchvisions(layout: str, training: bool) -> None:
    """Same outputs, gradients and batch statistics as the network written down plainly."""
    from torchvision.models import resnet18

    with seeded_torch(3):
        network = build_network(DIM, layout).double().train(training)
        plain = resnet18(weights=None, num_classes=2).double().train(training)
        plain.load_state_dict(network.resnet.state_dict())
        rows, targets = torch.randn(8, DIM, dtype=torch.float64), torch.arange(8) % 2
    wide = network.embedding_to_resnet(rows).detach()
    pixels = wide[:, :, None, None] if layout == "channels" else wide[:, None, None, :]
    picture = functional.adaptive_avg_pool2d(network.embedding_conv(pixels), (7, 7)).detach()
    logits, expected = network(rows), plain(picture)
    torch.testing.assert_close(logits, expected)
    for output in (logits, expected):
        functional.cross_entropy(output, targets).backward()
    for (name, ours), theirs in zip(network.resnet.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, msg=name)
    torch.testing.assert_close(network.resnet.layer4[1].bn2.running_var, plain.layer4[1].bn2.running_var)


def test_the_published_layout_pools_a_row_of_512_pixels() -> None:
    network = build_network(DIM, "row")
    assert network.embedding_conv.weight.shape == (3, 1, 1, 1)
    head = brief("resnet", layout="row")
    head.fit(*words(n=64))
    assert np.isfinite(head.decision(words(1)[0])).all()
    assert head.config()["layout"] == "row"


def test_the_decision_is_the_difference_of_the_logits() -> None:
    head = brief("resnet")
    head.fit(*words(n=64))
    network = build_network(DIM)
    state = {name: torch.tensor(array) for name, array in head.tensors().items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing)
    features = words(1, n=16)[0]
    logits = network.eval()(torch.from_numpy(features)).detach().numpy()
    np.testing.assert_allclose(head.decision(features), logits[:, 1] - logits[:, 0], atol=1e-5)


def test_a_last_batch_of_one_word_is_no_stumbling_block() -> None:
    head = brief("resnet")
    assert np.isfinite(head.fit(*words(n=65))[0].train_loss)


def test_the_device_is_no_part_of_the_model() -> None:
    assert "device" not in quick("resnet").config()
    with pytest.raises(UserError, match="device 'abacus'"):
        make_head("resnet", DIM, 0, device="abacus")


def test_bf16_says_nothing_on_a_cpu() -> None:
    decisions = []
    for bf16 in (False, True):
        head = brief("resnet", bf16=bf16)
        head.fit(*words(n=64))
        decisions.append(head.decision(words(1, n=20)[0]))
    np.testing.assert_array_equal(*decisions)


# --- losses and the table of epochs


@given(st.lists(st.tuples(st.floats(-60, 60), st.booleans()), min_size=1, max_size=30))
def test_focal_loss_without_gamma_is_cross_entropy(rows: list[tuple[float, bool]]) -> None:
    decision = torch.tensor([row[0] for row in rows], dtype=torch.float64)
    targets = torch.tensor([float(row[1]) for row in rows], dtype=torch.float64)
    expected = functional.binary_cross_entropy_with_logits(decision, targets, reduction="none")
    torch.testing.assert_close(focal_loss(decision, targets, 0.0), expected)
    labels = targets.numpy() > 0
    assert log_loss(decision.numpy(), labels) == pytest.approx(float(expected.mean()))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_is_the_papers_formula_and_has_a_gradient_everywhere(gamma: float) -> None:
    decision = torch.tensor([-3.0, -0.2, 0.0, 1.5, 200.0], requires_grad=True)
    targets = torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0])
    losses = focal_loss(decision, targets, gamma)
    truth = torch.where(targets > 0, torch.sigmoid(decision), torch.sigmoid(-decision)).detach()
    torch.testing.assert_close(losses, -((1 - truth) ** gamma) * truth.log())
    losses.sum().backward()
    assert decision.grad is not None and bool(torch.isfinite(decision.grad).all())


def test_gamma_is_used_in_training() -> None:
    plain, focal = quick("mlp"), quick("mlp", gamma=2.0)
    losses = [head.fit(*words(), validation=words(1))[-1] for head in (plain, focal)]
    assert losses[1].train_loss < losses[0].train_loss
    # Settled words pull less, so the decisions stay nearer to even.
    assert np.abs(focal.decision(words(1)[0])).mean() < np.abs(plain.decision(words(1)[0])).mean()


def test_members_are_averaged_and_differ() -> None:
    head = quick("mlp", members=3)
    head.fit(*words())
    tensors, features = head.tensors(), words(1)[0]
    alone = []
    for member in range(3):
        parts = {
            key: array if key in ("mean", "scale") else array[member : member + 1]
            for key, array in tensors.items()
        }
        alone.append(head_from_tensors("mlp", {**head.config(), "members": 1}, parts).decision(features))
    assert not np.allclose(alone[0], alone[1]) and not np.allclose(alone[1], alone[2])
    np.testing.assert_allclose(head.decision(features), np.mean(alone, axis=0), atol=1e-5)


def test_logistic_is_scikit_learns_on_standardised_features() -> None:
    from sklearn.linear_model import LogisticRegression

    features, labels = words(noise=1.5)
    weights = np.where(labels, 3.0, 1.0)
    head = make_head("logistic", DIM, 0, C=0.5)
    head.fit(features, labels, weights)
    standard = (features - features.mean(axis=0)) / features.std(axis=0)
    model = LogisticRegression(C=0.5, tol=1e-8).fit(standard, labels, sample_weight=weights / weights.mean())
    np.testing.assert_allclose(head.decision(features), model.decision_function(standard), atol=1e-2)
    assert head.converged is True  # type: ignore[attr-defined]


def test_a_constant_feature_is_no_stumbling_block() -> None:
    features, _ = words()
    features[:, 3] = 5.0
    scaler = Standardisation.of(features)
    assert scaler.scale[3] == 1.0 and not scaler(features)[:, 3].any()
    np.testing.assert_allclose(scaler(features).std(axis=0), np.arange(DIM) != 3, atol=1e-6)


def test_figures_of_an_epoch_by_hand() -> None:
    decision, labels = np.array([2.0, 0.0, -1.0, 3.0, -2.0]), np.array([True, False, True, True, False])
    assert validated_epoch(4, 0.5, 0.6, decision, labels) == EpochFigures(
        epoch=4, train_loss=0.5, val_loss=0.6, accuracy=3 / 5, precision=2 / 3, recall=2 / 3, f1=2 / 3
    )
    nothing = validated_epoch(1, 0.5, 0.6, np.array([-1.0, -1.0]), np.array([False, False]))
    assert (nothing.precision, nothing.recall, nothing.f1, nothing.accuracy) == (0, 0, 0, 1)


def test_the_table_has_the_references_columns() -> None:
    table = epoch_table(
        [EpochFigures(1, 0.091, 0.0593, 0.976, 0.9084, 0.9309, 0.9195), EpochFigures(2, 0.05)]
    )
    assert list(table.columns) == [
        "Epoch", "Train Loss", "Val Loss", "Accuracy", "Precision", "Recall", "F1 Score",
    ]  # fmt: skip
    assert table.loc[0].tolist() == [1, 0.091, 0.0593, 0.976, 0.9084, 0.9309, 0.9195]
    assert table["Epoch"].tolist() == [1, 2] and table.loc[1, "Val Loss":].isna().all()
    assert list(epoch_table([]).columns) == list(table.columns)


# --- calibration and the threshold


def test_platt_finds_slope_and_intercept_that_made_the_labels() -> None:
    rng = np.random.default_rng(0)
    decision = rng.normal(0, 3, 40_000)
    labels = rng.random(40_000) < 1 / (1 + np.exp(-(0.5 * decision - 1)))
    calibration = PlattCalibration.fit(decision, labels)
    assert calibration.slope == pytest.approx(0.5, abs=0.02)
    assert calibration.intercept == pytest.approx(-1, abs=0.05)
    assert expected_calibration_error(calibration.apply(decision), labels) < 0.01
    assert expected_calibration_error(1 / (1 + np.exp(-decision)), labels) > 0.1


def test_platt_smoothing_keeps_separated_words_from_certainty() -> None:
    labels = np.repeat([False, True], 4)
    prob = PlattCalibration.fit(np.where(labels, 5.0, -5.0), labels).apply([-5.0, 5.0])
    # Platt's targets for four words on each side: 1 / (4 + 2) and (4 + 1) / (4 + 2).
    assert prob == pytest.approx([1 / 6, 5 / 6], abs=1e-4)


def test_platt_weights_count_as_repeats() -> None:
    rng = np.random.default_rng(1)
    decision, labels = rng.normal(size=300), rng.random(300) < 0.4
    repeats = rng.integers(0, 4, 300)
    weighted = PlattCalibration.fit(decision, labels, repeats / repeats.mean())
    repeated = PlattCalibration.fit(np.repeat(decision, repeats), np.repeat(labels, repeats))
    # The two count differently for the smoothing only (row count 300 or less against the sum of repeats).
    assert weighted.slope == pytest.approx(repeated.slope, abs=0.03)
    assert weighted.intercept == pytest.approx(repeated.intercept, abs=0.03)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.booleans()), min_size=2, max_size=40).filter(
        lambda rows: len({row[1] for row in rows}) == 2
    )
)
def test_platt_never_turns_the_order_around(rows: list[tuple[float, bool]]) -> None:
    decision, labels = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    calibration = PlattCalibration.fit(decision, labels)
    prob = calibration.apply(np.sort(decision))
    assert calibration.slope > 0 and prob.dtype == np.float32
    assert ((prob >= 0) & (prob <= 1)).all() and (np.diff(prob) >= 0).all()


def test_platt_of_one_class_or_no_words_is_refused() -> None:
    with pytest.raises(UserError, match="both classes"):
        PlattCalibration.fit([1.0, 2.0], [True, True])
    with pytest.raises(UserError, match="at least one labelled word"):
        PlattCalibration.fit([], [])
    with pytest.raises(UserError, match="decision 1 is nan"):
        PlattCalibration.fit([1.0, np.nan], [True, False])
    with pytest.raises(UserError, match="slope above 0"):
        PlattCalibration(slope=-1.0, intercept=0.0)


def test_calibration_error_by_hand() -> None:
    # Two bins: (0.1, 0.3; one of two is True) and (0.9, 1.0; both True).
    prob, labels = np.array([0.1, 0.3, 0.9, 1.0]), np.array([True, False, True, True])
    assert expected_calibration_error(prob, labels, bins=2) == pytest.approx(0.5 * 0.3 + 0.5 * 0.05)
    assert expected_calibration_error(prob, labels, bins=2, weights=[1, 1, 0, 0]) == pytest.approx(0.3)
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0
    with pytest.raises(UserError, match="between 0 and 1"):
        expected_calibration_error([1.5], [True])


def f1_at(threshold: float, prob: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
    kept = prob >= threshold
    hits = weights[kept & labels].sum()
    return float(2 * hits / (weights[kept].sum() + weights[labels].sum()))


PROBABILITY = st.one_of(st.floats(0, 1, width=32), st.sampled_from([0.0, 0.25, 0.5, 1.0]))


@settings(max_examples=300)
@given(
    st.lists(st.tuples(PROBABILITY, st.booleans(), st.integers(0, 3)), min_size=1, max_size=25).filter(
        lambda rows: any(label and weight for _, label, weight in rows)
    ),
    st.sampled_from([np.float32, np.float64]),
)
def test_no_other_cut_has_a_higher_f1(rows: list[tuple[float, bool, int]], kind: type) -> None:
    prob = np.array([row[0] for row in rows], dtype=kind)
    labels, weights = np.array([row[1] for row in rows]), np.array([float(row[2]) for row in rows])
    threshold, f1 = best_threshold(prob, labels, weights)
    assert f1 == pytest.approx(f1_at(threshold, prob, labels, weights))
    assert all(f1 >= f1_at(other, prob, labels, weights) - 1e-12 for other in np.unique(prob))


def test_the_threshold_lies_in_the_middle_of_its_neighbours() -> None:
    assert best_threshold([0.9, 0.7, 0.3, 0.1], [True, True, False, False]) == (pytest.approx(0.5), 1.0)
    assert best_threshold([0.2, 0.4], [True, True]) == (0.2, 1.0)
    # Neighbours in float32 have no middle: the threshold stays on the one that is kept.
    upper = np.float32(0.7)
    lower = np.nextafter(upper, np.float32(0))
    assert best_threshold(np.array([upper, lower]), [True, False]) == (float(upper), 1.0)


def test_of_equally_good_cuts_the_highest_wins() -> None:
    # Keeping one word: 2 * 1 / (1 + 2); keeping all four: 2 * 2 / (4 + 2): the same.
    threshold, f1 = best_threshold([0.9, 0.6, 0.5, 0.2], [True, False, False, True])
    assert (threshold, f1) == (pytest.approx(0.75), pytest.approx(2 / 3))


def test_a_threshold_needs_a_word_that_is_fashion() -> None:
    with pytest.raises(UserError, match="no word is labelled as fashion"):
        best_threshold([0.1, 0.2], [False, False])


def test_the_number_of_threads_changes_no_digit_of_the_logistic_head() -> None:
    features, labels = words(n=4_000, dim=194)
    found = []
    for threads in (1, 2):
        head = make_head("logistic", 194, 7)
        with threadpool_limits(limits=threads):
            head.fit(features, labels)
        found.append(head.tensors()["coefficients"].tobytes())
    assert found[0] == found[1]
