"""The first use: a method is submitted, run with its controls under one setup, and recorded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from prunemark.benchmark.run import mlflow_fields
from prunemark.benchmark.run.doctor import CheckResult
from prunemark.benchmark.run.drive import Event, Executor
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.jobs import WORKER, Job, confined_for, make_jobs
from prunemark.benchmark.run.own_parts import bound
from prunemark.benchmark.run.quiet import trials_running
from prunemark.benchmark.run.renamed import remember
from prunemark.benchmark.run.sharing import sharing
from prunemark.benchmark.submission.locate import locate
from prunemark.benchmark.submission.names import check_name
from prunemark.benchmark.trial.keys import DECISION, PREDICTIONS, read_record, resolved_keys
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.records.outcome import EpochPoint
from prunemark.records.record import Record, dump, load
from prunemark.records.writer import write_atomically
from prunemark.setups.errors import WorkFailed
from prunemark.setups.track_files import find_track

MOST_REASONS = 3


class Watcher(Protocol):
    """Who is told how it goes: the progress display and MLflow."""

    def started(self, trial: Trial) -> None: ...
    def epoch(self, trial: Trial, stage: str, point: EpochPoint) -> None: ...
    def finished(self, trial: Trial, record: Record, files: dict[str, Path]) -> None: ...
    def said(self, words: str) -> None: ...


def check(
    spec: str, settings: dict[str, str], track: str | None, executor: Executor, isolation: str = ""
) -> list[CheckResult]:
    """Whether a method is well-formed, found out in a process of its own. Raises InputError."""
    name, source = locate(spec)
    check_name(name, source)
    found: list[CheckResult] = []

    def listen(event: Event) -> None:
        if event.kind == "failed":
            raise WorkFailed(str(event.value))
        if event.kind == "done":
            found.extend(event.value)

    with tempfile.TemporaryDirectory(prefix="prunemark-check-") as folder:
        store = Store(Path(folder))
        on = bound(find_track(track), store, executor, "cpu", isolation) if track else None
        confined = confined_for(on, isolation, "cpu", store.root, source) if on else None
        arguments = (name, source, settings, on, isolation, store.root)
        executor.run([Job("check", f"{WORKER}:check_job", arguments, confined=confined)], listen)
    return found


def stored_record(trial: Trial, store: Store) -> Record | None:
    """The record of a trial that has been run already."""
    keys = resolved_keys(trial, store)
    return read_record(store, keys.evaluate) if keys else None


def trial_files(trial: Trial, store: Store) -> dict[str, Path]:
    """What MLflow keeps with the record: the decision and the predictions, where the trial has them."""
    keys = resolved_keys(trial, store)
    if keys is None:
        return {}
    places = {DECISION: keys.prune, PREDICTIONS: keys.evaluate}
    found = {name: store.read_part(key, name) for name, key in places.items() if (store.path(key) / name).exists()}
    return {name: folder / name for name, folder in found.items() if folder}


def lost_its_decision(trial: Trial, record: Record, store: Store) -> bool:
    """Whether a stored trial's decision is damaged or missing: it is made again, for boards and controls."""
    keys = resolved_keys(trial, store) if trial.entrant.source and record.outcome.status == "ok" else None
    return keys is not None and not store.read_part(keys.prune, DECISION)


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
    todo = [trial for trial in trials if trial not in stored or lost_its_decision(trial, stored[trial], home.store)]
    jobs, trial_of = make_jobs(todo, home.store)

    def say(words: str) -> None:
        for watcher in watching:
            watcher.said(words)

    def listen(event: Event) -> None:
        hear(event)
        trial = trial_of[event.job.id]
        is_trial = event.job.call.endswith(":trial_job")
        if event.kind == "started" and is_trial:
            for watcher in watching:
                watcher.started(trial)
        elif event.kind == "report":
            stage, what = event.value
            for watcher in watching if stage != "said" else ():
                watcher.epoch(trial, stage, what)
            if stage == "said":
                say(what)
        elif event.kind == "done" and is_trial:
            others = stored_record(trial, home.store) if home.address else None
            keep(trial, others or load(event.value))
        elif event.kind == "again":
            say(str(event.value))
        elif event.kind == "failed":
            lost.append(str(event.value))

    remember(trials, home.store)
    with trials_running(home.root), sharing(home, executor, trial_of, say) as hear:
        executor.run(jobs, listen)
    if lost:
        missing = len(trials) - len(records)
        raise WorkFailed(
            f"{missing} trials were not run, and no method is blamed for it: {'; '.join(lost[:MOST_REASONS])}.\n"
            "What is finished is kept, and the same command goes on from there"
        )
    return records


def submission_key(trials: Sequence[Trial], submission: Entrant) -> str:
    """The identity of a submission in MLflow."""
    first, source = trials[0], submission.source.sha256 if submission.source else ""
    return mlflow_fields.submission_key(
        first.track.id, first.setup.id, submission.name, source, dict(submission.settings)
    )
