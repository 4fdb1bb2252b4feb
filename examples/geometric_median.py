"""A pruning method as a newcomer would write it: FPGM in ten lines."""

import torch

from prunemark.benchmark.method import FilterCriterion


class GeometricMedian(FilterCriterion):
    """FPGM (He et al., CVPR 2019, eq. 4): a filter close to all the others is replaceable."""

    def score(self, layer, context):
        filters = layer.weight.flatten(1)  # (filters, in_channels * k * k)
        return torch.cdist(filters, filters).sum(dim=1)  # (filters,), lowest goes first
