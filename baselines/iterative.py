"""Iterative magnitude pruning: what the rewinding methods share."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from torch import nn

from prunemark.baselines.stretches import PART, POSITIVE, falling, granted, spread
from prunemark.benchmark.method import ALLOCATIONS, WHOLE_NUMBER, Decision, PruningContext, PruningMethod, setting


class IterativeMagnitude(PruningMethod):
    """The frame: prune a share of what is left by magnitude, rewind, train again; until the target is reached.

    The base model is the first of the trained networks, and the harness's retraining is the last of the trainings.
    Under SX-A and SX-B it prunes after 40 % of the epochs, and the rounds share 60 % of what is left: a choice made
    here, since the papers train each round in full.
    """

    granularity = "weight"
    prune_at = 0.4
    pruning_share = 0.6
    rate: float = setting(0.2, "share of the weights left that a round removes; 1 for one-shot", PART)
    epochs: int = setting(
        60, "training epochs, as far as granted, spread over the rounds [all that are imposed]", WHOLE_NUMBER
    )
    lr: float = setting(
        0.1, "LR of the first half of a round; then a tenth, in its last quarter a hundredth of it, unless imposed",
        POSITIVE,
    )  # fmt: skip
    allocation: str = setting(
        "global", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )

    @abstractmethod
    def rewound(self, context: PruningContext) -> dict[str, torch.Tensor] | None:
        """The state dict that the model is set back to after each pruning; None where its weights stay."""

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Rounds of pruning and training; the last pruning leaves the training to the harness."""
        assert context.target.sparsity is not None
        shares = rounds(context.target.sparsity, self.rate)
        trainings = spread(granted(self.epochs, context), len(shares) - 1) if len(shares) > 1 else []
        early = self.rewound(context)
        masks: dict[str, torch.Tensor] = {}
        for share, epochs in zip(shares, [*trainings, 0], strict=True):
            decision = self._smallest_go(model, context, masks, share)
            masks = dict(decision.masks)
            if early is not None:
                model.load_state_dict(early)
            context.remove(model, decision)
            if epochs:
                context.train(model, epochs=epochs, lr=falling(self.lr, epochs, context), keep=decision)
        return decision

    def _smallest_go(
        self, model: nn.Module, context: PruningContext, masks: dict[str, torch.Tensor], share: float
    ) -> Decision:
        """A decision by magnitude in which what went before stays away."""
        scores = {}
        for group in context.groups:
            size = group.layer(model).get_parameter("weight").detach().abs()
            gone = ~masks[group.name].to(size.device) if masks else torch.zeros_like(size, dtype=torch.bool)
            scores[group] = size.masked_fill(gone, -1.0)
        return context.decide(scores, self.allocation, share)


def rounds(sparsity: float, rate: float) -> list[float]:
    """How far towards the sparsity each round goes, when each removes `rate` of what is left; the last to the end."""
    if rate >= sparsity:
        return [1.0]
    count = math.ceil(math.log(1 - sparsity) / math.log(1 - rate) - 1e-9)
    return [(1 - (1 - rate) ** step) / sparsity for step in range(1, count)] + [1.0]
