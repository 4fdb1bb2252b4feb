"""Which jobs run when: each after those that it needs, and again when the machine ended it.

Where they run is an `Engine`: processes of this machine (`executor.py`), Ray (`ray_cluster.py`), SLURM
(`slurm_tasks.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.run.retries import Retries
from prunemark.setups.errors import Diverged, InputError, WorkFailed


@dataclass(frozen=True)
class Event:
    """What a job says: 'started', 'report' (value: what it reported), 'done' (its result) and three kinds of trouble.

    With words: 'again', why the machine ended it and when it is tried again; 'failed', why it is lost; 'unreachable',
    which lost job it needs.
    """

    job: Job
    kind: str
    value: Any = None


Listen = Callable[[Event], None]
Hold = Callable[[Job], float]
Ended = tuple[Job, Exception | None]
"""A job that has ended, and why it did not end well."""


class Executor(Protocol):
    """What carries jobs out. `run` returns when every job is done, has failed, or cannot start because of one that has.

    `workers` is how many run at once. At `stop_at`, a time of `time.monotonic`, `run` ends what runs and returns.
    `hold` says how many seconds a job has to wait that could start: another machine is at it.
    """

    workers: int
    stop_at: float | None
    hold: Hold | None

    def run(self, jobs: Sequence[Job], listen: Listen) -> None:
        """Runs the jobs; `listen` hears of each in the caller's thread."""
        ...


class Engine(Protocol):
    """Where jobs run. It knows nothing of what they need, nor of second tries."""

    def room(self) -> int:
        """How many more jobs could start now."""
        ...

    def running(self) -> list[str]:
        """The ids of the jobs that were started and have not ended."""
        ...

    def start(self, jobs: Sequence[Job]) -> list[tuple[Job, WorkFailed]]:
        """Starts no more jobs than there is room for; those that could not be started."""
        ...

    def listen(self, tell: Listen, at_most: float | None) -> list[Ended]:
        """Waits for something to happen, these seconds at most, and passes it on; the jobs that have ended."""
        ...

    def stop(self) -> None:
        """Ends what still runs."""
        ...


@dataclass
class _Plan:
    """The jobs of one run: which wait, which are done, which are lost."""

    waiting: list[Job]
    listen: Listen
    retries: Retries
    hold: Hold | None = None
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

    def take_ready(self, room: int, now: float) -> tuple[list[Job], float | None]:
        """Takes out what may start; and the seconds until the next one may that has to wait for its time."""
        ready: list[Job] = []
        pauses = []
        for job in list(self.waiting):
            if len(ready) >= room:
                break
            if not job.needs <= self.done:
                continue
            pause = self.retries.wait_seconds(job.id, now)
            if pause <= 0 and self.hold:
                pause = self.hold(job)
            if pause > 0:
                pauses.append(pause)
                continue
            self.waiting.remove(job)
            ready.append(job)
        return ready, min(pauses, default=None)


def drive(
    jobs: Sequence[Job], listen: Listen, engine: Engine, pauses_seconds: tuple[float, ...],
    clock: Callable[[], float] = time.monotonic, stop_at: float | None = None, hold: Hold | None = None,
) -> None:  # fmt: skip
    """See `Executor.run`. A job that the machine ended is tried again: see `retries`.

    However it ends, by an interrupt too, nothing of it runs any more. Raises InputError of a job, and WorkFailed when
    no job can be done any more.
    """
    plan = _Plan(list(jobs), listen, Retries(pauses_seconds), hold)
    try:
        while plan.waiting or engine.running():
            if stop_at is not None and clock() >= stop_at:
                return
            plan.drop_unreachable()
            room = engine.room()
            ready, soonest = plan.take_ready(room, clock())
            for job, problem in engine.start(ready) if ready else ():
                plan.ended_badly(job, problem, clock(), engine.running())
                soonest = 0.0
            if room and plan.waiting and not engine.running() and soonest is None:
                names = ", ".join(job.id for job in plan.waiting)
                raise ValueError(f"jobs that wait for what nobody makes: {names}")
            left = None if stop_at is None else max(stop_at - clock(), 0.0)
            for job, ended in engine.listen(listen, min((s for s in (soonest, left) if s is not None), default=None)):
                if ended is None:
                    plan.went_well(job)
                else:
                    plan.ended_badly(job, ended, clock(), engine.running())
    finally:
        engine.stop()
