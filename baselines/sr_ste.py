"""SR-STE: N:M sparsity learned in training."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.baselines.masked import parametrized
from prunemark.baselines.stretches import POSITIVE, falling, granted
from prunemark.benchmark.method import WHOLE_NUMBER, About, Decision, PruningContext, PruningMethod, setting


class SparseRefinedSTE(PruningMethod):
    """Zhou et al., ICLR 2021, section 3 (SR-STE): runs with the N largest of every M weights, trains all of them.

    The gradient by the pruned weights passes straight to the dense ones, and to those outside the mask decay * w is
    added, 2e-4 with SGD in the paper, which pulls them to zero and keeps the mask from flickering. The mask follows the
    weights at every step. Groups are along the input, as sparse tensor cores read them.

    From random weights, as published, under SX-A and SX-B (`prune_at` is 0); under S1 to S4.2 from the trained base.
    """

    about = About(
        paper="Zhou, Ma, Zhu, Liu, Zhang, Yuan, Sun, Li: Learning N:M Fine-grained Structured Sparse Neural Networks "
        "from Scratch, ICLR 2021, arXiv:2102.04010",
        formula="w <- w - lr (dL/d(mask w) + decay (1 - mask) w) (section 3.3)",
        criterion="magnitude within each group of M",
        base_model="random weights (under SX-A, SX-B); the trained base elsewhere",
        ratio="N of every M in each layer",
        schedule="a mask of the full sparsity that is chosen anew at every step of the training",
        epochs=30,
        test="tests/baselines/test_unstructured_pattern.py",
    )
    granularity = "N:M"
    prune_at = 0
    epochs: int = setting(30, "training epochs, as far as granted [all that are imposed]", WHOLE_NUMBER)
    lr: float = setting(
        0.1, "LR of the first half; then a tenth, in the last quarter a hundredth of it, unless imposed",
        POSITIVE,
    )  # fmt: skip
    decay: float = setting(2e-4, "weight of the sparse-refined term", r"[0-9.]+(e-?[0-9]+)?")

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Trains the dense weights through the pattern, and keeps the largest of each group."""
        assert context.target.pattern is not None
        n, m = context.target.pattern
        if epochs := granted(self.epochs, context):
            with parametrized(model, {group: StraightThrough(n, m, self.decay) for group in context.groups}):
                context.train(model, epochs=epochs, lr=falling(self.lr, epochs, context))
        sizes = {group: group.layer(model).get_parameter("weight").abs() for group in context.groups}
        return context.decide(sizes)


class StraightThrough(nn.Module):
    """The N largest of every M weights along the input, with the gradient of SR-STE for all of them."""

    def __init__(self, n: int, m: int, decay: float) -> None:
        super().__init__()
        self._n, self._m, self._decay = n, m, decay

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """The pruned weight; its gradient goes to `weight` with decay * weight added where it is pruned."""
        with torch.no_grad():
            pruned = ~largest(weight, self._n, self._m)
            refining = self._decay * weight * pruned
            step = weight.masked_fill(pruned, 0.0) - weight
        out = weight + step
        if out.requires_grad:
            out.register_hook(lambda gradient: gradient + refining)
        return out


def largest(weight: torch.Tensor, n: int, m: int) -> torch.Tensor:
    """True for the N largest |w| of every M consecutive weights along dimension 1, shaped like the weight."""
    groups = weight.abs().movedim(1, -1)
    order = groups.reshape(-1, m).argsort(dim=1, descending=True, stable=True)
    mask = torch.zeros_like(order, dtype=torch.bool).scatter_(1, order[:, :n], True)
    return mask.reshape(groups.shape).movedim(-1, 1)
