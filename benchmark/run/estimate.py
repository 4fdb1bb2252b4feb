"""What a plan is expected to take: time, the longest chain of it, GPU-hours and disk.

Judged by trials that were timed in this home, and where there is none by a step that is measured now. Pruning stages
are not counted, which a method may spend any time in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prunemark.benchmark.run.home_parts import bytes_of
from prunemark.benchmark.run.work import checkpoints, expected_work, longest_prefix
from prunemark.benchmark.trial.keys import pretrain_key, resolved_keys, retrain_key
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.record import Record

PARAMETER_SETS = 2
"""What a stage keeps at most: a base its weights and its momentum, a trial its pruned and its retrained weights."""


@dataclass(frozen=True)
class Step:
    """A measured step: seconds that an epoch of the dense network takes by it, and the bytes of its parameters."""

    epoch_seconds: float
    parameter_bytes: int


@dataclass(frozen=True)
class Estimate:
    """Of what is to be run. `chain_seconds`: what runs one after the other, however many workers there are."""

    work_seconds: float
    chain_seconds: float
    disk_bytes: float
    judged_by: str

    def wall_seconds(self, workers: int) -> float:
        """With so many at once."""
        return max(self.chain_seconds, self.work_seconds / workers)

    def gpu_hours(self, gpus: float) -> float:
        """With so much of a GPU for each trial."""
        return self.work_seconds * gpus / 3600


def timed_epoch(records: Iterable[Record], track: str, device: str, processes: int = 1) -> tuple[float, int]:
    """Seconds an epoch of retraining took, and of how many trials: of this track, on so many devices of this kind.

    0, 0: none.
    """
    kind = device.partition(":")[0]
    found = [
        (record.observed.retraining_seconds, stage.epochs)
        for record in records
        if (stage := record.outcome.retraining)
        and stage.epochs
        and record.outcome.track == track
        and record.observed.device.partition(":")[0] == kind
        and record.observed.processes == processes
    ]
    epochs = sum(count for _, count in found)
    return (sum(seconds for seconds, _ in found) / epochs, len(found)) if epochs else (0.0, 0)


def estimate(
    todo: Sequence[Trial], store: Store, epoch_seconds: float, judged_by: str, trial_bytes: float, base_bytes: float
) -> Estimate:
    """Of trials that are not stored, by seconds an epoch and bytes a trial and a base."""
    bases = {key: trial for key, trial in checkpoints(todo).items() if not store.path(key).exists()}
    stored = [key for key in checkpoints(todo) if key not in bases]
    epochs = expected_work(todo, stored).epochs
    return Estimate(
        epochs * epoch_seconds, _chain_epochs(todo, bases, stored) * epoch_seconds,
        len(todo) * trial_bytes + len(bases) * base_bytes, judged_by,
    )  # fmt: skip


def _chain_epochs(todo: Sequence[Trial], bases: Mapping[str, Trial], stored: Sequence[str]) -> int:
    """Of the longest chain: a base, a trial on it, and a control that waits for the trial's layer ratios."""
    waits = {trial.of(trial.submission) for trial in todo if trial.submission}
    known = {trial: _epochs(trial) for trial in todo}
    longest = 0
    for trial in todo:
        before = known.get(trial.of(trial.submission), 0) if trial.submission and waits else 0
        longest = max(longest, _base_epochs(trial, bases, stored) + before + known[trial])
    return longest


def _base_epochs(trial: Trial, bases: Mapping[str, Trial], stored: Sequence[str]) -> int:
    if (base := bases.get(pretrain_key(trial))) is None or trial.entrant.kind == "scratch":
        return 0
    before = longest_prefix(base, stored)
    return base.budget.base_epochs - (before[1] if before else 0)


def _epochs(trial: Trial) -> int:
    return sum(recipe.epochs for recipe in trial.tuning) or trial.recipe.epochs


def measured_bytes(done: Sequence[Trial], store: Store) -> tuple[float, float]:
    """What a stored trial and a stored base take on average; 0 where there is none."""
    trials = [_trial_bytes(trial, store) for trial in done]
    bases = [size for key in checkpoints(done) if (size := bytes_of(store.path(key)))]
    return _mean(trials), _mean(bases)


def _trial_bytes(trial: Trial, store: Store) -> int:
    keys = resolved_keys(trial, store)
    if keys is None:
        return 0
    recipes = trial.tuning or (trial.recipe,)
    found = {keys.evaluate, *(retrain_key(trial, keys, recipe) for recipe in recipes)}
    found |= {keys.prune} if trial.entrant.source else set()
    return sum(bytes_of(store.path(key)) for key in found)


def _mean(sizes: Sequence[int]) -> float:
    return sum(sizes) / len(sizes) if sizes else 0.0
