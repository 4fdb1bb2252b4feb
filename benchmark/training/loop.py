"""The one training loop: pretraining, retraining, scratch training and `context.train` are all this.

Every epoch draws its order and its augmentation from (seed, stream, epoch) alone, so a run that is taken
up again at an epoch equals one that was never interrupted, and methods with one seed see one data order.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.training import processes
from prunemark.benchmark.training.execution import Forward, forward_of, memory_format
from prunemark.benchmark.training.extras import Objective
from prunemark.benchmark.training.processes import ALONE, Pass, Processes
from prunemark.benchmark.training.seeds import derive_seed
from prunemark.benchmark.training.snapshot import Momentum, Place, Snapshot, go_on, snapshot_of, take_up
from prunemark.records.outcome import EpochPoint, finite
from prunemark.setups.execution import Execution
from prunemark.setups.recipe import Recipe

EVALUATION_BATCH = 1024


@dataclass(frozen=True)
class Hooks:
    """What may be added to the loop: a penalty or another objective, an action after each step, masks, a listener.

    `keep(place, snapshot)` is called between steps; calling `snapshot()` there gives all that training needs to go on.
    """

    penalty: Callable[[], torch.Tensor] | None = None
    objective: Objective | None = None
    after_step: Callable[[int], None] | None = None
    on_epoch: Callable[[EpochPoint], None] | None = None
    masks: Mapping[str, torch.Tensor] = field(default_factory=dict)
    keep: Callable[[Place, Callable[[], Snapshot]], None] | None = None


def train(
    model: nn.Module,
    data: Images,
    recipe: Recipe,
    *,
    seed: int,
    stream: str,
    meter: Meter,
    validation: Images | None = None,
    epochs: Iterable[int] | None = None,
    momentum: Momentum | None = None,
    start: Snapshot | None = None,
    hooks: Hooks = Hooks(),
    execution: Execution | None = None,
) -> tuple[tuple[EpochPoint, ...], Momentum]:
    """Trains in place for the given epochs of the recipe (all of them by default).

    Returns one point per epoch (validation accuracy is 0 where no validation split is given) and the
    momentum buffers by parameter name (for AdamW, its averages and steps), with which a later call goes on.
    From a snapshot, the same call goes on with the same bits. Raises BudgetExceeded.

    In each of several processes (`processes.here`), the same call trains the same: with the first one's snapshot,
    which alone keeps and listens.
    """
    here = processes.here()
    start = here.from_first(start)
    if start is not None:
        momentum = go_on(start, model, meter)
    optimiser = _optimiser(model, recipe, momentum)
    points = list(start.points) if start else []

    def between(epoch: int, losses: Sequence[torch.Tensor]) -> None:
        if hooks.keep and here.first:
            state = partial(_momentum_of, model, optimiser, recipe)
            place = Place(epoch, len(losses))
            hooks.keep(place, partial(snapshot_of, place, model, state, losses, points, meter, data.device))

    with processes.training(model, data) as together:
        forward = forward_of(together.model, execution, data.device)
        for epoch in range(recipe.epochs) if epochs is None else epochs:
            if start is not None and epoch < start.place.epoch:
                continue
            within = start if start and start.place.epoch == epoch and start.place.step else None
            lr = recipe.lr.vector[epoch]
            if within is None:
                meter.begin_epoch(lr)
            for group in optimiser.param_groups:
                group["lr"] = lr
            batches = _shares(data, recipe, seed, stream, epoch, meter, within.place.step if within else 0, here)
            with _drawing(derive_seed(seed, stream, "dropout", epoch), data.device):
                losses = take_up(within, data.device)
                told = partial(between, epoch)
                loss = _one_epoch(model, forward, optimiser, batches, recipe, meter, hooks, losses, told, together)
            accuracy = _accuracy_percent(model, validation, here) if validation is not None else 0.0
            points.append(EpochPoint(epoch, lr, finite(loss), accuracy))
            if hooks.on_epoch and here.first:
                hooks.on_epoch(points[-1])
            between(epoch + 1, [])
    return tuple(points), _momentum_of(model, optimiser, recipe)


def served(
    data: Images, recipe: Recipe, seed: int, stream: str, epoch: int, meter: Meter
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """One epoch of augmented training batches, metered: images (batch, c, h, w), labels (batch,)."""
    for images, labels, _ in _shares(data, recipe, seed, stream, epoch, meter, 0, ALONE):
        yield images, labels


def _shares(
    data: Images, recipe: Recipe, seed: int, stream: str, epoch: int, meter: Meter, skip: int, here: Processes
) -> Iterator[tuple[torch.Tensor, torch.Tensor, int]]:
    """The same, of each batch the share of this process, and how many examples the batch has.

    Without the first `skip`, which were served and metered before; their draws are made again.
    """
    if not skip:
        meter.begin_pass()
    generator = torch.Generator().manual_seed(derive_seed(seed, stream, "epoch", epoch))
    order = torch.randperm(len(data), generator=generator).to(data.labels.device)
    batches = [chosen for chosen in order.split(recipe.batch_size) if len(chosen) > 1]  # batch norm cannot train on one
    shares = data.served(iter(batches), recipe.augmentation, generator, skip, here.part)
    for step, (images, labels) in enumerate(shares, start=skip):
        examples = len(batches[step])
        meter.serve(examples)
        here.draw(seed, stream, epoch, step)
        yield images, labels, examples


def steps_per_epoch(examples: int, batch_size: int) -> int:
    """Batches that `served` hands out in an epoch: a last one of a single image is left out."""
    return -(-examples // batch_size) - (examples % batch_size == 1)


def placed(model: nn.Module, device: torch.device, execution: Execution | None = None) -> nn.Module:
    """On its device, in the layout of its training."""
    return model.to(device=device, memory_format=memory_format(execution))  # type: ignore[call-overload,no-any-return]


@contextlib.contextmanager
def _drawing(seed: int, device: torch.device) -> Iterator[None]:
    """For layers that draw from torch's global generators (dropout): seeded inside, and afterwards as before."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _one_epoch(
    model: nn.Module,
    forward: Forward,
    optimiser: torch.optim.Optimizer,
    batches: Iterator[tuple[torch.Tensor, torch.Tensor, int]],
    recipe: Recipe,
    meter: Meter,
    hooks: Hooks,
    losses: list[torch.Tensor],
    between: Callable[[Sequence[torch.Tensor]], None],
    together: Pass,
) -> float:
    model.train()
    parameters = list(model.parameters())
    masked = [(parameter, hooks.masks[name]) for name, parameter in model.named_parameters() if name in hooks.masks]
    for images, labels, examples in batches:
        together.begin(examples)
        logits = forward(images)
        loss = F.cross_entropy(logits, labels, label_smoothing=recipe.label_smoothing)
        objective = hooks.objective(images, logits, loss, examples) if hooks.objective else loss
        objective = objective + hooks.penalty() if hooks.penalty else objective
        for parameter in parameters:
            parameter.grad = None
        together.loss(objective, examples).backward()
        optimiser.step()
        meter.trained(examples)
        with torch.no_grad():
            for parameter, mask in masked:
                parameter.mul_(mask)
        if hooks.after_step:
            hooks.after_step(meter.steps)
        # read once an epoch: reading each would wait for the device
        losses.append(together.processes.mean(loss.detach(), examples))
        between(losses)
    return float(torch.stack(losses).mean())


