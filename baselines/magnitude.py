"""Magnitude pruning of single weights: over all layers together, the anchor of the weight tracks, or in each."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import ALLOCATIONS, PruningContext, WeightCriterion, setting


class Magnitude(WeightCriterion):
    """Han et al., NeurIPS 2015: the weights with the smallest absolute value go first, over all layers."""

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """The absolute value of each weight."""
        return layer.get_parameter("weight").abs()


class LayerwiseMagnitude(Magnitude):
    """Magnitude with the same sparsity in every layer."""

    allocation: str = setting(
        "uniform", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )
