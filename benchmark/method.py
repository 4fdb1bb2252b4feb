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
separate process, once per trial; retraining and evaluation never load it.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, cast, dataclass_transform

import torch
from torch import nn

from prunemark.benchmark.compression.steps import Block, Steps
from prunemark.records.about import About
from prunemark.setups.recipe import OwnRecipe
from prunemark.setups.schedule import stepped
from prunemark.setups.setting_values import check_default
from prunemark.setups.steps import SCHEDULES, shares_of

__all__ = [
    "About", "Decision", "FilterCriterion", "Group", "OwnRecipe", "PruningContext", "PruningMethod", "Target",
    "WeightCriterion", "setting", "stepped",
]  # fmt: skip

Scores = Mapping["Group", torch.Tensor]
ALLOCATIONS, WHOLE_NUMBER = "uniform|global", "[0-9]+"


def setting(default: Any, meaning: str, allowed: str = "") -> Any:
    """A hyper-parameter of a method: its default and what it means.

    Users set it with ``--set name=value``; its value is part of every result's identity: a bool, int, float, str,
    or a tuple of numbers (``0.1,0.2``). `allowed` is a regular expression for the whole value, checked beforehand.
    """
    return dataclasses.field(default=check_default(default), metadata={"meaning": meaning, "allowed": allowed})


