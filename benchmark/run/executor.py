"""Jobs in processes on this machine.

Each job gets a fresh process, forked from a server that has torch loaded already and has used none of it
(and so never CUDA): milliseconds to start, nothing left over from the job before.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from prunemark.benchmark.images.sources import VARIABLE
from prunemark.benchmark.run import job_process
from prunemark.benchmark.run.crossing_words import heard
from prunemark.benchmark.run.drive import Ended, Event, Hold, Listen, drive
from prunemark.benchmark.run.fork_server import fork_server, no_main_module, stop_server
from prunemark.benchmark.run.gpu_room import LOOK_SECONDS, GpuRoom
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.run.retries import PAUSES_SECONDS
from prunemark.benchmark.sandbox.run_folder import run_folder
from prunemark.setups.errors import InputError, WorkFailed, need
from prunemark.setups.processes import uninterrupted

KILL_SECONDS = 5.0


@dataclass
class LocalProcesses:
    """Up to `workers` processes on this machine, one torch thread each.

    `devices` are the GPUs that they are spread over, as CUDA_VISIBLE_DEVICES names them: a job sees one (several that
    train together) and calls it `cuda`, so that no key knows which it was. Empty: all see what this process sees.
    `stop_at`: see `Executor`. With `shared`, so many run on each of these GPUs as fit into its memory.
    """

    workers: int
    pauses_seconds: tuple[float, ...] = PAUSES_SECONDS
    clock: Callable[[], float] = time.monotonic
    devices: tuple[str, ...] = ()
    stop_at: float | None = None
    shared: GpuRoom | None = None
    hold: Hold | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"--workers is at least 1; given {self.workers}")
        need("run", "running trials")

    def run(self, jobs: Sequence[Job], listen: Listen) -> None:
        """See `Executor.run` and `drive`."""
        with run_folder() as scratch:
            engine = Processes(self.workers, scratch, self.devices, shared=self.shared)
            try:
                drive(jobs, listen, engine, self.pauses_seconds, self.clock, self.stop_at, self.hold)
            except KeyboardInterrupt:
                stop_server()
                raise


@dataclass
class _Running:
    job: Job
    process: BaseProcess
    pipe: Connection
    device: str | None
    finished: bool = False
    problem: Exception | None = None


@dataclass
class Processes:
    """The engine of this machine: see `drive.Engine`. Temporary files of its jobs lie in `scratch`."""

    workers: int
    scratch: Path
    devices: tuple[str, ...] = ()
    images: str | None = field(default_factory=lambda: os.environ.get(VARIABLE))
    shared: GpuRoom | None = None
    _waiting: list[Job] = field(default_factory=list)
    _running: list[_Running] = field(default_factory=list)
    _started: list[Job] = field(default_factory=list)

    def room(self) -> int:
        """Of `Engine`."""
        return 0 if self._waiting else self.workers - len(self._running)

    def running(self) -> list[str]:
        """Of `Engine`."""
        return [running.job.id for running in self._running] + [job.id for job in self._waiting]

    def start(self, jobs: Sequence[Job]) -> list[tuple[Job, WorkFailed]]:
        """Of `Engine`. A job for which no GPU has room waits here, and those behind it: none is overtaken for ever."""
        self._waiting += jobs
        problems = []
        while self._waiting:
            device = self.shared.place(self._waiting[0]) if self.shared else self._least_used()
            if self.shared and device is None:
                break
            job = self._waiting.pop(0)
            try:
                self.scratch.mkdir(parents=True, exist_ok=True)
                context = fork_server()
                with uninterrupted():
                    self._running.append(_started(context, job, self.scratch, self.images, device))
            except (OSError, EOFError) as problem:  # no process or no descriptor is left, or the server has died
                if not self._running:  # its socket may be gone with a folder that somebody has emptied
                    stop_server()
                if self.shared:
                    self.shared.ended(job, well=False)
                problems.append((job, WorkFailed(f"{job.id} could not start: {problem}")))
            else:
                self._started.append(job)
        return problems

    def _least_used(self) -> str | None:
        used = Counter(running.device for running in self._running)
        return min(self.devices, key=lambda device: used[device], default=None)

    def listen(self, tell: Listen, at_most: float | None) -> list[Ended]:
        """Of `Engine`."""
        while self._started:
            tell(Event(self._started.pop(0), "started"))
        if not self._running:
            time.sleep(at_most or 0.0)
            return []
        if self.shared and (self.shared.measuring or self._waiting):
            at_most = LOOK_SECONDS if at_most is None else min(at_most, LOOK_SECONDS)
        ready = wait([r.pipe for r in self._running] + [r.process.sentinel for r in self._running], at_most)
        ended: list[Ended] = []
        if self.shared:
            self.shared.note()
        for running in list(self._running):
            gone = running.process.sentinel in ready
            if running.pipe in ready or gone:
                _drain(running, tell)
            if gone:
                running.process.join()
                running.pipe.close()
                self._running.remove(running)
                ended.append((running.job, None if running.finished else running.problem or _died(running)))
                if self.shared:
                    self.shared.ended(running.job, running.finished)
        if self._waiting:  # where another one has ended, or somebody else has freed memory
            ended.extend(self.start(()))
        return ended

    def stop(self) -> None:
        """Kills at once: a store holds whole entries only, and what these processes forked ends with them."""
        for running in self._running:
            running.process.kill()
        for running in self._running:
            running.process.join(timeout=KILL_SECONDS)
        self._running.clear()
        self._waiting.clear()


def _started(context: Any, job: Job, scratch: Path, images: str | None, device: str | None) -> _Running:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=job_process.work, args=(job, theirs, str(scratch), images, device), name=job.id)
    with no_main_module():
        process.start()
    theirs.close()
    return _Running(job, process, ours, device)


def _drain(running: _Running, tell: Listen) -> None:
    """Passes on what a job has said. One that was stopped in the middle of a word has said no more than the others."""
    with contextlib.suppress(EOFError, OSError):
        while running.pipe.poll():
            kind, value = heard(running.pipe, running.job)
            if kind == "error":
                running.problem = value
                continue
            running.finished = running.finished or kind == "done"
            tell(Event(running.job, kind, value))


def _died(ended: _Running) -> WorkFailed:
    code = ended.process.exitcode or 0
    how = f"was killed by signal {-code}" if code < 0 else "ended without a result"
    return WorkFailed(f"{ended.job.id} {how}")


def visible_devices(device: str, variables: Mapping[str, str], count: Callable[[], int]) -> tuple[str, ...]:
    """The GPUs to spread jobs over that ask for any one: those of CUDA_VISIBLE_DEVICES, or as many as are counted.

    Empty for the CPU, and for one that was named by its number.
    """
    if device != "cuda":
        return ()
    stated = variables.get(job_process.DEVICES)
    if stated is None:
        return tuple(map(str, range(count())))
    return tuple(name.strip() for name in stated.split(",") if name.strip())


def grouped(devices: Sequence[str], device: str, together: int) -> tuple[str, ...]:
    """The GPUs, so many in each place, as CUDA_VISIBLE_DEVICES names several. What is left over is not used.

    Raises InputError where they do not make one place, and for one GPU that was named by its number.
    """
    if together == 1 or device == "cpu":
        return tuple(devices)
    if device != "cuda":
        raise InputError(f"--devices-per-trial {together} with --device {device}, which is one: say --device cuda")
    if len(devices) < together:
        raise InputError(f"--devices-per-trial {together}, but there are {len(devices)} GPUs here")
    places = range(0, len(devices) - together + 1, together)
    return tuple(",".join(devices[place : place + together]) for place in places)


def default_workers(device: str, devices: Sequence[str] = (), together: int = 1) -> int:
    """On the CPU one for each core, or so many of them; one on each GPU, whose memory more would have to share."""
    return max(len(os.sched_getaffinity(0)) // together if device == "cpu" else len(devices), 1)
