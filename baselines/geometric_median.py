"""FPGM: filter pruning by geometric median."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.benchmark.method import About, FilterCriterion, PruningContext


class GeometricMedian(FilterCriterion):
    """He et al., CVPR 2019, eq. 4: the filters with the smallest summed distance to all others go first.

    On the weights themselves, as published; some libraries take distances of |w| to a power instead.

    In the paper one ratio for all layers. Not covered: the schedule of the paper, which zeroes filters after every
    epoch of training and lets them grow back, as SFP does.
    """

    about = About(
        paper="He et al.: Filter Pruning via Geometric Median for Deep CNNs Acceleration, CVPR 2019, arXiv:1811.00250",
        formula="sum over the other filters v of its layer of ||w - v||_2 (eq. 4)",
        criterion="distance to all other filters of the layer: what lies in the middle is replaceable",
        test="tests/baselines/test_baselines.py",
    )

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """The sum of Euclidean distances from each filter to the others of its layer, (filters,)."""
        filters = layer.get_parameter("weight").flatten(1)  # (filters, in_channels * k * k)
        # not the faster way by matrix products: it loses the digits by which close filters differ
        return torch.cdist(filters, filters, compute_mode="donot_use_mm_for_euclid_dist").sum(dim=1)
