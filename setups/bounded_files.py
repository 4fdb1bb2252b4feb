"""Reading what a user names or a stranger left: plain files of a bounded size, and TOML of a bounded shape."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path
from typing import Any, BinaryIO

from prunemark.setups.errors import InputError
from prunemark.setups.text import shown

TOML_BYTES = 64 * 1024
"""Tracks and cards have some 2 kB."""
MOST_DOTS = 300
"""In one line of TOML: a key of thousands of parts takes the reader minutes."""


def open_plain(path: Path, name: str = "") -> BinaryIO:
    """A plain file, opened to be read; links are followed, and nothing is waited for.

    `name` is what an error calls the file. Raises InputError for a folder, a pipe, a device, and what cannot be read.
    """
    called = name or f"{str(path)!r}"
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as problem:  # ValueError: a NUL in the path
        raise InputError(f"{called} cannot be read: {getattr(problem, 'strerror', None) or problem}") from None
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise InputError(f"{called} is not a plain file")
    return os.fdopen(handle, "rb")


def read_bounded(path: Path, most_bytes: int, name: str = "") -> bytes:
    """The bytes of a plain file of at most so many. Raises InputError as `open_plain` does, and for a larger one."""
    with open_plain(path, name) as file:
        size = os.fstat(file.fileno()).st_size
        content = b"" if size > most_bytes else file.read(most_bytes + 1)
        if size > most_bytes or len(content) > most_bytes:
            raise InputError(
                f"{name or repr(str(path))} has more than {most_bytes:,} bytes, the most that is read of such a file"
            )
    return content


def read_toml(path: Path, name: str = "") -> dict[str, Any]:
    """The tables of a TOML file. Raises InputError in words for whatever is not one, or is larger than 64 KiB."""
    called = name or str(path)
    content = read_bounded(path, TOML_BYTES, called)
    try:
        text = content.decode("utf-8")
        if any(line.count(".") > MOST_DOTS for line in text.split("\n")):
            raise InputError(f"{called} has a line with more than {MOST_DOTS} dots. Write it on several lines")
        return tomllib.loads(text)
    except UnicodeDecodeError as problem:
        raise InputError(f"{called} is not TOML that can be read: byte {problem.start} is not UTF-8") from None
    except RecursionError:
        raise InputError(f"{called} is not TOML that can be read: it is nested too deeply") from None
    except (ValueError, MemoryError) as problem:  # a number of thousands of digits is a plain ValueError
        raise InputError(f"{called} is not TOML that can be read: {shown(problem, 200)}") from None
