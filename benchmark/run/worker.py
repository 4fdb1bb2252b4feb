"""What runs in the processes of an executor: the module that its fork server loads, torch and all."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import scipy.stats  # noqa: F401 - loaded here once, so that no trial pays the time it takes
import torch
import torch_pruning  # noqa: F401

from prunemark.benchmark.run.check import check_method
from prunemark.benchmark.run.check_track import check_track, measured_step, try_network
from prunemark.benchmark.run.doctor import CheckResult
from prunemark.benchmark.run.estimate import Step
from prunemark.benchmark.run.export import export
from prunemark.benchmark.run.new_track import new_track
from prunemark.benchmark.run.timing import Taken, Task, take
from prunemark.benchmark.sandbox.child import ChildFailed
from prunemark.benchmark.submission.describe import describe_in_child
from prunemark.benchmark.submission.description import MethodDescription
from prunemark.benchmark.submission.locate import MethodSource
from prunemark.benchmark.submission.place import place_of, said_and_advice
from prunemark.benchmark.training import arithmetic
from prunemark.benchmark.trial.base_model import prepare_data, pretrain
from prunemark.benchmark.trial.keys import stage_keys
from prunemark.benchmark.trial.own_data import with_images
from prunemark.benchmark.trial.pipeline import run_trial
from prunemark.benchmark.trial.store import Store
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.record import Record, dump
from prunemark.setups.own_parts import OwnParts
from prunemark.setups.track import Track
from prunemark.setups.track_text import as_toml

Report = Callable[[Any], None]


def describe_job(report: Report, source: MethodSource, name: str, isolation: str) -> MethodDescription | str:
    """What a method declares, or in words why that cannot be found out."""
    try:
        return describe_in_child(source, name, isolation)
    except ChildFailed as failure:
        where = place_of(failure.trace, source.path, source.class_name)
        happened, advice = said_and_advice(failure.evidence)
        return f"{happened}{where and f' ({where})'}" + (advice and f".\n{advice}")


def check_job(
    report: Report, name: str, source: MethodSource, settings: dict[str, str], track: Track | None, isolation: str,
    store: Path,
) -> list[CheckResult]:  # fmt: skip
    """Whether a submission is well-formed."""
    torch.set_num_threads(1)
    return check_method(name, source, settings, track, Store(store), isolation)


def check_track_job(report: Report, track: Track, device: str, store: Path) -> list[CheckResult]:
    """Whether a track can be run."""
    arithmetic.use(track.arithmetic, device, track.execution)
    torch.set_num_threads(1)
    return check_track(track, device, _telling(store, report))


def step_job(report: Report, track: Track, device: str, store: Path) -> Step:
    """What a step of a track takes here."""
    arithmetic.use(track.arithmetic, device, track.execution)
    torch.set_num_threads(1)
    return measured_step(track, device, _telling(store, report))


def _telling(store: Path, report: Report) -> Store:
    """The store; what it has to say crosses to the driver, whose watchers are told."""
    return Store(store, lambda words: report(("said", words)))


def new_track_job(
    report: Report, begun: Track, names: tuple[str, str], device: str, store: Path, streams: bool
) -> tuple[str, list[CheckResult]]:
    """The text of a draft's file, filled in; its network and dataset as their author calls them are `names`."""
    torch.set_num_threads(1)
    made = new_track(begun, device, _telling(store, report), streams)
    network, dataset = names
    return as_toml(replace(made.track, network=network, dataset=dataset, own=None), made.comments), made.findings


def own_data_job(report: Report, track: Track, store: Path, isolation: str) -> tuple[OwnParts | None, tuple[str, ...]]:
    """Reads a track's own images, where they are not known yet; what they are, and notes on them."""
    torch.set_num_threads(1)
    found, notes = with_images(track, _telling(store, report), isolation)
    return found.own, notes


def own_network_job(report: Report, track: Track, device: str, store: Path) -> None:
    """Tries a track's own network and its layers, before anything trains. Raises InputError."""
    arithmetic.use(track.arithmetic, device, track.execution)
    torch.set_num_threads(1)
    try_network(track, device, _telling(store, report))


def prepare_job(report: Report, trial: Trial, store: Path) -> None:
    """Reads and splits the trial's dataset."""
    arithmetic.use(trial.track.arithmetic, trial.device, trial.track.execution)
    prepare_data(trial, stage_keys(trial), _telling(store, report))


def pretrain_job(report: Report, trial: Trial, store: Path) -> None:
    """Trains the base model of the trial's seed."""
    arithmetic.use(trial.track.arithmetic, trial.device, trial.track.execution)
    torch.set_num_threads(1)
    pretrain(trial, stage_keys(trial), _telling(store, report), lambda stage, point: report((stage, point)))


def trial_job(report: Report, trial: Trial, store: Path) -> str:
    """Runs a trial; its record as JSON."""
    arithmetic.use(trial.track.arithmetic, trial.device, trial.track.execution)
    torch.set_num_threads(1)
    return dump(run_trial(trial, _telling(store, report), lambda stage, point: report((stage, point))))


def time_job(report: Report, task: Task, network: str, device: str) -> Taken:
    """Times one architecture, by the clock of this machine."""
    torch.set_num_threads(1)
    return take(task, device, time.perf_counter, lambda: datetime.datetime.now(datetime.UTC), network)


def export_job(report: Report, record: Record, store: Path, out: Path, forms: tuple[str, ...]) -> list[str]:
    """Exports a record's final model; the paths written."""
    return [str(path) for path in export(record, Store(store), out, forms)]
