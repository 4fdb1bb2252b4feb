"""Writing for good: a whole file or nothing, readable for everybody who may see the folder."""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from prunemark.setups.bounded_files import open_plain
from prunemark.setups.errors import InputError, WorkFailed


def write_atomically(path: Path, content: bytes | str) -> Path:
    """Writes a whole file or nothing, in place of one that is there; text as UTF-8.

    Raises WorkFailed when the disk refuses.
    """
    with storage_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(prefix=".draft-", dir=path.parent)
        os.fchmod(handle, 0o644)  # a temporary file is private; a result is for everybody who may see the folder
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).rename(path)
        finally:
            Path(draft).unlink(missing_ok=True)
    return path


def check_ours(path: Path, begins: str, option: str) -> Path:
    """The path, where a file of this kind may be written: nothing lies there, or a file that begins as ours do.

    Raises InputError for a file of somebody else, a folder, a pipe, or a path that cannot be looked at.
    """
    if not os.path.lexists(path):
        return path
    with open_plain(path) as file:
        found = file.read(len(begins.encode()))
    if found and found != begins.encode():
        raise InputError(
            f"{str(path)!r} is a file that Prunemark did not write. It is left as it is: give {option} another name"
        )
    return path


def write_once(path: Path, content: bytes) -> Path:
    """Writes a file that is not there yet; one that is there is left as it is. Raises as `write_atomically` does."""
    with storage_errors(path.parent):
        there = path.exists()
    return path if there else write_atomically(path, content)


def append_line(path: Path, line: str) -> None:
    """Adds one line, in one write, after what is there; a line that was cut short before is closed first.

    Raises WorkFailed when the disk refuses.
    """
    with storage_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_bytes() if path.exists() else b""
        gap = "" if not before or before.endswith(b"\n") else "\n"
        with path.open("ab") as file:
            file.write(f"{gap}{line}\n".encode())
            file.flush()
            os.fsync(file.fileno())


@contextlib.contextmanager
def storage_errors(where: Path) -> Iterator[None]:
    """Turns the errors a disk can have into words. Raises WorkFailed, with the OSError as its cause."""
    try:
        yield
    except OSError as problem:
        reason = {errno.ENOSPC: "the disk is full", errno.EROFS: "the disk is read-only"}.get(
            problem.errno or 0, problem.strerror or str(problem)
        )
        raise WorkFailed(
            f"cannot write to {where}: {reason}.\n"
            "Nothing half-written was kept: make room or choose another folder (--home), and run the command again"
        ) from problem
