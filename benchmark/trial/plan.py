"""What a submission means as work: its entrants and its trials.

Plain data and no torch, so that a plan can be shown, and a finished one recognised, in a moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from prunemark.benchmark.submission.locate import MethodSource, SettingValue
from prunemark.records.outcome import Role, TrialKind
from prunemark.setups.budget import OWN_NOTHING, Budget, Own, budget_for, notation, speedup_of
from prunemark.setups.comparison import ComparisonSetup
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import Recipe
from prunemark.setups.track import DENSE_LEVEL, Level, Track


@dataclass(frozen=True)
class Entrant:
    """One row of a leaderboard to be: a method with its settings, or a control.

    `shares_ratios` marks controls that take the layer ratios of the submission they run with.
    """

    name: str
    kind: TrialKind
    role: Role
    source: MethodSource | None
    settings: tuple[tuple[str, SettingValue], ...]
    granularity: str = "filter"
    own: Own = OWN_NOTHING
    summary: str = ""
    shares_ratios: bool = False


@dataclass(frozen=True)
class Trial:
    """method x track x level x setup x seed. `submission` is given for a control that takes its layer ratios.

    `tuning` lists the retraining recipes that are all tried; the one with the best validation accuracy counts.
    """

    track: Track
    level: Level
    setup: ComparisonSetup
    seed: int
    entrant: Entrant
    budget: Budget
    device: str
    pruning_seconds_limit: float
    submission: Entrant | None = None
    tuning: tuple[Recipe, ...] = ()

    @property
    def label(self) -> str:
        """How the trial is called while it runs."""
        level = "" if self.level == DENSE_LEVEL else f" {self.level.name}"
        return f"{self.entrant.name}{level} seed {self.seed}"

    @property
    def recipe(self) -> Recipe:
        """The retraining recipe; under an imposed sum, the one that a one-shot method at the level's speed-up gets."""
        used = self.budget.pruning_epochs if self.budget.pruning_exact else 0
        return self.budget.retraining_after(used, speedup_of(self.level))

    def of(self, entrant: Entrant) -> Trial:
        """The trial of another entrant on the same track, level, setup and seed."""
        budget = budget_for(self.track, self.setup, self.level, entrant.kind, entrant.own)
        return replace(self, entrant=entrant, budget=budget, submission=None)


@dataclass(frozen=True)
class Request:
    """What a user asked for, checked: a setup on a track, at these levels, on these seeds.

    `pruning_seconds_limit` is that of the track where it is None; `prune_at` the epoch of the dense run at which the
    submission prunes, where the setup leaves that open.
    """

    track: Track
    setup: ComparisonSetup
    levels: Sequence[Level]
    seeds: Sequence[int]
    device: str = "cpu"
    pruning_seconds_limit: float | None = None
    prune_at: int | None = None


def make_trials(request: Request, submission: Entrant, controls: Sequence[Entrant] = ()) -> tuple[Trial, ...]:
    """All trials, seed by seed; dense once a seed. Raises InputError for what cannot be run.

    Every entrant is under the same setup on the same seeds: seed s gives base model s to all of them.
    """
    track, setup, limit = request.track, request.setup, request.pruning_seconds_limit
    check_granularity(track, submission.name, submission.granularity)
    return tuple(
        Trial(
            track, level, setup, seed, entrant,
            budget_for(track, setup, level, entrant.kind, entrant.own), request.device,
            track.pruning_seconds_limit if limit is None else limit, submission if entrant.shares_ratios else None,
        )
        for seed in request.seeds
        for entrant in (submission, *controls)
        for level in ([DENSE_LEVEL] if entrant.kind == "dense" else request.levels)
    )  # fmt: skip


def check_granularity(track: Track, name: str, granularity: str) -> None:
    """Raises InputError unless a method of this granularity can run on the track."""
    if not runs_on(granularity, track):
        raise InputError(
            f"{name} {what_it_prunes(granularity)}, but track {track.id} {what_it_prunes(track.granularity)}.\n"
            f"See `prunemark tracks` for tracks of granularity {granularity}"
        )


def runs_on(granularity: str, track: Track) -> bool:
    """Whether a method of this granularity can run on the track; what prunes weights can follow a pattern too."""
    return track.pattern is not None if granularity == "N:M" else granularity == track.granularity


def what_it_prunes(granularity: str) -> str:
    """In words, after the name of a method or a track."""
    return "needs an N:M pattern" if granularity == "N:M" else f"prunes {granularity}s"


def as_plain(trial: Trial) -> dict[str, Any]:
    """The trial for a listing."""
    return {
        "method": trial.entrant.name, "role": trial.entrant.role, "track": trial.track.id,
        "level": trial.level.name, "setup": trial.setup.id, "seed": trial.seed,
        "pipeline": notation(trial.budget.base_epochs, trial.recipe), "retraining_lr": str(trial.recipe.lr),
    }  # fmt: skip
