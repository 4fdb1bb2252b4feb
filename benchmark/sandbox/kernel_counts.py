"""What the kernel counts of a child: memory while it runs, seconds of the processor when it has ended."""

from __future__ import annotations

import os
import resource
from pathlib import Path


def cpu_seconds_of_children() -> float:
    """Of those that have ended and been waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def resident_bytes(pid: int | None) -> int:
    """Of a process and of those that it started: in a container, the one that counts is bubblewrap's child."""
    pages = _words(f"/proc/{pid}/statm")[1:2]
    started = _words(f"/proc/{pid}/task/{pid}/children")
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE") + sum(resident_bytes(int(child)) for child in started)


def _words(path: str) -> list[str]:
    try:
        return Path(path).read_text().split()
    except OSError:
        return []