def _optimiser(model: nn.Module, recipe: Recipe, momentum: Momentum | None) -> torch.optim.Optimizer:
    """The recipe's optimiser, with what it has summed up so far where training goes on."""
    optimiser: torch.optim.Optimizer
    if recipe.optimiser == "AdamW":
        optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.lr.initial, weight_decay=recipe.weight_decay)
    else:
        optimiser = torch.optim.SGD(
            model.parameters(),
            lr=recipe.lr.initial,
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=recipe.weight_decay,
            foreach=True,  # the same bits, in a third less time on a CPU; fused steps round differently
        )
    for name, parameter in model.named_parameters():
        for part, where in _parts(name, recipe):
            if momentum and where in momentum:
                device = torch.device("cpu") if part == "step" else parameter.device
                optimiser.state[parameter][part] = momentum[where].to(device).clone()
    return optimiser


def _momentum_of(model: nn.Module, optimiser: torch.optim.Optimizer, recipe: Recipe) -> Momentum:
    found = {
        where: optimiser.state[parameter].get(part)
        for name, parameter in model.named_parameters()
        for part, where in _parts(name, recipe)
    }
    return {where: buffer for where, buffer in found.items() if buffer is not None}


def _parts(name: str, recipe: Recipe) -> list[tuple[str, str]]:
    """What an optimiser sums up of a parameter, and the name under which it is stored."""
    if recipe.optimiser == "SGD":
        return [("momentum_buffer", name)]
    return [(part, f"{name}:{part}") for part in ("exp_avg", "exp_avg_sq", "step")]


def predictions(model: nn.Module, data: Images) -> torch.Tensor:
    """The class predicted for each example, in evaluation mode: int64 (examples,), on the CPU."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(images).argmax(dim=1) for images in data.in_order(EVALUATION_BATCH)]).cpu()


def correctness(model: nn.Module, data: Images) -> torch.Tensor:
    """Whether each example is classified correctly: bool (examples,), on the CPU."""
    return predictions(model, data) == data.labels.cpu()


def _accuracy_percent(model: nn.Module, data: Images, here: Processes) -> float:
    """The same number in all processes: each evaluates some of the batches, as one process would."""
    if not here.several:
        return accuracy_percent(correctness(model, data))
    mine = here.some_of(data, EVALUATION_BATCH)
    return 100.0 * here.total(int(correctness(model, mine).sum()) if len(mine) else 0) / len(data)


def accuracy_percent(correct: torch.Tensor) -> float:
    """The share of True, in percent; exact in the number of examples."""
    return 100.0 * int(correct.sum()) / len(correct)
