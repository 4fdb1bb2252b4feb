"""Random pruning of single weights: what every criterion has to beat."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import PruningContext, WeightCriterion


class RandomWeights(WeightCriterion):
    """Weights chosen at random, with the same number kept in each layer as the method it is compared with."""

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """One uniform draw per weight."""
        return torch.rand(layer.get_parameter("weight").shape, generator=context.generator)
