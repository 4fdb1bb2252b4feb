"""The jobs that trials need: each dataset, each base model, each trial, and which of them wait for which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prunemark.benchmark.images.sources import INSTALLED, data_folder
from prunemark.benchmark.networks.own_modules import files_of, is_kept
from prunemark.benchmark.run.work import checkpoints, longest_prefix
from prunemark.benchmark.sandbox.confinement import isolation_of
from prunemark.benchmark.sandbox.worker import ConfinedWorker
from prunemark.benchmark.submission.covered import covered_files
from prunemark.benchmark.submission.locate import MethodSource
from prunemark.benchmark.trial.keys import data_key, pretrain_key
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Trial
from prunemark.setups.errors import InputError
from prunemark.setups.own_parts import is_own_dataset
from prunemark.setups.track import Track

WORKER = "prunemark.benchmark.run.worker"
"""The module whose functions jobs call."""


@dataclass(frozen=True)
class Job:
    """A call by name, `module:function`, with picklable arguments; it starts when all of `needs` are done.

    The function gets a `report(event)` callable as its first argument.
    """

    id: str
    call: str
    arguments: tuple[Any, ...]
    needs: frozenset[str] = frozenset()
    confined: ConfinedWorker | None = None


def confined_for(
    track: Track, isolation: str, device: str, store: Path, *methods: MethodSource | None
) -> ConfinedWorker | None:
    """How a worker is confined that builds the track's network; None where that is no code of the track's author.

    It reads the files of these methods, which it hands to their processes. Raises InputError for an isolation that it
    cannot have.
    """
    if not is_kept(track.network):
        return None
    if isolation == "container":
        raise InputError(
            f"track {track.id} has a network of its author's, whose workers start no program, so no container.\n"
            "Use --isolation landlock"
        )
    images = [] if is_own_dataset(track.dataset) or track.dataset in INSTALLED else [data_folder(track.dataset)]
    mains = [Path(method.path) for method in methods if method]
    code = [file for main in mains for file in covered_files(main)]
    readable, listed = map(str, (*images, *code)), tuple(sorted({str(file.parent) for file in code}))
    return ConfinedWorker(isolation_of(isolation), (str(store),), tuple(readable), device != "cpu", listed)


def confined_to(network: str, device: str, *writable: Path) -> ConfinedWorker | None:
    """How a worker is confined that only builds a network of this name; None where it needs not be."""
    if not is_kept(network):
        return None
    readable = tuple(str(file) for file in files_of(network))
    return ConfinedWorker(isolation_of(""), tuple(map(str, writable)), readable, device != "cpu")


def make_jobs(trials: Sequence[Trial], store: Store) -> tuple[list[Job], dict[str, Trial]]:
    """Data first, then each seed's base, then its trials; a control after the submission that it is matched to."""
    jobs: dict[str, Job] = {}
    trial_of: dict[str, Trial] = {}
    ids = {trial: f"trial {number}: {trial.label}" for number, trial in enumerate(trials)}  # a label names several

    def add(id: str, function: str, trial: Trial, needs: Iterable[str]) -> str:
        if id not in jobs:
            call = f"{WORKER}:{function}"
            methods = [entrant.source for entrant in (trial.entrant, trial.submission) if entrant]
            confined = confined_for(trial.track, trial.isolation, trial.device, store.root, *methods)
            jobs[id] = Job(id, call, (trial, store.root), frozenset(n for n in needs if n in jobs), confined)
            trial_of[id] = trial
        return id

    bases = checkpoints(trials)
    for trial in trials:
        if not store.read(data_key(trial)):
            add(f"data {trial.track.dataset}", "prepare_job", trial, [])
    for key, trial in bases.items():
        if not store.read(key):
            before = longest_prefix(trial, bases)
            needs = [f"data {trial.track.dataset}"] + ([_base_id(before[0])] if before else [])
            add(_base_id(key), "pretrain_job", trial, needs)
    for trial in trials:
        matched_to = [trial.of(trial.submission)] if trial.submission else []
        ratios = [ids[submission] for submission in matched_to if submission in ids]
        base = [_base_id(pretrain_key(trial))]
        add(ids[trial], "trial_job", trial, [f"data {trial.track.dataset}", *base, *ratios])
    return list(jobs.values()), trial_of


def _base_id(key: str) -> str:
    return f"base model {key[:16]}"
