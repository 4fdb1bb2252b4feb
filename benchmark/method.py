"""The submission contract: the one page that the author of a pruning method reads.

A *criterion* scores the filters (or weights) of one layer, and the harness does the rest::

    class GeometricMedian(FilterCriterion):
        def score(self, layer, context):
            filters = layer.weight.flatten(1)                # (filters, in_channels * k * k)
            return torch.cdist(filters, filters).sum(dim=1)  # (filters,), lowest goes first

A *method* implements `prune` and may do more: train with a penalty, look at data, go in rounds. It gets the
base model to change as it likes and a narrow view of the trial, and returns a `Decision`.

Only data leaves a submission: which filters or weights stay, and the model's weights. The harness rebuilds
the pruned network itself, so a submission can only return a subnetwork of the base model. It runs in a
process of its own, once per trial; retraining and evaluation never load it.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, dataclass_transform

import torch
from torch import nn

from prunemark.setups.recipe import OwnRecipe

__all__ = [
    "Decision",
    "FilterCriterion",
    "Group",
    "OwnRecipe",
    "PruningContext",
    "PruningMethod",
    "Target",
    "WeightCriterion",
    "setting",
]

Allocation = Literal["uniform", "global"]
Scores = Mapping["Group", torch.Tensor]


def setting(default: Any, meaning: str) -> Any:
    """A hyper-parameter of a method: its default and what it means.

    Users set it with ``--set name=value``; its value is part of every result's identity. The type is the
    annotation's: bool, int, float or str.
    """
    return dataclasses.field(default=default, metadata={"meaning": meaning})


@dataclass(frozen=True)
class Group:
    """One layer that may be pruned, with everything that is coupled to it.

    `name` is the layer's name in the model; `size` the number of its filters (output channels, or
    neurons), or of its weights on a weight-granularity track.
    """

    name: str
    size: int
    batch_norm_name: str | None = None

    def layer(self, model: nn.Module) -> nn.Module:
        """The layer: a Conv2d with weight (filters, in_channels, k, k), or a Linear with (neurons, in)."""
        return model.get_submodule(self.name)

    def batch_norm(self, model: nn.Module) -> nn.Module:
        """The batch norm behind the layer; raises LookupError where there is none."""
        if self.batch_norm_name is None:
            raise LookupError(f"layer {self.name} has no batch norm behind it")
        return model.get_submodule(self.batch_norm_name)


@dataclass(frozen=True)
class Target:
    """What must be reached: a speed-up in MACs (filters) or a sparsity of the prunable weights (weights)."""

    level: str
    speedup: float | None = None
    sparsity: float | None = None


@dataclass(frozen=True)
class Decision:
    """Which filters stay in which layer, or which weights. Made by `context.decide`, or by hand.

    `kept`: layer name -> indices of the filters that stay, (kept,). `masks`: layer name -> True where a
    weight stays, shaped like the weight. One of the two is empty. Layers left out are not pruned.
    """

    kept: Mapping[str, torch.Tensor]
    masks: Mapping[str, torch.Tensor]
    allocation: str = "its own"


class PruningContext(Protocol):
    """What a method may see and do in its pruning stage. There is nothing else: no test data, no clock."""

    target: Target
    groups: tuple[Group, ...]
    generator: torch.Generator
    """Seeded for this trial; draw every random number from it (it lives on the CPU)."""

    def batches(self, epochs: int = 1) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Shuffled training batches: images (batch, channels, height, width), labels (batch,). Metered."""
        ...

    def train(
        self,
        model: nn.Module,
        *,
        epochs: int,
        lr: str = "0:1e-2",
        penalty: Callable[[], torch.Tensor] | None = None,
        after_step: Callable[[int], None] | None = None,
    ) -> None:
        """The harness's own training loop, in place; metered. `lr` is in the paper's notation.

        `penalty()` is added to the loss of every step; `after_step(step)` runs after each optimiser step
        (to re-apply a mask, to raise a penalty). All else is the track's retraining recipe.
        """
        ...

    def decide(self, scores: Scores, allocation: Allocation = "uniform") -> Decision:
        """Turns scores into a decision that meets the target. The lowest scores go first.

        `uniform` removes the same ratio of every layer; `global` ranks all layers' filters together, so
        scores must be comparable between layers. At least one filter stays in each layer. Raises
        ValueError for scores of the wrong shape, for NaN, and for a group that has none.
        """
        ...


@dataclass_transform(kw_only_default=True, field_specifiers=(setting,))
class PruningMethod(ABC):
    """A pruning method: the second stage of the pipeline, and nothing else.

    Declare hyper-parameters with `setting`. `granularity` says on which tracks the method can run.
    `retraining` is the method's own recipe: used under S1 and S2, stretched under S3.1, ignored from S3.2 on.
    """

    granularity: ClassVar[Literal["filter", "weight"]] = "filter"
    retraining: ClassVar[OwnRecipe | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(eq=False, kw_only=True)(cls)

    @abstractmethod
    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Decides what stays. `model` is the base model, in evaluation mode.

        Whatever weights (and batch-norm statistics) are left in it are the pruned model's.
        """


class FilterCriterion(PruningMethod):
    """A score per filter; the lowest go first. Nothing is trained."""

    allocation: str = setting("uniform", "uniform: one ratio for all layers; global: one ranking of all filters")

    @abstractmethod
    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """Scores of one layer's filters, (filters,), from its weight (filters, ...)."""

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Scores every layer and removes the lowest until the target is met."""
        scores = {group: self.score(group.layer(model), context) for group in context.groups}
        return context.decide(scores, allocation=self.allocation)  # type: ignore[arg-type]


class WeightCriterion(PruningMethod):
    """A score per weight; the lowest go first. Nothing is trained."""

    granularity = "weight"
    allocation: str = setting("global", "uniform: one ratio for all layers; global: one ranking of all weights")

    @abstractmethod
    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """Scores of one layer's weights, shaped like its weight."""

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Scores every layer and removes the lowest until the target is met."""
        scores = {group: self.score(group.layer(model), context) for group in context.groups}
        return context.decide(scores, allocation=self.allocation)  # type: ignore[arg-type]
