"""What a pruning pipeline is: base, pruning stage, retraining stage, costs, result.

Records of this harness and entries of a published comparison both become Pipelines, so one set of rules
judges both. Every leaf may be not reported or not applicable (arXiv:2301.05219, Fig. 1 and section 3).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from prunemark.setups.schedule import MAX_EPOCHS, LRSchedule, from_vector
from prunemark.setups.values import NOT_REPORTED, Leaf, NotApplicable, NotReported, known

PipelineKind = Literal["pruned", "scratch", "pruned_at_init", "sparse_training", "dense_to_sparse", "dense"]


@dataclass(frozen=True)
class Base:
    """The base model: the checkpoint that is pruned. `id` is its content hash or address."""

    id: Leaf[str] = NOT_REPORTED
    source: Leaf[str] = NOT_REPORTED
    top1_percent: Leaf[float] = NOT_REPORTED


@dataclass(frozen=True)
class Training:
    """One stage of training: how long and at what LR. No training at all is 0 epochs."""

    epochs: Leaf[float] = NOT_REPORTED
    lr: Leaf[LRSchedule] = NOT_REPORTED


@dataclass(frozen=True)
class Details:
    """What no setup of the paper holds equal but a referee asks about: possible confounders."""

    batch_size: Leaf[float] = NOT_REPORTED
    weight_decay: Leaf[float] = NOT_REPORTED
    label_smoothing: Leaf[float] = NOT_REPORTED
    distillation: Leaf[str] = NOT_REPORTED
    augmentation: Leaf[str] = NOT_REPORTED


@dataclass(frozen=True)
class Executed:
    """How the stages were trained, as only a harness can know it. Steps are of the optimiser, samples are images.

    The first nine are the retraining recipe apart from its LR schedule. `base_training` is the whole training of the
    base model: epochs, LR of each epoch, steps and samples. `retraining_flops` are of the retraining stage.
    `execution` is precision, layout, compiler and determinism, in words: see `setups/execution.py`.
    """

    batch_size: Leaf[int] = NOT_REPORTED
    momentum: Leaf[float] = NOT_REPORTED
    nesterov: Leaf[bool] = NOT_REPORTED
    weight_decay: Leaf[float] = NOT_REPORTED
    augmentation: Leaf[str] = NOT_REPORTED
    label_smoothing: Leaf[float] = NOT_REPORTED
    optimiser: Leaf[str] = NOT_REPORTED
    distillation: Leaf[str] = NOT_REPORTED
    regulariser: Leaf[str] = NOT_REPORTED
    steps_per_epoch: Leaf[float] = NOT_REPORTED
    samples_per_epoch: Leaf[float] = NOT_REPORTED
    pruning_steps: Leaf[int] = NOT_REPORTED
    base_training: Leaf[tuple[int, tuple[float, ...], int, int]] = NOT_REPORTED
    retraining_flops: Leaf[float] = NOT_REPORTED
    execution: Leaf[str] = NOT_REPORTED


@dataclass(frozen=True)
class Result:
    """Accuracy of the final model, in percent; `sd` over `runs` repeats, in percentage points."""

    top1_percent: Leaf[float] = NOT_REPORTED
    sd_pp: Leaf[float] = NOT_REPORTED
    runs: Leaf[int] = NOT_REPORTED
    selection: Leaf[str] = NOT_REPORTED


@dataclass(frozen=True)
class Pipeline:
    """pretraining -> pruning -> retraining, as far as it is known.

    `speedup` is dense over pruned MACs; `sparsity` the share of weights set to zero. `training_flops` is
    the whole pipeline's. For scratch training `retraining` is the training itself and `base` does not apply.
    `executed` is None where nothing but a publication is known.
    """

    name: str
    method: str
    kind: PipelineKind = "pruned"
    dataset: Leaf[str] = NOT_REPORTED
    network: Leaf[str] = NOT_REPORTED
    dense_macs: Leaf[float] = NOT_REPORTED
    granularity: Leaf[str] = NOT_REPORTED
    speedup: Leaf[float] = NOT_REPORTED
    sparsity: Leaf[float] = NOT_REPORTED
    base: Base = field(default_factory=Base)
    pretraining: Training = field(default_factory=Training)
    pruning: Training = field(default_factory=Training)
    retraining: Training = field(default_factory=Training)
    training_flops: Leaf[float] = NOT_REPORTED
    tuning_configurations: Leaf[int] = NOT_REPORTED
    details: Details = field(default_factory=Details)
    executed: Executed | None = None
    result: Result = field(default_factory=Result)

    @property
    def stages(self) -> tuple[Training, Training, Training]:
        """In the order in which they run."""
        return self.pretraining, self.pruning, self.retraining

    @cached_property
    def total_epochs(self) -> Leaf[float]:
        """Epochs of all stages together; not reported as soon as one of them is not one known number."""
        counts = [0.0 if isinstance(s.epochs, NotApplicable) else known(s.epochs) for s in self.stages]
        return NotReported() if None in counts else sum(c for c in counts if c is not None)

    @cached_property
    def overall_lr(self) -> Leaf[LRSchedule]:
        """The per-epoch LRs of all stages laid end to end; not reported unless every stage's are known."""
        vector: list[float] = []
        for stage in self.stages:
            if isinstance(stage.epochs, NotApplicable) or known(stage.epochs) == 0:
                continue
            lr = known(stage.lr)
            if lr is None:
                return NotReported()
            vector += lr.vector
        if len(vector) > MAX_EPOCHS:  # more than any schedule here may last
            return NotReported()
        return from_vector(tuple(vector))
