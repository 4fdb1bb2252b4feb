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
from prunemark.benchmark.sources import source_of
from prunemark.benchmark.store import Store, key_of
from prunemark.benchmark.submission import MethodSource, SettingValue
from prunemark.setups.budget import OWN_NOTHING, Budget, Own, budget_for, notation, speedup_of
from prunemark.setups.comparison import ComparisonSetup
from prunemark.setups.errors import InputError
from prunemark.setups.recipe import Recipe
from prunemark.setups.track import Level, Track

DECISION = "decision.json"
DENSE_LEVEL = Level("dense", 0.0)
NUMERIC_PACKAGES = ("torch", "numpy", "torch-pruning", "scikit-learn", "safetensors")
NUMERIC_SOURCES = (
    "architectures.py", "augmentation.py", "budget_solver.py", "child.py", "compression.py", "confine.py",
    "context.py", "cost.py", "couplings.py", "data.py", "datasets.py", "diagnostics.py", "meter.py", "method.py",
    "networks.py", "outcome.py", "plan.py", "pruned.py", "pruning.py", "record.py", "report.py", "seeds.py",
    "stages.py", "streaming.py", "surgery.py", "training.py", "trial.py", "watch.py",
    "../setups/budget.py", "../setups/recipe.py", "../setups/schedule.py",
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
    own: Own = OWN_NOTHING
    summary: str = ""
    shares_ratios: bool = False


@dataclass(frozen=True)
class Trial:
    """method x track x level x setup x seed. `beside` is the submission whose layer ratios are shared.

    `tuning` lists the retraining recipes that are all tried; the one with the best validation accuracy counts.
    """

    track: Track
    level: Level
    setup: str
    seed: int
    competitor: Competitor
    budget: Budget
    device: str
    pruning_seconds_limit: float
    beside: Competitor | None = None
    tuning: tuple[Recipe, ...] = ()

    @property
    def label(self) -> str:
        """How the trial is called while it runs."""
        level = "" if self.level == DENSE_LEVEL else f" {self.level.name}"
        return f"{self.competitor.name}{level} seed {self.seed}"

    @property
    def recipe(self) -> Recipe:
        """The retraining recipe; under SX-A and SX-B, the one that a one-shot method at the level's speed-up gets."""
        used = self.budget.pruning_epochs if self.budget.pruning_exact else 0
        return self.budget.retraining_after(used, speedup_of(self.level))

    def of(self, competitor: Competitor) -> Trial:
        """The trial of another competitor on the same track, level, setup and seed."""
        budget = budget_for(self.track, self.setup, self.level, competitor.kind, competitor.own)
        return replace(self, competitor=competitor, budget=budget, beside=None)


@dataclass(frozen=True)
class Keys:
    """The store's keys of a trial's stages; '' where a stage does not exist for its kind."""

    data: str
    pretrain: str
    prune: str
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
    check_granularity(track, submission.name, submission.granularity)
    limit = track.pruning_seconds_limit if pruning_seconds_limit is None else pruning_seconds_limit
    trials = []
    for seed in seeds:
        for competitor in (submission, *controls):
            for level in [DENSE_LEVEL] if competitor.kind == "dense" else levels:
                trials.append(
                    Trial(
                        track, level, setup.id, seed, competitor,
                        budget_for(track, setup.id, level, competitor.kind, competitor.own), device, limit,
                        submission if competitor.shares_ratios else None,
                    )
                )  # fmt: skip
    return tuple(trials)


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


def data_key(trial: Trial) -> str:
    """The key of the prepared dataset. Raises InputError when its images are not where the user says."""
    source = source_of(trial.track.dataset)
    return key_of("data", {"dataset": trial.track.dataset} | ({"source": source} if source else {}) | _where(trial))


def pretrain_key(trial: Trial, until: int | None = None) -> str:
    """The key of the base model, or of an earlier checkpoint of its run.

    It holds the LRs up to that epoch alone, so runs that begin alike share what they have in common.
    """
    budget = trial.budget
    recipe = budget.pretraining.as_dict() | {"epochs": until if until is not None else budget.base_epochs}
    lr = list(budget.pretraining.lr.vector[: recipe["epochs"]])
    where = _where(trial)
    data = data_key(trial)
    inputs = {"data": data, "network": trial.track.network, "recipe": recipe | {"lr": lr}, "seed": trial.seed}
    return key_of("pretrain", inputs | where)


def retrain_key(trial: Trial, start: str, recipe: Recipe) -> str:
    """The key of a retrained model: what was retrained, and how."""
    where = _where(trial)
    data = data_key(trial)
    return key_of("retrain", {"start": start, "data": data, "recipe": recipe.as_dict(), "seed": trial.seed} | where)


def _where(trial: Trial) -> dict[str, Any]:
    return {"device": trial.device, "environment": environment()}


def stage_keys(trial: Trial, given: dict[str, int] | None, ratios_of: str = "") -> Keys:
    """The keys of a trial's stages. `given`: filters (or weights) kept per layer, for a control; and by whom."""
    track, competitor, where = trial.track, trial.competitor, _where(trial)
    scratch = competitor.kind == "scratch"
    data, pretrain = data_key(trial), pretrain_key(trial)
    terms = [track.dataset, track.granularity, track.pattern, track.prunable, track.tolerance, track.pruning.as_dict()]
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
            "terms": terms,
            "granted": trial.budget.pruning_terms(),
            "seconds": trial.pruning_seconds_limit,
            "seed": trial.seed,
            "given": given,
        }
        | where,
    )
    evaluate_base = "" if scratch else key_of("evaluate-base", {"model": pretrain, "data": data} | where)
    identity = {name: getattr(competitor, name) for name in ("name", "kind", "role", "summary")}
    identity |= {"layer_ratios_of": ratios_of} if ratios_of else {}
    evaluate = key_of(
        "evaluate",
        {
            "model": prune,
            "base": evaluate_base,
            "budget": trial.budget.as_dict(),
            "tuning": [recipe.as_dict() for recipe in trial.tuning],
            "track": track.as_dict(),
            "setup": trial.setup,
            "method": identity,
        }
        | where,
    )
    return Keys(data, pretrain, prune, evaluate_base, evaluate)


def ratios_of(trial: Trial, store: Store) -> str:
    """Whose layer ratios a control has, where they are not the level's own: part of its identity on a board.

    A submission that ranks all layers together has other ratios on every seed; its controls are one row all the same.
    """
    if trial.beside is None or trial.beside.source is None:
        return ""
    folder = store.read(stage_keys(trial.of(trial.beside), None).prune)
    if folder is None or json.loads((folder / DECISION).read_text())["allocation"] == "uniform":
        return ""
    settings = ", ".join(f"{name}={value}" for name, value in trial.beside.settings)
    return f"{trial.beside.name} {trial.beside.source.sha256[:8]} ({settings})"


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
    return stage_keys(trial, given, ratios_of(trial, store))


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


def default_workers(device: str) -> int:
    """One process per core on the CPU; one on a GPU, which more of them would only share."""
    return len(os.sched_getaffinity(0)) if device == "cpu" else 1


def as_plain(trial: Trial) -> dict[str, Any]:
    """The trial for a listing."""
    return {
        "method": trial.competitor.name, "role": trial.competitor.role, "track": trial.track.id,
        "level": trial.level.name, "setup": trial.setup, "seed": trial.seed,
        "pipeline": notation(trial.budget.base_epochs, trial.recipe), "retraining_lr": str(trial.recipe.lr),
    }  # fmt: skip
