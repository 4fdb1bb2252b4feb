"""Random filter pruning: what every criterion has to beat."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import FilterCriterion, PruningContext


class RandomFilters(FilterCriterion):
    """Filters chosen at random, with the same number kept in each layer as the method it is compared with."""

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """One uniform draw per filter, (filters,)."""
        return torch.rand(len(layer.get_parameter("weight")), generator=context.generator)
