"""Jobs on the machines of a Ray cluster. Ray is the extra `ray`, and loaded only here.

Each slot is an actor that lives for the whole run, with a fork server that has torch loaded, so a job costs no more
than on this machine. Ray places slots, shares GPUs out and sees machines die. A slot that died is asked for anew, and
its job goes on elsewhere from its last checkpoint; see `drive` for second tries.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prunemark.benchmark.run.drive import Ended, Event, Hold, Listen, drive
from prunemark.benchmark.run.elsewhere import Common, Word, carry_out, check_common, in_common, lost
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.run.retries import PAUSES_SECONDS
from prunemark.setups.errors import InputError, WorkFailed, need
from prunemark.setups.text import shown

PATIENCE_SECONDS = 60.0
CLOSE_SECONDS = 3.0


class Slot:
    """What runs on another machine, as an actor: one job at a time, each in a process of its own."""

    def ready(self, common: Common) -> InputError | None:
        """Loads torch once for all jobs to come; why this machine cannot be used, None where it can."""
        from prunemark.benchmark.run.executor import Processes
        from prunemark.benchmark.run.fork_server import fork_server
        from prunemark.benchmark.sandbox.run_folder import process_folder

        try:
            check_common(common)
        except InputError as problem:
            return problem
        fork_server()
        self._common = common
        self._processes = Processes(1, process_folder() / "jobs", images=common.images)
        return None

    def run(self, job: Job) -> Iterator[Word]:
        """See `carry_out`."""
        yield from carry_out(job, self._common, self._processes)

    def close(self) -> None:
        """Leaves nothing behind."""
        from prunemark.benchmark.run.fork_server import stop_server
        from prunemark.benchmark.sandbox.run_folder import remove_all

        stop_server()
        remove_all()


@dataclass
class _Held:
    """A slot as this process holds it. `waits_for` is what it says next: that it is ready, or a word of its job."""

    actor: Any
    waits_for: Any
    ready: bool = False
    job: Job | None = None


@dataclass
class RayCluster:
    """Up to `workers` slots on a cluster (0: as many as it has room for), each with a part of a GPU, and with `cores`.

    `address` is host:port of the head; '' is $RAY_ADDRESS, or the cluster of this machine. See `Executor`.
    """

    home: Path
    workers: int = 0
    address: str = ""
    gpus: float = 0.0
    cores: int = 1
    pauses_seconds: tuple[float, ...] = PAUSES_SECONDS
    stop_at: float | None = None
    hold: Hold | None = None
    say: Callable[[str], None] = lambda words: print(words, file=sys.stderr)
    _slots: list[_Held] = field(default_factory=list)
    _common: Common | None = None

    def __post_init__(self) -> None:
        need("run", "running trials")
        need("ray", "--executor ray")
        if self.gpus < 0 or (self.gpus > 1 and self.gpus != int(self.gpus)):
            raise InputError(f"--gpus-per-trial is a part of a GPU, or whole ones; given {self.gpus:g}")
        if "://" in self.address:
            raise InputError(f"--address is host:port of the cluster's head, such as head:6379; given {self.address!r}")
        _connect(self.address)
        self.workers = self.workers or self._room_of_cluster()
        atexit.register(self.close)

    def _room_of_cluster(self) -> int:
        ray = _ray()
        has = ray.cluster_resources()
        room = int(has.get("GPU", 0) / self.gpus) if self.gpus else int(has.get("CPU", 0)) // self.cores
        if room < 1:
            what = f"{self.gpus:g} GPU" if self.gpus else f"{self.cores} cores"
            raise InputError(f"the Ray cluster has not {what} for a trial.\nAdd a node, or give --workers to wait")
        return room

    def run(self, jobs: Sequence[Job], listen: Listen) -> None:
        """See `Executor.run` and `drive`."""
        self._common = self._common or in_common(self.home)
        engine = _Slots(self._slots, self._new_slot, self.workers, len(jobs), self.say)
        drive(jobs, listen, engine, self.pauses_seconds, stop_at=self.stop_at, hold=self.hold)

    def _new_slot(self) -> _Held:
        ray = _ray()
        made: Any = ray.remote(Slot)
        actor = made.options(num_cpus=self.cores, num_gpus=self.gpus, max_restarts=0).remote()
        return _Held(actor, actor.ready.remote(self._common))

    def close(self) -> None:
        """Lets the slots go, with what they left on their machines."""
        ray = _ray()
        if not ray.is_initialized():  # to ask it anything would start a cluster
            self._slots.clear()
            return
        with contextlib.suppress(Exception):
            idle = [slot.actor.close.remote() for slot in self._slots if slot.ready and slot.job is None]
            ray.wait(idle, num_returns=len(idle), timeout=CLOSE_SECONDS)
        for slot in self._slots:
            with contextlib.suppress(Exception):
                ray.kill(slot.actor)
        self._slots.clear()


@dataclass
class _Slots:
    """See `drive.Engine`."""

    slots: list[_Held]
    new: Callable[[], _Held]
    workers: int
    jobs: int
    say: Callable[[str], None]
    _asked_at: float = field(default_factory=time.monotonic)
    _complained: bool = False

    def room(self) -> int:
        """Of `Engine`: slots that are there and idle. Those that are missing are asked for."""
        while len(self.slots) < min(self.workers, self.jobs):
            self.slots.append(self.new())
        return sum(slot.ready and slot.job is None for slot in self.slots)

    def running(self) -> list[str]:
        """Of `Engine`."""
        return [slot.job.id for slot in self.slots if slot.job is not None]

    def start(self, jobs: Sequence[Job]) -> list[tuple[Job, WorkFailed]]:
        """Of `Engine`."""
        idle = [slot for slot in self.slots if slot.ready and slot.job is None]
        for slot, job in zip(idle, jobs, strict=False):
            slot.job, slot.waits_for = job, slot.actor.run.remote(job)
        return []

    def listen(self, tell: Listen, at_most: float | None) -> list[Ended]:
        """Of `Engine`."""
        ray = _ray()
        of = {id(slot.waits_for): slot for slot in self.slots if slot.waits_for is not None}
        waits = [slot.waits_for for slot in of.values()]
        most = PATIENCE_SECONDS if at_most is None else min(at_most, PATIENCE_SECONDS)
        if not waits:
            time.sleep(at_most or 0.0)
            return []
        ready, _ = ray.wait(waits, num_returns=1, timeout=most, fetch_local=False)
        if not any(slot.ready for slot in self.slots) and time.monotonic() - self._asked_at > PATIENCE_SECONDS:
            self._complain()
        return [ended for each in ready for ended in self._heard(of[id(each)], tell)]

    def _heard(self, slot: _Held, tell: Listen) -> list[Ended]:
        """Of one slot that has something to say."""
        ray = _ray()
        job = slot.job
        try:
            if job is None:
                if isinstance(problem := ray.get(slot.waits_for), InputError):
                    raise problem
                slot.ready, slot.waits_for = True, None
                return []
            kind, value = ray.get(next(slot.waits_for))
        except (ray.exceptions.RayError, StopIteration) as problem:
            self.slots.remove(slot)  # the next look at the room asks for another one
            with contextlib.suppress(Exception):
                ray.kill(slot.actor)
            why = f"a worker of the Ray cluster is gone ({_in_a_line(problem)})"
            return [(job, lost(job, why))] if job is not None else []
        assert job is not None
        if kind in ("done", "error"):
            slot.job = slot.waits_for = None
        if kind == "error":
            return [(job, value)]
        if kind != "alive":
            tell(Event(job, kind, value))
        return [(job, None)] if kind == "done" else []

    def _complain(self) -> None:
        if not self._complained:
            self._complained = True
            self.say("the Ray cluster has given no worker for a minute: see `ray status`. Waiting")

    def stop(self) -> None:
        """Of `Engine`: ends what runs. A slot that is idle stays for the next run."""
        ray = _ray()
        for slot in [slot for slot in self.slots if slot.job is not None]:
            self.slots.remove(slot)
            with contextlib.suppress(Exception):
                ray.kill(slot.actor)


def _in_a_line(problem: BaseException) -> str:
    """Of what Ray says, the end: a traceback of the worker ends with the error."""
    last = (str(problem).strip() or "it said nothing").splitlines()[-1]
    return shown(f"{type(problem).__name__}: {last}", 300)


def _ray() -> Any:
    return importlib.import_module("ray")


def _connect(address: str) -> None:
    """Joins the cluster, or starts one of this machine where none is found. Raises InputError where it cannot."""
    ray = _ray()
    if ray.is_initialized():
        return
    with _as_nobody():
        try:
            ray.init(address=address or None, logging_level="ERROR", log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as problem:
            where = address or "on this machine"
            first = (str(problem).strip() or type(problem).__name__).splitlines()[0]
            raise InputError(f"no Ray cluster {where}: {first}.\nStart one with `ray start --head`") from None
    atexit.register(ray.shutdown)


@contextlib.contextmanager
def _as_nobody() -> Iterator[None]:
    """Inside, Ray learns of no folder that its workers would look for modules in, and sets no signal handler.

    It hands on the folder of the script and the current one: a `random.py` that lies there is not the harness's.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    before = sys.argv
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    sys.argv = ["prunemark"]
    try:
        with contextlib.chdir("/"):
            yield
    finally:
        sys.argv = before
        for number, handler in handlers.items():
            with contextlib.suppress(ValueError):  # not the main thread
                signal.signal(number, handler)
