"""Trials that are run by an executor of another machine's, and what is compared with those of this one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from support.quick_cli import SHORT

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.drive import Executor
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.home import Home, home_at, open_home
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.trial.trial import Trial
from prunemark.cli import requests
from prunemark.records.record import Record

HERE = Path(__file__).parents[1]
ESCAPE = f"{HERE / 'submissions' / 'escapes.py'}:CallsHome"


def job(id: str, function: str, *arguments: object, needs: tuple[str, ...] = ()) -> Job:
    """A call of `executor_jobs.py`."""
    return Job(id, f"support.executor_jobs:{function}", arguments, frozenset(needs))


def home_in(folder: Path) -> Home:
    return open_home(home_at(folder))


def trials_of(home: Home, method: str = "L1-norm", like: str = "digits-resnet8", *, quick: bool = True) -> list[Trial]:
    """One seed of a method, and of random pruning, at one level; trained for two epochs where it is to be quick."""
    request = requests.read(like, "S3.2", ["50%"], "0,", "cpu", None)
    if quick:
        short = dict.fromkeys(("pretraining", "pruning", "retraining"), SHORT)
        request = dataclasses.replace(request, track=dataclasses.replace(request.track, **short))
    submission, trials = requests.plan(method, {}, request, home, LocalProcesses(1))
    return [trial for trial in trials if trial.entrant in (submission,) or trial.entrant.name == "Random"]


def outcomes(trials: list[Trial], home: Home, executor: Executor, *watchers: submit.Watcher) -> dict[str, Record]:
    """The records, by the label of their trial."""
    return {trial.label: record for trial, record in submit.execute(trials, home, executor, watchers).items()}
