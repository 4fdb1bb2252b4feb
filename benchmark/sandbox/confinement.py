"""What a child process that runs submitted code is left with: its scratch, the packages, and no way out.

`isolation_here` says how far this machine can go. What each barrier is for, and what none stops, is in SECURITY.md.
"""

# ruff: noqa: PTH112, PTH123, PTH118, PTH120, PTH207, PTH208
# All of it is done anew in every child, and pathlib takes ten times as long.

from __future__ import annotations

import contextlib
import functools
import glob
import os
import resource
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from prunemark.benchmark.sandbox.landlock import DEVICE, READ, READ_DIR, SCRATCH, landlock_version, restrict_files
from prunemark.benchmark.sandbox.syscalls import filters_calls, restrict_calls
from prunemark.setups.errors import InputError, unknown_name

Isolation = Literal["process", "landlock", "container"]
ISOLATIONS: tuple[Isolation, ...] = ("process", "landlock", "container")
LOWEST_VERSION = 3  # of Landlock: before it, files could still be cut off

ROOMS = ("setups", "records", "benchmark", "baselines")
"""Of this package, what the contract and the shipped methods are made of: no board, no audit, no command line."""

TEST_IMAGES = ("sklearn/datasets/data", "sklearn/datasets/tests")
SYSTEM_PACKAGES = ("/usr/lib/python3*/dist-packages", "/usr/local/lib/python3*/*-packages")
SYSTEM = (
    "/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/localtime",
    "/usr/share/zoneinfo", "/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system/cpu",
)  # fmt: skip
OF_A_GPU = ("/sys", "/proc/driver/nvidia", "/proc/devices", "/usr/share/nvidia", "/etc/nvidia")
DEVICES, GPU_DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom", "/dev/random"), "/dev/nvidia*"
KEPT = ("PATH", "LANG", "LC_ALL", "PYTHONHASHSEED", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
        "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "CUBLAS_WORKSPACE_CONFIG")  # fmt: skip
"""Variables of the environment that a child still has."""

FOLDERS = ("HOME", "TMPDIR", "XDG_CACHE_HOME", "MPLCONFIGDIR", "TORCHINDUCTOR_CACHE_DIR")
"""Where libraries write by themselves: in a child, into its scratch."""

MOST_DESCRIPTORS = 256
REFUSED = (
    "A method reads installed packages, the Python files that it imports and what it is handed; it writes in its "
    "current folder, and starts no process"
)
"""What an author is told whose method was refused a file."""


@dataclass(frozen=True)
class Confinement:
    """What a child may have: files to read besides the packages, bytes a file and of memory, seconds of a processor.

    `listed` are folders of which it sees the names, and not what is in the files.
    """

    isolation: Isolation
    readable: tuple[Path, ...] = ()
    file_bytes: int = 256 << 20
    memory_bytes: int = 8 << 30
    cpu_seconds: float = 3600.0
    gpu: bool = False
    listed: tuple[Path, ...] = ()


def isolation_here() -> Isolation:
    """The isolation that is used where none is asked for: 'landlock', or 'process', which is separation only."""
    return "landlock" if filters_calls() and landlock_version() >= LOWEST_VERSION else "process"


def isolation_of(asked: str) -> Isolation:
    """The isolation asked for, or `isolation_here` where nothing was. Raises InputError for one that cannot be had."""
    if asked and asked not in ISOLATIONS:
        raise unknown_name("isolation", asked, ISOLATIONS)
    here = isolation_here()
    if asked in ("", here):
        return here
    if asked == "process":
        return "process"
    if asked == "container" and here == "landlock":
        from prunemark.benchmark.sandbox import container

        if not (why := container.why_not()):
            return "container"
        raise InputError(
            f"--isolation container was asked for, and {why}. It needs bubblewrap 0.8 and user namespaces; "
            "`prunemark doctor` says what holds here"
        )
    raise InputError(
        f"--isolation {asked} was asked for; this machine has {here!r}: Landlock and seccomp need Linux 6.2 or later "
        "on x86-64, and a container that lets them be used. `prunemark doctor` says what holds here"
    )


def enter(confinement: Confinement, scratch: Path, keep: tuple[int, ...]) -> None:
    """Confines this process for as long as it lives. Called in a forked child, before any submitted code is loaded.

    `keep`: descriptors that stay open besides the three of every process. Raises OSError when the kernel refuses.
    """
    for name in [name for name in os.environ if name not in KEPT]:
        del os.environ[name]
    os.environ |= dict.fromkeys(FOLDERS, str(scratch))
    tempfile.tempdir = str(scratch)
    _close_all_but({0, 1, 2, *keep})
    _set_limits(confinement)
    if confinement.isolation == "process":
        return
    restrict_files(_rules(confinement, scratch))
    restrict_calls()


def _rules(confinement: Confinement, scratch: Path) -> Iterator[tuple[str, int]]:
    """Every path that is left, with what may be done there."""
    hidden = _test_images()
    for folder in (*SYSTEM, *package_folders(), *map(str, confinement.readable)):
        yield from _around(folder, hidden)
    yield from ((str(folder), READ_DIR) for folder in confinement.listed)
    yield str(scratch), SCRATCH
    yield from ((device, DEVICE) for device in DEVICES)
    if confinement.gpu:
        yield from ((place, READ) for place in OF_A_GPU)
        yield from ((device, DEVICE) for device in glob.glob(GPU_DEVICES))


@functools.cache
def package_folders() -> tuple[str, ...]:
    """Where this Python's packages lie: the standard library, and every folder that packages are found in.

    A clone of this repository is found in one too: of it only `ROOMS`.
    """
    ours = os.path.dirname(os.path.realpath(sys.modules["prunemark"].__file__ or ""))
    clone = os.path.dirname(ours)
    installed = [os.path.realpath(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    found = dict.fromkeys([*installed, *(os.path.realpath(place) for place in sys.path if place)])
    not_whole = ("/",) if clone in installed else ("/", clone)
    rooms = [os.path.realpath(os.path.join(ours, room)) for room in ROOMS]
    whole = [folder for folder in found if folder not in not_whole]
    return (*whole, *_linked_packages(whole), ours, *rooms)


def _linked_packages(folders: Iterable[str]) -> Iterator[str]:
    """Where packages lie that a package folder only links to: a rule for a folder does not follow its links."""
    for folder in filter(os.path.isdir, folders):
        with os.scandir(folder) as entries:
            yield from (os.path.realpath(entry.path) for entry in entries if entry.is_symlink())


@functools.cache
def _test_images() -> frozenset[str]:
    """Where packages keep images that some track tests on."""
    places = [*package_folders(), *(place for pattern in SYSTEM_PACKAGES for place in glob.glob(pattern))]
    places += [f"{place}/{below}" for place in package_folders() for below in ("site-packages", "dist-packages")]
    found = [f"{place}/{images}" for place in places for images in TEST_IMAGES]
    return frozenset(os.path.realpath(place) for place in found if os.path.isdir(place))


def _around(folder: str, hidden: frozenset[str]) -> Iterator[tuple[str, int]]:
    """The folder; where something hidden lies below, it may be listed, and all else in it be read."""
    if folder in hidden:
        return
    if not any(place.startswith(f"{folder}/") for place in hidden):
        yield folder, READ
        return
    yield folder, READ_DIR
    for entry in os.listdir(folder):
        yield from _around(f"{folder}/{entry}", hidden)


def _close_all_but(kept: set[int]) -> None:
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc/self/fd"):
            if int(name) not in kept:
                with contextlib.suppress(OSError):
                    os.close(int(name))


def _set_limits(confinement: Confinement) -> None:
    limits = [
        (resource.RLIMIT_FSIZE, confinement.file_bytes),
        (resource.RLIMIT_NOFILE, MOST_DESCRIPTORS),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, max(int(confinement.cpu_seconds), 1)),
    ]
    if not confinement.gpu:  # a GPU's driver reserves more than there is
        limits.append((resource.RLIMIT_DATA, _data_bytes() + confinement.memory_bytes))
    for what, most in limits:
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


def _data_bytes() -> int:
    """What this process has of private memory; where nobody says, nothing."""
    with contextlib.suppress(OSError, IndexError, ValueError), open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[5]) * resource.getpagesize()
    return 0
