"""Erdős-Rényi-Kernel: how many weights each layer keeps, by its shape alone."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from prunemark.benchmark.method import About, Decision, Group, PruningContext, PruningMethod, setting

DENSITIES = "erk|er|uniform"


class ErkMagnitude(PruningMethod):
    """Magnitude pruning with the layer ratios of Evci et al., ICML 2020, section 3 (1): Erdős-Rényi-Kernel.

    A layer keeps in proportion to (in + out + height + width) of its kernel instead of their product: small layers
    keep more. Layers that would keep more than all stay dense, and the others make up for it. As a way to allocate
    for magnitude pruning it is compared in Lee et al., ICLR 2021. The counts are exact: shares are rounded so that
    they add up. On an N:M track the pattern fixes every layer's share, so nothing of it is left.
    """

    about = About(
        paper="Evci et al.: Rigging the Lottery, ICML 2020, arXiv:1911.11134; Lee et al., ICLR 2021, arXiv:2010.07611",
        formula="density = e (in + out + h + w) / (in * out * h * w), capped at 1, e such that the target is met",
        criterion="magnitude",
        ratio="Erdős-Rényi-Kernel, by the shape of each layer",
        schedule="one-shot",
        test="tests/baselines/test_unstructured_allocation.py",
    )
    granularity = "weight"
    densities: str = setting(
        "erk", "erk: Erdős-Rényi-Kernel; er: without the kernel's size; uniform: one ratio for all layers", DENSITIES
    )

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """The largest weights of each layer, as many as its density says."""
        weights = {group: group.layer(model).get_parameter("weight").detach() for group in context.groups}
        ratios = layer_densities(self.densities, weights, context)
        return context.decide(ranked({group: w.abs() for group, w in weights.items()}, ratios), allocation="global")


def layer_densities(kind: str, weights: Mapping[Group, torch.Tensor], context: PruningContext) -> dict[Group, float]:
    """The share of weights that each layer keeps, in (0, 1]; together they meet the target's sparsity.

    `kind` is erk, er (the kernel's size left out, as in Mocanu et al. 2018) or uniform.
    """
    assert context.target.sparsity is not None
    density = 1 - context.target.sparsity
    if kind == "uniform":
        return dict.fromkeys(weights, density)
    shapes = {group: weight.shape if kind == "erk" else weight.shape[:2] for group, weight in weights.items()}
    raw = {group: sum(shape) / shape.numel() for group, shape in shapes.items()}
    left = density * sum(weight.numel() for weight in weights.values())
    found: dict[Group, float] = {}
    while True:
        open_layers = [group for group in weights if group not in found]
        scale = left / sum(raw[group] * weights[group].numel() for group in open_layers) if open_layers else 0.0
        full = [group for group in open_layers if scale * raw[group] >= 1]
        if not full:
            return {group: found.get(group, scale * raw[group]) for group in weights}
        found |= dict.fromkeys(full, 1.0)
        left -= sum(weights[group].numel() for group in full)


def ranked(scores: Mapping[Group, torch.Tensor], densities: Mapping[Group, float]) -> dict[Group, torch.Tensor]:
    """Scores whose global ranking keeps the given share of each layer: there, those of highest score.

    A weight's place within its layer, relative to how many the layer keeps. Where shares are no whole numbers of
    weights, this rounds them as Sainte-Laguë's method does seats. Dense layers are last of all to lose a weight.
    """
    return {group: _relative_place(values, densities[group]) for group, values in scores.items()}


def _relative_place(values: torch.Tensor, density: float) -> torch.Tensor:
    order = values.flatten().argsort(descending=True, stable=True)
    place = torch.empty(values.numel(), dtype=torch.float64, device=values.device)
    place[order] = torch.arange(values.numel(), dtype=torch.float64, device=values.device)
    relative = (place + 0.5) / (density * values.numel())
    return (-relative if density < 1 else relative.fill_(0.0)).reshape(values.shape)
