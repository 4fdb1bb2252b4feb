"""What is said of a plan before it runs, and of its results afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from prunemark.benchmark.run import submit
from prunemark.benchmark.run.drive import Event, Executor
from prunemark.benchmark.run.estimate import (
    PARAMETER_SETS,
    Estimate,
    Step,
    estimate,
    measured_bytes,
    timed_epoch,
)
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.run.home_parts import readable
from prunemark.benchmark.run.jobs import WORKER, Job, confined_for
from prunemark.benchmark.run.mlflow_address import (
    check_address,
    experiment_in,
    is_server,
    runs_link,
    sqlite_file,
    tracking_uri,
)
from prunemark.benchmark.run.mlflow_store import quiet_logs
from prunemark.benchmark.run.own_parts import bound
from prunemark.benchmark.run.work import Work, expected_work
from prunemark.benchmark.trial.trial import Trial, as_plain
from prunemark.cli.check_track import check_before_planning
from prunemark.cli.engines import Engine, local
from prunemark.cli.progress import in_words
from prunemark.cli.tables import print_rows
from prunemark.records.load import read_records
from prunemark.setups.secrets import without_secrets
from prunemark.setups.track import Track


def print_plan(
    trials: Sequence[Trial], home: Home, format: str, console: Console, executor: Executor, engine: Engine
) -> None:
    """What would run, what is stored, and what it is expected to take. Raises InputError for what would be refused."""
    for track, device in dict.fromkeys((trial.track, trial.device) for trial in trials):
        check_before_planning(track, "cpu" if engine.elsewhere else device, home)
    stored = {trial: submit.stored_record(trial, home.store) for trial in trials}
    rows = [as_plain(trial) | {"stored": "yes" if stored[trial] else "no"} for trial in trials]
    print_rows(rows, format, console)
    if format != "table":
        return
    todo = [trial for trial in trials if stored[trial] is None]
    console.print(f"\n{len(trials)} trials, {len(trials) - len(todo)} stored; {say_work(expected_work(todo))}")
    if not todo:
        console.print("nothing to do")
        return
    found = estimated(todo, [trial for trial in trials if stored[trial]], home, engine)
    gpus = engine.gpus_on(todo[0].device)
    if engine.devices > 1:
        console.print(say_shares(todo[0], engine.devices), soft_wrap=True)
    console.print(say_estimate(found, executor.workers, gpus), soft_wrap=True)


def say_shares(trial: Trial, devices: int) -> str:
    """What several devices do together, and what that leaves as it is."""
    batch = trial.recipe.batch_size
    what = "GPUs" if trial.device != "cpu" else "processes"
    return (
        f"each trial trains on {devices} {what} together: a batch of {batch} is the recipe's, about {batch // devices} "
        "images on each; batch norm takes the whole batch, and LRs stay"
    )


def say_work(work: Work) -> str:
    """What will be trained, and what separate runs would train."""
    share = work.epochs / work.separate_epochs if work.separate_epochs else 1.0
    flops = work.dense_epochs / work.separate_dense_epochs if work.separate_dense_epochs else 1.0
    return (
        f"{work.epochs} epochs to train, {share:.2f} of the {work.separate_epochs} that separate runs would "
        f"({flops:.2f} of the training FLOPs); pruning stages not counted"
    )


def estimated(todo: Sequence[Trial], done: Sequence[Trial], home: Home, engine: Engine) -> Estimate:
    """Judged by what has been timed and stored in this home, and where there is nothing by a step that is run now."""
    track, device = todo[0].track, todo[0].device
    records = [record for trial in done if (record := submit.stored_record(trial, home.store))]
    seconds, count = timed_epoch(records, track.id, device, engine.devices)
    if not count and any(home.records.glob("*.json")):
        records = list(read_records(home.records, track.id).records)
        seconds, count = timed_epoch(records, track.id, device, engine.devices)
    sizes = measured_bytes(done, home.store)
    judged = f"{count} trials timed here"
    if not count or not all(sizes):
        step = _step(track, "cpu" if engine.elsewhere else device, home)
        sizes = tuple(size or PARAMETER_SETS * step.parameter_bytes for size in sizes)  # type: ignore[assignment]
        if not count:
            kind = " on this machine's CPU" if engine.elsewhere and device != "cpu" else ""
            kind += f" on one device and shared by {engine.devices}" if engine.devices > 1 else ""
            seconds = step.epoch_seconds / engine.devices
            judged = f"a step measured now{kind}, without reading and augmenting images"
    return estimate(todo, home.store, seconds, judged, *sizes)


def _step(track: Track, device: str, home: Home) -> Step:
    found: list[Step] = []

    def listen(event: Event) -> None:
        if event.kind == "done":
            found.append(event.value)

    executor = local(1, "cpu")
    track = bound(track, home.store, executor, device)
    confined = confined_for(track, "", device, home.store.root)
    job = Job("a step", f"{WORKER}:step_job", (track, device, home.store.root), confined=confined)
    executor.run([job], listen)
    return found[0]


def say_estimate(found: Estimate, workers: int, gpus: float) -> str:
    """Time, the chain that no number of workers shortens, GPU-hours where there are GPUs, and disk."""
    said = f"about {in_words(found.wall_seconds(workers))} on {workers} worker{'s' * (workers > 1)}"
    said += f" ({in_words(found.work_seconds)} of work; the longest chain takes {in_words(found.chain_seconds)})"
    said += f", {found.gpu_hours(gpus):.2g} GPU-hours" if gpus else ""
    return f"{said}, {readable(found.disk_bytes)} of disk; judged by {found.judged_by}"


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
