"""Waiting for a child, and whether somebody held it meanwhile: a scheduler that suspends a job, or kill -STOP.

Seconds on the wall go on then, and say nothing of what a method computes.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from multiprocessing.process import BaseProcess

from prunemark.benchmark.sandbox.usage import started_by

POLL_SECONDS, HELD_SECONDS = 0.05, 1.0


def await_end(process: BaseProcess) -> float:
    """Waits until it ends, and not for long. `join` would ask a descriptor that a confined child has closed.

    The seconds for which this process was held meanwhile, and with it the child.
    """
    before = time.monotonic()
    try:
        descriptor = os.pidfd_open(process.pid or 0)
    except (AttributeError, OSError):
        time.sleep(POLL_SECONDS)
    else:
        select.select([descriptor], [], [], POLL_SECONDS)
        os.close(descriptor)
    taken = time.monotonic() - before
    return taken if taken > HELD_SECONDS else 0.0


def is_held(pid: int | None) -> bool:
    """Whether a signal holds it, which a confined process cannot send to itself, or one that it started."""
    with contextlib.suppress(OSError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
        if file.read().rpartition(b")")[2].split()[0] == b"T":
            return True
    return any(is_held(child) for child in started_by(pid))
