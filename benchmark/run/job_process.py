"""What runs around a job in its process: it ends with the driver, and its errors cross as words."""

from __future__ import annotations

import contextlib
import gc
import importlib
import multiprocessing
import os
import signal
import tempfile
import threading
import traceback
from multiprocessing.connection import Connection, wait
from pathlib import Path

from prunemark.benchmark.images.sources import VARIABLE
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.sandbox import worker as sandbox_worker
from prunemark.benchmark.sandbox.run_folder import remove_surely
from prunemark.benchmark.sandbox.usage import end_children
from prunemark.setups.errors import Diverged, InputError, WorkFailed

OURS = (Diverged, WorkFailed, InputError)
DEVICES = "CUDA_VISIBLE_DEVICES"


def work(job: Job, pipe: Connection, scratch: str, images: str | None, device: str | None = None) -> None:
    """The body of a job's process. Temporary files go to the run's folder, which its driver removes.

    `images` is the folder that --data names: the server that this process is forked from may be older than it.
    `device` is the one GPU that the job sees. CUDA reads that when it is first used, which is here.
    """
    gc.freeze()  # what the server loaded stays: looking for garbage in it copies its memory, and takes half a second
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which ends this process
    tempfile.tempdir = scratch
    os.environ.pop(VARIABLE, None)
    os.environ |= {VARIABLE: images} if images else {}
    os.environ |= {DEVICES: device} if device is not None else {}
    if job.confined is not None:  # before there is a second thread, which would stay free
        try:
            sandbox_worker.enter(job.confined, Path(scratch))
        except OSError as problem:
            pipe.send(("error", WorkFailed(f"{job.id} was not confined, so it did not run: {problem}")))
            return
    _end_with_the_driver(Path(scratch).parent)
    with contextlib.suppress(BrokenPipeError):  # whoever listened has gone
        _run(job, pipe)


def _end_with_the_driver(temporary: Path) -> None:
    """The driver is not this process's parent, a server is: so a thread waits for the driver's end.

    A driver that was killed could not clean up after itself: its folder of temporary files goes from here.
    """
    driver = multiprocessing.parent_process()
    if driver is None:
        return

    def watch(sentinel: int) -> None:
        wait([sentinel])
        end_children()
        remove_surely(temporary)
        os._exit(1)

    threading.Thread(target=watch, args=(driver.sentinel,), name="driver", daemon=True).start()


def _run(job: Job, pipe: Connection) -> None:
    module, _, name = job.call.partition(":")
    try:
        call = getattr(importlib.import_module(module), name)
        pipe.send(("done", call(lambda value: pipe.send(("report", value)), *job.arguments)))
    except BrokenPipeError:
        raise
    except OURS as problem:
        kind = next(kind for kind in OURS if isinstance(problem, kind))
        pipe.send(("error", kind(*problem.args)))
    except (OSError, MemoryError) as problem:
        words = f"{job.id} was ended by the machine: {type(problem).__name__}: {problem}"
        pipe.send(("error", WorkFailed(words, traceback.format_exc())))
    except BaseException as problem:
        trace = "".join(traceback.format_exception(problem))
        words = f"{job.id} failed inside Prunemark: {type(problem).__name__}: {problem}"
        pipe.send(("error", WorkFailed(words, trace)))
