"""The importances of torch-pruning (Fang et al., CVPR 2023), each run from the library's own code.

`torch-pruning:GroupTaylorImportance` names one of them. The library computes the score of each filter from all that is
pruned with it. How many filters go is decided here, as for every criterion: so rows differ by their scores and by
nothing else. The formulas are those of the installed version, which is part of every stored result's key.

Not covered: OBDCImportance, which is made by the library's pruner and not from a group; `target_types`; and the
library's own pruners, with what they do between steps.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.method import About, FilterCriterion, Group, PruningContext, setting


class _Importance(FilterCriterion):
    """One importance of the library: scores for all filters of a group, from all layers that are pruned together."""

    @abstractmethod
    def made(self) -> Any:
        """The library's object, with this method's settings."""

    def look(self, importance: Any, model: nn.Module, context: PruningContext) -> None:
        """What the importance has to see before it scores: by default, nothing."""

    def observe(self, model: nn.Module, context: PruningContext) -> None:
        """Scores all groups, on a copy: the base model stays as it is."""
        importance, seen = self.made(), copy.deepcopy(model)
        self.look(importance, seen, context)
        graph = _graph(seen, context.image_shape)
        self.scores = {group.layer(model): _scored(importance, graph, group, seen) for group in context.groups}

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """What the library said of this layer's filters, (filters,)."""
        return self.scores[layer]


def _graph(model: nn.Module, image_shape: tuple[int, int, int]) -> Any:
    """The library's dependency graph of this network."""
    import torch_pruning

    example = torch.zeros(1, *image_shape, device=next(model.parameters()).device)
    with torch.enable_grad():
        return torch_pruning.DependencyGraph().build_dependency(model, example_inputs=example, verbose=False)


def _scored(importance: Any, graph: Any, group: Group, model: nn.Module) -> torch.Tensor:
    """(filters,) of one group. Raises ValueError where the library has no score for it."""
    import torch_pruning

    layer = group.layer(model)
    linear = isinstance(layer, nn.Linear)
    function = torch_pruning.prune_linear_out_channels if linear else torch_pruning.prune_conv_out_channels
    scores = importance(graph.get_pruning_group(layer, function, list(range(group.size))))
    if scores is None:
        raise ValueError(f"torch-pruning's {type(importance).__name__} has no score for layer {group.name}")
    return torch.as_tensor(scores).detach()


def _library(name: str) -> Any:
    """A class of the library. Raises ImportError where the installed version has none of this name."""
    import torch_pruning

    found = getattr(torch_pruning.importance, name, None)
    if found is None:
        raise ImportError(f"the installed torch-pruning has no {name}")
    return found


def _or_none(word: str) -> str | None:
    return None if word == "none" else word


class _Reduced(_Importance):
    """What the importances have in common that put the layers of a group together."""

    group_reduction: str = setting(
        "mean",
        "how the scores of a group's layers are put together, in the library's words",
        "sum|mean|max|prod|first|gate",
    )


class _Normalized(_Reduced):
    """And that divide by something of the group, so that groups can be ranked together."""

    normalizer: str = setting(
        "mean",
        "what the scores of a group are divided by, in the library's words; none: by nothing",
        "sum|standarization|mean|max|gaussian|lamp|none",
    )


class _Magnitude(_Normalized):
    """What the importances have in common that look at weights."""

    p: int = setting(2, "which norm", "[1-9]")
    bias: bool = setting(False, "whether biases count too")
    imported = "GroupMagnitudeImportance"

    def made(self) -> Any:
        """As the library makes it, with its own defaults."""
        return _library(self.imported)(
            p=self.p, group_reduction=self.group_reduction, normalizer=_or_none(self.normalizer), bias=self.bias
        )


class GroupMagnitudeImportance(_Magnitude):
    """torch-pruning's group norm: the norms of all that is pruned with a filter, put together."""

    about = About(
        paper="Fang et al.: DepGraph: Towards Any Structural Pruning, CVPR 2023, arXiv:2301.12900",
        formula="mean over the group's layers of the sum of |w|^p",
        criterion="magnitude",
        test="tests/baselines/test_torch_pruning_importances.py",
    )


class MagnitudeImportance(_Magnitude):
    """torch-pruning's older name of GroupMagnitudeImportance."""

    about = About(
        paper="Fang et al.: DepGraph: Towards Any Structural Pruning, CVPR 2023, arXiv:2301.12900",
        formula="as GroupMagnitudeImportance",
        criterion="magnitude",
        test="tests/baselines/test_torch_pruning_importances.py",
    )
    imported = "MagnitudeImportance"


class FPGMImportance(_Magnitude):
    """torch-pruning's FPGM: distances between filters, taken of |w|^p and not, as in the paper, of w."""

    about = About(
        paper="He et al.: Filter Pruning via Geometric Median, CVPR 2019, arXiv:1811.00250, as torch-pruning has it",
        formula="sum of the distances of |w|^p to that of all other filters",
        criterion="similarity",
        test="tests/baselines/test_torch_pruning_importances.py",
    )
    imported = "FPGMImportance"


