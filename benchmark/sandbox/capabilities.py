"""Giving up what root may do besides files: root reads other processes' environments, which Landlock does not hinder.

Source: the manual page capabilities(7). Of a user without capabilities there is nothing to give up.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

VERSION = 0x20080522
KEPT = sum(1 << number for number in (0, 1, 2, 3))
"""To own and open files: a home on a mounted folder may be another user's."""


def drop_capabilities() -> None:
    """Leaves this thread, for good, of its capabilities only those of files. Raises OSError when the kernel refuses."""
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None, use_errno=True)
    header = ctypes.create_string_buffer(struct.pack("<Ii", VERSION, 0))
    held = ctypes.create_string_buffer(24)
    if libc.capget(header, held):
        raise OSError(ctypes.get_errno(), f"capabilities cannot be read: {os.strerror(ctypes.get_errno())}")
    effective, permitted, _, *_ = struct.unpack("<6I", held.raw)
    left = struct.pack("<6I", effective & KEPT, permitted & KEPT, 0, 0, 0, 0)
    if libc.capset(header, ctypes.create_string_buffer(left, 24)):
        raise OSError(ctypes.get_errno(), f"capabilities cannot be dropped: {os.strerror(ctypes.get_errno())}")
