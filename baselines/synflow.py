"""SynFlow: synaptic flow, without looking at data."""

from __future__ import annotations

import copy
import math

import torch
from torch import nn

from prunemark.benchmark.method import About, Decision, Group, PruningContext, PruningMethod, setting


class SynFlow(PruningMethod):
    """Tanaka et al., NeurIPS 2020, section 6 and algorithm 1: synaptic flow, in 100 rounds, without data.

    R is the sum of the outputs of the network with |w| for w on an image of ones; a weight's score is dR/d|w| * |w|.
    After each round as many weights are left as an exponential schedule says, so no layer collapses before it must.
    Batch norm only scales here, by its own scale over its running deviation; shifts and biases are left out, as
    the product of the paper has none (at initialisation they are zero). Networks of other activations than ReLU, and
    of layer norm, are not covered.

    Defined on random weights: `prune_at` is 0, so that under SX-A and SX-B it prunes at initialisation, as published.
    Under S1 to S4.2 it prunes the trained base by the same flow.
    """

    about = About(
        paper="Tanaka, Kunin, Yamins, Ganguli: Pruning Neural Networks without any Data by Iteratively Conserving "
        "Synaptic Flow, NeurIPS 2020, arXiv:2006.05467",
        formula="dR/dw * w with R = 1' (product of |W_l|) 1 (section 6, algorithm 1)",
        criterion="synaptic flow",
        base_model="random weights (under SX-A, SX-B); the trained base elsewhere",
        ratio="one ranking over all layers",
        schedule="100 rounds, of which each keeps the same share of what the last one left; no training",
        test="tests/baselines/test_unstructured_initial.py",
    )
    granularity = "weight"
    prune_at = 0
    rounds: int = setting(100, "rounds in which the target is reached", "[1-9][0-9]{0,3}")

    def prune(self, model: nn.Module, context: PruningContext) -> Decision:
        """Scores and removes, round by round, on a copy of the model in double precision."""
        assert context.target.sparsity is not None
        linear = positive(model)
        image = torch.ones(1, *context.image_shape, dtype=torch.float64, device=next(linear.parameters()).device)
        for share in exponential(context.target.sparsity, self.rounds):
            scores = synaptic_flow(linear, image, context.groups)
            for group, values in scores.items():
                values[group.layer(linear).get_parameter("weight") == 0] = -math.inf  # gone, and behind all others
            decision = context.decide(scores, "global", share)
            context.remove(linear, decision)
        return decision


def exponential(sparsity: float, rounds: int) -> list[float]:
    """How far towards the sparsity each round goes: after k of n, (1 - sparsity)^(k/n) of the weights are left."""
    left = [(1 - sparsity) ** (step / rounds) for step in range(1, rounds)]
    return [(1 - kept) / sparsity for kept in left] + [1.0]


def positive(model: nn.Module) -> nn.Module:
    """A copy with every weight its absolute value, every shift zero, in double precision and evaluation mode."""
    copied = copy.deepcopy(model).double().eval()
    with torch.no_grad():
        for name, parameter in copied.named_parameters():
            parameter.zero_() if name.endswith("bias") else parameter.abs_()
        for name, buffer in copied.named_buffers():
            if name.endswith("running_mean"):
                buffer.zero_()
    return copied


def synaptic_flow(linear: nn.Module, image: torch.Tensor, groups: tuple[Group, ...]) -> dict[Group, torch.Tensor]:
    """dR/dw * w of every prunable weight; of a network that `positive` made."""
    weights = [group.layer(linear).get_parameter("weight") for group in groups]
    gradients = torch.autograd.grad(linear(image).sum(), weights)
    return {group: (g * w).detach() for group, g, w in zip(groups, gradients, weights, strict=True)}
