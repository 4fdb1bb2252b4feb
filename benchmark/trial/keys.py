"""The keys of a trial's stages: a hash of everything that determines their results. Reads JSON, never torch.

A key follows numbers, not text. It holds the version of its stage (`versions`), the track's terms, recipes, settings,
seed and level, the code of a method (`records/code.py`), the libraries, the kind of device and, of more than one, how
many processes trained it. It holds no words (a
title, a docstring), no names of files, not which of several GPUs, and no limit in seconds: what ran out of time is not
stored.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from prunemark.benchmark.images.sources import source_of
from prunemark.benchmark.trial.environment import environment, libraries
from prunemark.benchmark.trial.store import Store, key_of
from prunemark.benchmark.trial.trial import Trial
from prunemark.benchmark.trial.versions import GIVEN, versions
from prunemark.records.matched_to import RATIOS_OF, MatchedTo
from prunemark.records.record import Record, load
from prunemark.setups.given_base import base_of
from prunemark.setups.own_parts import OwnParts, is_own_dataset, is_own_network
from prunemark.setups.recipe import Recipe
from prunemark.setups.track import WORDS, Track

SPLITS = ("train.safetensors", "validation.safetensors", "test.safetensors")
DECISION, RECORD, PREDICTIONS = "decision.json", "record.json", "predictions.json"
OF_ANOTHER = "its record is of another trial"


@dataclass(frozen=True)
class Given:
    """What a control is given: filters (or weights) kept in each layer, and whose layer ratios these are.

    `matched_to` is None where they are the level's own. It is part of the control's identity on a board: a submission
    that ranks all layers together has other ratios on every seed; its controls are one row all the same.
    """

    counts: dict[str, int]
    matched_to: MatchedTo | None = None


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
    track = _bound(trial.track)
    if track.own and track.own.dataset_sha256:
        return own_data_key(track.own.dataset_sha256)
    source = source_of(track.dataset)
    stated = {"dataset": track.dataset} | ({"source": source} if source else {})
    return key_of("data", stated | {"versions": versions("data")} | _where(trial, trains=False))


def own_data_key(sha256: str) -> str:
    """The key of a user's own images: the hash of what they are."""
    return key_of("data", {"own": sha256})


def pretrain_key(trial: Trial, until: int | None = None) -> str:
    """The key of the base model, or of an earlier checkpoint of its run.

    It holds the LRs up to that epoch alone, so runs that begin alike share what they have in common. A base that is
    given has no seed: all seeds that start from it share it.
    """
    budget = trial.budget
    if given := base_of(trial.track, trial.seed):
        read = {"weights": given.name, "sha256": given.sha256, "versions": versions("network") | {"given": GIVEN}}
        return key_of("given", read | {"data": data_key(trial), "network": trial.track.network} | _where(trial))
    recipe = budget.pretraining.as_dict() | {"epochs": until if until is not None else budget.base_epochs}
    lr = list(budget.pretraining.lr.vector[: recipe["epochs"]])
    inputs = {
        "data": data_key(trial), "network": trial.track.network_id, "recipe": recipe | {"lr": lr}, "seed": trial.seed,
        "versions": versions("network", "pretrain"),
    }  # fmt: skip
    return key_of("pretrain", inputs | _where(trial) | _by(trial))


def retrain_key(trial: Trial, keys: Keys, recipe: Recipe) -> str:
    """The key of a retrained model: what was retrained, and how."""
    inputs = {"start": keys.prune, "data": keys.data, "recipe": recipe.as_dict(), "seed": trial.seed}
    return key_of("retrain", inputs | {"versions": versions("retrain")} | _where(trial) | _by(trial))


def _by(trial: Trial) -> dict[str, int]:
    """By how many processes it is trained: with shares of a batch, sums end in other bits."""
    return {"processes": trial.processes} if trial.processes > 1 else {}


def _where(trial: Trial, *, trains: bool = True) -> dict[str, Any]:
    """By what it is computed: the kind of device, whichever one of its kind it is, and the libraries.

    What trains or uses a network also has the terms of execution, as far as they change numbers on this device.
    """
    stated: dict[str, Any] = {"arithmetic": trial.track.arithmetic} if trial.track.arithmetic else {}
    execution = trial.track.execution
    if trains and execution and (numbers := execution.numbers(trial.device.partition(":")[0])):
        stated["execution"] = numbers
    track = _bound(trial.track)
    others = libraries(track.network, track.dataset) | (dict(track.own.packages) if track.own else {})
    return {"device": trial.device.partition(":")[0], "environment": environment() | others} | stated


