"""Movement pruning: weights that move towards zero go."""

from __future__ import annotations

import itertools

import torch
from torch import nn

from prunemark.baselines.masked import MaskedWeight, parametrized
from prunemark.baselines.stretches import POSITIVE, constant, granted
from prunemark.benchmark.method import (
    ALLOCATIONS,
    WHOLE_NUMBER,
    About,
    Decision,
    PruningContext,
    PruningMethod,
    setting,
)


class MovementPruning(PruningMethod):
    """Sanh et al., NeurIPS 2020, section 4: the weights that training moves towards zero go.

    The score of a weight sums -(dL/dw) w over the steps, with the gradient by the masked weight, so weights that are
    masked out are scored too and can come back. The sparsity rises by the cubic ramp of Zhu & Gupta, after a warm-up
    of a tenth of the training and up to its last fifth (the paper's BERT on SQuAD: 1 and 2 of 10 epochs). Scores
    start at zero; the paper updates them by Adam with their own LR and cools them down with the weights' LR, here
    they are the plain sums of its section 4, whose scale does not matter to a ranking. Not covered: the soft
    variant with a threshold, and distillation.

    Under SX-A and SX-B it begins after 40 % of the epochs and trains in half of what is left: a choice made here.
    """

    about = About(
        paper="Sanh, Wolf, Rush: Movement Pruning, Adaptive Sparsity by Fine-Tuning, NeurIPS 2020, arXiv:2005.07683",
        formula="S = - sum over steps of (dL/dW) * W, keep the Top_v (section 4, table 1)",
        criterion="movement during training",
        schedule="cubic ramp at every step of the training; what is masked can come back",
        epochs=30,
        test="tests/baselines/test_unstructured_movement.py",
    )
    granularity = "weight"
    prune_at = 0.4
    pruning_share = 0.5
    epochs: int = setting(30, "training epochs, as far as granted [all that are imposed]", WHOLE_NUMBER)
    lr: float = setting(1e-2, "LR of the training, unless imposed", POSITIVE)
    warm_up: float = setting(0.1, "part of the training before the first weight is masked", r"0|0?\.[0-4][0-9]*")
    cool_down: float = setting(0.2, "part of the training at the final sparsity", r"0|0?\.[0-4][0-9]*")
    allocation: str = setting(
        "global", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Trains with masks that follow the scores, and decides by the scores at the end."""
        epochs = granted(self.epochs, context)
        weights = {group: group.layer(model).get_parameter("weight") for group in context.groups}
        scores = {group: torch.zeros_like(weight) for group, weight in weights.items()}
        masks = {
            group: MaskedWeight(torch.ones_like(weight, dtype=torch.bool), Movement(scores[group]))
            for group, weight in weights.items()
        }
        steps, last = itertools.count(1), epochs * context.steps_per_epoch

        def mask_the_lowest(_: int) -> None:
            if share := self.share(next(steps) / last):
                decision = context.decide(scores, self.allocation, share)
                for group, part in masks.items():
                    part.mask = decision.masks[group.name].to(part.mask.device)

        if epochs:
            with parametrized(model, masks):
                context.train(model, epochs=epochs, lr=constant(self.lr, context), after_step=mask_the_lowest)
        return context.decide(scores, self.allocation)

    def share(self, part: float) -> float:
        """How far towards the target the masks are after this part of the training, 0 to 1."""
        ramp = (part - self.warm_up) / (1 - self.warm_up - self.cool_down)
        return 1 - (1 - min(max(ramp, 0.0), 1.0)) ** 3


class Movement:
    """Sums -(gradient * weight) into the scores."""

    def __init__(self, scores: torch.Tensor) -> None:
        self._scores = scores

    def __call__(self, gradient: torch.Tensor, weight: torch.Tensor) -> None:
        """One step; all three are shaped like the weight."""
        self._scores.sub_(gradient * weight)
