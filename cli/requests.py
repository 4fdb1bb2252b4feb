"""From the words of the command line to a plan, and from a plan to records. Mistakes are met here first."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.console import Console

from prunemark.benchmark.run import own_parts, renamed, submit
from prunemark.benchmark.run.drive import Executor
from prunemark.benchmark.run.entrants import entrants
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.mlflow_address import tracking_uri
from prunemark.benchmark.run.mlflow_fields import Submission
from prunemark.benchmark.run.notes import Noted
from prunemark.benchmark.run.tracking import Tracker
from prunemark.benchmark.run.work import checkpoints, expected_work
from prunemark.benchmark.submission.method_files import read_source
from prunemark.benchmark.trial.keys import resolved_keys
from prunemark.benchmark.trial.plan import Request, check_processes, make_trials
from prunemark.benchmark.trial.trial import Entrant, Trial
from prunemark.cli import mirrored
from prunemark.cli.progress import MlflowWatcher, Progress
from prunemark.records.card import known_methods
from prunemark.records.record import Record
from prunemark.records.source import write_method
from prunemark.setups.budget import Own, budget_for
from prunemark.setups.comparison import find_setup
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.execution import check_runs_on, read_words, with_execution
from prunemark.setups.track_files import find_track

MAX_SEEDS = 1000
METHODS = "methods"
"""The folder of sources beside the records, of a home as of a board."""


def read(
    track: str,
    setup: str,
    levels: Sequence[str] | None,
    seeds: str,
    device: str,
    pruning_seconds: float | None,
    prune_at: int | None = None,
    isolation: str = "",
    elsewhere: bool = False,
    execution: Sequence[str] | None = None,
    processes: int = 1,
) -> Request:
    """Checks the request. Raises InputError with the valid choices; a device that is `elsewhere` may not be here."""
    found_track, found_setup = with_execution(find_track(track), read_words(execution or ())), find_setup(setup)
    if found_setup.tuned:
        raise InputError(f"setup {found_setup.id} is run by `prunemark tune`, which takes the same options")
    chosen = tuple(dict.fromkeys(found_track.level(name) for name in levels)) if levels else found_track.levels
    if pruning_seconds is not None and not 0 < pruning_seconds < math.inf:
        raise InputError(f"--pruning-seconds is a number above 0; given {pruning_seconds:g}")
    check_device(device, here=not elsewhere)
    check_runs_on(found_track, device)
    for level in chosen:
        budget_for(found_track, found_setup, level, "pruned", Own(prune_at=prune_at))
    check_processes(found_track, processes)
    wanted = read_seeds(seeds)
    return Request(
        found_track, found_setup, chosen, wanted, device, pruning_seconds, prune_at, isolation, processes=processes
    )


def check_device(device: str, *, here: bool = True) -> None:
    """The word, and whether there is such a GPU; for the CPU, torch is not loaded to find that out."""
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not index.isdigit()) or (kind == "cpu" and device != "cpu"):
        raise InputError(f"unknown device {device!r}. Valid: cpu, cuda, cuda:0, cuda:1, ...")
    if kind == "cuda" and here:
        from prunemark.benchmark.images.data import pick_device

        pick_device(device)


def read_seeds(text: str) -> tuple[int, ...]:
    """'5' is seeds 0 to 4; '0,3,7' is these, and '3,' this one. Raises InputError for anything else."""
    parts = [part.strip() for part in text.split(",")]
    listed = len(parts) > 1
    parts = parts[:-1] if listed and not parts[-1] else parts
    if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
        raise InputError(f"--seeds is a number of seeds (5) or a list of them (0,1,7); given {text!r}")
    numbers = [int(part) for part in parts]
    seeds = tuple(range(min(numbers[0], MAX_SEEDS + 1))) if not listed else tuple(numbers)
    if not 1 <= len(seeds) <= MAX_SEEDS or len(set(seeds)) != len(seeds):
        raise InputError(f"--seeds names 1 to {MAX_SEEDS} different seeds; given {text!r}")
    return seeds


def read_settings(given: Sequence[str] | None) -> dict[str, str]:
    """name=value pairs. Raises InputError for anything else."""
    settings = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InputError(f"--set takes name=value; given {text!r}")
        settings[name.strip()] = value.strip()
    return settings


def bound(request: Request, home: Home, executor: Executor) -> Request:
    """The request with the track's own network and images looked at; see `benchmark/run/own_parts.py`."""
    track = own_parts.bound(request.track, home.store, executor, request.device, request.isolation)
    return replace(request, track=track)


