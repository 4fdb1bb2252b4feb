"""L2-norm filter pruning."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import About, FilterCriterion, PruningContext


class L2Norm(FilterCriterion):
    """The filters with the smallest Euclidean norm go first (He et al., IJCAI 2018, eq. 2 with p = 2).

    The criterion alone: the training scheme of that paper is the method SFP.
    """

    about = About(
        paper="He, Kang, Dong, Fu, Yang: Soft Filter Pruning for Accelerating Deep CNNs, IJCAI 2018, arXiv:1808.06866",
        formula="||w||_2 of the filter (eq. 2 with p = 2)",
        criterion="magnitude",
        test="tests/baselines/test_baselines.py",
    )

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """The L2 norm of each filter, (filters,)."""
        weight = layer.get_parameter("weight")  # (filters, in_channels, k, k), or (neurons, in)
        norms: torch.Tensor = torch.linalg.vector_norm(weight.flatten(1), dim=1)
        return norms
