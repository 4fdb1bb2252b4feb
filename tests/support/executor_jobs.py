"""What the executor's tests run in its processes."""

import errno
import multiprocessing
import os
import shutil
import tempfile
import time
from pathlib import Path

from prunemark.benchmark.sandbox.child import Limits, run_in_child
from prunemark.setups.errors import Diverged, InputError


def double(report, number):
    report(("half way", number))
    return 2 * number


def fails(report):
    raise InputError("given 3, allowed 1 or 2")


def has_a_fault(report):
    raise ZeroDivisionError("by zero")


def sleeps(report, folder, name, seconds):
    begin = time.monotonic()
    time.sleep(seconds)
    (Path(folder) / name).write_text(f"{begin} {time.monotonic()} {os.getpid()}")


def dies_once(report, folder):
    mark = Path(folder) / "died"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), 9)
    return "alive"


def kills_its_driver_once(report, folder):
    """The process that started it, as when the machine of a cluster's worker runs out of memory."""
    mark = Path(folder) / "killed"
    if not mark.exists():
        mark.touch()
        os.kill(multiprocessing.parent_process().pid, 9)
        time.sleep(60)
    return "alive"


def dies_always(report):
    os.kill(os.getpid(), 9)


def finds_the_disk_full(report, folder, times):
    marks = len(list(Path(folder).iterdir()))
    if marks < times:
        (Path(folder) / str(marks)).touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def diverges(report):
    raise Diverged("the base model of seed 0 diverged")


def leaves_a_file(report):
    handle, name = tempfile.mkstemp()
    os.close(handle)
    return name


def forks_and_waits(report, folder):
    """Its own process and a child of the harness, noted by their numbers."""
    scratch = Path(tempfile.mkdtemp())
    run_in_child(_note_and_wait, os.getpid(), Path(folder) / "pids", scratch=scratch, limits=Limits(600))


def _note_and_wait(parent, note):
    note.write_text(f"{parent} {os.getpid()}\n")
    time.sleep(600)


def empties(report, folder):
    for path in Path(folder).glob("prunemark-run-*"):
        shutil.rmtree(path)


def sees_devices(report, seconds):
    time.sleep(seconds)
    return os.environ["CUDA_VISIBLE_DEVICES"]
