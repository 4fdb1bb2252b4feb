"""RigL: sparse training that grows where the gradient is largest."""

from __future__ import annotations

import math

import torch

from prunemark.baselines.sparse_training import Connections, SparseTraining, grow
from prunemark.baselines.stretches import PART
from prunemark.benchmark.method import About, PruningContext, setting


class Rigl(SparseTraining):
    """Evci et al., ICML 2020, section 3 and algorithm 1: drops the smallest weights, grows where gradients are largest.

    Every 100 steps (an epoch, where that is shorter) each layer drops the share a/2 (1 + cos(t pi / T_end)) of its
    weights, a = 0.3, and grows as many by the size of the dense gradient of the last batch. They start at zero, but for
    those that were dropped just now and whose gradient brings them back: these keep their weight, as in the authors'
    code. No more after three quarters of the training. Random masks with Erdős-Rényi-Kernel densities. The paper
    rewires instead of a step of SGD, the harness's loop takes that step too; the gradient is that of the batch before
    the step.

    From random weights, as published, under SX-A and SX-B (`prune_at` is 0). Under S1 to S4.2 the sparse training
    begins with a random part of the trained base model, which the paper does not cover.
    """

    about = About(
        paper="Evci et al.: Rigging the Lottery, Making All Tickets Winners, ICML 2020, arXiv:1911.11134",
        formula="drop the smallest |w|, grow the largest |dL/dw|, a/2 (1 + cos(t pi / T_end)) of a layer (algorithm 1)",
        criterion="magnitude to drop, gradient to grow",
        base_model="random weights (under SX-A, SX-B); the trained base elsewhere",
        ratio="Erdős-Rényi-Kernel (by the setting densities)",
        schedule="sparse from the first step; rewired during training",
        epochs=30,
        test="tests/baselines/test_unstructured_sparse_training.py",
    )
    every_steps: int = setting(100, "steps between two rewirings; at least once an epoch", "[1-9][0-9]*")
    fraction: float = setting(0.3, "share of a layer's weights that the first rewiring replaces", PART)
    until: float = setting(0.75, "part of the training after which nothing is rewired", PART)

    def due(self, step: int, last: int, steps_per_epoch: int) -> bool:
        """See `SparseTraining.due`."""
        return step % min(self.every_steps, steps_per_epoch) == 0 and step < self.until * last

    def rewire(self, weight: torch.Tensor, layer: Connections, part: float, context: PruningContext) -> None:
        """Replaces the smallest weights of a layer by those of the largest gradient."""
        count = int(self.replaced(part) * int(layer.mask.sum()))
        smallest = weight.abs().masked_fill(~layer.mask, torch.inf).flatten().argsort(stable=True)[:count]
        stays = layer.mask.flatten().clone()
        stays[smallest] = False
        grow(weight, layer, stays.reshape(weight.shape), layer.gradient.abs(), torch.zeros_like(weight))

    def replaced(self, part: float) -> float:
        """The share of a layer's weights that is replaced when this part of the training is over."""
        return self.fraction / 2 * (1 + math.cos(math.pi * part / self.until))
