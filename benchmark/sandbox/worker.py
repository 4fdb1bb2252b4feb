"""Confining a whole worker: of a track with a network of its author's, every process that builds it.

That network runs where base models are trained, pruned ones retrained and evaluated, so no single child can be
confined: the worker is, from its first moment, and with it all that it starts. It keeps what the harness needs in it:
to write to the store and its scratch, to start processes without a program of their own, and to end them. It has no
network, no program to run, and reads no file but the packages, the store and what it is handed.

Not covered: such code could write to the store, and so forge results of its own track, and signals where the kernel has
no Landlock of version 6. `/proc` can be read, where the kernel hides what Landlock separates (memory, environments).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from prunemark.benchmark.images.sources import CONFINED
from prunemark.benchmark.sandbox.capabilities import drop_capabilities
from prunemark.benchmark.sandbox.confinement import (
    DEVICES,
    FOLDERS,
    GPU_DEVICES,
    OF_A_GPU,
    SYSTEM,
    Isolation,
    package_folders,
)
from prunemark.benchmark.sandbox.landlock import DEVICE, READ, READ_DIR, SCRATCH, restrict_files
from prunemark.benchmark.sandbox.syscalls import restrict_worker_calls


@dataclass(frozen=True)
class ConfinedWorker:
    """What a worker keeps: folders that it writes, and files and folders that it reads besides the packages.

    `listed` are folders of which it sees the names only.
    """

    isolation: Isolation
    writable: tuple[str, ...]
    readable: tuple[str, ...] = ()
    gpu: bool = False
    listed: tuple[str, ...] = ()


def enter(confined: ConfinedWorker, scratch: Path) -> None:
    """Confines this process and all that it starts. Call it while the process has one thread: others are not.

    Raises OSError when the kernel refuses.
    """
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):  # no terminal: what such code prints could drive it
        os.dup2(nothing, descriptor)
    os.close(nothing)
    os.environ |= dict.fromkeys(FOLDERS, str(scratch)) | {CONFINED: "1"}
    if confined.isolation == "process":
        return
    drop_capabilities()
    restrict_files(_rules(confined, scratch))
    restrict_worker_calls()


def _rules(confined: ConfinedWorker, scratch: Path) -> Iterator[tuple[str, int]]:
    yield from ((place, READ) for place in (*SYSTEM, "/proc", *package_folders(), *confined.readable))
    yield from ((place, READ_DIR) for place in confined.listed)
    yield from ((place, SCRATCH) for place in (str(scratch), *confined.writable))
    yield from ((device, DEVICE) for device in DEVICES)
    if confined.gpu:
        yield from ((place, READ) for place in OF_A_GPU)
        yield from ((str(device), DEVICE) for device in Path("/").glob(GPU_DEVICES.removeprefix("/")))
