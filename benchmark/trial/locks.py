"""Locks of a home, also where the file system has none that reach all machines.

On a file system of this machine it is the kernel's: `flock`, which a killed process lets go at once. On any other one
that may be missing, or reach this machine only, or not reach folders (NFS). There, and in a home that machines share,
a lock is a lease: a file that only one can create and that its holder touches now and then. That needs nothing of the
file system but that creating a file exclusively and renaming work, as they do on NFS since version 3.

What a lock saves is work: two that compute one result get the same bytes, and the first one stands.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

SHARED = ".shared"
"""The file in a home that says that other machines work on it too."""
END = ".lease"
HEARTBEAT_SECONDS, STALE_SECONDS, POLL_SECONDS = 15.0, 120.0, 0.5
MOUNTS = Path("/proc/self/mountinfo")
OF_THIS_MACHINE = {
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "tmpfs", "ramfs", "overlay", "f2fs", "bcachefs", "jfs", "reiserfs",
    "vfat", "exfat", "ntfs3", "rootfs", "devtmpfs", "squashfs", "erofs",
}  # fmt: skip


def uses_leases(home: Path) -> bool:
    """Whether the locks of this home are leases."""
    return os.path.lexists(home / SHARED) or file_system(os.path.realpath(home)) not in OF_THIS_MACHINE


@functools.lru_cache(maxsize=64)
def file_system(folder: str) -> str:
    """The kind of file system that a folder lies on; tmpfs where Linux does not say."""
    try:
        lines = MOUNTS.read_text().splitlines()
    except OSError:
        return "tmpfs"
    kind, longest = "tmpfs", -1
    for line in lines:
        words, _, rest = line.partition(" - ")
        place = words.split()[4].encode().decode("unicode_escape")
        if (folder == place or folder.startswith(place.rstrip("/") + "/")) and len(place) >= longest:
            kind, longest = rest.split()[0], len(place)
    return kind


@dataclass
class _Held:
    """The leases that this process holds, and the thread that touches them."""

    pid: int = 0
    content: dict[Path, str] = field(default_factory=dict)

    def add(self, path: Path, content: str) -> None:
        if self.pid != os.getpid():  # the first one, or the first after a fork, which no thread survives
            self.pid, self.content = os.getpid(), {}
            threading.Thread(target=self._touch, name="leases", daemon=True).start()
        self.content[path] = content

    def _touch(self) -> None:
        while True:
            time.sleep(HEARTBEAT_SECONDS)
            for path, content in list(self.content.items()):
                with contextlib.suppress(OSError), path.open("r+") as file:  # a confined worker cannot ask for `utime`
                    if file.read() == content:
                        file.seek(0)
                        file.write(content)


_held = _Held()


def try_lease(path: Path) -> bool:
    """Takes it if nobody has it; what a dead process left of one is taken away. Raises OSError as a disk does."""
    if os.path.lexists(path) and not is_leased(path):
        _take_away(path)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    content = json.dumps({"machine": _machine(), "pid": os.getpid(), "began": _began(os.getpid()), "of": uuid4().hex})
    try:
        os.write(descriptor, content.encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    _held.add(path, content)
    return True


def let_go(path: Path) -> None:
    """Gives a lease back; one that was taken for dead, and is another's by now, stays."""
    content = _held.content.pop(path, None)
    with contextlib.suppress(OSError):
        if content is not None and path.read_text() == content:
            path.unlink()


@contextlib.contextmanager
def lease(path: Path) -> Iterator[None]:
    """Waits for it."""
    while not try_lease(path):
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        let_go(path)


def is_leased(path: Path) -> bool:
    """Whether somebody alive has it: of this machine by the process, of another by when it was touched last."""
    try:
        with path.open() as file:  # opening it asks a file server what is new
            content, touched = file.read(), os.fstat(file.fileno()).st_mtime
    except FileNotFoundError:
        return False
    try:
        holder = json.loads(content)
        if holder["machine"] == _machine():
            return bool(_began(holder["pid"]) == holder["began"])
    except (ValueError, KeyError, TypeError):  # it is just being written
        pass
    return _now_at(path.parent) - touched < STALE_SECONDS


def _take_away(path: Path) -> None:
    """Of a dead holder. Where another one was quicker and has it by now, it gets it back."""
    before = _content(path)
    aside = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return
    if _content(aside) != before:
        with contextlib.suppress(OSError):
            os.link(aside, path)
    aside.unlink(missing_ok=True)


def _content(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _now_at(folder: Path) -> float:
    """By the clock that stamps files there, which need not be this machine's."""
    with tempfile.TemporaryFile(dir=folder) as probe:
        return os.fstat(probe.fileno()).st_mtime


@functools.cache
def _machine() -> str:
    """Which kernel, since which start, and which numbering of processes: containers have their own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return uuid4().hex


def _began(pid: int) -> str:
    """When a process began, so that a number that is used again is not taken for it; '' where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""
