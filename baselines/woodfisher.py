"""WoodFisher: Optimal Brain Surgeon with the empirical Fisher matrix, inverted by Woodbury's identity."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn import functional as F

from prunemark.baselines.stretches import POSITIVE
from prunemark.benchmark.method import ALLOCATIONS, About, Decision, Group, PruningContext, PruningMethod, setting


class WoodFisher(PruningMethod):
    """Singh & Alistarh, NeurIPS 2020, sections 3, 4: Optimal Brain Surgeon with the empirical Fisher matrix.

    A weight goes where w^2 / (2 [F^-1]_ww) is smallest. F, one block a layer, is the mean product of gradients of the
    loss, damped by 1e-5; the weights that stay move by the sum of the updates of all that go. One-shot, over all
    layers together (the paper's joint mode), the network in evaluation mode. The inverse is that of the paper's
    recursion, in one step and without the matrix ever being built. For ResNet-20 the paper takes 1,000 gradients of
    one image each or of a mean over 50; here 100 gradients of a mean over 10 images, because more products than that
    exceed what S4.1 grants. The gradual schedule of the paper needs the Fisher matrix anew at every step, more passes
    than are granted: not covered.
    """

    about = About(
        paper="Singh & Alistarh: WoodFisher, Efficient Second-order Approximation for Neural Network Compression, "
        "NeurIPS 2020, arXiv:2004.14340",
        formula="w_q^2 / (2 [F^-1]_qq), update -w_q F^-1 e_q / [F^-1]_qq (section 4); F = damping + mean of g g'",
        criterion="rise of the loss, to second order",
        schedule="one-shot",
        passes=1,
        test="tests/baselines/test_unstructured_woodfisher.py",
    )
    granularity = "weight"
    gradients: int = setting(100, "gradients that the Fisher matrix is averaged over", "[1-9][0-9]{0,4}")
    images_per_gradient: int = setting(10, "images whose mean loss gives one gradient", "[1-9][0-9]{0,4}")
    damping: float = setting(1e-5, "what is added to the diagonal", POSITIVE)
    update: bool = setting(True, "whether the weights that stay make up for those that go")
    allocation: str = setting(
        "global", "uniform: one ratio for all layers; global: one ranking over all layers", ALLOCATIONS
    )

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """One pass for the gradients, then the decision, then the update."""
        rows = self._gradient_rows(model, context)
        weights = {group: group.layer(model).get_parameter("weight") for group in context.groups}
        blocks = {group: FisherBlock(found, self.damping) for group, found in rows.items()}
        scores = {group: statistic(weight, blocks[group]) for group, weight in weights.items()}
        decision = context.decide(scores, self.allocation)
        if self.update:
            with torch.no_grad():
                for group, weight in weights.items():
                    gone = ~decision.masks[group.name].to(weight.device)
                    weight.add_(surgeon_update(weight, gone, blocks[group]).to(weight.dtype))
        return decision

    def _gradient_rows(self, model: nn.Module, context: PruningContext) -> dict[Group, torch.Tensor]:
        """Of each layer (gradients, weights) in double precision, each row from other images."""
        weights = [group.layer(model).get_parameter("weight") for group in context.groups]
        rows: list[list[torch.Tensor]] = [[] for _ in weights]
        for images, labels in _chunks(context, self.images_per_gradient):
            if len(rows[0]) == self.gradients:
                break
            found = torch.autograd.grad(F.cross_entropy(model(images), labels), weights)
            for kept, gradient in zip(rows, found, strict=True):
                kept.append(gradient.flatten().double())
        if not rows[0]:
            raise ValueError(f"no batch has {self.images_per_gradient} images; set fewer images_per_gradient")
        return {group: torch.stack(kept) for group, kept in zip(context.groups, rows, strict=True)}


class FisherBlock:
    """The damped empirical Fisher matrix of one layer, F = damping I + G'G / n, by its inverse.

    `gradients` is G, (n, weights). By Woodbury F^-1 = (I - G' (n damping I + GG')^-1 G) / damping, so only an (n, n)
    system is solved.
    """

    def __init__(self, gradients: torch.Tensor, damping: float) -> None:
        self._gradients, self._damping = gradients, damping
        small = gradients @ gradients.T
        small.diagonal().add_(len(gradients) * damping)
        self._solved = torch.linalg.solve(small, gradients)  # (n, weights)

    def inverse_diagonal(self) -> torch.Tensor:
        """[F^-1]_qq of every weight, (weights,)."""
        explained: torch.Tensor = (self._gradients * self._solved).sum(dim=0)
        return (1 - explained) / self._damping

    def inverse_times(self, vector: torch.Tensor) -> torch.Tensor:
        """F^-1 v, (weights,)."""
        explained: torch.Tensor = self._solved.T @ (self._gradients @ vector)
        return (vector - explained) / self._damping


def statistic(weight: torch.Tensor, block: FisherBlock) -> torch.Tensor:
    """The rise of the loss that each weight's removal costs, shaped like the weight."""
    diagonal = block.inverse_diagonal().reshape(weight.shape)
    return weight.detach().double().square() / (2 * diagonal)


def surgeon_update(weight: torch.Tensor, gone: torch.Tensor, block: FisherBlock) -> torch.Tensor:
    """The change of all weights of a layer, summed over those that go (`gone` is True), shaped like the weight."""
    going = torch.where(gone.flatten(), weight.detach().double().flatten(), 0.0)
    return -block.inverse_times(going / block.inverse_diagonal()).reshape(weight.shape)


def _chunks(context: PruningContext, size: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The training batches of one pass, cut into so many images each."""
    for images, labels in context.batches():
        for start in range(0, len(labels) - size + 1, size):
            yield images[start : start + size], labels[start : start + size]
