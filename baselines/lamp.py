"""LAMP: magnitude relative to what is left of the layer."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import About, PruningContext, WeightCriterion


class Lamp(WeightCriterion):
    """Lee et al., ICLR 2021, section 3: the squared weight over the sum of all squares in its layer not below it.

    The score of a layer's largest weight is 1, so no layer loses its last weight before all others lost theirs. The
    order within a layer is that of magnitude; only the layer ratios are LAMP's. Without hyper-parameters. The paper
    prunes in rounds of 20 % of what is left, with retraining between them. Here it is one-shot by default; the setting
    schedule prunes in rounds of equal steps, with `epochs` of training shared among them.
    Over channels instead of weights it is another method.
    """

    about = About(
        paper="Lee et al.: Layer-adaptive Sparsity for the Magnitude-based Pruning, ICLR 2021, arXiv:2010.07611",
        formula="w_u^2 / sum of w_v^2 over v >= u, weights sorted by size (section 3, the LAMP score)",
        criterion="magnitude",
        ratio="one global ranking of scores that are relative to the layer",
        test="tests/baselines/test_unstructured_scores.py",
    )

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """The LAMP score of each weight, in (0, 1], shaped like the weight."""
        weight = layer.get_parameter("weight").detach()
        squares, order = weight.flatten().to(torch.float64).square().sort(stable=True)
        not_below = squares.flip(0).cumsum(0).flip(0)  # of each weight: itself and all larger ones
        scores = torch.empty_like(squares)
        scores[order] = squares / not_below.clamp_min(torch.finfo(torch.float64).tiny)
        return scores.reshape(weight.shape)
