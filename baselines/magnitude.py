"""Magnitude pruning of single weights: the anchor of the weight tracks."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import PruningContext, WeightCriterion


class Magnitude(WeightCriterion):
    """Han et al., NeurIPS 2015: the weights with the smallest absolute value go first, over all layers."""

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """The absolute value of each weight."""
        return layer.get_parameter("weight").abs()
