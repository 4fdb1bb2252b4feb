"""Iterative magnitude pruning with weight rewinding."""

from __future__ import annotations

import torch

from prunemark.baselines.iterative import IterativeMagnitude
from prunemark.benchmark.method import WHOLE_NUMBER, About, PruningContext, setting


class WeightRewinding(IterativeMagnitude):
    """Renda et al., ICLR 2020, section 2 (after Frankle et al.): what stays gets its weights of an early epoch back.

    Rounds of 20 % by global magnitude, as in the paper. After each, the weights are those that the base model had after
    `rewind_to` epochs, and training starts from there. The paper trains every round as long as the base; here the
    rounds share the epochs that are granted (60 on the digits, 6 a round at 90 %). The retraining of the setup is the
    last training, by the setup's recipe: the paper's continues the base's schedule from the epoch rewound to.
    The epoch rewound to is a hyper-parameter in both papers; by default it is one of the first, as in Frankle et al.
    The paper rewinds the LR with the weights. Here every round starts at the first LR, which is the same for an early
    epoch and not for a late one (`rewind_to=20`).
    """

    about = About(
        paper="Renda et al.: Comparing Rewinding and Fine-tuning in Pruning, ICLR 2020, arXiv:2003.02389; "
        "Frankle et al.: Linear Mode Connectivity and the Lottery Ticket Hypothesis, ICML 2020, arXiv:1912.05671",
        formula="|w| after training; survivors restart from the weights of epoch k (Renda et al., section 2)",
        criterion="magnitude",
        schedule="rounds of 20 % of what is left, each trained from the weights rewound to",
        epochs=60,
        test="tests/baselines/test_unstructured_rounds.py",
    )
    rewind_to: int = setting(2, "epoch of the base model's training that weights are rewound to", WHOLE_NUMBER)

    def rewound(self, context: PruningContext) -> dict[str, torch.Tensor] | None:
        """All weights and batch norms as they were early in the base model's training."""
        return context.earlier(self.rewind_to)
