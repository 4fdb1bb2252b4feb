"""What code of a track's author could try in the worker that runs it. Called there by an executor."""

import ctypes
import os
import signal
import socket
import subprocess
from pathlib import Path

import torch

from prunemark.benchmark.sandbox.child import Limits, run_in_child
from prunemark.benchmark.sandbox.scratch import scratch_folder


def _read(place):
    return (place / "secret").read_text()


def _write(place):
    (place / "left").write_text("left")


def _link(place):
    (place / "store" / "link").symlink_to(place / "secret")


def _hard_link(place):
    (place / "store" / "link").hardlink_to(place / "secret")


def _connect(_place):
    socket.create_connection(("127.0.0.1", 9), timeout=1)


def _unix_socket(_place):
    socket.socket(socket.AF_UNIX)


def _program(_place):
    subprocess.run(["/bin/true"], check=True)


def _in_a_child(place):
    """A process that it starts has no more rights."""
    if (pid := os.fork()) == 0:
        try:
            _read(place)
        except OSError:
            os._exit(3)
        os._exit(0)
    if os.WEXITSTATUS(os.waitpid(pid, 0)[1]) == 3:
        raise PermissionError


def _in_a_thread(place):
    import threading

    found = []
    for thread in threading.enumerate():
        assert thread.name in ("MainThread", "driver") or thread.daemon
    worker = threading.Thread(target=lambda: found.append(_tried(_read, place)))
    worker.start()
    worker.join()
    if found == ["refused"]:
        raise PermissionError


def _namespaces(_place):
    if ctypes.CDLL(None, use_errno=True).unshare(0x10000000):
        raise PermissionError


def _trace(_place):
    if ctypes.CDLL(None, use_errno=True).ptrace(16, os.getppid(), 0, 0):
        raise PermissionError


def _environment_of_another(_place):
    Path(f"/proc/{os.getppid()}/environ").read_bytes()


def _terminal(_place):
    Path("/dev/tty").open("rb").close()


def _home(_place):
    list(Path("~root").expanduser().iterdir())


def _end_the_driver(_place):
    os.kill(os.getppid(), signal.SIGTERM if os.getppid() == 1 else 0)


ATTEMPTS = {
    each.__name__.strip("_"): each
    for each in (
        _read, _write, _link, _hard_link, _connect, _unix_socket, _program, _in_a_child, _in_a_thread, _namespaces,
        _trace, _environment_of_another, _terminal, _home, _end_the_driver,
    )
}  # fmt: skip


def _tried(function, place):
    try:
        return f"did it: {function(place)}"
    except (OSError, PermissionError):
        return "refused"


def attempt(_report, name, place):
    return _tried(ATTEMPTS[name], place)


def _seven(out):
    (out / "seven").write_text("child 7")


def work(_report, store):
    """Files in the store, a child, and training with torch."""
    draft = store / "draft"
    draft.mkdir()
    (draft / "file").write_text("written")
    draft.rename(store / "entry")
    with scratch_folder() as scratch:
        run_in_child(_seven, scratch, scratch=scratch, limits=Limits(30.0))
        said = (scratch / "seven").read_text()
    layer = torch.nn.Conv2d(1, 2, 3)
    layer(torch.zeros(2, 1, 8, 8)).sum().backward()
    return [(store / "entry" / "file").read_text(), said, "trained" if layer.weight.grad is not None else "no"]


def shout(_report):
    os.write(1, b"\x1b[31mshouted\n")
    print("shouted", flush=True)
