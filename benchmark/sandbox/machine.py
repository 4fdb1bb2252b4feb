"""Whether the machine can do the work: tried, because the type of an error does not say whose fault it was.

A full disk comes as OSError, SafetensorError, RuntimeError, a bus error or a process that says nothing at all.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

PROBE_BYTES = 1 << 20
MEMINFO = Path("/proc/meminfo")


def trouble(folders: tuple[Path, ...], free_bytes: int, memory_bytes: int) -> str:
    """What is wrong with the machine, in words; '' where nothing is.

    Each folder's disk takes a file and has so many bytes free, a descriptor and a process can be had, and so much
    memory is free. What was wrong a moment ago and is right now is not seen here: for that, the work is done again.
    """
    for folder in folders:
        if why := _disk_trouble(folder, free_bytes):
            return why
    return _process_trouble() or _memory_trouble(memory_bytes)


def can_be_written(folder: Path, size: int = PROBE_BYTES) -> bool:
    """Whether the disk that the folder lies on takes another file of this size in bytes."""
    return not _refusal(folder, size)


def _refusal(folder: Path, size: int) -> str:
    probe = folder / f"probe-{secrets.token_hex(8)}"
    try:
        with probe.open("xb") as file:
            file.write(bytes(size))
            os.fsync(file.fileno())
    except OSError as problem:
        return problem.strerror or str(problem)
    finally:
        with contextlib.suppress(OSError):
            probe.unlink()
    return ""


def _disk_trouble(folder: Path, free_bytes: int) -> str:
    if why := _refusal(folder, PROBE_BYTES):
        return f"nothing can be written to {folder}: {why}"
    about = os.statvfs(folder)
    free = about.f_bavail * about.f_frsize
    if free < free_bytes:
        return f"{free / 2**20:.0f} MiB are free at {folder}, and a trial may need {free_bytes / 2**20:.0f}"
    return ""


def _process_trouble() -> str:
    """A fork needs memory, a process number and descriptors: where one succeeds, these are there."""
    try:
        end, other = os.pipe()
        os.close(other)
        os.close(end)
        if (pid := os.fork()) == 0:
            os._exit(0)
        os.waitpid(pid, 0)
    except OSError as problem:
        return f"no process can be started: {problem.strerror}"
    return ""


def _memory_trouble(needed_bytes: int) -> str:
    """By what Linux says is available; elsewhere nothing is known."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:") and (available := 1024 * int(line.split()[1])) < needed_bytes:
                return (
                    f"{available / 2**30:.1f} GiB of memory are available, and a trial may need "
                    f"{needed_bytes / 2**30:.1f}"
                )
    return ""
