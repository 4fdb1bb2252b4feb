"""TPP: filters that go are decorrelated from those that stay, so that the network can still be trained without them."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.baselines.stretches import granted
from prunemark.benchmark.method import (
    ALLOCATIONS,
    WHOLE_NUMBER,
    About,
    Decision,
    OwnRecipe,
    PruningContext,
    PruningMethod,
    setting,
)


class TrainabilityPreserving(PruningMethod):
    """Wang & Fu, ICLR 2023, eq. 3 and 5: the Gram matrix of a layer's filters is penalised wherever one of them goes.

    The filters of smallest L1 norm are picked at the start. With m = 1 for a filter that stays, 0 for one that goes,
    and the filters as rows of W, the loss gets lambda / 2 times the sum over layers of ||W W^T * (1 - m m^T)||_F^2 and
    of gamma^2 + beta^2 of the batch norms of the filters that go. lambda grows every few iterations up to a ceiling.

    In the paper lambda rises by 1e-4 every 5 (ImageNet) or 10 (CIFAR) iterations up to 1, at an LR of 0.001, and stays
    for 10,000 to 40,000 more. Here the ceiling is reached in `epochs`, at an LR of 0.01: both as at GReg-1. The
    authors' code takes the mean over the Gram matrix times 1,000 where the paper has the sum; the sum is what is
    computed here.

    The Gram matrices are counted as training FLOPs. Beside a convolutional network they are small change; on the digits
    MLP, in batches of 128, they cost more than what S4.1 and S4.2 grant.

    Not covered, of what their code does beside the paper's formula: the L2 penalty on the weights that go; and that,
    once the penalty stays at its ceiling, one layer after another, every 100 iterations, has the filters that go and
    their batch norms set to zero, so that the others settle without them. Here all go at once, after the training.

    Under SX-A and SX-B it prunes after 40 % of the epochs and trains in half of what is left: a choice made here, as at
    GReg-1.

    The penalty is part of the loss. Under AdamW, which divides a gradient by its size, it does not pull as under SGD,
    for which the method is defined.
    """

    about = About(
        paper="Wang, Fu: Trainability Preserving Neural Pruning, ICLR 2023, arXiv:2207.12534",
        formula="lambda/2 (sum_l ||W W^T * (1 - m m^T)||_F^2 + sum over what goes of gamma^2 + beta^2) (eq. 3, 5)",
        criterion="magnitude",
        schedule="a Gram penalty that grows every few iterations, then one-shot",
        epochs=30,
        test="tests/baselines/test_structured_growing.py",
    )
    retraining = (
        OwnRecipe(
            data="small images", epochs=120, lr="0:1e-2,60:1e-3,90:1e-4", batch_size=128, weight_decay=5e-4,
            source="the authors' command for ResNet-56 on CIFAR-10 (github.com/MingSun-Tse/TPP)",
        ),
        OwnRecipe(
            data="ImageNet", epochs=90, lr="0:1e-2,30:1e-3,60:1e-4,75:1e-5", batch_size=256,
            source="the authors' commands for ResNet-50 on ImageNet (github.com/MingSun-Tse/TPP)",
        ),
    )  # fmt: skip
    prune_at = 0.4
    pruning_share = 0.5
    epochs: int = setting(30, "epochs of training while the penalty grows and settles, as far as granted", WHOLE_NUMBER)
    lr: float = setting(0.01, "LR of that training")
    every: int = setting(5, "iterations from one raise of the penalty to the next (K_u)", "[1-9][0-9]*")
    ceiling: float = setting(1.0, "the penalty at which it stops growing (tau)")
    growing: float = setting(0.9, "share of the iterations in which the penalty grows; in the others it settles")
    allocation: str = setting(
        "uniform", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Picks by L1 norm, then trains under the growing penalty."""
        epochs = granted(self.epochs, context)
        weights = {group: group.layer(model).get_parameter("weight") for group in context.groups}
        norms = {group: weight.detach().flatten(1).abs().sum(dim=1) for group, weight in weights.items()}
        decision = context.decide(norms, self.allocation)
        raises = max(1, int(self.growing * epochs * context.steps_per_epoch) // self.every)
        raised = 1
        stays = {}
        for group, weight in weights.items():
            stays[group] = weight.new_zeros(group.size)  # m of the paper
            stays[group][decision.kept[group.name].to(weight.device)] = 1

        def penalty() -> torch.Tensor:
            terms = [gram_penalty(weight, stays[group]) for group, weight in weights.items()]
            for group in context.groups:
                if group.batch_norm_name is not None:
                    norm = group.batch_norm(model)
                    squares = norm.get_parameter("weight").square() + norm.get_parameter("bias").square()
                    terms.append((squares * (1 - stays[group])).sum())
            return self.ceiling * raised / raises / 2 * torch.stack(terms).sum()

        def after_step(step: int) -> None:
            nonlocal raised
            if step % self.every == 0:
                raised = min(raised + 1, raises)

        context.train(
            model,
            epochs=epochs,
            lr=None if context.lr_imposed else str(self.lr),
            penalty=penalty,
            after_step=after_step,
        )
        return decision


def gram_penalty(weight: torch.Tensor, stays: torch.Tensor) -> torch.Tensor:
    """||W W^T * (1 - m m^T)||_F^2 of one layer; `stays` is m, (filters,), 1 or 0."""
    rows = weight.flatten(1)
    mask = 1 - torch.outer(stays, stays)
    return (torch.mm(rows, rows.T) * mask).square().sum()
