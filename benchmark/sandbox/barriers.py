"""What submitted code may not do in its process: start others, talk to the network, reach into the harness.

Python's own means, so it keeps out what a submission does by mistake or by a plain trick, not a hostile program.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

CONTRACT = ("prunemark.benchmark.method", "prunemark.setups")
FORBIDDEN = {
    "os.fork": "start a process", "os.forkpty": "start a process", "os.posix_spawn": "start a process",
    "os.spawn": "start a process", "os.system": "start a process", "os.exec": "start a process",
    "subprocess.Popen": "start a process", "socket.connect": "use the network", "socket.bind": "use the network",
    "socket.sendto": "use the network",
}  # fmt: skip


class NotAllowed(Exception):
    """A submission tried what it may not do. The message says what."""


def put_up_barriers() -> None:
    """Forbids what `FORBIDDEN` lists for as long as this process lives. Raises NotAllowed in whoever tries."""

    def hook(event: str, _arguments: tuple[Any, ...]) -> None:
        if event in FORBIDDEN:
            raise NotAllowed(f"a submission may not {FORBIDDEN[event]} ({event}): only its own process is metered")

    sys.addaudithook(hook)


@contextlib.contextmanager
def harness_hidden() -> Iterator[None]:
    """Inside, the harness's modules cannot be imported: neither what counts nor what reads the test split.

    The contract stays, so that a submission's classes are the harness's own.
    """
    hidden = {name: module for name, module in sys.modules.items() if _internal(name)}
    package = sys.modules["prunemark.benchmark"].__dict__
    shown = {name: value for name, value in package.items() if f"prunemark.benchmark.{name}" in hidden}
    for name in hidden:
        if name.startswith("prunemark.baselines."):  # a shipped method may import its own package, anew
            del sys.modules[name]
        else:
            sys.modules[name] = None  # type: ignore[assignment] # an import of it fails, as of what is not there
    for name in shown:
        del package[name]
    try:
        yield
    finally:
        for name in [name for name in sys.modules if _internal(name)]:
            del sys.modules[name]
        sys.modules.update(hidden)
        package.update(shown)


def _internal(name: str) -> bool:
    allowed = any(name == kept or name.startswith(f"{kept}.") for kept in CONTRACT)
    return name.startswith("prunemark.") and name.count(".") > 1 and not allowed
