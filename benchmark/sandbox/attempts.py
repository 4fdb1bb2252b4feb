"""Every barrier that is promised of a confined process, tried on this machine: for `prunemark doctor`.

One process behind all barriers makes every attempt, and two more find out whether time and memory are bounded. What a
barrier does not stop is not found out here: SECURITY.md says it.
"""

# ruff: noqa: PTH112, PTH118
# As in confinement.py: the attempts are made in a child.

from __future__ import annotations

import ctypes
import json
import os
import resource
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from prunemark.benchmark.sandbox import container
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.confinement import TEST_IMAGES, Confinement, isolation_here, package_folders

CANARY = "PRUNEMARK_DOCTOR_CANARY"
FILE_BYTES = 1 << 16
SAID = "said.json"
SOON = Limits(seconds=20.0)
LONG_SECONDS = 20.0


@dataclass(frozen=True)
class Outside:
    """What lies outside: a file, a folder as the store is one, the process that started the child, a descriptor."""

    file: Path
    store: Path
    process: int
    descriptor: int


def _fork(_: Outside) -> None:
    if (started := os.fork()) == 0:
        os._exit(0)
    os.waitpid(started, 0)


def _test_images(_: Outside) -> None:
    places = [os.path.join(folder, images) for folder in package_folders() for images in TEST_IMAGES]
    files = [path for place in places if os.path.isdir(place) for path in Path(place).rglob("*.gz")]
    if not files:
        raise FileNotFoundError
    for file in files:
        file.read_bytes()


def _environment(_: Outside) -> None:
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_char_p
    if CANARY not in os.environ and libc.getenv(CANARY.encode()) is None:
        raise PermissionError


def _core_dump(_: Outside) -> None:
    if resource.getrlimit(resource.RLIMIT_CORE) == (0, 0):
        raise PermissionError


def _processor(_: Outside) -> None:
    if resource.getrlimit(resource.RLIMIT_CPU)[1] != resource.RLIM_INFINITY:
        raise PermissionError


ATTEMPTS: dict[str, dict[str, Callable[[Outside], object]]] = {
    "files": {
        "reading outside": lambda it: it.file.read_text(),
        "writing outside": lambda it: it.file.write_text("x"),
        "listing the store": lambda it: list(it.store.iterdir()),
        "test images": _test_images,
        "links": lambda it: Path("link").symlink_to(it.file),
        "FIFOs": lambda _: os.mkfifo("fifo"),
        "shared memory": lambda _: Path("/dev/shm/prunemark-doctor").touch(),
        "anonymous files": lambda _: os.close(os.memfd_create("doctor")),
    },
    "processes": {
        "starting a process": _fork,
        "starting a program": lambda _: os.posix_spawn("/bin/true", ["true"], {}),
        "a signal to the parent": lambda it: os.kill(it.process, 0),
        "/proc of others": lambda it: Path(f"/proc/{it.process}/environ").read_bytes(),
    },
    "network": {
        "internet": lambda _: socket.socket(socket.AF_INET).close(),
        "this machine": lambda _: socket.socket(socket.AF_UNIX).close(),
    },
    "inherited": {
        "the environment": _environment,
        "open files": lambda it: os.read(it.descriptor, 1),
    },
    "limits": {
        "size of a file": lambda _: Path("big").write_bytes(bytes(2 * FILE_BYTES)),
        "number of open files": lambda _: os.dup2(0, 300),
        "seconds of the processor": _processor,
        "memory dumps": _core_dump,
    },
}
"""By what they are about; each is refused by an OSError, or does not hold."""


def try_all() -> dict[str, dict[str, bool]]:
    """Of every attempt, whether the barrier holds. Forks: for a process without threads."""
    isolation = isolation_here()
    with tempfile.TemporaryDirectory(prefix="prunemark-doctor-") as place:
        folder = Path(place)
        os.environ[CANARY] = "a secret"
        (folder / "store").mkdir()
        (folder / "secret").write_text("a secret")
        with (folder / "secret").open() as file:
            outside = Outside(folder / "secret", folder / "store", os.getpid(), file.fileno())
            confinement = Confinement(isolation, file_bytes=FILE_BYTES)
            run_in_child(_attempt, outside, scratch=_new(folder, "tried"), limits=SOON, confinement=confinement)
        held: dict[str, dict[str, bool]] = json.loads((folder / "tried" / SAID).read_text())
        for what, limits in (("time", Limits(0.1)), ("memory", Limits(SOON.seconds, memory_bytes=1))):
            held["limits"][what] = _stopped(_new(folder, what), limits, Confinement(isolation))
    return held


def _new(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def _attempt(outside: Outside) -> None:
    said = {
        about: {name: _holds(attempt, outside) for name, attempt in attempts.items()}
        for about, attempts in ATTEMPTS.items()
    }
    Path(SAID).write_text(json.dumps(said))


def _holds(attempt: Callable[[Outside], object], outside: Outside) -> bool:
    try:
        attempt(outside)
    except OSError:
        return True
    return False


def _stopped(scratch: Path, limits: Limits, confinement: Confinement) -> bool:
    try:
        run_in_child(time.sleep, LONG_SECONDS, scratch=scratch, limits=limits, confinement=confinement)
    except ChildFailed as failure:
        return failure.status in ("timeout", "out_of_memory")
    return False


def say() -> None:
    """Prints the isolation of this machine, why it has no container ('' where it has), and what holds, as JSON."""
    print(json.dumps([isolation_here(), container.why_not(), try_all()]))
