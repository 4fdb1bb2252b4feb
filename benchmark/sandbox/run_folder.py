"""Where all temporary files of a process and of the processes of its runs lie: one folder, that goes with it.

It is locked as long as its maker lives. One whose maker was killed is taken away by the maker's own workers, which see
it end, or by the next run.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from multiprocessing import util
from pathlib import Path

from prunemark.benchmark.sandbox.scratch import remove

PREFIX, LOCK = "prunemark-run-", "lock"
YOUNG_SECONDS, REMOVALS, PAUSE_SECONDS = 60.0, 20, 0.05
LONGEST_FOR_A_SOCKET = 70
AFTER_THE_SOCKETS = -101  # multiprocessing removes its own temporary folder, which lies in this one, at -100
_made: list[Path] = []


def process_folder() -> Path:
    """This process's folder, made on first use and removed when it ends. Takes away those that killed ones left."""
    if _made and _made[-1].is_dir():
        return _made[-1]
    for left in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        _remove_if_left(left)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(folder / LOCK, os.O_CREAT | os.O_WRONLY, 0o600)  # held until the process ends
    fcntl.flock(lock, fcntl.LOCK_EX)
    _made.append(folder)
    util.Finalize(None, remove_surely, args=(folder,), exitpriority=AFTER_THE_SOCKETS)
    return folder


@contextlib.contextmanager
def run_folder() -> Iterator[Path]:
    """A folder in it for one run, and afterwards none."""
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=process_folder()))
    try:
        yield folder
    finally:
        remove_surely(folder)


@contextlib.contextmanager
def temporary_files_there() -> Iterator[None]:
    """Inside, libraries make theirs there too: the folder of a fork server's socket, say.

    A socket's address has 108 characters at most, so below a long $TMPDIR it cannot be: it is in /tmp then.
    """
    before, here = tempfile.tempdir, str(process_folder())
    tempfile.tempdir = here if len(here) <= LONGEST_FOR_A_SOCKET else "/tmp"
    try:
        yield
    finally:
        tempfile.tempdir = before


def remove_all() -> None:
    """Takes this process's folder away before it ends, where it cannot end in order."""
    for folder in _made:
        remove_surely(folder)


def _remove_if_left(folder: Path) -> None:
    """One that is being made has no lock yet: it stays until it is a minute old."""
    with contextlib.suppress(OSError):
        about = folder.lstat()
        if about.st_uid != os.getuid() or not stat.S_ISDIR(about.st_mode):
            return
        try:
            lock = os.open(folder / LOCK, os.O_WRONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            if time.time() - about.st_mtime > YOUNG_SECONDS:
                remove(folder)
            return
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            remove(folder)
        finally:
            os.close(lock)


def remove_surely(folder: Path) -> None:
    """As `scratch.remove`, also where processes that were killed have not quite ended and still write."""
    for _ in range(REMOVALS):
        remove(folder)
        if not folder.exists():
            return
        time.sleep(PAUSE_SECONDS)
