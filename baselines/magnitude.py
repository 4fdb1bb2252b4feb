"""Magnitude pruning of single weights: over all layers together, the anchor of the weight tracks, or in each."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import ALLOCATIONS, About, PruningContext, WeightCriterion, setting


class Magnitude(WeightCriterion):
    """Han et al., NeurIPS 2015: the weights with the smallest absolute value go first, over all layers.

    One-shot by default; the paper repeats pruning and retraining, and has a threshold for each layer. On an N:M track
    it is magnitude N:M (Mishra et al., 2021): the N largest of every M weights.
    """

    about = About(
        paper="Han, Pool, Tran, Dally: Learning both Weights and Connections for Efficient Neural Networks, "
        "NeurIPS 2015, arXiv:1506.02626; for N:M Mishra et al., 2021, arXiv:2104.08378",
        formula="|w| (section 3)",
        criterion="magnitude",
        test="tests/baselines/test_baselines.py",
    )

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """The absolute value of each weight."""
        return layer.get_parameter("weight").abs()


class LayerwiseMagnitude(Magnitude):
    """Magnitude with the same sparsity in every layer."""

    allocation: str = setting(
        "uniform", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )
