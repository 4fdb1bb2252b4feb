"""The child in a container: the same work and the same barriers, in namespaces of its own that bubblewrap makes.

For boards that run strangers' code unattended. What Landlock forbids is then not even there: another root with the
same few folders, no network device, no other process, no capability. It costs a Python and a torch loaded anew for
each child, two to four seconds.
"""

# ruff: noqa: PTH118, PTH120, PTH208
# As in confinement.py.

from __future__ import annotations

import contextlib
import functools
import glob
import importlib
import io
import json
import os
import pickle
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NoReturn

from prunemark.benchmark.sandbox.confinement import (
    GPU_DEVICES,
    KEPT,
    OF_A_GPU,
    ROOMS,
    SYSTEM,
    Confinement,
    package_folders,
)
from prunemark.benchmark.training import arithmetic
from prunemark.setups.track import PORTABLE

PROGRAM = "bwrap"
ALONE = (
    "--unshare-all", "--unshare-user", "--disable-userns", "--uid", "65534", "--gid", "65534", "--cap-drop", "ALL",
    "--die-with-parent", "--new-session", "--as-pid-1",
    "--tmpfs", "/tmp", "--dev", "/dev", "--proc", "/proc",
)  # fmt: skip
"""As the first process, because its seconds are counted only when bubblewrap waits for it itself."""

OWN_IN_IT = ("/proc", "/dev")
BEGIN = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from prunemark.benchmark.sandbox import container; container.begin(int(sys.argv[1]))"
)
LOADED = (
    "numpy", "safetensors", "scipy", "timm", "torch", *(f"prunemark.{room}" for room in ROOMS)
)  # fmt: skip
"""Of the modules that the forked child has, those that the new Python loads before its seconds are counted."""

PROBE_SECONDS = 20.0


@functools.cache
def why_not() -> str:
    """Why there is no container to be had here, in words; '' where there is."""
    if shutil.which(PROGRAM) is None:
        return "bubblewrap is not installed"
    probe = [PROGRAM, *ALONE, *_bound(("/bin", "/lib", "/lib64", "/usr")), "--", "/bin/true"]
    try:
        done = subprocess.run(probe, capture_output=True, text=True, check=False, timeout=PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as problem:
        return f"bubblewrap cannot be run: {problem}"
    return "" if done.returncode == 0 else f"bubblewrap says: {(done.stderr.strip() or 'nothing').splitlines()[-1]}"


def exec_in(
    run: Callable[..., None],
    arguments: tuple[Any, ...],
    confinement: Confinement,
    scratch: Path,
    keep: tuple[int, ...],
    started: int,
) -> NoReturn:
    """This process becomes a container that calls `run(*arguments)`, with `scratch` to work in. Raises OSError.

    `keep` are descriptors that it has there too. Into `started` it writes how many seconds of the processor were spent
    when it began with its work.
    """
    import torch

    from prunemark.benchmark.training.execution import held

    parcel = os.memfd_create("parcel", 0)
    content = io.BytesIO()
    pickler = pickle.Pickler(content)
    pickler.dispatch_table = {Connection: lambda pipe: (Connection, (pipe.fileno(),))}
    loaded = [name for name in sys.modules if name.startswith(LOADED)]
    pickler.dump((torch.get_num_threads(), confinement.gpu, started, loaded, held()))
    pickler.dump((run, arguments))
    with os.fdopen(os.dup(parcel), "wb") as file:
        file.write(content.getbuffer())
    os.lseek(parcel, 0, os.SEEK_SET)
    for descriptor in (*keep, started):
        os.set_inheritable(descriptor, True)
    names = (*KEPT, *arithmetic.VARIABLES)
    environment = {name: os.environ[name] for name in names if name in os.environ}
    os.execvpe(PROGRAM, _command(confinement, scratch, parcel), environment)


def begin(parcel: int) -> NoReturn:
    """What the new Python in the container does first: the arithmetic of the process that it is for, then its work."""
    import torch

    from prunemark.benchmark.training.execution import hold_again

    with os.fdopen(parcel, "rb") as file:
        content = pickle.Unpickler(file)
        threads, gpu, started, loaded, state = content.load()
        torch.set_num_threads(threads)
        portable = all(os.environ.get(name) == value for name, value in arithmetic.VARIABLES.items())
        arithmetic.use(PORTABLE if portable else None, "cuda" if gpu else "cpu")
        hold_again(state)
        run, arguments = content.load()
    for name in loaded:
        with contextlib.suppress(Exception):  # a module may be one that only another of them can load
            importlib.import_module(name)
    os.write(started, struct.pack("<d", time.process_time()))
    os.close(started)
    run(*arguments)
    os._exit(0)  # as a forked child does: to take torch down in order takes a second of the processor


def spent_before(started: int) -> float | None:
    """Seconds of the processor that a container took to begin; None where it never did. Closes the descriptor."""
    with os.fdopen(started, "rb") as file:
        os.set_blocking(file.fileno(), False)
        content = file.read(8)
    return struct.unpack("<d", content)[0] if content and len(content) == 8 else None


def exitcode_of(code: int | None) -> int | None:
    """How the process in the container ended: bubblewrap says 128 and the signal where it was killed by one."""
    return code if code is None or code <= 128 else 128 - code


def _command(confinement: Confinement, scratch: Path, parcel: int) -> list[str]:
    """bubblewrap, with what the new Python needs to start and what the confined one is left with."""
    clone = sys.modules["prunemark"].__file__ or ""
    ours = os.path.dirname(os.path.realpath(clone))
    rooms = (os.path.realpath(os.path.join(ours, room)) for room in os.listdir(ours))
    python = (sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable)))
    read = {*SYSTEM, *package_folders(), *python, *rooms, *map(str, confinement.readable)}
    gpu: list[str] = []
    if confinement.gpu:
        read |= {*OF_A_GPU}
        gpu = [part for device in glob.glob(GPU_DEVICES) for part in ("--dev-bind", device, device)]  # noqa: PTH207
    folders = [folder for folder in sorted(read) if not folder.startswith(OWN_IN_IT)]
    place = str(scratch)
    return [
        PROGRAM, *ALONE, *_bound(folders), *gpu, "--bind", place, place, "--remount-ro", "/", "--chdir", place, "--",
        sys.executable, "-P", "-s", "-c", BEGIN, str(parcel), json.dumps(sys.path),
    ]  # fmt: skip


def _bound(folders: Any) -> Iterator[str]:
    for folder in folders:
        yield from ("--ro-bind-try", folder, folder)
