"""The keys of a trial's stages: a hash of everything that determines their results. Reads JSON, never torch.

A key follows numbers, not text. It holds the version of its stage (`versions`), the track's terms, recipes, settings,
seed and level, the code of a method (`records/code.py`), the libraries and the kind of device. It holds no words (a
title, a docstring), no names of files, not which of several GPUs, and no limit in seconds: what ran out of time is not
stored.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from prunemark.benchmark.images.sources import source_of
from prunemark.benchmark.trial.environment import environment, libraries
from prunemark.benchmark.trial.plan import Trial
from prunemark.benchmark.trial.store import Store, key_of
from prunemark.benchmark.trial.versions import versions
from prunemark.setups.recipe import Recipe
from prunemark.setups.track import WORDS

DECISION = "decision.json"


@dataclass(frozen=True)
class Keys:
    """The store's keys of a trial's stages; '' where a stage does not exist for its kind."""

    data: str
    pretrain: str
    prune: str
    evaluate_base: str
    evaluate: str


def data_key(trial: Trial) -> str:
    """The key of the prepared dataset. Raises InputError when its images are not where the user says."""
    source = source_of(trial.track.dataset)
    stated = {"dataset": trial.track.dataset} | ({"source": source} if source else {})
    return key_of("data", stated | {"versions": versions("data")} | _where(trial))


def pretrain_key(trial: Trial, until: int | None = None) -> str:
    """The key of the base model, or of an earlier checkpoint of its run.

    It holds the LRs up to that epoch alone, so runs that begin alike share what they have in common.
    """
    budget = trial.budget
    recipe = budget.pretraining.as_dict() | {"epochs": until if until is not None else budget.base_epochs}
    lr = list(budget.pretraining.lr.vector[: recipe["epochs"]])
    inputs = {
        "data": data_key(trial), "network": trial.track.network, "recipe": recipe | {"lr": lr}, "seed": trial.seed,
        "versions": versions("network", "pretrain"),
    }  # fmt: skip
    return key_of("pretrain", inputs | _where(trial))


def retrain_key(trial: Trial, start: str, recipe: Recipe) -> str:
    """The key of a retrained model: what was retrained, and how."""
    inputs = {"start": start, "data": data_key(trial), "recipe": recipe.as_dict(), "seed": trial.seed}
    return key_of("retrain", inputs | {"versions": versions("retrain")} | _where(trial))


def _where(trial: Trial) -> dict[str, Any]:
    """By what it is computed: the kind of device, whichever one of its kind it is, and the libraries."""
    stated = {"arithmetic": trial.track.arithmetic} if trial.track.arithmetic else {}
    others = libraries(trial.track.network, trial.track.dataset)
    return {"device": trial.device.partition(":")[0], "environment": environment() | others} | stated


def stage_keys(trial: Trial, given: dict[str, int] | None, ratios_of: str = "") -> Keys:
    """The keys of a trial's stages. `given`: filters (or weights) kept per layer, for a control; and by whom."""
    track, competitor, where = trial.track, trial.competitor, _where(trial)
    scratch = competitor.kind == "scratch"
    data, pretrain = data_key(trial), pretrain_key(trial)
    terms = [
        track.dataset, track.granularity, track.pattern, track.prunable, track.tolerance, track.allocations,
        track.pruning.as_dict(),
    ]  # fmt: skip
    prune = key_of(
        "prune",
        {
            "base": None if scratch else pretrain,
            "kind": competitor.kind,
            "network": track.network,
            "code": competitor.source.code_sha256 if competitor.source else None,
            "class": competitor.source.class_name if competitor.source else None,
            "settings": dict(competitor.settings),
            "level": asdict(trial.level),
            "terms": terms,
            "granted": trial.budget.pruning_terms(),
            "seed": trial.seed,
            "given": given,
            "versions": versions("network", "prune") if scratch else versions("prune"),
        }
        | where,
    )
    measured = {"model": pretrain, "data": data, "versions": versions("evaluate")}
    evaluate_base = "" if scratch else key_of("evaluate-base", measured | where)
    identity = {name: getattr(competitor, name) for name in ("name", "kind", "role")}
    identity |= {"source": competitor.source.sha256} if competitor.source else {}
    identity |= {"layer_ratios_of": ratios_of} if ratios_of else {}
    stated = {name: value for name, value in track.as_dict().items() if name not in WORDS}
    evaluate = key_of(
        "evaluate",
        {
            "model": prune,
            "base": evaluate_base,
            "budget": trial.budget.as_dict(),
            "tuning": [recipe.as_dict() for recipe in trial.tuning],
            "track": stated,
            "setup": trial.setup.id,
            "method": identity,
            "versions": versions("retrain", "evaluate"),
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
