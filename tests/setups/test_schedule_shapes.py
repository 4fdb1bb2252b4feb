"""Cosine, one-cycle and warm-up, epoch by epoch beside torch's own schedulers."""

from __future__ import annotations

import math

import pytest
import torch

from prunemark.setups.schedule import cosine, parse_schedule


def stepped(scheduler: torch.optim.lr_scheduler.LRScheduler, epochs: int) -> list[float]:
    """What torch would train each epoch at, with one scheduler step per epoch."""
    rates = []
    for _ in range(epochs):
        rates.append(scheduler.get_last_lr()[0])
        scheduler.optimizer.step()
        scheduler.step()
    return rates


def sgd(lr: float) -> torch.optim.SGD:
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)


@pytest.mark.parametrize(("initial", "final", "epochs"), [(1e-2, 1e-4, 120), (0.1, 0.0, 7), (3e-3, 3e-3, 5)])
def test_cosine_is_the_cosine_of_torch_and_of_the_half_angle(initial: float, final: float, epochs: int) -> None:
    vector = cosine(initial, final, epochs).vector
    by_half_angle = [
        initial * math.cos(math.pi * t / epochs / 2) ** 2 + final * math.sin(math.pi * t / epochs / 2) ** 2
        for t in range(epochs)
    ]
    assert vector == pytest.approx(by_half_angle, rel=1e-12)
    torchs = torch.optim.lr_scheduler.CosineAnnealingLR(sgd(initial), T_max=epochs, eta_min=final)
    assert vector == pytest.approx(stepped(torchs, epochs), rel=1e-9)
    assert vector[0] == initial


@pytest.mark.parametrize("epochs", [10, 20, 37, 100])
def test_one_cycle_is_that_of_torch_read_before_each_epoch(epochs: int) -> None:
    """Torch puts the last LR on its last step, ours is reached when the last epoch ends: one step more."""
    vector = parse_schedule("one-cycle:1e-1", epochs).vector
    torchs = torch.optim.lr_scheduler.OneCycleLR(
        sgd(1e-1),
        1e-1,
        total_steps=epochs + 1,
        pct_start=(0.3 * epochs + 1) / (epochs + 1),
        cycle_momentum=False,
    )
    assert vector == pytest.approx(stepped(torchs, epochs), rel=1e-9)


def test_one_cycle_differs_from_torch_with_as_many_steps_as_epochs() -> None:
    """Where they do not agree: torch peaks a step earlier and trains its last epoch at the very end."""
    vector = parse_schedule("one-cycle:1e-1", 20).vector
    torchs = torch.optim.lr_scheduler.OneCycleLR(sgd(1e-1), 1e-1, total_steps=20, cycle_momentum=False)
    theirs = stepped(torchs, 19) + torchs.get_last_lr()
    assert vector[0] == pytest.approx(theirs[0]) and max(vector) == pytest.approx(max(theirs))
    assert (vector.index(max(vector)), theirs.index(max(theirs))) == (6, 5)
    assert vector[-1] > theirs[-1] == pytest.approx(1e-1 / 25 / 1e4)


def test_warm_up_rises_linearly_to_the_plain_schedule() -> None:
    plain, warm = parse_schedule("0:1e-1,6:1e-2", 10), parse_schedule("0:1e-1,6:1e-2+warmup4", 10)
    assert warm.vector[:4] == pytest.approx([0.02, 0.04, 0.06, 0.08])
    assert warm.vector[4:] == plain.vector[4:] and warm.initial == plain.initial == 0.1
