"""Network slimming: an L1 penalty on the batch-norm scales chooses the filters."""

from __future__ import annotations

import torch
from torch import nn

from prunemark.baselines.stretches import granted
from prunemark.benchmark.method import (
    WHOLE_NUMBER,
    About,
    Decision,
    OwnRecipe,
    PruningContext,
    PruningMethod,
    setting,
    stepped,
)


class NetworkSlimming(PruningMethod):
    """Liu et al., ICCV 2017, eq. 1: trained with an L1 penalty on its batch-norm scales; the smallest scales go.

    In the paper the penalty is there from the first epoch of a dense training (CIFAR: 160 epochs, LR 0.1 and a tenth
    of it at 50 % and 75 %, batches of 64, weight decay 1e-4, scales begun at 0.5), its weight is 1e-4 for VGG and 1e-5
    for ResNet and DenseNet, and all scales of the network feel it. Here training with the penalty begins at the base
    model, lasts `epochs`, and only the layers that may be pruned feel it. Twenty epochs of the digits are 180 steps, in
    which a penalty of 1e-4 moves no scale by much: for the pull of the paper's run it would have to be about 0.07.

    Under SX-A and SX-B it prunes after 40 % of the epochs and trains with the penalty in half of what is left: a choice
    made here beforehand and not tuned, since the paper has no imposed total.

    Not covered: several passes of pruning, and channel selection layers in front of pre-activation blocks.
    """

    about = About(
        paper="Liu, Li, Shen, Huang, Yan, Zhang: Learning Efficient Convolutional Networks through Network Slimming, "
        "ICCV 2017, arXiv:1708.06519",
        formula="|gamma| of the batch norm behind the filter, after training with penalty * sum |gamma| in the loss "
        "(eq. 1)",
        criterion="magnitude of the batch-norm scale",
        base_model="trained to convergence (in the paper: none, the penalty is there from the start)",
        ratio="one ranking over all layers",
        schedule="one-shot, after sparse training",
        epochs=20,
        test="tests/baselines/test_structured_training.py",
    )
    retraining = (
        OwnRecipe(
            data="small images", epochs=160, lr="0:1e-1,80:1e-2,120:1e-3", batch_size=64, weight_decay=1e-4,
            source="Liu et al., ICCV 2017, section 4.3: on CIFAR retrained by the recipe of training",
        ),
        OwnRecipe(
            data="ImageNet", epochs=5, lr="0:1e-3",
            source="Liu et al., ICCV 2017, section 4.3: on ImageNet, to save time, VGG-A for 5 epochs at 0.001",
        ),
    )  # fmt: skip
    prune_at = 0.4
    pruning_share = 0.5
    penalty: float = setting(1e-4, "weight of the L1 penalty in the loss")
    epochs: int = setting(20, "epochs of training with the penalty [all that are imposed]", WHOLE_NUMBER)
    lr: float = setting(0.1, "initial LR of that training; a tenth of it from 50 % and 75 % of the epochs")

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Trains with the penalty, then ranks the scales of all layers. Raises LookupError without batch norms."""
        scales = {group: group.batch_norm(model).get_parameter("weight") for group in context.groups}  # (filters,)

        def penalty() -> torch.Tensor:
            return self.penalty * torch.cat(list(scales.values())).abs().sum()

        epochs = granted(self.epochs, context)
        lr = None if context.lr_imposed else str(stepped(self.lr, epochs))
        context.train(model, epochs=epochs, lr=lr, penalty=penalty)
        return context.decide({group: scale.abs() for group, scale in scales.items()}, allocation="global")
