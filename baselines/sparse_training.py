"""Sparse training: as many weights as in the end from the first step on, and now and then others of them."""

from __future__ import annotations

import itertools
from abc import abstractmethod

import torch
from torch import nn

from prunemark.baselines.erk import DENSITIES, layer_densities, ranked
from prunemark.baselines.masked import MaskedWeight, parametrized, plain_weight
from prunemark.baselines.stretches import POSITIVE, falling, granted
from prunemark.benchmark.method import WHOLE_NUMBER, Decision, Group, PruningContext, PruningMethod, setting


class Connections(MaskedWeight):
    """The connections of one layer, the last dense gradient by them, and the deviation of its first weights."""

    def __init__(self, mask: torch.Tensor, deviation: float = 1.0) -> None:
        super().__init__(mask, self._remember)
        self.gradient, self.deviation = torch.zeros(mask.shape, device=mask.device), deviation

    def _remember(self, gradient: torch.Tensor, _: torch.Tensor) -> None:
        self.gradient = gradient


class SparseTraining(PruningMethod):
    """The frame of SET and RigL: a random mask by the layers' shapes, then training in which the mask is rewired.

    Every layer keeps its number of weights at every step. Each rewiring comes after the harness's SGD step. A weight
    that is masked out is zero and its momentum fades. N:M patterns are not covered.
    """

    granularity = "weight"
    prune_at = 0
    epochs: int = setting(30, "training epochs, as far as granted [all that are imposed]", WHOLE_NUMBER)
    lr: float = setting(
        0.1, "LR of the first half; then a tenth, in the last quarter a hundredth of it, unless imposed",
        POSITIVE,
    )  # fmt: skip
    densities: str = setting(
        "erk", "erk: Erdős-Rényi-Kernel; er: without the kernel's size; uniform: one ratio for all layers", DENSITIES
    )

    @abstractmethod
    def rewire(self, weight: torch.Tensor, layer: Connections, part: float, context: PruningContext) -> None:
        """Drops and grows as many weights of a layer, in place; `part` of the training is over."""

    @abstractmethod
    def due(self, step: int, last: int, steps_per_epoch: int) -> bool:
        """Whether to rewire after this step, of 1 to `last`."""

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Trains a random part of the weights, ever another one, and keeps the last."""
        if context.target.pattern is not None:
            raise ValueError("sparse training chooses single weights; it does not follow an N:M pattern")
        layers = self.first_connections(model, context)
        epochs = granted(self.epochs, context)
        steps, last = itertools.count(1), epochs * context.steps_per_epoch

        def rewire_when_due(_: int) -> None:
            step = next(steps)
            if self.due(step, last, context.steps_per_epoch):
                for group, layer in layers.items():
                    with torch.no_grad():
                        self.rewire(plain_weight(group.layer(model)), layer, step / last, context)

        if epochs:
            with parametrized(model, layers):
                lr = falling(self.lr, epochs, context)
                context.train(model, epochs=epochs, lr=lr, after_step=rewire_when_due)
        return Decision({}, {group.name: layer.mask for group, layer in layers.items()}, self.densities)

    def first_connections(self, model: nn.Module, context: PruningContext) -> dict[Group, Connections]:
        """A random mask of each layer, by its density; what is masked out is set to zero."""
        weights = {group: group.layer(model).get_parameter("weight").detach() for group in context.groups}
        draws = {group: torch.rand(weight.shape, generator=context.generator) for group, weight in weights.items()}
        ratios = layer_densities(self.densities, weights, context)
        decision = context.decide(ranked(draws, ratios), allocation="global")
        layers = {
            group: Connections(decision.masks[group.name].to(weight.device), float(weight.std(correction=0)))
            for group, weight in weights.items()
        }
        context.remove(model, decision)
        return layers


def grow(weight: torch.Tensor, layer: Connections, stays: torch.Tensor, wish: torch.Tensor, new: torch.Tensor) -> None:
    """Fills a layer up to its number of weights, in place, with those of the highest `wish` that do not stay.

    A weight that was not connected before starts at its value in `new`; one that was dropped and is grown again at
    once keeps its value. All are shaped like the weight.
    """
    count = int(layer.mask.sum() - stays.sum())
    order = wish.masked_fill(stays, -torch.inf).flatten().argsort(descending=True, stable=True)
    mask = stays.flatten().clone()
    mask[order[:count]] = True
    mask = mask.reshape(stays.shape)
    weight.copy_(torch.where(mask & ~layer.mask, new, weight) * mask)
    layer.mask = mask