def _bound(track: Track) -> Track:
    """The track. A key of one whose own files have not been looked at yet would say nothing about them."""
    own = track.own or OwnParts()
    if (is_own_network(track.network) and not own.network_sha256) or (
        is_own_dataset(track.dataset) and not own.dataset_sha256
    ):
        raise ValueError(f"the own parts of track {track.id} are not bound: see benchmark/run/own_parts.py")
    return track


def stage_keys(trial: Trial, given: Given | None = None) -> Keys:
    """The keys of a trial's stages; of a control, by what it is given."""
    track, entrant, where = trial.track, trial.entrant, _where(trial)
    scratch = entrant.kind == "scratch"
    data, pretrain = data_key(trial), pretrain_key(trial)
    terms = [
        track.dataset_id, track.granularity, track.pattern, track.prunable, track.tolerance, track.allocations,
        track.pruning.as_dict(),
    ]  # fmt: skip
    prune = key_of(
        "prune",
        {
            "base": None if scratch else pretrain,
            "kind": entrant.kind,
            "network": track.network_id,
            "code": entrant.source.code_sha256 if entrant.source else None,
            "class": entrant.source.class_name if entrant.source else None,
            "settings": dict(entrant.settings),
            "level": asdict(trial.level),
            "terms": terms,
            "granted": trial.budget.pruning_terms(),
            "seed": trial.seed,
            "given": given.counts if given else None,
            "versions": versions("network", "prune") if scratch else versions("prune"),
        }
        | where
        | _by(trial),
    )
    measured = {"model": pretrain, "data": data, "versions": versions("evaluate")}
    evaluate_base = "" if scratch else key_of("evaluate-base", measured | where)
    identity = {name: getattr(entrant, name) for name in ("name", "kind", "role")}
    identity |= {"source": entrant.source.sha256} if entrant.source else {}
    identity |= {RATIOS_OF: given.matched_to.text} if given and given.matched_to else {}
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
        | where
        | _by(trial),
    )
    return Keys(data, pretrain, prune, evaluate_base, evaluate)


def given_to(trial: Trial, store: Store) -> Given | None:
    """What a control is given by the decision of its submission; where that is lost, by the record of its trial.

    None for a trial that decides for itself, and where the submission has made no decision (it failed): the
    control then takes the level's own ratio in every layer. Reads JSON only.

    A record has the counts, and not their order, in which random masks are drawn: enough to find what is stored, not to
    run a control (see `pipeline.run_trial`, which makes a lost decision again before).
    """
    other = trial.submission
    if other is None or other.source is None:
        return None
    keys = stage_keys(trial.of(other))
    if folder := store.read_part(keys.prune, DECISION):
        decided = json.loads((folder / DECISION).read_text())
        counts, allocation = decided["counts"], decided["allocation"]
    elif compression := recorded_compression(store, keys.evaluate):
        counts, allocation = compression["kept"], compression["allocation"]
    else:
        return None
    own = allocation != "uniform"
    return Given(counts, MatchedTo.of(other.name, other.source.sha256, dict(other.settings)) if own else None)


def recorded_compression(store: Store, key: str) -> dict[str, Any] | None:
    """The compression on a stored record; None where there is none, or where it says that the trial failed."""
    if not read_record(store, key):
        return None
    found: dict[str, Any] | None = json.loads((store.path(key) / RECORD).read_bytes())["outcome"]["compression"]
    return found


def read_record(store: Store, key: str) -> Record | None:
    """The stored record of this trial key. That of another trial, copied to its place, is set aside."""
    if not (folder := store.read(key, RECORD)):
        return None
    record = load((folder / RECORD).read_bytes(), f"the stored record {key}")
    if record.outcome.trial_key != key:
        store.discard(key, OF_ANOTHER)
        return None
    return record


def resolved_keys(trial: Trial, store: Store) -> Keys | None:
    """The keys of a trial's stages; None while they depend on a decision that has not been made."""
    given = given_to(trial, store)
    if (
        trial.submission is not None
        and given is None
        and not store.read(stage_keys(trial.of(trial.submission)).evaluate)
    ):
        return None
    return stage_keys(trial, given)
