"""SET: sparse evolutionary training."""

from __future__ import annotations

import torch

from prunemark.baselines.erk import DENSITIES
from prunemark.baselines.sparse_training import Connections, SparseTraining, grow
from prunemark.baselines.stretches import PART
from prunemark.benchmark.method import About, PruningContext, setting


class SparseEvolution(SparseTraining):
    """Mocanu et al., Nature Communications 2018, algorithm 1 (SET): after each epoch drops and grows connections.

    The share zeta = 0.3 of the smallest positive weights goes, and of the negative ones nearest to zero; as many new
    connections are drawn at random, also where one has just gone: that one keeps its weight, as in the code of RigL's
    authors. The others' weights are drawn from a normal distribution with the deviation that the layer's weights began
    with: the paper only says that they are random. Masks start as an Erdős-Rényi graph whose density is scaled to meet
    the target, where the paper sets it by epsilon; layers that would be more than dense are dense. After the last epoch
    the paper drops without growing; here that is left out, or the target would be missed. The paper makes only fully
    connected layers sparse, here it is every prunable layer.

    The paper trains for hundreds of epochs at a constant LR of 0.01; epochs and LR here are those of the other sparse
    training, so that they can be compared.

    From random weights, as published, under SX-A and SX-B (`prune_at` is 0). Under S1 to S4.2 the sparse training
    begins with a random part of the trained base model, which the paper does not cover.
    """

    about = About(
        paper="Mocanu, Mocanu, Stone, Nguyen, Gibescu, Liotta: Scalable Training of Artificial Neural Networks with "
        "Adaptive Sparse Connectivity Inspired by Network Science, Nature Communications 2018, arXiv:1707.04780",
        formula="after each epoch replaces zeta of the positive and of the negative weights nearest to zero (alg. 1)",
        criterion="magnitude to drop, chance to grow",
        base_model="random weights (under SX-A, SX-B); the trained base elsewhere",
        ratio="Erdős-Rényi (by the setting densities)",
        schedule="sparse from the first step; rewired after each epoch",
        epochs=30,
        test="tests/baselines/test_unstructured_sparse_training.py",
    )
    densities: str = setting(
        "er", "erk: Erdős-Rényi-Kernel; er: without the kernel's size; uniform: one ratio for all layers", DENSITIES
    )
    zeta: float = setting(0.3, "share of a layer's weights that is replaced after each epoch", PART)

    def due(self, step: int, last: int, steps_per_epoch: int) -> bool:
        """See `SparseTraining.due`."""
        return step % steps_per_epoch == 0 and step < last

    def rewire(self, weight: torch.Tensor, layer: Connections, part: float, context: PruningContext) -> None:
        """Replaces the weights of a layer that are nearest to zero by others at random."""
        stays = layer.mask.flatten().clone()
        for sign in (1, -1):
            side = layer.mask & (sign * weight > 0)
            count = int(self.zeta * int(side.sum()))
            nearest = weight.abs().masked_fill(~side, torch.inf).flatten().argsort(stable=True)
            stays[nearest[:count]] = False
        left = stays.reshape(weight.shape)
        wish = torch.rand(weight.shape, generator=context.generator).to(weight)
        drawn = torch.randn(weight.shape, generator=context.generator).to(weight) * layer.deviation
        grow(weight, layer, left, wish, drawn)
