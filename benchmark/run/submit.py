"""The first use: a method is submitted, run with its controls under one setup, and recorded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from prunemark.benchmark.run.doctor import CheckResult
from prunemark.benchmark.run.executor import Event, Executor, Job
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.renamed import locate_here, remember
from prunemark.benchmark.run.work import checkpoints, longest_prefix
from prunemark.benchmark.submission.description import MethodDescription
from prunemark.benchmark.submission.locate import MethodSource, locate
from prunemark.benchmark.trial.environment import environment
from prunemark.benchmark.trial.keys import DECISION, data_key, pretrain_key, resolved_keys
from prunemark.benchmark.trial.plan import Request
from prunemark.benchmark.trial.store import Store, key_of
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.benchmark.trial.versions import versions
from prunemark.records.controls import RANDOM_CONTROL, REFERENCES
from prunemark.records.outcome import EpochPoint
from prunemark.records.record import Record, dump, load
from prunemark.records.writer import write_atomically
from prunemark.setups.budget import OWN_NOTHING
from prunemark.setups.errors import InputError, WorkFailed


class Watcher(Protocol):
    """Who is told how it goes: the progress display and MLflow."""

    def started(self, trial: Trial) -> None: ...
    def epoch(self, trial: Trial, stage: str, point: EpochPoint) -> None: ...
    def finished(self, trial: Trial, record: Record, files: dict[str, Path]) -> None: ...


def describe_methods(specs: dict[str, MethodSource], home: Home, executor: Executor) -> dict[str, MethodDescription]:
    """What each method declares; from the store where its code is known already.

    CheckResult it out executes the method's file, in a child process. Raises InputError when it cannot be used.
    """
    keys = {
        name: key_of(
            "describe",
            # the identity leaves docstrings out, and what is described comes from them
            {
                "sha256": s.sha256,
                "words": hashlib.sha256(Path(s.path).read_bytes()).hexdigest(),
                "class": s.class_name,
                "name": name,
                "environment": environment(),
                "versions": versions("describe"),
            },
        )
        for name, s in specs.items()
    }
    found = {name: _stored_description(home.store, key) for name, key in keys.items()}
    jobs = [
        Job(name, "prunemark.benchmark.run.jobs:describe_job", (specs[name], name))
        for name, d in found.items()
        if d is None
    ]

    def listen(event: Event) -> None:
        if event.kind == "failed" or (event.kind == "done" and isinstance(event.value, str)):
            raise InputError(f"{event.job.id} ({specs[event.job.id].path}) cannot be used:\n{event.value}")
        if event.kind == "done":
            found[event.job.id] = event.value
            with home.store.writing(keys[event.job.id]) as draft:
                (draft / "description.json").write_text(json.dumps(asdict(event.value)))

    if jobs:
        executor.run(jobs, listen)
    return {name: description for name, description in found.items() if description is not None}


def _stored_description(store: Store, key: str) -> MethodDescription | None:
    folder = store.read(key)
    return MethodDescription.from_dict(json.loads((folder / "description.json").read_text())) if folder else None


def check(spec: str, settings: dict[str, str], track: str | None, executor: Executor) -> list[CheckResult]:
    """Whether a method is well-formed, found out in a process of its own. Raises InputError."""
    name, source = locate(spec)
    found: list[CheckResult] = []

    def listen(event: Event) -> None:
        if event.kind == "failed":
            raise WorkFailed(str(event.value))
        if event.kind == "done":
            found.extend(event.value)

    executor.run([Job("check", "prunemark.benchmark.run.jobs:check_job", (name, source, settings, track))], listen)
    return found


def entrants(
    spec: str, given_settings: dict[str, str], request: Request, home: Home, executor: Executor
) -> tuple[Entrant, tuple[Entrant, ...]]:
    """The submission, and the controls that run with it: anchor, random, scratch, dense.

    The submission's pruning epoch, where it has chosen one, is also that of the control with its layer ratios.
    """
    track = request.track
    name, source = locate_here(spec, home.store)
    control = RANDOM_CONTROL[track.granularity]
    sources = {name: source} | {n: locate(n)[1] for n in (track.anchor, control)}
    if name in {reference.name for reference in REFERENCES.values()}:
        raise InputError(f"{name!r} is the name of a reference that runs with every method. Give your class another")
    if name in (track.anchor, control) and source != locate(name)[1]:
        raise InputError(f"{name!r} is the name of a method that ships with Prunemark. Give your class another name")
    described = describe_methods(sources, home, executor)

    def make(name: str, role: str, settings: dict[str, str], shares: bool = False, at: int | None = None) -> Entrant:
        what = described[name]
        own = what.own if request.setup.own_pruning_epoch else replace(what.own, prune_at=None)
        return Entrant(
            name, "pruned", role, sources[name], tuple(what.with_settings(settings).items()),  # type: ignore[arg-type]
            what.granularity, own if at is None else replace(own, prune_at=at), what.summary, shares,
        )  # fmt: skip

    anchor = make(track.anchor, "anchor", {})
    submission = make(name, "submission", given_settings, at=request.prune_at)
    if name == anchor.name and (submission.settings, submission.own) == (anchor.settings, anchor.own):
        submission = anchor
    controls = [] if submission == anchor else [anchor]
    if name != control:
        controls.append(make(control, "control", {}, shares=True, at=submission.own.prune_at))
    controls += [
        Entrant(r.name, r.kind, "reference", None, (), track.granularity, OWN_NOTHING, r.summary, r.matched)
        for r in REFERENCES.values()
    ]
    return submission, tuple(controls)


def stored_record(trial: Trial, store: Store) -> Record | None:
    """The record of a trial that has been run already."""
    keys = resolved_keys(trial, store)
    folder = store.read(keys.evaluate) if keys else None
    return load((folder / "record.json").read_bytes()) if folder else None


def trial_files(trial: Trial, store: Store) -> dict[str, Path]:
    """What MLflow keeps with the record: the decision and the predictions, where the trial has them."""
    keys = resolved_keys(trial, store)
    if keys is None:
        return {}
    places = {DECISION: store.path(keys.prune), "predictions.json": store.path(keys.evaluate)}
    return {name: folder / name for name, folder in places.items() if (folder / name).is_file()}


def execute(
    trials: Sequence[Trial], home: Home, executor: Executor, watchers: Iterable[Watcher]
) -> dict[Trial, Record]:
    """Runs what is not stored yet; the record of every trial that has one in the end.

    Records are written to the home's folder as they come. Raises WorkFailed when the store cannot be used.
    """
    watching = list(watchers)
    records: dict[Trial, Record] = {}

    def keep(trial: Trial, record: Record) -> None:
        path = home.records / f"{record.record_sha256}.json"
        text = dump(record)
        if not path.exists() or path.read_bytes() != text.encode():  # missing, or edited
            write_atomically(path, text)
        records[trial] = record
        for watcher in watching:
            watcher.finished(trial, record, trial_files(trial, home.store))

    stored = {trial: record for trial in trials if (record := stored_record(trial, home.store))}
    for trial, record in stored.items():
        keep(trial, record)
    lost: list[str] = []
    jobs, trial_of = make_jobs([trial for trial in trials if trial not in stored], home.store)

    def listen(event: Event) -> None:
        trial = trial_of[event.job.id]
        is_trial = event.job.call.endswith(":trial_job")
        if event.kind == "started" and is_trial:
            for watcher in watching:
                watcher.started(trial)
        elif event.kind == "report":
            for watcher in watching:
                watcher.epoch(trial, *event.value)
        elif event.kind == "done" and is_trial:
            keep(trial, load(event.value))
        elif event.kind == "failed":
            lost.append(str(event.value))

    remember(trials, home.store)
    executor.run(jobs, listen)
    if lost:
        raise WorkFailed(
            f"{len(lost)} jobs did not end: {lost[0]}.\n"
            "What is finished is kept; run the same command again, with fewer --workers if memory was short"
        )
    return records


def make_jobs(trials: Sequence[Trial], store: Store) -> tuple[list[Job], dict[str, Trial]]:
    """Data first, then each seed's base, then its trials; a control after the submission that it is matched to."""
    jobs: dict[str, Job] = {}
    trial_of: dict[str, Trial] = {}
    ids = {trial: f"trial {number}: {trial.label}" for number, trial in enumerate(trials)}  # a label names several

    def add(id: str, function: str, trial: Trial, needs: Iterable[str]) -> str:
        if id not in jobs:
            call = f"prunemark.benchmark.run.jobs:{function}"
            jobs[id] = Job(id, call, (trial, store.root), frozenset(n for n in needs if n in jobs))
            trial_of[id] = trial
        return id

    bases = checkpoints(trials)
    for trial in trials:
        if not store.has(data_key(trial)):
            add(f"data {trial.track.dataset}", "prepare_job", trial, [])
    for key, trial in bases.items():
        if not store.has(key):
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


def submission_key(trials: Sequence[Trial], submission: Entrant) -> str:
    """The identity of a submission in MLflow: the same method under the same setup is the same submission."""
    first = trials[0]
    source = submission.source.sha256 if submission.source else ""
    identity: dict[str, Any] = {"track": first.track.id, "setup": first.setup.id, "name": submission.name}
    return key_of("submission", identity | {"source": source, "settings": dict(submission.settings)})
