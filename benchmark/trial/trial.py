"""A trial, and the entrant that it is a trial of. Plain data and no torch: `pipeline.py` runs it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from prunemark.benchmark.submission.description import SettingValue
from prunemark.benchmark.submission.locate import MethodSource
from prunemark.records.outcome import Role, TrialKind
from prunemark.setups.budget import OWN_NOTHING, Budget, Own, budget_for, notation, speedup_of
from prunemark.setups.comparison import ComparisonSetup
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

    `isolation` is what is asked for the process of the pruning stage; '' is the strongest that the machine has.

    With `show_output`, what the method prints is told of a trial that goes well, too.

    `processes` train it together, one on each device, on shares of the recipe's batches (`training/processes.py`).

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
    isolation: str = ""
    show_output: bool = False
    processes: int = 1

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


def as_plain(trial: Trial) -> dict[str, Any]:
    """The trial for a listing."""
    return {
        "method": trial.entrant.name, "role": trial.entrant.role, "track": trial.track.id,
        "level": trial.level.name, "setup": trial.setup.id, "seed": trial.seed,
        "pipeline": notation(None if trial.track.base else trial.budget.base_epochs, trial.recipe),
        "retraining_lr": str(trial.recipe.lr),
    }  # fmt: skip