def plan(
    method: str, settings: dict[str, str], request: Request, home: Home, executor: Executor
) -> tuple[Entrant, tuple[Trial, ...]]:
    """The submission and all trials, its own and its controls'."""
    submission, controls = entrants(method, settings, request, home, executor)
    return submission, make_trials(request, submission, controls)


def run(
    request: Request, submission: Entrant, trials: Sequence[Trial], home: Home, executor: Executor,
    uri: str | None, console: Console,
) -> list[Record]:  # fmt: skip
    """Runs what is missing, shows progress, mirrors to MLflow. Returns the records, of failed trials too.

    Raises WorkFailed when trials could not be run at all. What MLflow does not take is said, and ends nothing.
    """
    todo = [trial for trial in trials if submit.stored_record(trial, home.store) is None]
    plan_words = f"nothing to run: all {len(trials)} trials are stored" if not todo else (
        f"{len(trials)} trials, {len(trials) - len(todo)} stored already; running {len(todo)}"
    )  # fmt: skip
    console.print(plan_words)
    for words in renamed.in_words(trials):
        console.print(words)
    parent = Submission(
        request.track.id,
        request.setup.id,
        submission.name,
        submission.summary,
        submit.submission_key(trials, submission),
        submission.settings,
    )
    _keep_source(submission, home)
    with contextlib.ExitStack() as stack:
        say = partial(console.print, soft_wrap=True, markup=False)
        tracker = stack.enter_context(Tracker(tracking_uri(uri, home), home, parent, say))
        bases = [key for key in checkpoints(todo) if home.store.read(key)]
        epochs = expected_work(todo, bases).epochs
        progress = stack.enter_context(Progress(console, len(todo), epochs))
        noted = stack.enter_context(Noted(home, submission.name, request.track.id, request.setup.id, len(todo), epochs))
        records = submit.execute(trials, home, executor, [progress, noted, MlflowWatcher(tracker)])
        code = submission.source.sha256 if submission.source else ""
        named = (submission.name, code, dict(submission.settings))
        if records:
            tracker.describe(mirrored.standing_of(home.records, parent.track, parent.setup, *named))
    return [records[trial] for trial in trials if trial in records]


def forget_failed(trials: Sequence[Trial], home: Home, console: Console) -> None:
    """Has the trials run again that failed, whoever was to blame. Their records stay; a newer one supersedes them."""
    stored = {trial: submit.stored_record(trial, home.store) for trial in trials}
    failed = [trial for trial, record in stored.items() if record and record.outcome.status != "ok"]
    for trial in failed:
        if keys := resolved_keys(trial, home.store):
            home.store.forget(keys.evaluate)
    console.print(f"--retry-failed: failed trials to run again: {len(failed)}")


def _keep_source(submission: Entrant, home: Home) -> None:
    """What `fill` runs later, when the file may be gone; a source that cannot be carried is given there by hand."""
    if submission.source and submission.name not in known_methods():
        with contextlib.suppress(InputError, WorkFailed):
            write_method(read_source(submission.source), home.records.parent / METHODS)


def stop_if_failed(records: Sequence[Record], place: Path) -> None:
    """Raises WorkFailed, with the first reason, when a trial failed."""
    if failed := [record for record in records if record.outcome.status != "ok"]:
        first = failed[0].outcome
        why = first.failure.evidence if first.failure else first.status
        raise WorkFailed(f"{len(failed)} of {len(records)} trials failed ({why}); see {place}")
