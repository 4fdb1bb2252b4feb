"""Kron-OBD: second order for whole filters, the Hessian factored into what comes in and what goes out."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.benchmark.method import ALLOCATIONS, About, FilterCriterion, PruningContext, setting


class KronOBD(FilterCriterion):
    """Wang et al., ICML 2019 (EigenDamage), Kron-OBD: half of S_ii w_i^T A w_i, with the K-FAC factors A and S.

    A sums, over the places of a layer, the products of its inputs (with a 1 where there is a bias), and S_ii is the
    mean square of the gradient at output i; both are means over the training split, with classes drawn from what the
    network predicts (the true Fisher). w_i^T A w_i is the sum over places of the squared outputs of filter i, so A
    itself is never made. The authors' code multiplies A with the squared weights instead; the quadratic form of the
    paper is what is computed here. In the paper: one pass at ratios of 40 % to 90 %, layers ranked together, retrained
    for 150 epochs from an LR of 0.001 (CIFAR).

    That recipe is not declared as the method's own: retraining is the track's under every setup, and S2 grants it
    nothing that S3.2 does not.

    Not covered: Kron-OBS, which also changes the weights that stay, and EigenDamage (see OBD-C).
    """

    about = About(
        paper="Wang, Grosse, Fidler, Zhang: EigenDamage: Structured Pruning in the Kronecker-Factored Eigenbasis, "
        "ICML 2019, arXiv:1905.05934",
        formula="1/2 S_ii w_i^T A w_i (OBD for filters by K-FAC), A = E[sum of a a^T], S = E[g g^T] over the layer's "
        "places",
        criterion="second-order change of the loss, Hessian block of a filter by K-FAC",
        passes=1,
        test="tests/baselines/test_structured_gradients.py",
    )
    allocation: str = setting(
        "global", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )

    def observe(self, model: nn.Module, context: PruningContext) -> None:
        """The saliency of each filter of each layer, (filters,), from one pass."""
        weights = {group.layer(model): group.layer(model).get_parameter("weight") for group in context.groups}
        responses = {layer: weight.new_zeros(len(weight)) for layer, weight in weights.items()}
        gradients = {layer: zeros.clone() for layer, zeros in responses.items()}

        def seen(layer: nn.Module, _arguments: object, output: torch.Tensor) -> None:
            def differentiated(gradient: torch.Tensor) -> None:
                gradients[layer] += _squares(layer, gradient).mean(dim=2).sum(dim=0)

            responses[layer] += _squares(layer, output.detach()).sum(dim=(0, 2))
            output.register_hook(differentiated)

        handles = [layer.register_forward_hook(seen) for layer in weights]
        examples = 0
        for images, _ in context.batches():
            logits = model(images)
            probabilities = logits.detach().softmax(dim=1).cpu()
            drawn = torch.multinomial(probabilities, 1, generator=context.generator).squeeze(1).to(images.device)
            # in a sum of losses, the gradient of each example is its own
            torch.autograd.grad(F.cross_entropy(logits, drawn, reduction="sum"), list(weights.values()))
            examples += len(images)
        for handle in handles:
            handle.remove()
        self.saliency = {layer: responses[layer] * gradients[layer] / (2 * examples**2) for layer in weights}

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """What `observe` found of this layer, (filters,)."""
        return self.saliency[layer]


def _squares(layer: nn.Module, values: torch.Tensor) -> torch.Tensor:
    """(batch, filters, places): the squares at every place; a linear layer has one, or as many as there are tokens."""
    if isinstance(layer, nn.Linear):
        values = values.movedim(-1, 1)
    return values.square().reshape(len(values), values.shape[1], -1)
