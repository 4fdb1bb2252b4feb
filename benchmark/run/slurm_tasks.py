"""Jobs as tasks of SLURM, through submitit: the extra `slurm`, and loaded only here.

What can start now is handed in as one array. A task carries one job out, in a process of its own, and writes what that
says into a file of the home, which this process reads: of SLURM it asks only whether a task that fell silent still is.
A task that is preempted, or reaches its time limit, goes back into the queue and on from the last checkpoint.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import shutil
import signal
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from prunemark.benchmark.run.drive import Ended, Event, Hold, Listen, drive
from prunemark.benchmark.run.elsewhere import HEARTBEAT_SECONDS, Common, Word, carry_out, in_common, lost
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.run.retries import PAUSES_SECONDS
from prunemark.setups.errors import InputError, WorkFailed, need

FOLDER, WORDS = "slurm", "words"
MOST_AT_ONCE, MOST_TIMEOUTS = 100, 1000
TIME_MINUTES = 240
LEAVE_SECONDS = 120.0
"""How long a task waits that was told to end: SLURM kills what is left after KillWait (30 s) or a grace time."""
SILENT_SECONDS = 12 * HEARTBEAT_SECONDS
QUEUED = ("PENDING", "CONFIGURING", "REQUEUE", "SUSPENDED", "RESIZING", "STAGE", "RESV", "SPECIAL")
"""How the states begin of a task that will run, or run again."""
_LENGTH = struct.Struct("<Q")


@dataclass(frozen=True)
class Task:
    """What a task of SLURM calls. It is pickled: data of the harness, and nothing of a method but its file's path."""

    job: Job
    common: Common
    words: str

    def __call__(self) -> None:
        """Carries the job out. Nothing is returned: what there is to say is in the file."""
        _cut_to_whole_words(Path(self.words))
        told = list[int]()
        before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
        try:
            self._carry_out(told)
        finally:
            signal.signal(signal.SIGTERM, before)

    def _carry_out(self, told: Sequence[int]) -> None:
        from prunemark.benchmark.run.executor import Processes
        from prunemark.benchmark.sandbox.run_folder import run_folder

        with run_folder() as scratch:
            for word in carry_out(self.job, self.common, Processes(1, scratch, images=self.common.images)):
                if word[0] == "error" and told:  # SLURM ends all of a task that it puts back into the queue: no failure
                    say(Path(self.words), ("requeued", None))
                    time.sleep(LEAVE_SECONDS)
                say(Path(self.words), word)

    def checkpoint(self) -> Any:
        """What submitit asks for when the task has to leave its machine: the same again, later."""
        say(Path(self.words), ("requeued", None))
        return _submitit().helpers.DelayedSubmission(self)

    __submitit_checkpoint__ = checkpoint  # its name in versions to come


def say(path: Path, word: Word) -> None:
    """Adds a word to the file, whole or as a tail that nobody reads."""
    content = pickle.dumps(word)
    with path.open("ab") as file:
        file.write(_LENGTH.pack(len(content)) + content)
        file.flush()
        os.fsync(file.fileno())


def words_after(path: Path, start: int) -> tuple[list[Word], int]:
    """The whole words from a position on, and the position after them."""
    try:
        with path.open("rb") as file:  # opening it asks a file server what is new
            file.seek(start)
            content = file.read()
    except FileNotFoundError:
        return [], start
    found, at = [], 0
    while at + _LENGTH.size <= len(content):
        end = at + _LENGTH.size + _LENGTH.unpack_from(content, at)[0]
        if end > len(content):
            break
        found.append(pickle.loads(content[at + _LENGTH.size : end]))
        at = end
    return found, start + at


def _cut_to_whole_words(path: Path) -> None:
    """What a task left that was killed in the middle of a word."""
    if path.exists():
        os.truncate(path, words_after(path, 0)[1])


@dataclass
class SlurmTasks:
    """Up to `workers` tasks in the queue or running (0: 100). Logs lie in `slurm/` of the home. See `Executor`.

    `options` are sbatch's, such as partition, account, time (minutes) and gres. `cluster` is submitit's word: 'local'
    runs the tasks on this machine.
    """

    home: Path
    workers: int = 0
    gpus: float = 0.0
    options: Mapping[str, str] = field(default_factory=dict)
    cluster: str = "slurm"
    pauses_seconds: tuple[float, ...] = PAUSES_SECONDS
    stop_at: float | None = None
    hold: Hold | None = None
    poll_seconds: float = 1.0
    silent_seconds: float = SILENT_SECONDS
    cores: int = 1

    def __post_init__(self) -> None:
        need("run", "running trials")
        need("slurm", "--executor slurm")
        if self.gpus != int(self.gpus) or self.gpus < 0:
            raise InputError(
                f"SLURM grants whole GPUs; given --gpus-per-trial {self.gpus:g}.\n"
                "Where it is set up to share them: --slurm gres=shard:1, and leave --gpus-per-trial out"
            )
        if self.cluster == "slurm" and not shutil.which("sbatch"):
            raise InputError("there is no sbatch here. Submit from a machine of the SLURM cluster")
        self.workers = self.workers or MOST_AT_ONCE

    def run(self, jobs: Sequence[Job], listen: Listen) -> None:
        """See `Executor.run` and `drive`."""
        engine = _Tasks(self, self._submitter(), in_common(self.home))
        drive(jobs, listen, engine, self.pauses_seconds, stop_at=self.stop_at, hold=self.hold)

    def _submitter(self) -> Any:
        submitit = _submitit()
        folder = self.home / FOLDER
        (folder / WORDS).mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)  # who can write here can have this process read what he likes
        made = submitit.AutoExecutor(folder, cluster=self.cluster, slurm_max_num_timeout=MOST_TIMEOUTS)
        known = set(submitit.SlurmExecutor._valid_parameters())
        options = {name.replace("-", "_"): int(v) if v.isdigit() else v for name, v in self.options.items()}
        minutes = options.pop("time", TIME_MINUTES)
        if not isinstance(minutes, int):
            raise InputError(f"--slurm time= is a number of minutes; given {minutes!r}")
        others = {name.replace("_", "-"): v for name, v in options.items() if name not in known}
        stated = {"job_name": "prunemark", "cpus_per_task": self.cores, "array_parallelism": self.workers}
        stated |= {"gpus_per_node": int(self.gpus)} if self.gpus else {}
        stated |= {name: v for name, v in options.items() if name in known}
        stated["additional_parameters"] = {"requeue": True} | others
        made.update_parameters(timeout_min=minutes, **{f"slurm_{name}": value for name, value in stated.items()})
        return made


