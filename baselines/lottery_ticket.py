"""Lottery tickets: iterative magnitude pruning with a reset to the initial weights."""

from __future__ import annotations

import torch

from prunemark.baselines.iterative import IterativeMagnitude
from prunemark.benchmark.method import About, PruningContext


class LotteryTicket(IterativeMagnitude):
    """Frankle & Carbin, ICLR 2019, section 1: what stays is reset to its initial weights.

    Rounds of 20 % of what is left, by magnitude over all layers (the paper: global for VGG-19 and ResNet-18, per layer
    for small networks). After each, the survivors get the weights that the base model had at its initialisation. The
    paper trains every round in full; here the rounds share the epochs that are granted. The paper spares the output
    layer half and shortcuts entirely; here the track says what is prunable.
    """

    about = About(
        paper="Frankle & Carbin: The Lottery Ticket Hypothesis, ICLR 2019, arXiv:1803.03635",
        formula="|w| after training; survivors restart from their initial weights (section 1)",
        criterion="magnitude",
        schedule="rounds of 20 % of what is left, each trained from the initial weights",
        epochs=60,
        test="tests/baselines/test_unstructured_rounds.py",
    )

    def rewound(self, context: PruningContext) -> dict[str, torch.Tensor] | None:
        """All weights and batch norms as they were at initialisation."""
        return context.earlier(0)
