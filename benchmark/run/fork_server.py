"""The server that jobs' processes are forked from: what it has loaded, and how little of this process it gets."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import sysconfig
import types
from collections.abc import Iterator, Mapping
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any

from prunemark.benchmark.run.jobs import WORKER
from prunemark.benchmark.sandbox.run_folder import temporary_files_there

PRELOADED = [WORKER]
HANDED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH", "PYTHONHASHSEED", "LD_LIBRARY_PATH",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER",
    "CUDA_HOME", "CUBLAS_WORKSPACE_CONFIG", "PRUNEMARK_DATA", "PRUNEMARK_READERS", "TORCH_HOME", "HF_HOME",
    "XDG_CACHE_HOME",
)  # fmt: skip
INSTALLED = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
THREADS = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}


def fork_server() -> Any:
    """Starts the server on first use. Threads are bounded before it loads torch: later is too late.

    Its environment is what a submission could read of this one, in memory and in /proc, for as long as it runs: so it
    gets a handful of variables and none that could hold a secret. Nor does it find modules in the current folder.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    before_pid = _pid()
    resource_tracker.ensure_running()  # else it is started below, and unblocks what is blocked here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # it inherits this, and so hears no Ctrl-C
    try:
        with _environment(handed_on(os.environ)), _no_own_folders(), temporary_files_there():
            forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if _pid() != before_pid:  # its first process comes when torch is loaded: that wait can be interrupted
        with no_main_module():
            (first := context.Process(target=os.getpid)).start()
        first.join()
    return context


def stop_server() -> None:
    """Ends it at once, also while it loads torch; the next use starts another. Where it is not known, it ends later."""
    if (pid := _pid()) is not None:
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)  # who starts the next one looks whether this has ended


def _pid() -> int | None:
    pid: int | None = getattr(getattr(forkserver, "_forkserver", None), "_forkserver_pid", None)
    return pid


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
def no_main_module() -> Iterator[None]:
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
