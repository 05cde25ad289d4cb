"""The epochs: batches made ready ahead, gradients clipped, figures after each epoch, a checkpoint, an early stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from fashion_assets.products.evaluation import evaluate_attribute
from fashion_assets.products.tuning.blocks import set_learning_mode
from fashion_assets.products.tuning.checkpoints import Checkpoints, TuningState
from fashion_assets.products.tuning.config import TuningConfig
from fashion_assets.products.tuning.joint_heads import AttributeCodes, multi_task_loss
from fashion_assets.products.tuning.optimisation import (
    Learning,
    build_optimizer,
    optimizer_tensors,
    rate_factor,
    restore_optimizer,
    set_rates,
)
from fashion_assets.products.tuning.sides import Numbers, Side, TowerSide

if TYPE_CHECKING:
    import torch

#: Batches that are made ready while the network works on one.
AHEAD: Final = 2
OnEpoch = Callable[[TuningState], None]
#: Called with (what is being done, finished, of how many).
Progress = Callable[[str, int, int], None]


@dataclass
class Parts:
    """The sides, the heads over them, what learns, and the attributes with their true labels (n,) as text."""

    sides: list[Side]
    heads: torch.nn.ModuleList
    learning: list[Learning]
    attributes: list[AttributeCodes]
    labels: dict[str, npt.NDArray[np.object_]]
    device: str
    class_weights: list[torch.Tensor] = field(init=False)
    codes: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        import torch

        self.class_weights = [torch.from_numpy(one.weights).to(self.device) for one in self.attributes]
        self.codes = torch.from_numpy(np.column_stack([one.codes for one in self.attributes]))


def run_epochs(
    parts: Parts,
    train: Numbers,
    validation: Numbers,
    config: TuningConfig,
    checkpoints: Checkpoints,
    *,
    on_epoch: OnEpoch,
    progress: Progress,
) -> TuningState:
    """Where the fine-tuning ended; the learned parameters are those of its best epoch by mean macro-F1 on
    ``validation``.

    Goes on behind the checkpoint if there is one. ``on_epoch`` is called after each.
    """
    import torch

    optimizer = build_optimizer(parts.learning, config)
    n_batches = -(-len(train) // config.batch_size)
    n_steps = -(-n_batches // config.accumulate) * config.epochs
    found = checkpoints.load()
    state = TuningState()
    if found is not None:
        state, weights, kept = found
        put_weights(parts, weights)
        restore_optimizer(optimizer, parts.learning, kept)
    while state.epochs < config.epochs and not state.stopped:
        epoch = state.epochs
        with torch.random.fork_rng(devices=_cuda_devices(parts.device)):
            torch.manual_seed(np.random.SeedSequence([config.seed, epoch]).generate_state(1)[0].item())
            loss = _train_epoch(parts, train, config, optimizer, state, n_steps, progress)
        row = {"epoch": epoch + 1, "train_loss": loss, **judge(parts, validation, config.batch_size)}
        state.epochs += 1
        state.history.append(row)
        is_best = row["macro_f1"] > state.best_score
        if is_best:
            state.best_epoch, state.best_score = state.epochs, row["macro_f1"]
        # Epochs of the heads alone are no sign that the towers have nothing to learn.
        waited = state.epochs - max(state.best_epoch, config.head_epochs)
        state.stopped = waited >= config.patience
        checkpoints.save(
            state, learned_weights(parts), optimizer_tensors(optimizer, parts.learning), is_best=is_best
        )
        on_epoch(state)
    put_weights(parts, checkpoints.best_weights())
    return state


def _train_epoch(
    parts: Parts,
    train: Numbers,
    config: TuningConfig,
    optimizer: torch.optim.Optimizer,
    state: TuningState,
    n_steps: int,
    progress: Progress,
) -> float:
    """The mean loss over the epoch's products."""
    import torch

    epoch = state.epochs
    generator = np.random.default_rng([config.seed, epoch])
    order = generator.permutation(train)
    batches = [order[start : start + config.batch_size] for start in range(0, len(order), config.batch_size)]
    towers_learn = epoch >= config.head_epochs
    _set_mode(parts, learning=True, towers_learn=towers_learn)
    # Summed on the device: asking for the number would make the host wait for every batch.
    total = torch.zeros((), device=parts.device)
    optimizer.zero_grad(set_to_none=True)
    for at, (items, prepared) in enumerate(_prepared(parts.sides, batches, epoch)):
        kept = _kept_sides(len(items), len(parts.sides), config.side_dropout, generator)
        with _arithmetic(parts.device, config):
            scores = _scores(parts, prepared, kept, towers_learn=towers_learn)
            loss = multi_task_loss(scores, parts.codes[items].to(parts.device), parts.class_weights)
        # The batches of one step: `accumulate`, fewer in the epoch's last.
        first = at - at % config.accumulate
        (loss / min(config.accumulate, len(batches) - first)).backward()
        total += loss.detach() * len(items)
        if (at + 1) % config.accumulate == 0 or at + 1 == len(batches):
            torch.nn.utils.clip_grad_norm_([one.parameter for one in parts.learning], config.clip_norm)
            set_rates(optimizer, rate_factor(state.steps, n_steps, config.warmup_share))
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            state.steps += 1
        progress(f"epoch {epoch + 1} of {config.epochs}", at + 1, len(batches))
    _set_mode(parts, learning=False, towers_learn=False)
    return float(total) / len(order)


