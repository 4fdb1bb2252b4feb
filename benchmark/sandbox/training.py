"""The training of a pruning stage, as the setup's terms have it: the harness's own loop on the track's recipe.

The trainer of a trial does this where a method only asks for it, and the method's own process where its hooks have to
run inside the loop. Both count what they do on a meter, and both give the same bits.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import nn

from prunemark.benchmark.compression import surgery
from prunemark.benchmark.compression.coupled_parameters import filter_masks
from prunemark.benchmark.images.data import Images
from prunemark.benchmark.metering.meter import Meter
from prunemark.benchmark.method import Decision, Group
from prunemark.benchmark.networks.registry import build_network
from prunemark.benchmark.training.execution import in_pruning
from prunemark.benchmark.training.loop import Hooks, placed, train
from prunemark.benchmark.training.seeds import derive_seed
from prunemark.benchmark.training.snapshot import Snapshot
from prunemark.setups.budget import Budget
from prunemark.setups.recipe import Recipe
from prunemark.setups.schedule import LRSchedule, from_vector, parse_schedule
from prunemark.setups.track import Track

DEFAULT_LR = "1e-2"


@dataclass
class PruningTraining:
    """Trains for one trial, and knows which weights a decision touches."""

    track: Track
    budget: Budget
    groups: tuple[Group, ...]
    seed: int
    data: Images = field(repr=False)
    meter: Meter

    def schedule(self, epochs: int, lr: str | None) -> LRSchedule:
        """The LRs of the next so many epochs: the setup's where it imposes them, else the method's.

        Raises ValueError where the method gives an LR that the setup imposes, and for one that cannot be read.
        """
        imposed = self.budget.pruning_lr
        if imposed is None:
            return parse_schedule(DEFAULT_LR if lr is None else lr, epochs)
        if lr is not None:
            raise ValueError("the setup imposes the LR schedule of the pruning stage: call train without lr")
        begun = len(self.meter.lr)
        return from_vector((imposed.vector[begun:] + imposed.vector[-1:] * epochs)[:epochs])

    def recipe(self, lr: LRSchedule | None = None) -> Recipe:
        """The track's recipe of the pruning stage, at these LRs."""
        return replace(self.track.pruning, lr=lr) if lr else self.track.pruning

    def masks(self, model: nn.Module, decision: Decision | None) -> dict[str, torch.Tensor]:
        """Of each parameter that a decision touches, where it stays: True or False, shaped to multiply it.

        Raises BadDecision.
        """
        if decision is None:
            return {}
        numbers: dict[str, int] = {}
        for group in self.groups:
            if group.block is not None:
                numbers[group.block.stage] = group.block.number + 1
        surgery.check_decision(decision, model, self.track, numbers)
        device = next(model.parameters()).device
        masks = {f"{name}.weight": mask for name, mask in decision.masks.items()}
        masks |= filter_masks(model, self.groups, decision.kept)
        return {name: mask.to(device) for name, mask in masks.items()}

    def remove(self, model: nn.Module, decision: Decision) -> None:
        """Sets to zero, in place, what the decision does not keep. Raises BadDecision."""
        masks = self.masks(model, decision)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in masks:
                    parameter.mul_(masks[name])

    def run(
        self, model: nn.Module, schedule: LRSchedule, data_pass: int, hooks: Hooks, start: Snapshot | None = None
    ) -> None:
        """Trains in place at these LRs; the pass over the data gives order and augmentation. Raises BudgetExceeded.

        From a snapshot it goes on, and counts what was counted until then.
        """
        stream = f"pruning/{data_pass}"
        train(
            model, self.data, self.recipe(schedule), seed=self.seed, stream=stream, meter=self.meter, start=start,
            hooks=hooks, execution=in_pruning(self.track.execution),
        )  # fmt: skip

    def earlier(self, epoch: int, meter: Meter) -> nn.Module:
        """The base network as it was after so many epochs of its own training; its beginning is trained anew."""
        shape = self.data.shape
        model = build_network(self.track.network, shape, derive_seed(self.seed, "base"))
        model = placed(model, self.data.device, self.track.execution)
        train(
            model, self.data, self.budget.pretraining, seed=self.seed, stream="pretraining", meter=meter,
            epochs=range(epoch), execution=in_pruning(self.track.execution),
        )  # fmt: skip
        return model
