"""What a submission means as work: its competitors, its trials, and the key of every stage.

Plain data and no torch, so that a plan can be shown, and a finished one recognised, in a moment.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from prunemark.benchmark.outcome import Kind, Role
from prunemark.benchmark.store import Store, key_of
from prunemark.benchmark.submission import MethodSource, SettingValue
from prunemark.setups.comparison import RUNNABLE, ComparisonSetup
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import OwnRecipe, Recipe
from prunemark.setups.schedule import halving
from prunemark.setups.track import Level, Track

DECISION = "decision.json"
DENSE_LEVEL = Level("dense", 0.0)
NUMERIC_PACKAGES = ("torch", "numpy", "torch-pruning", "scikit-learn", "safetensors")
NUMERIC_SOURCES = (
    "child.py", "compression.py", "context.py", "cost.py", "data.py", "meter.py", "method.py", "networks.py",
    "outcome.py", "plan.py", "pruned.py", "record.py", "report.py", "seeds.py",
    "stages.py", "surgery.py", "training.py", "trial.py",
    "../setups/recipe.py", "../setups/schedule.py",
)  # fmt: skip


@dataclass(frozen=True)
class Competitor:
    """One row of a leaderboard to be: a method with its settings, or a control.

    `shares_ratios` marks controls that take the layer ratios of the submission they run beside.
    """

    name: str
    kind: Kind
    role: Role
    source: MethodSource | None
    settings: tuple[tuple[str, SettingValue], ...]
    granularity: str = "filter"
    retraining: OwnRecipe | None = None
    summary: str = ""
    shares_ratios: bool = False


@dataclass(frozen=True)
class Trial:
    """method x track x level x setup x seed. `beside` is the submission whose layer ratios are shared."""

    track: Track
    level: Level
    setup: str
    seed: int
    competitor: Competitor
    recipe: Recipe
    device: str
    pruning_seconds_limit: float
    beside: Competitor | None = None

    @property
    def label(self) -> str:
        """How the trial is called while it runs."""
        level = "" if self.level == DENSE_LEVEL else f" {self.level.name}"
        return f"{self.competitor.name}{level} seed {self.seed}"

    def of(self, competitor: Competitor) -> Trial:
        """The trial of another competitor on the same track, level, setup and seed."""
        return replace(self, competitor=competitor, beside=None)


@dataclass(frozen=True)
class Keys:
    """The store's keys of a trial's stages; '' where a stage does not exist for its kind."""

    data: str
    pretrain: str
    prune: str
    retrain: str
    evaluate_base: str
    evaluate: str


def make_trials(
    track: Track,
    setup: ComparisonSetup,
    levels: Sequence[Level],
    seeds: Sequence[int],
    submission: Competitor,
    controls: Sequence[Competitor],
    device: str,
    pruning_seconds_limit: float | None = None,
) -> tuple[Trial, ...]:
    """All trials, seed by seed; dense once a seed. Raises InputError for what cannot be run.

    Every competitor is under the same setup on the same seeds: seed s gives base model s to all of them.
    """
    if setup.id not in RUNNABLE:
        raise InputError(f"setup {setup.id} can be assessed but not run yet. Can be run: {', '.join(RUNNABLE)}")
    _check_granularity(track, submission)
    limit = track.pruning_seconds_limit if pruning_seconds_limit is None else pruning_seconds_limit
    trials = []
    for seed in seeds:
        for competitor in (submission, *controls):
            for level in [DENSE_LEVEL] if competitor.kind == "dense" else levels:
                trials.append(
                    Trial(
                        track, level, setup.id, seed, competitor,
                        retraining_recipe(competitor, track, setup.id), device, limit,
                        submission if competitor.shares_ratios else None,
                    )
                )  # fmt: skip
    return tuple(trials)


def _check_granularity(track: Track, method: Competitor) -> None:
    if method.granularity != track.granularity:
        raise InputError(
            f"{method.name} prunes {method.granularity}s, but track {track.id} prunes {track.granularity}s.\n"
            f"See `prunemark tracks` for tracks of granularity {method.granularity}"
        )


def retraining_recipe(competitor: Competitor, track: Track, setup: str) -> Recipe:
    """What the setup makes of a method's own recipe: kept (S2), stretched (S3.1), replaced (S3.2).

    Scratch-E trains for the epochs of pretraining and retraining together, from the first LR of
    pretraining to the last of retraining by halving (Rules 1 and 2), whatever the setup.
    """
    imposed = track.retraining
    if competitor.kind == "scratch":
        epochs = track.pretraining.epochs + imposed.epochs
        return replace(imposed, lr=halving(track.pretraining.lr.initial, imposed.lr.final, epochs))
    if competitor.retraining is None or setup not in ("S2", "S3.1"):
        return imposed
    own = competitor.retraining.over(imposed)
    return own if setup == "S2" else replace(own, lr=own.lr.stretched(imposed.epochs))


def stage_keys(trial: Trial, given: dict[str, int] | None) -> Keys:
    """The keys of all stages. `given`: filters (or weights) kept per layer, for a control."""
    track, competitor = trial.track, trial.competitor
    where = {"device": trial.device, "environment": environment()}
    data = key_of("data", {"dataset": track.dataset} | where)
    pretrain = key_of(
        "pretrain",
        {"data": data, "network": track.network, "recipe": track.pretraining.as_dict(), "seed": trial.seed} | where,
    )
    scratch = competitor.kind == "scratch"
    prune = key_of(
        "prune",
        {
            "base": None if scratch else pretrain,
            "kind": competitor.kind,
            "network": track.network,
            "source": competitor.source.sha256 if competitor.source else None,
            "class": competitor.source.class_name if competitor.source else None,
            "settings": dict(competitor.settings),
            "level": asdict(trial.level),
            "terms": [
                track.dataset,
                track.granularity,
                track.prunable,
                track.tolerance,
                track.pruning_epochs_limit,
            ],
            "recipe": track.retraining.as_dict(),
            "seconds": trial.pruning_seconds_limit,
            "seed": trial.seed,
            "given": given,
        }
        | where,
    )
    retrain = key_of(
        "retrain",
        {"start": prune, "data": data, "recipe": trial.recipe.as_dict(), "seed": trial.seed} | where,
    )
    evaluate_base = "" if scratch else key_of("evaluate-base", {"model": pretrain, "data": data} | where)
    identity = {
        "name": competitor.name,
        "kind": competitor.kind,
        "role": competitor.role,
        "summary": competitor.summary,
    }
    evaluate = key_of(
        "evaluate",
        {
            "model": retrain,
            "base": evaluate_base,
            "track": track.as_dict(),
            "setup": trial.setup,
            "method": identity,
        }
        | where,
    )
    return Keys(data, pretrain, prune, retrain, evaluate_base, evaluate)


def given_counts(trial: Trial, store: Store) -> dict[str, int] | None:
    """Filters (or weights) per layer that the submission kept, for a control that runs beside it.

    None for a trial that decides for itself, and where the submission has made no decision (it failed): the
    control then takes the level's own ratio in every layer. Reads JSON only.
    """
    if trial.beside is None:
        return None
    folder = store.read(stage_keys(trial.of(trial.beside), None).prune)
    if folder is None:
        return None
    counts: dict[str, int] = json.loads((folder / DECISION).read_text())["counts"]
    return counts


def resolved_keys(trial: Trial, store: Store) -> Keys | None:
    """The keys of a trial's stages; None while they depend on a decision that has not been made."""
    given = given_counts(trial, store)
    if trial.beside is not None and given is None:
        failed_there = store.has(stage_keys(trial.of(trial.beside), None).evaluate)
        return stage_keys(trial, None) if failed_there else None
    return stage_keys(trial, given)


