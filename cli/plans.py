"""What is said of a plan before it runs, and of its results afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.mlflow_address import (
    check_address,
    experiment_in,
    is_server,
    runs_link,
    sqlite_file,
    tracking_uri,
)
from prunemark.benchmark.run.mlflow_store import quiet_logs
from prunemark.benchmark.run.work import Work, expected_work
from prunemark.benchmark.trial.trial import Trial, as_plain
from prunemark.cli.check_track import check_before_planning
from prunemark.cli.tables import print_rows
from prunemark.records.record import Record
from prunemark.setups.secrets import without_secrets


def print_plan(trials: Sequence[Trial], home: Home, format: str, console: Console) -> None:
    """What would run, what is stored, and how long it took before. Raises InputError for what would be refused."""
    for track, device in dict.fromkeys((trial.track, trial.device) for trial in trials):
        check_before_planning(track, device, home)
    stored = {trial: submit.stored_record(trial, home.store) for trial in trials}
    rows = [as_plain(trial) | {"stored": "yes" if stored[trial] else "no"} for trial in trials]
    print_rows(rows, format, console)
    if format != "table":
        return
    todo = [trial for trial in trials if stored[trial] is None]
    console.print(f"\n{len(trials)} trials, {len(trials) - len(todo)} stored; {say_work(expected_work(todo))}")
    console.print(estimate([record for record in stored.values() if record], todo))


def say_work(work: Work) -> str:
    """What will be trained, and what separate runs would train."""
    share = work.epochs / work.separate_epochs if work.separate_epochs else 1.0
    flops = work.dense_epochs / work.separate_dense_epochs if work.separate_dense_epochs else 1.0
    return (
        f"{work.epochs} epochs to train, {share:.2f} of the {work.separate_epochs} that separate runs would "
        f"({flops:.2f} of the training FLOPs); pruning stages not counted"
    )


def estimate(done: Sequence[Record], todo: Sequence[Trial]) -> str:
    """How long the rest will take, judged by the trials of this plan that were timed here already."""
    timed = [(r.observed.retraining_seconds, r.outcome.retraining.epochs) for r in done if r.outcome.retraining]
    epochs = sum(epochs for _, epochs in timed)
    if not todo:
        return "nothing to do"
    if not epochs:
        return "no trial of this plan has been timed here yet, so no time is estimated"
    seconds = sum(seconds for seconds, _ in timed) / epochs * expected_work(todo).epochs
    return f"about {seconds / 60:.1f} minutes on one worker, judged by {len(timed)} trials timed here"


def say_where(home: Home, uri: str | None, console: Console, track: str = "", submission_key: str = "") -> None:
    """Where the page, the records and MLflow are; with a track, the page of a submission's runs on it."""
    console.print(f"\nPage:    {home.page.as_uri()}", soft_wrap=True)
    console.print(f"Records: {_short(home.records)}", soft_wrap=True)
    address = tracking_uri(uri, home)
    experiment = _experiment(address, track) if track else ""
    link = runs_link(address, experiment, submission_key) if experiment else ""
    if is_server(address):
        console.print(f"MLflow:  {link or without_secrets(address)}", soft_wrap=True, markup=False)
        return
    console.print(f"MLflow:  mlflow ui --backend-store-uri {without_secrets(address)}", soft_wrap=True, markup=False)
    if link:
        console.print(f"         then {link}", soft_wrap=True, markup=False)


def _experiment(address: str, track: str) -> str:
    """The id of a track's experiment; '' where it cannot be found out now, which costs only the link."""
    if path := sqlite_file(address):
        return experiment_in(path, track) if path.is_file() else ""
    with contextlib.suppress(Exception), quiet_logs():
        check_address(address)
        from mlflow.tracking import MlflowClient

        found = MlflowClient(tracking_uri=address).get_experiment_by_name(track)
        return str(found.experiment_id) if found else ""
    return ""


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)
