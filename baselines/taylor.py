"""First-order Taylor expansion of the loss: what a filter's removal would change, seen on its weights or its gate."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.method import ALLOCATIONS, About, FilterCriterion, Group, OwnRecipe, PruningContext, setting


class _FirstOrder(FilterCriterion):
    """(sum of value times gradient)^2 over what vanishes with the filter: of the sum, not of each product."""

    retraining = OwnRecipe(
        data="ImageNet", epochs=25, lr="0:1e-2,10:1e-3,20:1e-4",
        source="arXiv:2301.05219, Table 3: about 25 epochs from 0.01 (ResNet-50 on ImageNet)",
    )  # fmt: skip
    allocation: str = setting(
        "global", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )

    @abstractmethod
    def vanishing(self, group: Group, model: nn.Module) -> tuple[torch.Tensor, ...]:
        """The parameters, each (filters, ...), of which a part vanishes with each filter."""

    def observe(self, model: nn.Module, context: PruningContext) -> None:
        """The squared sums of each batch, summed over one pass (a mean would rank alike): (filters,) a layer."""
        vanishing = {group.layer(model): self.vanishing(group, model) for group in context.groups}
        parameters = [parameter for parts in vanishing.values() for parameter in parts]
        self.importance = {layer: parts[0].new_zeros(len(parts[0])) for layer, parts in vanishing.items()}
        for images, labels in context.batches():
            gradients = torch.autograd.grad(F.cross_entropy(model(images), labels), parameters)
            changes = {p: _by_filter(p.detach() * g) for p, g in zip(parameters, gradients, strict=True)}
            for layer, parts in vanishing.items():
                self.importance[layer] += torch.stack([changes[parameter] for parameter in parts]).sum(dim=0).square()

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """What `observe` found of this layer, (filters,)."""
        return self.importance[layer]


class TaylorFO(_FirstOrder):
    """Molchanov et al., CVPR 2019, eq. 8: the squared first-order change of the loss when a filter's weights vanish.

    In the paper gradients come from the minibatches of retraining, in training mode: every 30 of them 100 filters go
    (ImageNet), scores of earlier rounds kept with a momentum of 0.9, 25 epochs in all at an LR of 0.001 and without
    weight decay. Here one pass over the training split gives the gradients, in evaluation mode, so that the batch
    norms stay those of the base model; `schedule` prunes in rounds, each with a pass of its own. The authors' code sums
    the squares of each weight's product instead; the squared sum of eq. 8 is what is computed here.

    The recipe that it declares is for ImageNet, the one that arXiv:2301.05219 lists for it, from an LR of 0.01. For
    small images it declares none.

    A gradient behind a batch norm in training mode would sum to zero over a filter, whose scale changes nothing there:
    evaluation mode is needed, not chosen. What the literature reports as Taylor-FO on ResNet-50 has the gate behind the
    batch norm: its counterpart here is Taylor-FO-BN.

    Not covered: the momentum over rounds, and gates on the sums of residual blocks.
    """

    about = About(
        paper="Molchanov et al.: Importance Estimation for Neural Network Pruning, CVPR 2019, arXiv:1906.10771",
        formula="(sum over the filter of w * dL/dw)^2, mean over minibatches (eq. 8)",
        criterion="first-order change of the loss, on the weights",
        passes=1,
        test="tests/baselines/test_structured_gradients.py",
    )

    def vanishing(self, group: Group, model: nn.Module) -> tuple[torch.Tensor, ...]:
        """The weight, (filters, in_channels, k, k) or (neurons, in); not the bias, as in the authors' code."""
        return (group.layer(model).get_parameter("weight"),)


class TaylorFOBN(_FirstOrder):
    """Molchanov et al., CVPR 2019, Taylor-FO-BN of its Table 3: eq. 8 on a gate of 1 behind the batch norm.

    The gradient of such a gate is gamma * dL/dgamma + beta * dL/dbeta, so no gate is put in. The paper finds this the
    best of its criteria. What else differs from the paper is written at Taylor-FO.
    """

    about = About(
        paper="Molchanov et al.: Importance Estimation for Neural Network Pruning, CVPR 2019, arXiv:1906.10771",
        formula="(gamma * dL/dgamma + beta * dL/dbeta)^2 of the batch norm, mean over minibatches (eq. 8 on a gate)",
        criterion="first-order change of the loss, on a gate behind the batch norm",
        passes=1,
        test="tests/baselines/test_structured_gradients.py",
    )

    def vanishing(self, group: Group, model: nn.Module) -> tuple[torch.Tensor, ...]:
        """Scale and shift of the batch norm, each (filters,). Raises LookupError where there is none."""
        norm = group.batch_norm(model)
        return norm.get_parameter("weight"), norm.get_parameter("bias")


def _by_filter(products: torch.Tensor) -> torch.Tensor:
    """Sums all but the first dimension: (filters, ...) -> (filters,)."""
    return products.reshape(len(products), -1).sum(dim=1)
