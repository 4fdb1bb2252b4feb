"""Where jobs run: processes on this machine. A cluster engine moves in by offering the same `run`.

Each job gets a fresh process, forked from a server that has torch loaded already and has used none of it
(and so never CUDA): milliseconds to start, nothing left over from the job before.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import sys
import sysconfig
import traceback
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import forkserver
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Protocol

from prunemark.benchmark.run.jobs import WORKER, Job
from prunemark.setups.errors import InputError, WorkFailed, need

DEATHS_ALLOWED = 1  # a job killed by a signal is run once more; its own failure never is
PRELOADED = [WORKER]
HANDED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHASHSEED", "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "CUDA_HOME",
    "CUBLAS_WORKSPACE_CONFIG", "PRUNEMARK_DATA", "TORCH_HOME", "HF_HOME", "XDG_CACHE_HOME",
)  # fmt: skip
INSTALLED = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


@dataclass(frozen=True)
class Event:
    """What a job says: 'started', 'report' (value: what it reported), 'done' (its result) or 'failed'."""

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


@dataclass
class LocalProcesses:
    """Up to `workers` processes on this machine, one torch thread each."""

    workers: int
    _running: list[_Running] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise InputError(f"--workers is at least 1; given {self.workers}")
        need("run", "running trials")

    def run(self, jobs: Sequence[Job], listen: Callable[[Event], None]) -> None:
        """See `Executor.run`. Interrupting it (Ctrl-C) ends all running jobs. Raises WorkFailed of a job."""
        context = _fork_server()
        waiting, done, failed = list(jobs), set[str](), set[str]()
        deaths: dict[str, int] = {}
        try:
            while waiting or self._running:
                waiting = _drop_unreachable(waiting, failed, listen)
                self._start_ready(context, waiting, done, listen)
                if waiting and not self._running:
                    raise ValueError(f"jobs that wait for what nobody makes: {', '.join(job.id for job in waiting)}")
                for ended in self._listen(listen):
                    id = ended.job.id
                    if ended.finished:
                        done.add(id)
                    elif _killed(ended.process) and deaths.get(id, 0) < DEATHS_ALLOWED:
                        deaths[id] = deaths.get(id, 0) + 1
                        waiting.insert(0, ended.job)
                    else:
                        failed.add(id)
                        listen(Event(ended.job, "failed", _last_words(ended)))
        finally:
            self._stop_all()

    def _start_ready(self, context: Any, waiting: list[Job], done: set[str], listen: Callable[[Event], None]) -> None:
        for job in list(waiting):
            if len(self._running) >= self.workers:
                return
            if job.needs <= done:
                waiting.remove(job)
                ours, theirs = context.Pipe(duplex=False)
                process = context.Process(target=_work, args=(job, theirs), name=job.id)
                with _no_main_module():
                    process.start()
                theirs.close()
                self._running.append(_Running(job, process, ours))
                listen(Event(job, "started"))

    def _listen(self, listen: Callable[[Event], None]) -> list[_Running]:
        """Waits for something to happen, passes it on, and returns the jobs whose processes have ended."""
        if not self._running:
            return []
        ready = wait([r.pipe for r in self._running] + [r.process.sentinel for r in self._running])
        ended = []
        for running in list(self._running):
            gone = running.process.sentinel in ready
            if running.pipe in ready or gone:
                self._drain(running, listen)
            if gone:
                running.process.join()
                running.pipe.close()
                self._running.remove(running)
                ended.append(running)
        return ended

    def _drain(self, running: _Running, listen: Callable[[Event], None]) -> None:
        with contextlib.suppress(EOFError, OSError):
            while running.pipe.poll():
                kind, value = running.pipe.recv()
                if kind == "error":
                    raise value
                running.finished = running.finished or kind == "done"
                listen(Event(running.job, kind, value))

    def _stop_all(self) -> None:
        for running in self._running:
            running.process.terminate()
        for running in self._running:
            running.process.join(timeout=5)
            running.process.kill()
        self._running.clear()


def _drop_unreachable(waiting: list[Job], failed: set[str], listen: Callable[[Event], None]) -> list[Job]:
    """Takes out the jobs that need one that failed."""
    kept = []
    for job in waiting:
        if job.needs & failed:
            failed.add(job.id)
            listen(Event(job, "failed", f"{job.id} needs {', '.join(sorted(job.needs & failed))}, which failed"))
        else:
            kept.append(job)
    return kept


def _last_words(ended: _Running) -> str:
    code = ended.process.exitcode or 0
    how = f"was killed by signal {-code}, twice" if code < 0 else "ended without a result"
    return f"{ended.job.id} {how}"


def _killed(process: BaseProcess) -> bool:
    return process.exitcode is not None and process.exitcode < 0


def _fork_server() -> Any:
    """Starts the server on first use. Threads are bounded before it loads torch: later is too late.

    Its environment is what a submission could read of this one, in memory and in /proc, for as long as it runs: so it
    gets a handful of variables and none that could hold a secret. Nor does it find modules in the current folder.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with _environment(handed_on(os.environ)), _no_own_folders():
        forkserver.ensure_running()
    return context


def handed_on(variables: Mapping[str, str]) -> dict[str, str]:
    """Of these variables of the environment, those that a worker gets; torch gets one thread in it."""
    kept = {name: value for name, value in variables.items() if name in HANDED_ON}
    return THREADS | kept | {"PYTHONSAFEPATH": "1"}


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    try:
        os.environ.clear()
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _no_own_folders() -> Iterator[None]:
    """Inside, processes that start are told of no folder to find modules in that is the user's own.

    A `random.py` that lies in the current folder, or beside a script, is not the harness's.
    """
    before = list(sys.path)
    script = getattr(sys.modules["__main__"], "__file__", None)
    own = {"", str(Path.cwd()), *([str(Path(script).absolute().parent)] if script else [])}
    stated = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    sys.path[:] = [place for place in before if place not in own or place in stated or place in INSTALLED]
    if (package := str(Path(sys.modules["prunemark"].__file__ or "").parents[1])) not in sys.path:
        sys.path.append(package)
    try:
        yield
    finally:
        sys.path[:] = before


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Inside, a process that starts is not told what this one's main module is, so that it does not run it again.

    A job is a call by name and needs nothing of it; a script that submits without `if __name__ == "__main__"` would
    submit in every process.
    """
    main = sys.modules["__main__"]
    with _no_own_folders():
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _work(job: Job, pipe: Connection) -> None:
    """The body of a job's process. Errors cross as words, never as a traceback on the user's screen."""
    with contextlib.suppress(BrokenPipeError):  # whoever listened has gone: an interrupted run
        _run_job(job, pipe)


def _run_job(job: Job, pipe: Connection) -> None:
    module, _, name = job.call.partition(":")
    try:
        result = getattr(importlib.import_module(module), name)(
            lambda value: pipe.send(("report", value)), *job.arguments
        )
        pipe.send(("done", result))
    except (InputError, WorkFailed) as problem:
        pipe.send(("error", type(problem)(*problem.args)))
    except KeyboardInterrupt:
        os._exit(1)
    except BrokenPipeError:
        raise
    except BaseException as problem:
        trace = "".join(traceback.format_exception(problem))
        pipe.send(
            (
                "error",
                WorkFailed(f"{job.id} failed inside Prunemark: {type(problem).__name__}: {problem}", trace),
            )
        )


def default_workers(device: str) -> int:
    """One process per core on the CPU; one on a GPU, whose memory more of them would have to share."""
    return len(os.sched_getaffinity(0)) if device == "cpu" else 1