def _submitit() -> Any:
    return importlib.import_module("submitit")


@dataclass
class _Submitted:
    job: Job
    task: Any
    words: Path
    heard_at: float
    read: int = 0
    running: bool = False
    gone_at: float | None = None


@dataclass
class _Tasks:
    """See `drive.Engine`."""

    of: SlurmTasks
    submitter: Any
    common: Common
    clock: Callable[[], float] = time.monotonic
    tasks: list[_Submitted] = field(default_factory=list)
    ended: list[_Submitted] = field(default_factory=list)

    def room(self) -> int:
        """Of `Engine`."""
        return self.of.workers - len(self.tasks)

    def running(self) -> list[str]:
        """Of `Engine`."""
        return [each.job.id for each in self.tasks]

    def start(self, jobs: Sequence[Job]) -> list[tuple[Job, WorkFailed]]:
        """Of `Engine`: one array."""
        paths = [self.of.home / FOLDER / WORDS / uuid4().hex for _ in jobs]
        try:
            with self.submitter.batch():
                handed = [
                    self.submitter.submit(Task(job, self.common, str(path)))
                    for job, path in zip(jobs, paths, strict=True)
                ]
        except Exception as problem:  # whatever sbatch says: a partition that is not there, a limit that is reached
            why = " ".join(str(problem).split()) or type(problem).__name__
            return [(job, WorkFailed(f"{job.id} could not be handed to SLURM: {why}")) for job in jobs]
        now = self.clock()
        self.tasks += [_Submitted(j, task, path, now) for j, task, path in zip(jobs, handed, paths, strict=True)]
        return []

    def listen(self, tell: Listen, at_most: float | None) -> list[Ended]:
        """Of `Engine`."""
        deadline = None if at_most is None else self.clock() + at_most
        while True:
            heard, ended = False, list[Ended]()
            for each in list(self.tasks):
                words, each.read = words_after(each.words, each.read)
                heard = heard or bool(words)
                if (end := self._take(each, words, tell) if words else self._if_gone(each)) is not None:
                    self.tasks.remove(each)
                    self.ended.append(each)
                    ended.append(end)
            if heard or ended or (deadline is not None and self.clock() >= deadline):
                return ended
            time.sleep(self.of.poll_seconds)

    def _take(self, each: _Submitted, words: Sequence[Word], tell: Listen) -> Ended | None:
        each.heard_at, each.gone_at = self.clock(), None
        for kind, value in words:
            each.running = kind != "requeued"
            if kind == "error":
                return each.job, value
            if kind not in ("alive", "requeued"):
                tell(Event(each.job, kind, value))
            if kind == "done":
                return each.job, None
        return None

    def _if_gone(self, each: _Submitted) -> Ended | None:
        """Of a task that says nothing: whether it has ended without a last word. The file may be behind for a while."""
        now = self.clock()
        if each.gone_at is None:
            if self.of.cluster == "local" and each.task.done():
                each.gone_at = now
            elif now - each.heard_at > self.of.silent_seconds:
                each.heard_at = now
                each.gone_at = now if self._is_gone(each) else None
            return None
        if now - each.gone_at < 10 * self.of.poll_seconds:
            return None
        with contextlib.suppress(Exception):
            each.task.cancel(check=False)
        return each.job, lost(
            each.job, f"its task {each.task.job_id} is {each.task.state}; see {each.task.paths.stderr}"
        )

    def _is_gone(self, each: _Submitted) -> bool:
        """Asks SLURM. Without its accounting nothing is known of a task that waits, and it goes on waiting."""
        with contextlib.suppress(Exception):
            state = str(each.task.get_info(mode="force").get("State", ""))
            if state and state != "UNKNOWN":
                return not state.startswith(QUEUED) and (each.running or not state.startswith("RUNNING"))
        return each.running

    def stop(self) -> None:
        """Of `Engine`: takes the tasks out of the queue. Logs stay, and what submitit needed goes."""
        for each in self.tasks:
            with contextlib.suppress(Exception):
                each.task.cancel(check=False)
        for each in (*self.tasks, *self.ended):
            for left in (each.words, each.task.paths.submitted_pickle, each.task.paths.result_pickle):
                left.unlink(missing_ok=True)
        self.tasks.clear()
        self.ended.clear()
