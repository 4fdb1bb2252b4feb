"""Where jobs run: processes on this machine. A cluster engine moves in by offering the same `run`.

Each job gets a fresh process, forked from a server that has torch loaded already and has used none of it
(and so never CUDA): milliseconds to start, nothing left over from the job before.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from prunemark.benchmark.images.sources import VARIABLE
from prunemark.benchmark.run import job_process
from prunemark.benchmark.run.crossing_words import heard
from prunemark.benchmark.run.fork_server import fork_server, no_main_module, stop_server
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.run.retries import PAUSES_SECONDS, Retries
from prunemark.benchmark.sandbox.run_folder import run_folder
from prunemark.setups.errors import Diverged, InputError, WorkFailed, need
from prunemark.setups.processes import uninterrupted

KILL_SECONDS = 5.0


@dataclass(frozen=True)
class Event:
    """What a job says: 'started', 'report' (value: what it reported), 'done' (its result) and three kinds of trouble.

    With words: 'again', why the machine ended it and when it is tried again; 'failed', why it is lost; 'unreachable',
    which lost job it needs.
    """

    job: Job
    kind: str
    value: Any = None


class Executor(Protocol):
    """The seam. `run` returns when every job is done, has failed, or cannot start because of one that has."""

    def run(self, jobs: Sequence[Job], listen: Callable[[Event], None]) -> None:
        """Runs the jobs; `listen` hears of each in the caller's thread."""
        ...


@dataclass
class _Running:
    job: Job
    process: BaseProcess
    pipe: Connection
    finished: bool = False
    problem: Exception | None = None


@dataclass
class _Plan:
    """The jobs of one run: which wait, which are done, which are lost."""

    waiting: list[Job]
    listen: Callable[[Event], None]
    retries: Retries
    done: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    def went_well(self, job: Job) -> None:
        self.done.add(job.id)
        self.retries.went_well()

    def ended_badly(self, job: Job, problem: Exception, now: float, running: Collection[str]) -> None:
        """It is tried again, or lost. Raises InputError, and WorkFailed when no other job fares better."""
        if isinstance(problem, InputError):
            raise problem
        words = str(problem.args[0])
        pause = None if isinstance(problem, Diverged) else self.retries.again(job.id, now)
        if pause is not None:
            self.waiting.insert(0, job)
            self.listen(Event(job, "again", f"{words.splitlines()[0]}; it is tried again in {pause:g} s"))
        elif self.retries.is_the_machine(job.id, *running):
            raise problem
        else:
            self.failed.add(job.id)
            self.listen(Event(job, "failed", words))

    def drop_unreachable(self) -> None:
        """Takes out the jobs that need one that is lost."""
        for job in list(self.waiting):
            if lost := job.needs & self.failed:
                self.waiting.remove(job)
                self.failed.add(job.id)
                self.listen(Event(job, "unreachable", f"{job.id} needs {', '.join(sorted(lost))}, which failed"))


@dataclass
class LocalProcesses:
    """Up to `workers` processes on this machine, one torch thread each."""

    workers: int
    pauses_seconds: tuple[float, ...] = PAUSES_SECONDS
    clock: Callable[[], float] = time.monotonic
    _running: list[_Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"--workers is at least 1; given {self.workers}")
        need("run", "running trials")

    def run(self, jobs: Sequence[Job], listen: Callable[[Event], None]) -> None:
        """See `Executor.run`. A job that the machine ended is tried again: see `retries`.

        Interrupting it (Ctrl-C) ends all running jobs. Raises InputError of a job, and WorkFailed when no job can be
        done any more.
        """
        plan = _Plan(list(jobs), listen, Retries(self.pauses_seconds))
        with run_folder() as scratch:
            try:
                while plan.waiting or self._running:
                    plan.drop_unreachable()
                    soonest = self._start_ready(plan, scratch)
                    if plan.waiting and not self._running and soonest is None:
                        names = ", ".join(job.id for job in plan.waiting)
                        raise ValueError(f"jobs that wait for what nobody makes: {names}")
                    for ended in self._listen(listen, soonest):
                        if ended.finished:
                            plan.went_well(ended.job)
                        else:
                            plan.ended_badly(ended.job, ended.problem or _died(ended), self.clock(), self._names())
            except KeyboardInterrupt:
                stop_server()
                raise
            finally:
                self._stop_all()

    def _start_ready(self, plan: _Plan, scratch: Path) -> float | None:
        """Starts what may start; the seconds until the next one may that has to wait for its time."""
        pauses = []
        for job in list(plan.waiting):
            if len(self._running) >= self.workers:
                break
            if not job.needs <= plan.done:
                continue
            if (pause := plan.retries.wait_seconds(job.id, self.clock())) > 0:
                pauses.append(pause)
                continue
            plan.waiting.remove(job)
            try:
                scratch.mkdir(parents=True, exist_ok=True)
                context = fork_server()
                with uninterrupted():
                    self._running.append(_started(context, job, scratch))
            except (OSError, EOFError) as problem:  # no process or no descriptor is left, or the server has died
                if not self._running:  # its socket may be gone with a folder that somebody has emptied
                    stop_server()
                cannot = WorkFailed(f"{job.id} could not start: {problem}")
                plan.ended_badly(job, cannot, self.clock(), self._names())
                pauses.append(0.0)
            else:
                plan.listen(Event(job, "started"))
        return min(pauses, default=None)

    def _listen(self, listen: Callable[[Event], None], at_most: float | None) -> list[_Running]:
        """Waits for something to happen, passes it on, and returns the jobs whose processes have ended."""
        if not self._running:
            time.sleep(at_most or 0.0)
            return []
        ready = wait([r.pipe for r in self._running] + [r.process.sentinel for r in self._running], at_most)
        ended = []
        for running in list(self._running):
            gone = running.process.sentinel in ready
            if running.pipe in ready or gone:
                _drain(running, listen)
            if gone:
                running.process.join()
                running.pipe.close()
                self._running.remove(running)
                ended.append(running)
        return ended

    def _names(self) -> list[str]:
        return [running.job.id for running in self._running]

    def _stop_all(self) -> None:
        """Kills at once: a store holds whole entries only, and what these processes forked ends with them."""
        for running in self._running:
            running.process.kill()
        for running in self._running:
            running.process.join(timeout=KILL_SECONDS)
        self._running.clear()


def _started(context: Any, job: Job, scratch: Path) -> _Running:
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=job_process.work, args=(job, theirs, str(scratch), os.environ.get(VARIABLE)), name=job.id
    )
    with no_main_module():
        process.start()
    theirs.close()
    return _Running(job, process, ours)


def _drain(running: _Running, listen: Callable[[Event], None]) -> None:
    """Passes on what a job has said. One that was stopped in the middle of a word has said no more than the others."""
    with contextlib.suppress(EOFError, OSError):
        while running.pipe.poll():
            kind, value = heard(running.pipe, running.job)
            if kind == "error":
                running.problem = value
                continue
            running.finished = running.finished or kind == "done"
            listen(Event(running.job, kind, value))


def _died(ended: _Running) -> WorkFailed:
    code = ended.process.exitcode or 0
    how = f"was killed by signal {-code}" if code < 0 else "ended without a result"
    return WorkFailed(f"{ended.job.id} {how}")


def default_workers(device: str) -> int:
    """One process per core on the CPU; one on a GPU, whose memory more of them would have to share."""
    return len(os.sched_getaffinity(0)) if device == "cpu" else 1
