"""`prunemark time`: the architectures of some records are timed one after the other, each in a process of its own."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from prunemark.benchmark.compression.surgery import cut, first_filters
from prunemark.benchmark.images.data import pick_device
from prunemark.benchmark.images.datasets import dataset_of
from prunemark.benchmark.metering.backends import BACKENDS, Prepare, Unavailable
from prunemark.benchmark.metering.footprint import LARGE_BATCH
from prunemark.benchmark.metering.in_turns import Run, time_in_turns
from prunemark.benchmark.networks.own_modules import is_kept
from prunemark.benchmark.networks.registry import ImageShape, as_example, build_network
from prunemark.benchmark.run.drive import Event, Executor
from prunemark.benchmark.run.jobs import WORKER, Job, confined_to
from prunemark.benchmark.trial.environment import package_versions
from prunemark.benchmark.trial.own_code import kept_by_name
from prunemark.benchmark.trial.report import hardware, versions
from prunemark.benchmark.trial.store import Store
from prunemark.records.observed import INSTRUCTIONS, PROCESSOR_KIND
from prunemark.records.record import Record
from prunemark.records.speed import speed_of
from prunemark.records.timing import OWN_IMAGES, Architecture, Conditions, Timing, architecture_of, timing_key

TRIES = 5
"""A pass that is not quiet is repeated: whether it is depends on the dense network, not on what is found."""
THREADS = 1
Clock = Callable[[], float]


@dataclass(frozen=True)
class Architected:
    """An architecture with the records that have it; `where` names one place of them, such as a track and level."""

    architecture: Architecture
    records: int
    where: str
    pattern: str


@dataclass(frozen=True)
class Task:
    """One architecture on one backend, with the sizes of batches that are to be timed."""

    of: Architected
    backend: str
    batches: tuple[int, ...]


@dataclass(frozen=True)
class Taken:
    """What became of a task: its timings, or in words why the backend cannot run it here."""

    task: Task
    timings: tuple[Timing, ...] = ()
    unavailable: str = ""


def usual_batches(device: str) -> tuple[int, int]:
    """One image, and a large batch."""
    return 1, LARGE_BATCH[device.partition(":")[0]]


def architectures_of(records: Iterable[Record]) -> list[Architected]:
    """The architectures of final models, those of most records first; the dense network is timed with each."""
    found: dict[str, tuple[Architecture, list[Record]]] = {}
    for record in records:
        if record.outcome.status == "ok" and (architecture := architecture_of(record.outcome)):
            found.setdefault(architecture.key, (architecture, []))[1].append(record)
    made = [_architected(*each) for each in found.values()]
    return sorted(made, key=lambda each: (-each.records, each.where, each.architecture.key))


def _architected(architecture: Architecture, having: Sequence[Record]) -> Architected:
    places = sorted({f"{r.outcome.track} {r.outcome.level}" for r in having})
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    patterns = {str(r.outcome.track_terms.get("pattern") or "") for r in having}
    return Architected(architecture, len(having), places[0] + more, max(patterns))


def plan(
    found: Sequence[Architected], backends: Sequence[str], batches: Sequence[int], device: str,
    known: Iterable[Timing], *, again: bool = False,
) -> list[Task]:  # fmt: skip
    """What is not timed yet under these conditions; a pass that was withheld counts as not timed.

    2:4 kernels are for architectures of 2:4 tracks. With `again`, what is known is measured anew.
    """
    there = set() if again else {one.key for one in known if not speed_of(one.blocks).withheld}
    tasks = []
    for of in found:
        for backend in backends:
            if backend == "2to4" and of.pattern != "2:4":
                continue
            conditions = conditions_of(device, backend)
            todo = tuple(b for b in batches if timing_key(of.architecture, backend, b, conditions) not in there)
            tasks += [Task(of, backend, todo)] if todo else []
    return tasks


def conditions_of(device: str, backend: str) -> Conditions:
    """Of this machine: what times depend on."""
    names = ["torch", "onnxruntime"] if backend == "onnx" else ["torch"]
    of_processor = {name: text for name, text in versions(device).items() if name in (INSTRUCTIONS, PROCESSOR_KIND)}
    return Conditions(device.partition(":")[0], hardware(device), THREADS, package_versions(names) | of_processor)


def execute(
    tasks: Sequence[Task], device: str, executor: Executor, *, store: Store | None = None,
    most_seconds: float = float("inf"), clock: Clock = time.monotonic,
) -> Iterator[Taken]:  # fmt: skip
    """Takes the tasks one by one; starts none after `most_seconds`. Raises WorkFailed and InputError of a job.

    `store` is that of the home: it keeps the code of networks of a track's author.
    """
    began = clock()
    for task in tasks:
        if clock() - began > most_seconds:
            return
        heard: list[Any] = []

        def listen(event: Event, heard: list[Any] = heard) -> None:
            if event.kind == "done":
                heard.append(event.value)

        id = f"timing {task.of.architecture.key[:12]} {task.backend}"
        network = kept_by_name(store, task.of.architecture.network)
        if network is None:
            yield Taken(task, unavailable="the code of its network is in the home in which it ran, and not here")
            continue
        confined = confined_to(network, device)
        executor.run([Job(id, f"{WORKER}:time_job", (task, network, device), confined=confined)], listen)
        yield heard[0] if heard else Taken(task, unavailable="its process was killed: the machine lacks memory for it")


def take(
    task: Task, device: str, clock: Clock, now: Callable[[], datetime.datetime], network: str | None = None
) -> Taken:
    """Times one architecture in this process; `network` is what `build_network` takes where its name is not."""
    network = network or task.of.architecture.network
    if is_kept(network) and task.backend == "compile":
        return Taken(
            task, unavailable="a network of the track's author is not compiled: its process starts no compiler"
        )
    conditions = conditions_of(device, task.backend)
    timings: list[Timing] = []
    for batch_size in task.batches:
        try:
            runs = _runs(task, network, batch_size, pick_device(device))
        except Unavailable as problem:
            return Taken(task, tuple(timings), str(problem))
        with torch.no_grad():
            for _ in range(TRIES):
                blocks, passes = time_in_turns(*runs, clock)
                if not speed_of(blocks).withheld:
                    break
        measured_at = now().isoformat(timespec="seconds")
        architecture = task.of.architecture
        timings.append(Timing(architecture, task.backend, batch_size, conditions, measured_at, passes, blocks))
    return Taken(task, tuple(timings))


def _runs(task: Task, network: str, batch_size: int, device: torch.device) -> tuple[Run, Run, Run]:
    """Two copies of the dense network and one of the pruned one, ready to run."""
    architecture = task.of.architecture
    shape = image_shape(architecture)
    images = as_example(shape, device).expand(batch_size, -1, -1, -1).contiguous()
    of_dense, of_other = BACKENDS[task.backend]

    def ready(prepare: Prepare, kept: dict[str, int]) -> Run:
        return prepare(built(network, shape, kept).to(device), images)

    with torch.no_grad():
        return ready(of_dense, {}), ready(of_dense, {}), ready(of_other, architecture.filters_kept)


def image_shape(architecture: Architecture) -> ImageShape:
    """What the network is built for."""
    if architecture.dataset.startswith(OWN_IMAGES):
        channels, height, width = map(int, architecture.dataset.removeprefix(OWN_IMAGES).split("x"))
        return ImageShape(channels, height, width, architecture.classes)
    shape = dataset_of(architecture.dataset).shape
    return ImageShape(shape.channels, shape.height, shape.width, architecture.classes)


def built(network: str, shape: ImageShape, filters_kept: dict[str, int], names: Collection[str] = ()) -> nn.Module:
    """The network with so many filters left, in evaluation mode; of blocks those that weights of `names` are for."""
    model = build_network(network, shape, 0)
    return cut(model, first_filters(model, filters_kept, shape, names), shape).eval()
