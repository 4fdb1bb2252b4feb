"""GraSP: what may go without weakening the gradient flow."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.baselines.stretches import POSITIVE
from prunemark.benchmark.method import About, PruningContext, WeightCriterion, setting


class Grasp(WeightCriterion):
    """Wang et al., ICLR 2020, section 4 and algorithm 1: the weights whose removal weakens the gradient least.

    To first order, removing w changes |g|^2 by -2 w (Hg). The paper removes where -w (Hg) is largest, so the score is w
    (Hg), signed. g runs over the weights of all convolutions and linear layers, whether they may be pruned or not, as
    in the authors' code; batch norms are left out. g and H are those of the loss on 10 images a class, with logits
    divided by a temperature of 200, and batch norm on that batch; the authors' code takes the images in two halves,
    here they are one batch.

    Defined on random weights: `prune_at` is 0, so that under SX-A and SX-B it prunes at initialisation, as published.
    Under S1 to S4.2 the base is trained, where the gradient has nearly gone; the paper does not cover that.
    """

    about = About(
        paper="Wang et al.: Picking Winning Tickets Before Training (GraSP), ICLR 2020, arXiv:2002.07376",
        formula="w * (H g) (section 4.1; the paper's S is its negative, of which the largest go)",
        criterion="effect on the gradient's norm",
        base_model="random weights (under SX-A, SX-B); the trained base elsewhere",
        passes=1,
        test="tests/baselines/test_unstructured_initial.py",
    )
    prune_at = 0
    images_per_class: int = setting(10, "images of each class that the gradient is taken on", "[1-9][0-9]*")
    temperature: float = setting(200.0, "what the logits are divided by", POSITIVE)

    def observe(self, model: nn.Module, context: PruningContext) -> None:
        """The product of Hessian and gradient, by weight, on a copy of the model."""
        copied = copy.deepcopy(model).train()
        weights = [group.layer(copied).get_parameter("weight") for group in context.groups]
        flowing = [module.weight for module in copied.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
        images, labels = _balanced(model, context, self.images_per_class)
        loss = F.cross_entropy(copied(images) / self.temperature, labels)
        gradients = torch.autograd.grad(loss, flowing, create_graph=True, allow_unused=True)
        flow = torch.stack([(g * g.detach()).sum() for g in gradients if g is not None]).sum()
        products = torch.autograd.grad(flow, weights)
        self._products = {group.layer(model): hg for group, hg in zip(context.groups, products, strict=True)}

    def score(self, layer: nn.Module, context: PruningContext) -> torch.Tensor:
        """w (Hg) of each weight, signed, shaped like the weight."""
        return self._products[layer] * layer.get_parameter("weight")


def _balanced(model: nn.Module, context: PruningContext, per_class: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The first images of each class in one shuffled pass; fewer where the training split has fewer."""
    found: dict[int, list[torch.Tensor]] = {}
    classes = 0
    for images, labels in context.batches():
        with torch.no_grad():
            classes = classes or model(images[:1]).shape[1]
        for image, label in zip(images, labels.tolist(), strict=True):
            if len(found.setdefault(label, [])) < per_class:
                found[label].append(image)
        if sum(len(kept) for kept in found.values()) == classes * per_class:
            break
    labelled = [(image, label) for label in sorted(found) for image in found[label]]
    images = torch.stack([image for image, _ in labelled])
    return images, torch.tensor([label for _, label in labelled], device=images.device)