def judge(parts: Parts, items: Numbers, batch_size: int) -> dict[str, Any]:
    """``macro_f1`` and ``accuracy`` (means over the attributes), ``loss``, and ``attributes``: their own figures."""
    probabilities, loss = predict(parts, items, batch_size)
    figures = {}
    for one in parts.attributes:
        truth = parts.labels[one.attribute][items]
        if any(label is not None for label in truth):
            guess = np.array(one.classes, dtype=object)[probabilities[one.attribute].argmax(axis=1)]
            metrics = evaluate_attribute(truth, guess, attribute=one.attribute)
            figures[one.attribute] = {
                "accuracy": metrics.accuracy.value,
                "macro_f1": metrics.macro_f1.value,
                "n_items": metrics.n_items,
            }
    means = {
        name: float(np.mean([row[name] for row in figures.values()])) if figures else 0.0
        for name in ("macro_f1", "accuracy")
    }
    return {"loss": loss, **means, "attributes": figures}


def predict(
    parts: Parts, items: Numbers, batch_size: int
) -> tuple[dict[str, npt.NDArray[np.float64]], float]:
    """(attribute -> (m, k) probabilities of ``items``, their mean loss)."""
    import torch

    batches = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
    rows: list[list[npt.NDArray[np.float64]]] = [[] for _ in parts.attributes]
    total = 0.0
    with torch.no_grad():
        for chosen, prepared in _prepared(parts.sides, batches, None):
            scores = _scores(parts, prepared, None, towers_learn=False)
            loss = multi_task_loss(scores, parts.codes[chosen].to(parts.device), parts.class_weights)
            total += float(loss) * len(chosen)
            for kept, one in zip(rows, scores, strict=True):
                kept.append(one.double().softmax(dim=1).cpu().numpy())
    named = zip(parts.attributes, rows, strict=True)
    return {one.attribute: np.concatenate(kept) for one, kept in named}, total / max(1, len(items))


def learned_weights(parts: Parts) -> dict[str, torch.Tensor]:
    """Name -> the parameters that learn, as they are."""
    return {one.name: one.parameter.detach() for one in parts.learning}


def put_weights(parts: Parts, weights: dict[str, torch.Tensor]) -> None:
    """Set the parameters that learn."""
    import torch

    with torch.no_grad():
        for one in parts.learning:
            one.parameter.copy_(weights[one.name])


def _scores(
    parts: Parts, prepared: Sequence[Any], kept: npt.NDArray[np.float32] | None, *, towers_learn: bool
) -> list[torch.Tensor]:
    """(m, k) per attribute; ``kept`` (m, sides) 0 hides a side."""
    import torch

    with nullcontext() if towers_learn else torch.no_grad():
        rows = [side.rows(one) for side, one in zip(parts.sides, prepared, strict=True)]
    if kept is not None:
        masks = torch.from_numpy(kept).to(parts.device)
        rows = [one * masks[:, at : at + 1] for at, one in enumerate(rows)]
    joined = torch.cat(rows, dim=1)
    return [head(joined).float() for head in parts.heads]


def _kept_sides(
    n_items: int, n_sides: int, share: float, generator: np.random.Generator
) -> npt.NDArray[np.float32] | None:
    """(n_items, n_sides) of ones, with one side of a ``share`` of the items at 0; None where there is one side."""
    if n_sides < 2 or share == 0:
        return None
    kept = np.ones((n_items, n_sides), np.float32)
    hidden = np.flatnonzero(generator.random(n_items) < share)
    kept[hidden, generator.integers(0, n_sides, len(hidden))] = 0.0
    return kept


def _prepared(
    sides: Sequence[Side], batches: Sequence[Numbers], epoch: int | None
) -> Iterator[tuple[Numbers, list[Any]]]:
    """(items, what each side needs) of every batch, made on another thread a little ahead."""
    with ThreadPoolExecutor(1, thread_name_prefix="prepare-batch") as pool:
        coming: deque[tuple[Numbers, Future[list[Any]]]] = deque()
        waiting = iter(batches)

        def ask() -> None:
            items = next(waiting, None)
            if items is not None:
                coming.append((items, pool.submit(lambda: [side.prepare(items, epoch) for side in sides])))

        for _ in range(AHEAD + 1):
            ask()
        while coming:
            items, ready = coming.popleft()
            yield items, ready.result()
            ask()


def _set_mode(parts: Parts, *, learning: bool, towers_learn: bool) -> None:
    parts.heads.train(learning)
    for side in parts.sides:
        if isinstance(side, TowerSide):
            set_learning_mode(side.blocks, learning and towers_learn)


def _arithmetic(device: str, config: TuningConfig) -> Any:
    """Autocast to bfloat16 on a GPU that has it: its range is float32's, so no loss has to be scaled."""
    import torch

    if config.mixed_precision and device.startswith("cuda") and torch.cuda.is_bf16_supported():
        return torch.autocast("cuda", dtype=torch.bfloat16)
    return nullcontext()


def _cuda_devices(device: str) -> list[int]:
    import torch

    return [torch.device(device).index or 0] if device.startswith("cuda") else []