@dataclass(frozen=True)
class CoupledParameter:
    """What of one parameter goes with the filters of a layer: `index` (filters, entries) along dimension `dim`."""

    parameter: str
    dim: int
    index: torch.Tensor = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Group:
    """One layer that may be pruned, with everything that is coupled to it.

    `name` is the layer's name in the model; `size` the number of its filters (output channels, or neurons), or of its
    weights on a track of weights. `steps` says which filters stay or go together; None: one by one. On a track of
    residual blocks `block` says in which one the layer is, and all filters of a block stay or go.
    """

    name: str
    size: int
    batch_norm_name: str | None = None
    coupled_parameters: tuple[CoupledParameter, ...] = dataclasses.field(default=(), compare=False, repr=False)
    steps: Steps | None = dataclasses.field(default=None, compare=False, repr=False)
    block: Block | None = dataclasses.field(default=None, compare=False, repr=False)

    def layer(self, model: nn.Module) -> nn.Module:
        """Its weight: Conv2d (filters, in_channels, k, k), Conv1d (filters, in_channels, k), Linear (neurons, in)."""
        return model.get_submodule(self.name)

    def batch_norm(self, model: nn.Module) -> nn.Module:
        """The batch norm behind the layer; raises LookupError where there is none."""
        if self.batch_norm_name is None:
            raise LookupError(f"layer {self.name} has no batch norm behind it")
        return model.get_submodule(self.batch_norm_name)

    def coupled(self, model: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
        """All that goes with the filters, a parameter's name and (filters, entries) at a time; gradients flow.

        Of the layer, its batch norm and layers pruned with it weight and bias, of readers the slices that read them."""
        for coupled in self.coupled_parameters:
            values = model.get_parameter(coupled.parameter).movedim(coupled.dim, 0)
            yield coupled.parameter, values[coupled.index].flatten(1)


@dataclass(frozen=True)
class Target:
    """What must be reached: a speed-up in MACs (filters) or a sparsity of the prunable weights (weights).

    `pattern` is (N, M) on an N:M track: of every M consecutive weights along dimension 1, the input, N stay exactly.
    """

    level: str
    speedup: float | None = None
    sparsity: float | None = None
    pattern: tuple[int, int] | None = None


@dataclass(frozen=True)
class Decision:
    """Which filters stay in which layer, or which weights. Made by `context.decide`, or by hand.

    `kept`: layer name -> indices of the filters that stay, (kept,). `masks`: layer name -> True where a
    weight stays, shaped like the weight. One of the two is empty. Layers left out are not pruned.
    `cut` is a network that was cut already: see `from_pruned`.
    """

    kept: Mapping[str, torch.Tensor]
    masks: Mapping[str, torch.Tensor] = dataclasses.field(default_factory=dict)
    allocation: str = "its own"
    cut: Mapping[str, torch.Tensor] | None = dataclasses.field(default=None, repr=False)

    @classmethod
    def from_pruned(cls, model: nn.Module) -> Decision:
        """Of a network that a library has just cut, `model` or a copy: the weights tell the harness what stayed."""
        return cls({}, {}, cut={name: tensor.detach().clone() for name, tensor in model.state_dict().items()})

    @classmethod
    def from_masks(cls, model: nn.Module) -> Decision:
        """The masks that `torch.nn.utils.prune` put on weights, of whole filters where a track prunes those."""
        end = ".weight_mask"
        masks = {name.removesuffix(end): mask != 0 for name, mask in model.named_buffers() if name.endswith(end)}
        if not masks:
            raise ValueError("no weight in this model has a mask of torch.nn.utils.prune")
        return cls({}, masks)


class PruningContext(Protocol):
    """What a method may see and do in its pruning stage. There is nothing else: no test data, no clock."""

    target: Target
    groups: tuple[Group, ...]
    pruning_epochs: int
    """Training epochs granted; under S4.1 and S4.2 exactly so many are imposed. See `exact`."""
    exact: bool
    """Whether all of `pruning_epochs` must be used. A method that trains nothing need not care: the harness then
    trains the dense model in them first."""
    lr_imposed: bool
    """Whether `train` follows the setup's LR schedule (S4.2): it may then not be given one."""
    steps_per_epoch: int
    """Optimiser steps in an epoch of `train`."""
    image_shape: tuple[int, int, int]
    """(channels, height, width) of the images, for what needs their shape and not them."""
    generator: torch.Generator
    """Seeded for this trial; draw every random number from it (it lives on the CPU)."""

    def batches(self, epochs: int = 1) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Shuffled training batches: images (batch, channels, height, width), labels (batch,). Metered.

        An optimiser of the method's own may train on them where the LR is not imposed (S4.2): each as many steps
        as an epoch has batches count as one epoch, at the optimiser's LR.
        """
        ...

    def earlier(self, epoch: int) -> dict[str, torch.Tensor]:
        """The base model's state dict as it was after `epoch` epochs of its own training; 0: before the first.

        The harness trains the beginning of the base's run anew, so a late epoch takes time, but no epochs. Raises
        ValueError for an epoch that the base has not reached.
        """
        ...

    def train(
        self, model: nn.Module, *, epochs: int, lr: str | None = None, keep: Decision | None = None,
        penalty: Callable[[], torch.Tensor] | None = None, after_step: Callable[[int], None] | None = None,
    ) -> None:  # fmt: skip
        """The harness's own training loop, in place; metered. `lr` is in the paper's notation [1e-2].

        Where the setup imposes the LR (S4.2), calls follow its schedule one after another and `lr` must not
        be given. `penalty()` is added to the loss of every step; `after_step(step)` runs after each optimiser step
        (to raise a penalty, say). What `keep` does not keep is held at zero. All else is the track's retraining
        recipe.
        """
        ...

    def decide(self, scores: Scores, allocation: str = "uniform", share: float = 1.0) -> Decision:
        """Turns scores into a decision that meets the target. The lowest scores go first.

        `uniform` removes the same ratio of every layer; `global` ranks all layers' filters together, so
        scores must be comparable between layers. At least one filter stays in each layer. `share` below 1 asks
        for so much of the way to the target: a step of a schedule. On an N:M track the N best-scored of every M
        weights stay, whatever the allocation; a step of a schedule takes its share of the others, by allocation.
        Raises ValueError for another word, scores of the wrong shape, NaN, and a group that has none.
        """
        ...

    def remove(self, model: nn.Module, decision: Decision) -> None:
        """Sets to zero, in place, what the decision does not keep: filters, with all that writes their channels, or
        weights. The network then computes what the pruned one will."""
        ...


@dataclass_transform(kw_only_default=True, field_specifiers=(setting,))
class PruningMethod(ABC):
    """A pruning method: the second stage of the pipeline, and nothing else.

    Declare hyper-parameters with `setting`. `granularity` says on which tracks the method can run; "N:M" is for
    methods that need a track with such a pattern, while methods for weights run on those too.
    `retraining` is the method's own recipe, or a tuple of one a class of data: used under S1 and S2, stretched under
    S3.1, ignored from S3.2 on. `pretraining`, alike, is used under S1 and S1-acc. Under SX-A and SX-B a method chooses:
    its base is the dense run's at epoch `prune_at` (0.4: at 40 % of its epochs), and pruning may train in
    `pruning_share` of what is then left [all but an epoch an LR stage]. `about`: what `prunemark methods show` prints.
    """

    about: ClassVar[About | None] = None
    granularity: ClassVar[Literal["filter", "weight", "N:M"]] = "filter"
    retraining: ClassVar[OwnRecipe | tuple[OwnRecipe, ...] | None] = None
    pretraining: ClassVar[OwnRecipe | tuple[OwnRecipe, ...] | None] = None
    prune_at: ClassVar[int | float | None] = None
    pruning_share: ClassVar[float | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        dataclass(eq=False, kw_only=True)(cls)

    @abstractmethod
    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Decides what stays. `model` is the base model, in evaluation mode.
        Whatever weights (and batch-norm statistics) are left in it are the pruned model's.
        """


class _Criterion(PruningMethod):
    """What both kinds of criterion share: scoring every layer, and the schedule that reaches the target."""

    allocation: str = setting(
        "uniform", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )
    schedule: str = setting(
        "one-shot", "one-shot; rounds:K for K equal steps; agp:K for K steps of a cubic ramp", SCHEDULES
    )
    epochs: int = setting(
        0, "training epochs, as far as granted, spread over the steps [all that are imposed]", WHOLE_NUMBER
    )

    def observe(self, model: nn.Module, context: PruningContext) -> None:
        """Called before the layers are scored, at every step: for gradients or feature maps. By default, nothing."""

    @abstractmethod
    def score(self, layer: nn.Conv2d | nn.Linear, context: PruningContext) -> torch.Tensor:
        """Scores of one layer."""

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Scores every layer and removes the lowest, at once or step by step with training between the steps."""
        kept: Decision | None = None
        shares = shares_of(self.schedule)
        epochs = min(self.epochs, context.pruning_epochs)
        if context.exact and len(shares) > 1:
            epochs = context.pruning_epochs
        for step, share in enumerate(shares):
            self.observe(model.eval(), context)
            scores = {group: self._scored(group, model, context, kept) for group in context.groups}
            kept = context.decide(scores, self.allocation, share)
            granted = epochs * (step + 1) // len(shares) - epochs * step // len(shares)
            if granted or step + 1 < len(shares):  # the next look is at what is left; the last step is the harness's
                context.remove(model, kept)
            if granted:
                context.train(model, epochs=granted, keep=kept)
        assert kept is not None
        return kept

    def _scored(self, group: Group, model: nn.Module, context: PruningContext, kept: Decision | None) -> torch.Tensor:
        """The scores of a layer; what an earlier step removed stays removed, because it is last."""
        scores = self.score(cast(nn.Conv2d | nn.Linear, group.layer(model)), context)
        if kept is None or not isinstance(scores, torch.Tensor):
            return scores
        scores = scores.detach().clone().to(torch.float64)
        if group.name in kept.masks:
            scores[~kept.masks[group.name].to(scores.device)] = -math.inf
        elif group.name in kept.kept:
            gone = torch.ones(len(scores), dtype=torch.bool, device=scores.device)
            gone[kept.kept[group.name].to(scores.device)] = False
            scores[gone] = -math.inf
        return scores


class FilterCriterion(_Criterion):
    """A score per filter, (filters,), from the layer's weight (filters, ...); the lowest go first."""


class WeightCriterion(_Criterion):
    """A score per weight, shaped like the layer's weight; the lowest go first."""

    granularity = "weight"
    allocation: str = setting(
        "global", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )
