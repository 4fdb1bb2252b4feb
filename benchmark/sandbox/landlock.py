"""Landlock: from now on this process sees the files that it is allowed, and no others.

The kernel's own means for an unprivileged process to give up rights for good (Linux 5.13 and later), called without a
library. Sources: the manual page landlock(7) and the kernel's documentation of its user interface.
"""

from __future__ import annotations

import ctypes
import functools
import os
import stat
import struct
from collections.abc import Iterable

WRITE_FILE, READ_FILE, READ_DIR = 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG, REFER, TRUNCATE = 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 13, 1 << 14
IOCTL_DEV = 1 << 15
OF_FILES = 1 | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV
"""Rights that a rule on a file, and not on a folder, can give."""

READ = READ_FILE | READ_DIR
DEVICE = READ_FILE | WRITE_FILE | IOCTL_DEV
SCRATCH = READ | WRITE_FILE | TRUNCATE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | REFER
"""Plain files and folders alone: no FIFO, link, socket or device can be made."""

HANDLED = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}
"""Of each version of the interface, all file rights that it knows; from version 5 on sixteen."""
TCP, SCOPES = 0b11, 0b11  # bind and connect; abstract sockets and signals
CREATE_RULESET, ADD_RULE, RESTRICT_SELF, VERSION_FLAG, PATH_BENEATH = 444, 445, 446, 1, 1
NO_NEW_PRIVILEGES = 38


def landlock_version() -> int:
    """The version of the kernel's interface; 0 where there is none, or where this process may not use it."""
    try:
        return max(int(_libc().syscall(CREATE_RULESET, None, ctypes.c_size_t(0), VERSION_FLAG)), 0)
    except (OSError, AttributeError):
        return 0


def restrict_files(rules: Iterable[tuple[str, int]]) -> None:
    """Leaves this process, for as long as it lives, only the paths of these rules, each with its rights.

    With it go TCP (from version 4) and signals to other processes (from version 6). A path that is not there is
    passed over. Raises OSError when the kernel refuses.
    """
    version = landlock_version()
    known = HANDLED.get(version, (1 << 16) - 1)
    attributes = struct.pack("<QQQ", known, TCP if version >= 4 else 0, SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _called("ruleset", CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    for path, rights in rules:
        _allow(ruleset, path, rights & known)
    forbid_new_privileges()
    _called("restriction", RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


def forbid_new_privileges() -> None:
    """No program that this process might start gets more rights than it has. Both barriers ask for it."""
    if _libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "the kernel refuses: no new privileges")


def _allow(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= OF_FILES
        _called(f"rule for {path}", ADD_RULE, ruleset, PATH_BENEATH, struct.pack("<Qi", rights, descriptor), 0)
    finally:
        os.close(descriptor)


def _called(what: str, *arguments: object) -> int:
    result = int(_libc().syscall(*arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"the kernel refuses a Landlock {what}")
    return result


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
