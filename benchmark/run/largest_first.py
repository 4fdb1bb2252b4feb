"""Deliberately bad criteria: what has the largest norm goes first.

A track on which these come out no worse than the anchor cannot tell methods apart; `prunemark tracks measure` runs
them for that.
"""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import FilterCriterion, PruningContext, WeightCriterion
from prunemark.setups.track import OF_FILTERS


class LargestFilters(FilterCriterion):
    """The filters with the largest L1 norm are removed."""

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """Minus the L1 norm of each filter; shape (filters,)."""
        return -layer.get_parameter("weight").flatten(1).abs().sum(dim=1)


class LargestWeights(WeightCriterion):
    """The weights with the largest magnitude are set to zero."""

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """Minus the magnitude of each weight; the shape of the layer's weight."""
        return -layer.get_parameter("weight").abs()


BAD = dict.fromkeys(OF_FILTERS, "LargestFilters") | {"weight": "LargestWeights"}
