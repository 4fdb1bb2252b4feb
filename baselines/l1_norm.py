"""L1-norm filter pruning: the anchor of the filter tracks, and the template to copy."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import About, FilterCriterion, OwnRecipe, PruningContext


class L1Norm(FilterCriterion):
    """Li et al., ICLR 2017, section 3.1: the filters with the smallest sum of absolute weights go first."""

    about = About(
        paper="Li, Kadav, Durdanovic, Samet, Graf: Pruning Filters for Efficient ConvNets, ICLR 2017, arXiv:1608.08710",
        formula="sum of |w| over the filter (section 3.1)",
        criterion="magnitude",
        test="tests/baselines/test_baselines.py",
    )
    retraining = (
        OwnRecipe(
            data="small images", epochs=40, lr="0:1e-3",
            source="Li et al., ICLR 2017, section 4: on CIFAR-10 40 epochs at an LR of 0.001",
        ),
        OwnRecipe(
            data="ImageNet", epochs=20, lr="0:1e-3",
            source="Li et al., ICLR 2017, section 4: on ImageNet 20 epochs at an LR of 0.001",
        ),
    )  # fmt: skip

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """The L1 norm of each filter, (filters,)."""
        weight = layer.get_parameter("weight")  # (filters, in_channels, k, k), or (neurons, in)
        return weight.flatten(1).abs().sum(dim=1)
