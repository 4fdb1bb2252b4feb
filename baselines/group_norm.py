"""The group norm of DepGraph: everything that goes with a filter counts, and is made small together before it goes."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.baselines.stretches import granted
from prunemark.benchmark.method import (
    ALLOCATIONS,
    WHOLE_NUMBER,
    About,
    Decision,
    Group,
    OwnRecipe,
    PruningContext,
    PruningMethod,
    setting,
    stepped,
)


class GroupNorm(PruningMethod):
    """Fang et al., CVPR 2023 (DepGraph), section 3.3: the summed squares of all weights that go with a filter.

    First the groups are made sparse: the loss gets the sum of gamma_k I_k, where I_k is the group norm of filter k and
    gamma_k = 2^(alpha (I_max - I_k) / (I_max - I_min)) is larger for the weaker ones. Then the filters with the lowest
    I_k, relative to the `top` largest of their group, go, over all groups. Biases do not count.

    In the paper's CIFAR runs: alpha 4, penalty 5e-4, 100 epochs at an LR of 0.01 and a tenth of it from 60 % and 80 %,
    scores relative to the largest, retrained by the same recipe. The penalty is halved, so that its gradient is penalty
    * gamma * w as in the authors' code, whose gamma is taken from the root of I_k; here, as in the paper, from I_k.
    They switch weight decay off while it acts; here the track's stays on. Twenty epochs of the digits are 180 steps:
    for the pull of the paper's run the penalty would have to be about 0.1.

    Under SX-A and SX-B it prunes after 40 % of the epochs and trains sparsely in half of what is left: a choice made
    here beforehand and not tuned, since the paper has no imposed total. It declares no recipe for ImageNet.

    Not covered: pruning a little at a time without training in between, as their code does to reach a speed-up.
    """

    about = About(
        paper="Fang, Ma, Song, Bi Mi, Wang: DepGraph: Towards Any Structural Pruning, CVPR 2023, arXiv:2301.12900",
        formula="I_k = sum of w^2 over all weights coupled to filter k, relative to the mean of the top N of its "
        "group; before it, sum_k 2^(alpha (I_max - I_k) / (I_max - I_min)) I_k is added to the loss (section 3.3)",
        criterion="magnitude of the filter and of all that is coupled to it",
        schedule="one-shot, after sparse training",
        epochs=20,
        test="tests/baselines/test_structured_norms.py",
    )
    retraining = OwnRecipe(
        data="small images", epochs=100, lr="0:1e-2,60:1e-3,80:1e-4", batch_size=128, weight_decay=5e-4,
        source="the authors' defaults for CIFAR (github.com/VainF/Torch-Pruning, reproduce/main.py)",
    )  # fmt: skip
    prune_at = 0.4
    pruning_share = 0.5
    epochs: int = setting(20, "epochs of sparse training, 0 for none [all that are imposed]", WHOLE_NUMBER)
    lr: float = setting(0.01, "initial LR of sparse training; a tenth of it from 60 % and 80 % of the epochs")
    penalty: float = setting(5e-4, "weight of the group penalty in the loss")
    alpha: float = setting(4.0, "the weakest filter of a group is shrunk 2^alpha times as hard as the strongest")
    top: int = setting(1, "a score is relative to the mean of so many of its group's largest", "[1-9][0-9]*")
    allocation: str = setting(
        "global", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Trains with the group penalty, then ranks the group norms."""
        epochs = granted(self.epochs, context)

        def penalty() -> torch.Tensor:
            norms = [group_norms(group, model) for group in context.groups]
            return self.penalty / 2 * torch.cat([shrinkage(n, self.alpha) * n for n in norms]).sum()

        if epochs:
            lr = None if context.lr_imposed else str(stepped(self.lr, epochs, (0.6, 0.8)))
            context.train(model, epochs=epochs, lr=lr, penalty=penalty)
        scores = {group: relative(group_norms(group, model).detach(), self.top) for group in context.groups}
        return context.decide(scores, self.allocation)


def group_norms(group: Group, model: nn.Module) -> torch.Tensor:
    """The squares of all weights, not biases, that go with each filter, summed: (filters,), with gradients."""
    parts = [part for name, part in group.coupled(model) if not name.endswith("bias")]
    return torch.stack([part.square().sum(dim=1) for part in parts]).sum(dim=0)


def shrinkage(norms: torch.Tensor, alpha: float) -> torch.Tensor:
    """gamma, (filters,): from 1 for the largest norm to 2^alpha for the smallest; 1 where all are equal."""
    norms = norms.detach()
    span = norms.max() - norms.min()
    return 2 ** (alpha * (norms.max() - norms) / span.clamp_min(torch.finfo(norms.dtype).tiny))


def relative(norms: torch.Tensor, top: int) -> torch.Tensor:
    """The norms over the mean of the `top` largest of them, (filters,)."""
    return norms / norms.topk(min(top, len(norms))).values.mean()