class LAMPImportance(_Reduced):
    """torch-pruning's LAMP: the group norm, divided by the sum of all that are no smaller."""

    about = About(
        paper="Lee et al.: Layer-adaptive Sparsity for the Magnitude-based Pruning, ICLR 2021, arXiv:2010.07611, as "
        "torch-pruning has it",
        formula="group norm over the sum of all group norms that are no smaller",
        criterion="magnitude",
        test="tests/baselines/test_torch_pruning_importances.py",
    )
    p: int = setting(2, "which norm", "[1-9]")
    bias: bool = setting(False, "whether biases count too")

    def made(self) -> Any:
        """As the library makes it, with its own defaults."""
        return _library("LAMPImportance")(p=self.p, group_reduction=self.group_reduction, bias=self.bias)


class BNScaleImportance(_Normalized):
    """torch-pruning's batch-norm scale: the size of gamma, which its examples train with a penalty before."""

    about = About(
        paper="Liu et al.: Learning Efficient Convolutional Networks through Network Slimming, ICCV 2017, "
        "arXiv:1708.06519, as torch-pruning has it",
        formula="|gamma| of the batch norms of the group",
        criterion="magnitude",
        test="tests/baselines/test_torch_pruning_importances.py",
    )

    def made(self) -> Any:
        """As the library makes it, with its own defaults."""
        return _library("BNScaleImportance")(group_reduction=self.group_reduction, normalizer=_or_none(self.normalizer))


class RandomImportance(_Importance):
    """torch-pruning's random scores, drawn from torch's own generator, which is seeded for the trial."""

    about = About(
        paper="Fang et al.: DepGraph: Towards Any Structural Pruning, CVPR 2023, arXiv:2301.12900",
        formula="uniform random numbers",
        criterion="random",
        test="tests/baselines/test_torch_pruning_importances.py",
    )

    def made(self) -> Any:
        """The library's object."""
        return _library("RandomImportance")()


class _Differentiated(_Normalized):
    """What the importances have in common that look at gradients of the training loss."""

    bias: bool = setting(False, "whether biases count too")
    imported = ""

    def made(self) -> Any:
        """As the library makes it, with its own defaults."""
        return _library(self.imported)(
            group_reduction=self.group_reduction, normalizer=_or_none(self.normalizer), bias=self.bias
        )


class GroupTaylorImportance(_Differentiated):
    """torch-pruning's first-order Taylor expansion, of gradients summed over training batches."""

    about = About(
        paper="Fang et al.: DepGraph: Towards Any Structural Pruning, CVPR 2023, arXiv:2301.12900",
        formula="mean over the group's layers of sum of |w dL/dw|",
        criterion="gradient",
        passes=1,
        test="tests/baselines/test_torch_pruning_importances.py",
    )
    multivariable: bool = setting(False, "the size of the sum, and not the sum of sizes")
    images: int = setting(0, "training images that are looked at [0: all, once]", "[0-9]{1,7}")
    imported = "GroupTaylorImportance"

    def made(self) -> Any:
        """As the library makes it, with its own defaults."""
        importance = super().made()
        importance.multivariable = self.multivariable
        return importance

    def look(self, importance: Any, model: nn.Module, context: PruningContext) -> None:
        """Gradients of the mean loss of each batch, summed up."""
        for images, labels in _batches(context, self.images):
            F.cross_entropy(model(images), labels).backward()


class TaylorImportance(GroupTaylorImportance):
    """torch-pruning's older name of GroupTaylorImportance."""

    imported = "TaylorImportance"


class GroupHessianImportance(_Differentiated):
    """torch-pruning's optimal brain damage: squared gradients of single images in place of the Hessian's diagonal."""

    about = About(
        paper="LeCun, Denker, Solla: Optimal Brain Damage, NeurIPS 1989, as torch-pruning has it",
        formula="mean over the group's layers of sum of w^2 (dL/dw)^2",
        criterion="second order",
        test="tests/baselines/test_torch_pruning_importances.py",
    )
    images: int = setting(256, "training images that are looked at [0: all, once]", "[0-9]{1,7}")
    imported = "GroupHessianImportance"

    def look(self, importance: Any, model: nn.Module, context: PruningContext) -> None:
        """Hands the library the gradient of each image by itself, as its documentation does."""
        importance.zero_grad()
        for images, labels in _batches(context, self.images):
            for loss in F.cross_entropy(model(images), labels, reduction="none"):
                model.zero_grad()
                loss.backward(retain_graph=True)
                importance.accumulate_grad(model)


class HessianImportance(GroupHessianImportance):
    """torch-pruning's older name of GroupHessianImportance."""

    imported = "HessianImportance"


class ActivationImportance(_Magnitude):
    """torch-pruning's mean absolute activation, of the channels that the next layers read in one batch."""

    about = About(
        paper="Fang et al.: DepGraph: Towards Any Structural Pruning, CVPR 2023, arXiv:2301.12900",
        formula="mean |activation| at the layers that read the filter",
        criterion="feature maps",
        test="tests/baselines/test_torch_pruning_importances.py",
    )
    imported = "ActivationImportance"

    def look(self, importance: Any, model: nn.Module, context: PruningContext) -> None:
        """One batch: the library keeps what it saw last."""
        with importance.compute_importance(model), torch.no_grad():
            images, _ = next(iter(context.batches()))
            model(images)


def _batches(context: PruningContext, images: int) -> Any:
    """Training batches, with at most so many images in all."""
    left = images
    for batch, labels in context.batches():
        yield (batch[:left], labels[:left]) if images else (batch, labels)
        left -= len(labels)
        if images and left <= 0:
            return
