"""The meter: what training cost, counted by the harness and not by the submission.

A stage that the harness trains itself is counted as it goes (`Meter`); submitted code is watched besides
(`watch.py`). What a setup grants is a `Grant`; overdrawing it ends the trial, even if the method catches the error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property

from prunemark.records.outcome import MeteredStage

FLOPS_PER_MAC = 2
BACKWARD_PER_FORWARD = 2  # gradients by inputs and by weights: each as dear as the forward pass
PASSES_PER_STEP = 1 + BACKWARD_PER_FORWARD
SLACK = 1.01  # of FLOPs: the products a criterion makes of weights alone are small change


class BudgetExceeded(Exception):
    """A submission used more than its setup grants. The message says what was granted and what was used."""


@dataclass(frozen=True)
class Grant:
    """What a pruning stage may use: epochs of training, passes that train nothing, and what these imply.

    `steps_per_epoch` is at the track's batch size and `samples` is the size of the training split: a method
    with smaller batches has no more steps. `exact` asks for all the epochs; `imposed_lr` for the harness's loop.
    """

    epochs: int
    scoring_epochs: int
    steps_per_epoch: int
    samples: int
    exact: bool = False
    imposed_lr: bool = False


def check_stage(stage: MeteredStage, grant: Grant, macs_per_sample: int) -> None:
    """Whether what a child reports of its stage can be true under its grant. Raises BudgetExceeded if not."""
    one_pass = FLOPS_PER_MAC * PASSES_PER_STEP * grant.samples * macs_per_sample
    passes = grant.epochs + grant.scoring_epochs
    sound = (
        stage.epochs == len(stage.lr) <= grant.epochs
        and (stage.epochs == grant.epochs or not grant.exact)
        and 0 <= stage.steps <= stage.epochs * grant.steps_per_epoch
        and 0 <= stage.samples <= passes * grant.samples
        and stage.train_flops == FLOPS_PER_MAC * (stage.forward_macs + stage.backward_macs)
        and 0 <= stage.train_flops <= SLACK * passes * one_pass
    )
    if not sound:
        raise BudgetExceeded(
            f"the stage reports {stage.epochs} epochs, {stage.steps} steps, {stage.samples} samples and "
            f"{stage.train_flops:.4g} training FLOPs, which its grant does not allow together"
        )


@dataclass
class Meter:
    """Counts one stage. `macs_per_sample` is the forward cost of the network being trained."""

    macs_per_sample: int
    grant: Grant | None = None
    lr: list[float] = field(default_factory=list)
    steps: int = 0
    samples: int = 0
    forward_macs: int = 0
    backward_macs: int = 0
    passes: int = 0
    foreign_steps: int = 0
    seen_runs: int = 0
    unseen_runs: int = 0
    overdrawn: str = ""

    def go_on(self, reading: MeteredStage) -> None:
        """Counts on from an earlier reading of the same stage, which nothing but the harness's loop trained."""
        self.lr, self.steps, self.samples = list(reading.lr), reading.steps, reading.samples
        self.forward_macs, self.backward_macs = reading.forward_macs, reading.backward_macs
        self.passes = len(reading.lr) + reading.scoring_epochs

    def begin_epoch(self, lr: float) -> None:
        """Notes an epoch of training and its LR. Raises BudgetExceeded when it is one too many."""
        if self.grant is not None and len(self.lr) >= self.grant.epochs:
            self.refuse(f"{self.grant.epochs} pruning epochs were granted; the method began epoch {len(self.lr) + 1}")
        self.lr.append(lr)

    def begin_pass(self) -> None:
        """Notes that the training split is handed out once more. Raises BudgetExceeded."""
        if self.grant is not None and self.passes >= (allowed := self.grant.epochs + self.grant.scoring_epochs):
            self.refuse(
                f"{self.grant.epochs} pruning epochs and {self.grant.scoring_epochs} passes for scores were granted, "
                f"{allowed} passes over the training split in all; the method asked for pass {self.passes + 1}"
            )
        self.passes += 1

    def serve(self, samples: int) -> None:
        """Notes that a batch was handed out."""
        self.samples += samples

    def trained(self, samples: int) -> None:
        """Notes one optimiser step of the harness's own loop, on this many samples."""
        self.steps += 1
        self.forward_macs += samples * self.macs_per_sample
        self.backward_macs += BACKWARD_PER_FORWARD * samples * self.macs_per_sample

    def foreign_step(self, lr: float) -> None:
        """Notes a step of an optimiser that is not the harness's; so many make an epoch. Raises BudgetExceeded."""
        if self.grant is None:
            return
        if self.grant.imposed_lr:
            self.refuse(
                "the LR schedule of the pruning stage is imposed: only context.train may step; an own optimiser did"
            )
        if self.foreign_steps % self.grant.steps_per_epoch == 0:
            self.begin_epoch(lr)
        self.foreign_steps += 1
        self.steps += 1

    def executed(self, forward_macs: int, backward_macs: int) -> None:
        """Notes products that submitted code made. Raises BudgetExceeded when they cost more than was granted."""
        self.forward_macs += forward_macs
        self.backward_macs += backward_macs
        if self.forward_macs + self.backward_macs > self._granted_macs:
            self._refuse_macs()

    @cached_property
    def _granted_macs(self) -> float:
        """Reckoned once: each product and each gradient asks."""
        if self.grant is None:
            return math.inf
        one_pass = (1 + BACKWARD_PER_FORWARD) * self.grant.samples * self.macs_per_sample
        return SLACK * (self.grant.epochs + self.grant.scoring_epochs) * one_pass

    def _refuse_macs(self) -> None:
        assert self.grant is not None
        allowed = f"{self.grant.epochs} pruning epochs and {self.grant.scoring_epochs} passes for scores"
        self.refuse(
            f"the training FLOPs of {allowed} were granted, {FLOPS_PER_MAC * self._granted_macs:.4g}; "
            f"the method used {FLOPS_PER_MAC * (self.forward_macs + self.backward_macs):.4g}"
        )

    def backward_run(self, seen: bool, batch: int) -> None:
        """Notes a run of autograd; one in which no product was seen may hide one (a compiled network, say).

        A penalty's own backward pass beside each real one is free. What goes beyond that is taken for a training
        step on a whole batch.
        """
        self.seen_runs += seen
        self.unseen_runs += not seen
        if not seen and self.unseen_runs > self.seen_runs:
            self.executed(batch * self.macs_per_sample, BACKWARD_PER_FORWARD * batch * self.macs_per_sample)

    def refuse(self, why: str) -> None:
        """Ends the trial. The reason is kept, so that a method that catches the error gains nothing."""
        self.overdrawn = self.overdrawn or why
        raise BudgetExceeded(why)

    def settle(self) -> None:
        """The reckoning when the pruning stage is over. Raises BudgetExceeded."""
        if self.overdrawn:
            raise BudgetExceeded(self.overdrawn)
        if self.grant is not None and self.grant.exact and len(self.lr) != self.grant.epochs:
            raise BudgetExceeded(
                f"exactly {self.grant.epochs} pruning epochs are imposed on every method; {len(self.lr)} were used"
            )

    def stage(self) -> MeteredStage:
        """The stage as executed so far."""
        scoring = max(self.passes - len(self.lr), 0)
        flops = FLOPS_PER_MAC * (self.forward_macs + self.backward_macs)
        return MeteredStage(
            len(self.lr),
            tuple(self.lr),
            self.steps,
            self.samples,
            flops,
            self.forward_macs,
            self.backward_macs,
            scoring,
        )
