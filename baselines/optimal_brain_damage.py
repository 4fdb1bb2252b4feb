"""Optimal brain damage for filters: second order, with the diagonal of the Fisher matrix for the Hessian's."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.method import ALLOCATIONS, About, FilterCriterion, PruningContext, setting

CHUNK = 16  # examples whose gradients are held at once: each is as large as the layer's weight


class _DiagonalFisher(FilterCriterion):
    """Half the sum of F_kk w_k^2 over the filter, F_kk the mean squared gradient of single examples."""

    allocation: str = setting(
        "global", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )

    @abstractmethod
    def targets(self, logits: torch.Tensor, labels: torch.Tensor, context: PruningContext) -> torch.Tensor:
        """The classes, (batch,), whose log-likelihood is differentiated."""

    def observe(self, model: nn.Module, context: PruningContext) -> None:
        """The diagonal of the Fisher matrix over one pass, shaped like each layer's weight."""
        weights = {group.layer(model): group.layer(model).get_parameter("weight") for group in context.groups}
        self.fisher = {layer: torch.zeros_like(weight) for layer, weight in weights.items()}

        def seen(layer: nn.Module, arguments: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            output.register_hook(lambda gradient: self._add(layer, arguments[0].detach(), gradient))

        handles = [layer.register_forward_hook(seen) for layer in weights]
        examples = 0
        for images, labels in context.batches():
            logits = model(images)
            targets = self.targets(logits.detach(), labels, context)
            # in a sum of losses, the gradient of each example is its own
            torch.autograd.grad(F.cross_entropy(logits, targets, reduction="sum"), list(weights.values()))
            examples += len(labels)
        for handle in handles:
            handle.remove()
        self.fisher = {layer: squares / examples for layer, squares in self.fisher.items()}

    def _add(self, layer: nn.Module, inputs: torch.Tensor, gradient: torch.Tensor) -> None:
        for x, g in zip(inputs.split(CHUNK), gradient.split(CHUNK), strict=True):
            self.fisher[layer] += _of_each_example(layer, x, g).square().sum(dim=0)

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """The saliency of each filter, (filters,)."""
        weight = layer.get_parameter("weight").detach()
        return (self.fisher[layer] * weight.square()).flatten(1).sum(dim=1) / 2


class OptimalBrainDamage(_DiagonalFisher):
    """LeCun et al., NeurIPS 1989: their saliency, half of h_kk w_k^2 with the Hessian diagonal, summed over a filter.

    h_kk is taken from the empirical Fisher matrix: the mean over the training split of the squared gradient of one
    example's loss, at its own label. In the paper the weights are single ones, and h_kk comes from a second
    backward pass for second derivatives, which is not covered.
    """

    about = About(
        paper="LeCun, Denker, Solla: Optimal Brain Damage, NeurIPS 1989",
        formula="1/2 sum over the filter of h_kk w_k^2 (their saliency), h_kk the mean over examples of (dL/dw_k)^2",
        criterion="second-order change of the loss, Hessian diagonal by the empirical Fisher",
        passes=1,
        test="tests/baselines/test_structured_gradients.py",
    )

    def targets(self, logits: torch.Tensor, labels: torch.Tensor, context: PruningContext) -> torch.Tensor:
        """The labels themselves."""
        return labels


class ChannelOBD(_DiagonalFisher):
    """Wang et al., ICML 2019 (EigenDamage), their baseline C-OBD: OBD for filters with the true Fisher's diagonal.

    The classes are drawn from what the network predicts, which makes the Fisher matrix the true one. In the paper
    the layers are ranked together, at ratios of 40 % to 90 % in one pass, and retrained for 150 epochs from an LR of
    0.001 (CIFAR). Biases are left out.

    That recipe is not declared as the method's own: retraining is the track's under every setup, and S2 grants it
    nothing that S3.2 does not.

    Not covered: EigenDamage itself, which prunes in a rotated basis and leaves three layers in the place of one. That
    is no subnetwork of the base model.
    """

    about = About(
        paper="Wang, Grosse, Fidler, Zhang: EigenDamage: Structured Pruning in the Kronecker-Factored Eigenbasis, "
        "ICML 2019, arXiv:1905.05934",
        formula="1/2 sum over the filter of F_kk w_k^2, F_kk the mean over examples of (dL/dw_k)^2 at a drawn label",
        criterion="second-order change of the loss, Hessian diagonal by the true Fisher",
        passes=1,
        test="tests/baselines/test_structured_gradients.py",
    )

    def targets(self, logits: torch.Tensor, labels: torch.Tensor, context: PruningContext) -> torch.Tensor:
        """One class for each example, drawn from the softmax of its logits."""
        probabilities = logits.softmax(dim=1).cpu()
        return torch.multinomial(probabilities, 1, generator=context.generator).squeeze(1).to(labels.device)


def _of_each_example(layer: nn.Module, inputs: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """The weight's gradient for each example, (batch, *weight.shape), from a layer's input and its output's gradient.

    Raises ValueError for a grouped convolution.
    """
    weight = layer.get_parameter("weight")
    if not isinstance(layer, nn.Conv2d):  # (batch, ..., in): tokens share the weight as places do
        x, g = inputs.reshape(len(inputs), -1, weight.shape[1]), gradient.reshape(len(inputs), -1, len(weight))
        return torch.einsum("npf,npi->nfi", g, x)
    if layer.groups > 1:
        raise ValueError("gradients of single examples are not worked out for grouped convolutions")
    assert not isinstance(layer.padding, str)
    patches = F.unfold(inputs, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # (batch, c k k, places)
    return torch.einsum("nfp,nip->nfi", gradient.flatten(2), patches).reshape(-1, *weight.shape)
