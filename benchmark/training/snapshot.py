"""All that training needs to go on between two steps, with the same bits as if it had never stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from prunemark.benchmark.metering.meter import Meter
from prunemark.records.outcome import EpochPoint, MeteredStage

Momentum = dict[str, torch.Tensor]
CPU, GPU = "cpu", "cuda"


@dataclass(frozen=True)
class Place:
    """Where training stands: the epoch that is under way or comes next, and how many of its steps are done."""

    epoch: int
    step: int


@dataclass(frozen=True)
class Snapshot:
    """A place, and there: weights, what the optimiser has summed up, the losses of the epoch's steps, the curve, the

    meter's reading and, within an epoch, the states of torch's global generators. All tensors are on the CPU.
    """

    place: Place
    weights: Mapping[str, torch.Tensor]
    momentum: Momentum
    losses: tuple[torch.Tensor, ...]
    points: tuple[EpochPoint, ...]
    reading: MeteredStage
    generators: Mapping[str, torch.Tensor]


def snapshot_of(
    place: Place,
    model: nn.Module,
    momentum: Callable[[], Momentum],
    losses: Sequence[torch.Tensor],
    points: Sequence[EpochPoint],
    meter: Meter,
    device: torch.device,
) -> Snapshot:
    """What there is now, copied."""
    generators = {CPU: torch.get_rng_state()} if losses else {}
    if losses and device.type == GPU:
        generators[GPU] = torch.cuda.get_rng_state(device)
    return Snapshot(
        place, _copied(model.state_dict()), _copied(momentum()), tuple(loss.cpu() for loss in losses), tuple(points),
        meter.stage(), generators,
    )  # fmt: skip


def _copied(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().to("cpu", copy=True) for name, tensor in tensors.items()}


def go_on(snapshot: Snapshot, model: nn.Module, meter: Meter) -> Momentum:
    """Puts the weights and the meter where they were; the optimiser's sums, for whoever makes the optimiser."""
    model.load_state_dict(snapshot.weights)
    meter.go_on(snapshot.reading)
    return snapshot.momentum


def take_up(within: Snapshot | None, device: torch.device) -> list[torch.Tensor]:
    """The losses of the epoch so far, none at its beginning; the generators as they were then."""
    if within is None:
        return []
    torch.set_rng_state(within.generators[CPU])
    if GPU in within.generators:
        torch.cuda.set_rng_state(within.generators[GPU], device)
    return [loss.to(device) for loss in within.losses]
