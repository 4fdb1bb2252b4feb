"""The scratch folder of a child: how much it may hold, and how it is taken away, whatever a stranger made of it.

A folder may be nested deeper than Python recurses and than the kernel takes a path, or may not be looked into.
"""

# ruff: noqa: PTH101, PTH104, PTH106, PTH108, PTH116, PTH208
# The paths are a stranger's, and there may be many: they are left as the text that the system gives.

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

MOST_ENTRIES = 10_000


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder, and afterwards none."""
    folder = Path(tempfile.mkdtemp(prefix="prunemark-"))
    try:
        yield folder
    finally:
        remove(folder)


def why_too_much(scratch: Path, most_bytes: int, pid: int | None = None) -> str:
    """What is wrong with what lies in the folder, in words; '' where nothing is.

    With the number of the process that works in it, files count too that have lost their name and are still open.
    """
    total, count, waiting = _nameless_bytes(scratch, pid), 0, [str(scratch)]
    while waiting and count <= MOST_ENTRIES and total <= most_bytes:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        with contextlib.suppress(FileNotFoundError):
                            total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if count > MOST_ENTRIES:
                        break
        except FileNotFoundError:
            continue
        except OSError as problem:
            return f"it made a folder that cannot be looked into: {problem.strerror}"
    if count > MOST_ENTRIES or total > most_bytes:
        return f"it left {total / 2**20:.0f} MiB in {count} files, more than a trial grants"
    return ""


def _nameless_bytes(scratch: Path, pid: int | None) -> int:
    """Of the files that a process has open or in its memory, and that no folder names."""
    total = 0
    if pid is None:
        return total
    with contextlib.suppress(OSError):
        for name in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                about = os.stat(f"/proc/{pid}/fd/{name}")
                if stat.S_ISREG(about.st_mode) and not about.st_nlink:
                    total += about.st_blocks * 512
    with contextlib.suppress(OSError), open(f"/proc/{pid}/maps", "rb") as maps:  # noqa: PTH123
        for line in maps:
            if line.endswith(b"(deleted)\n") and os.fsencode(scratch) in line:
                first, last = line.split(b" ", 1)[0].split(b"-")
                total += int(last, 16) - int(first, 16)
    return total


def remove(folder: Path) -> None:
    """Takes a folder away with all that is in it; what the system does not let go of stays.

    Folders within are moved up before they are looked into, so that no path gets longer than it can be.
    """
    top, number, mine = str(folder), 0, secrets.token_hex(8)
    waiting = [top]
    while waiting:
        place = waiting.pop()
        for inner in _emptied(place):
            moved = f"{top}/{mine}-{number}"
            number += 1
            waiting.append(moved if place != top and _moved(inner, moved) else inner)
        if place != top:
            with contextlib.suppress(OSError):
                os.rmdir(place)
    with contextlib.suppress(OSError):
        os.rmdir(top)


def _emptied(place: str) -> list[str]:
    """Removes the files of a folder; the folders in it."""
    inner = []
    with contextlib.suppress(OSError):
        if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
            os.chmod(place, 0o700)
        with os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    inner.append(entry.path)
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(entry.path)
    return inner


def _moved(folder: str, to: str) -> bool:
    """Whether it could be: the system asks for the right to write to what is moved."""
    with contextlib.suppress(OSError):
        if not os.access(folder, os.W_OK):
            os.chmod(folder, 0o700)
        os.rename(folder, to)
        return True
    return False
