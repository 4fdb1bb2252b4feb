"""LAMP on filters: a norm, relative to all norms of its layer that are no smaller."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import ALLOCATIONS, About, FilterCriterion, PruningContext, setting


class LampFilters(FilterCriterion):
    """Lee et al., ICLR 2021, section 3, with filters in the place of weights, as in Torch-Pruning (Fang, CVPR 2023).

    The paper scores single weights: the square of each, over the sum of the squares of its layer that are no smaller.
    Torch-Pruning, which the structured literature compares with, puts the squared norm of a channel in their place, a
    mean over all weights coupled to it. Here it is the norm of the filter itself. The largest filter of every layer
    scores 1, so that one ranking over all layers empties none.

    Not covered: the paper's own schedule, iterative pruning with weight rewinding.
    """

    about = About(
        paper="Lee et al.: Layer-adaptive Sparsity for the Magnitude-based Pruning, ICLR 2021, arXiv:2010.07611; on "
        "channels: Fang, Ma, Song, Bi Mi, Wang: DepGraph, CVPR 2023, arXiv:2301.12900 (Torch-Pruning)",
        formula="||w||^2 / sum of ||v||^2 over the filters v of the layer with ||v|| >= ||w|| (section 3)",
        criterion="magnitude, relative to the larger filters of the layer",
        test="tests/baselines/test_structured_norms.py",
    )
    allocation: str = setting(
        "global", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """The squared norm over the sum of those no smaller, (filters,); of equals the later counts as larger."""
        squares = layer.get_parameter("weight").detach().flatten(1).square().sum(dim=1)
        order = squares.argsort(descending=False, stable=True).flip(0)
        relative = torch.zeros_like(squares)
        relative[order] = squares[order] / squares[order].cumsum(dim=0)
        return relative.nan_to_num()  # a layer of zeros
