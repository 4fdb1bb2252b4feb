"""Random pruning of single weights: what every criterion has to beat."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import About, PruningContext, WeightCriterion


class RandomWeights(WeightCriterion):
    """Weights chosen at random: as a control with as many kept in each layer as the method beside it.

    The harness runs it beside submissions and gives it the layer ratios of each. By itself it removes one ratio of
    every layer.
    """

    about = About(
        paper="none: a control",
        formula="one uniform draw per weight",
        criterion="chance",
        ratio="as a control, that of the method beside it; else by the setting allocation",
        test="tests/baselines/test_baselines.py",
    )

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """One uniform draw per weight."""
        return torch.rand(layer.get_parameter("weight").shape, generator=context.generator)