@functools.cache
def environment() -> dict[str, str]:
    """What code and which libraries compute the results: a change of either is a change of every key."""
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for name in NUMERIC_SOURCES:
        digest.update(name.encode() + b"\0" + (here / name).resolve().read_bytes())
    return {"harness": digest.hexdigest(), "machine": platform.machine()} | package_versions(NUMERIC_PACKAGES)


def package_versions(names: Sequence[str]) -> dict[str, str]:
    """Installed versions, without importing anything; 'missing' where there is none."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "missing"
    return found


def expected_epochs(trials: Sequence[Trial]) -> int:
    """Epochs that would be trained from an empty store: every base once, every retraining."""
    bases = {(trial.track.id, trial.seed): trial.track.pretraining.epochs for trial in trials}
    return sum(bases.values()) + sum(trial.recipe.epochs for trial in trials)


def default_workers(device: str) -> int:
    """One process per core on the CPU; one on a GPU, which more of them would only share."""
    return len(os.sched_getaffinity(0)) if device == "cpu" else 1


def as_plain(trial: Trial) -> dict[str, Any]:
    """The trial for a listing."""
    return {
        "method": trial.competitor.name, "role": trial.competitor.role, "track": trial.track.id,
        "level": trial.level.name, "setup": trial.setup, "seed": trial.seed,
        "retraining": f"{trial.recipe.epochs} epochs, {trial.recipe.lr}",
    }  # fmt: skip
