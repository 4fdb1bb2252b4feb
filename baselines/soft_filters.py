"""Soft filter pruning: filters are set to zero after every epoch, and may grow back."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.baselines.stretches import granted
from prunemark.benchmark.method import (
    WHOLE_NUMBER,
    About,
    Decision,
    PruningContext,
    PruningMethod,
    setting,
    stepped,
)


class SoftFilterPruning(PruningMethod):
    """He et al., IJCAI 2018, algorithm 1: after every epoch the filters of smallest L2 norm become zero, and train on.

    In the paper one ratio is for all layers and it trains for 200 epochs on CIFAR: from an LR of 0.1, or of 0.01 for a
    trained network, times 0.2 at 30 %, 60 % and 80 %. What is zero after the last epoch goes, and nothing is retrained.
    Weights become zero and batch norms stay as they are, as in the authors' code: a zero scale would keep a filter from
    growing back. A filter of zeros has no variance, so the batch norm behind it multiplies its gradient by one over the
    root of its epsilon: what grows back at a large LR comes back large.

    Under SX-A and SX-B it begins after 40 % of the epochs and trains in half of what is left: a choice made here
    beforehand and not tuned, since the paper has no imposed total and no retraining. Not covered: training with SFP
    from the start. Under every setup the pruned network is retrained as all others are.
    """

    about = About(
        paper="He, Kang, Dong, Fu, Yang: Soft Filter Pruning for Accelerating Deep CNNs, IJCAI 2018, arXiv:1808.06866",
        formula="||w||_2 of the filter (eq. 2 with p = 2), set to zero after every epoch (algorithm 1)",
        criterion="magnitude",
        base_model="trained to convergence (in the paper also untrained)",
        ratio="one ratio for all layers",
        schedule="the whole ratio after every epoch; what is zero may grow back until the last",
        epochs=20,
        test="tests/baselines/test_structured_training.py",
    )
    prune_at = 0.4
    pruning_share = 0.5
    epochs: int = setting(20, "epochs of training [all that are imposed]", WHOLE_NUMBER)
    every: int = setting(1, "filters become zero after so many epochs", "[1-9][0-9]*")
    lr: float = setting(0.01, "initial LR; times 0.2 at 30 %, 60 % and 80 % of the epochs")

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Trains while filters become zero and grow back; those that are zero at the end go."""
        weights = {group: group.layer(model).get_parameter("weight") for group in context.groups}
        interval = self.every * context.steps_per_epoch

        def choose() -> Decision:
            norms = {group: weight.detach().flatten(1).norm(dim=1) for group, weight in weights.items()}
            return context.decide(norms, "uniform")

        def after_step(step: int) -> None:
            if step % interval == 0:
                decision = choose()
                for group, weight in weights.items():
                    zero = torch.ones(group.size, dtype=torch.bool, device=weight.device)
                    zero[decision.kept[group.name].to(weight.device)] = False
                    weight.data[zero] = 0

        epochs = granted(self.epochs, context)
        lr = None if context.lr_imposed else str(stepped(self.lr, epochs, (0.3, 0.6, 0.8), 0.2))
        context.train(model, epochs=epochs, lr=lr, after_step=after_step)
        return choose()
