"""Iterative magnitude pruning with learning-rate rewinding."""

from __future__ import annotations

import torch

from prunemark.baselines.iterative import IterativeMagnitude
from prunemark.benchmark.method import About, PruningContext


class LRRewinding(IterativeMagnitude):
    """Renda et al., ICLR 2020, section 2: the weights stay, the LR schedule starts again.

    Rounds of 20 % by global magnitude; after each, training goes on from the weights as they are, by the LR schedule of
    the base from its start. The paper trains every round as long as the base; here the rounds share the epochs that are
    granted. The retraining of the setup is the last training; with the track's recipe, which starts at the base's
    first LR, one-shot magnitude pruning (rate=1) is one round of it. The schedule of the rounds is 0.1 with a tenth at
    50 % and 75 %, whatever the track's pretraining was. Under S4.2, which imposes one LR schedule on the whole pruning
    stage, no LR is rewound: there the method is iterative magnitude pruning.
    """

    about = About(
        paper="Renda et al.: Comparing Rewinding and Fine-tuning in Pruning, ICLR 2020, arXiv:2003.02389",
        formula="|w| after training; survivors go on, the LR schedule restarts (section 2)",
        criterion="magnitude",
        schedule="rounds of 20 % of what is left, each trained by the LR schedule from its start",
        epochs=60,
        test="tests/baselines/test_unstructured_rounds.py",
    )

    def rewound(self, context: PruningContext) -> dict[str, torch.Tensor] | None:
        """Nothing: only the LR is rewound, by the training that follows."""
        return None
