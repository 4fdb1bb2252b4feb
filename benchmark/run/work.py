"""How much training a plan is: what its trials share, and what as many separate runs would train."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from prunemark.benchmark.trial.keys import pretrain_key
from prunemark.benchmark.trial.trial import Trial
from prunemark.setups.budget import speedup_of


def checkpoints(trials: Sequence[Trial]) -> dict[str, Trial]:
    """The base models that the trials need, by key: the shorter ones first."""
    needed = {
        pretrain_key(t): t for t in trials if t.entrant.kind != "scratch" and (t.budget.base_epochs or t.track.base)
    }
    return dict(sorted(needed.items(), key=lambda item: item[1].budget.base_epochs))


def longest_prefix(trial: Trial, keys: Collection[str]) -> tuple[str, int] | None:
    """Of these checkpoints, the last one on the way to the trial's base model, with its epoch."""
    for until in range(trial.budget.base_epochs - 1, 0, -1):
        if (key := pretrain_key(trial, until)) in keys:
            return key, until
    return None


@dataclass(frozen=True)
class Work:
    """What a plan trains from an empty store, and what as many separate runs would train.

    In epochs, and in epochs of the dense network by training FLOPs. What pruning stages train is not counted.
    """

    epochs: int
    separate_epochs: int
    dense_epochs: float
    separate_dense_epochs: float


def expected_work(trials: Sequence[Trial], stored: Collection[str] = ()) -> Work:
    """Every base once and the common beginnings of bases once, and every retraining; against all of it each time.

    Bases whose keys are `stored` are not trained again.
    """
    needed, shared = checkpoints(trials), 0
    for key, trial in needed.items():
        if key in stored:
            continue
        before = longest_prefix(trial, {*needed, *stored})
        shared += trial.budget.base_epochs - (before[1] if before else 0)
    distinct = {(t.label, t.setup.id, t.track.id): t for t in trials}.values()
    cost = {t.level: 1 / speedup_of(t.level) for t in trials}
    return Work(
        shared + sum(_retraining(t) for t in distinct),
        sum(t.budget.base_epochs + _retraining(t) for t in trials),
        shared + sum(_retraining(t) * cost[t.level] for t in distinct),
        sum(t.budget.base_epochs + _retraining(t) * cost[t.level] for t in trials),
    )


def _retraining(trial: Trial) -> int:
    """Epochs of retraining: of a tuned trial, of all that it tries."""
    return sum(recipe.epochs for recipe in trial.tuning) or trial.recipe.epochs
