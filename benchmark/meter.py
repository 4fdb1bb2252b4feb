"""The meter: what training cost, counted by the harness and not by the submission."""

from __future__ import annotations

from dataclasses import dataclass, field

from prunemark.benchmark.outcome import Stage

FLOPS_PER_MAC = 2
PASSES_PER_TRAINING_STEP = 3  # one forward, and a backward that costs about two


class BudgetExceeded(Exception):
    """A submission asked for more than its setup grants. The message says what was granted and asked."""


@dataclass
class Meter:
    """Counts one stage. `macs_per_sample` is the forward cost of the network being trained.

    Training FLOPs follow the usual estimate 2 x MACs x 3 per sample (forward, and backward twice as dear);
    a method's own arithmetic beside the network (a Hessian, an SVD) is not covered: its seconds are.
    """

    macs_per_sample: int
    epochs_granted: int | None = None
    lr: list[float] = field(default_factory=list)
    steps: int = 0
    samples: int = 0

    def begin_epoch(self, lr: float) -> None:
        """Notes an epoch and its LR. Raises BudgetExceeded when it is one too many."""
        if self.epochs_granted is not None and len(self.lr) >= self.epochs_granted:
            raise BudgetExceeded(
                f"{self.epochs_granted} epochs were granted; the method asked for epoch {len(self.lr) + 1}"
            )
        self.lr.append(lr)

    def serve(self, samples: int) -> None:
        """Notes that a training batch was handed out."""
        self.samples += samples

    def step(self) -> None:
        """Notes one optimiser step."""
        self.steps += 1

    def stage(self) -> Stage:
        """The stage as executed so far."""
        flops = self.samples * self.macs_per_sample * FLOPS_PER_MAC * PASSES_PER_TRAINING_STEP
        return Stage(len(self.lr), tuple(self.lr), self.steps, self.samples, flops)
