"""What the kernel says that processes use: seconds of the processor, memory, threads; and who started whom."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """Of a process that runs: bytes of resident memory, and threads. Zeros where the system does not say."""

    resident_bytes: int
    threads: int


def cpu_seconds_of_children() -> float:
    """Of those that have ended and been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def usage_of(pid: int | None) -> Usage:
    """Of a process and of those that it started: in a container, the one that counts is bubblewrap's child.

    Where the first thread of the process has ended, which then has no memory, the memory is that of the others.
    """
    pages, threads = _stat(f"/proc/{pid}/stat")
    if not pages:
        with contextlib.suppress(OSError, ValueError):
            others = os.listdir(f"/proc/{pid}/task")  # noqa: PTH208
            pages = max(_stat(f"/proc/{pid}/task/{thread}/stat")[0] for thread in others)
    started = [usage_of(child) for child in _started_by(pid)]
    resident_bytes = pages * os.sysconf("SC_PAGE_SIZE") + sum(each.resident_bytes for each in started)
    return Usage(resident_bytes, threads + sum(each.threads for each in started))


def waited_seconds(pid: int | None) -> float:
    """How long a process was ready and got no processor, with those that it started. 0 where Linux does not say."""
    total = sum(waited_seconds(child) for child in _started_by(pid))
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/schedstat", "rb") as file:  # noqa: PTH123
        total += int(file.read().split()[1]) / 1e9
    return total


def end_children() -> None:
    """Kills what this process has started, and what that has started in turn."""
    waiting = _started_by(os.getpid())
    while waiting:
        waiting += _started_by(child := waiting.pop())
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)


def _started_by(pid: int | None) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:  # noqa: PTH123
            return [int(word) for word in file.read().split()]
    except (OSError, ValueError):
        return []


def _stat(path: str) -> tuple[int, int]:
    """Pages and threads."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            words = file.read().rpartition(b")")[2].split()
        return int(words[21]), int(words[17])
    except (OSError, IndexError):
        return 0, 0
