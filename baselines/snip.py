"""SNIP: connections to which the loss is least sensitive."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.method import About, PruningContext, WeightCriterion, setting


class Snip(WeightCriterion):
    """Lee et al., ICLR 2019, section 4: connection sensitivity |g * w|, on one mini-batch, ranked over all layers.

    The gradient by a mask on the weight, at a mask of ones, is g * w. The paper divides by the sum of all, which
    changes no ranking, and takes one batch of 128 images (CIFAR-10). Batch norm uses the batch's statistics.

    Defined on random weights: `prune_at` is 0, so that under SX-A and SX-B it prunes at initialisation, as published.
    Under S1 to S4.2 the base is trained, and the same formula scores a trained network, which the paper does not.
    """

    about = About(
        paper="Lee et al.: SNIP, Single-shot Network Pruning, ICLR 2019, arXiv:1810.02340",
        formula="|dL/dw * w| (section 4.1), over all layers together",
        criterion="sensitivity of the loss to the connection",
        base_model="random weights (under SX-A, SX-B); the trained base elsewhere",
        passes=1,
        test="tests/baselines/test_unstructured_initial.py",
    )
    prune_at = 0
    batches: int = setting(1, "training batches whose gradients are added up", "[1-9][0-9]*")

    def observe(self, model: nn.Module, context: PruningContext) -> None:
        """The gradient of the loss by every weight, summed over the batches, on a copy of the model."""
        copied = copy.deepcopy(model).train()
        copied.zero_grad()
        for _, (images, labels) in zip(range(self.batches), context.batches(), strict=False):
            F.cross_entropy(copied(images), labels).backward()
        self._gradients = {
            group.layer(model): group.layer(copied).get_parameter("weight").grad for group in context.groups
        }

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """The connection sensitivity of each weight, not normalised, shaped like the weight."""
        gradient = self._gradients[layer]
        assert gradient is not None
        return (gradient * layer.get_parameter("weight")).abs()
