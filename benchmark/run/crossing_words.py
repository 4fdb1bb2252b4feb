"""What a worker says to the driver, read so that it can say nothing else.

A worker that runs code of a track's author is confined, and the driver is not: to unpickle whatever comes would run
that author's code here. So of such a worker only plain values and these classes of data are read.
"""

from __future__ import annotations

import io
import pickle
from multiprocessing.connection import Connection
from typing import Any

from prunemark.benchmark.run.jobs import Job
from prunemark.setups.errors import WorkFailed

ROOM = "prunemark."
DATA = {
    "setups.errors": ("InputError", "WorkFailed", "Diverged"),
    "records.outcome": ("EpochPoint",),
    "records.timing": ("Architecture", "Conditions", "Timing"),
    "records.speed": ("Blocks",),
    "benchmark.run.doctor": ("CheckResult",),
    "benchmark.run.estimate": ("Step",),
    "benchmark.run.timing": ("Architected", "Task", "Taken"),
}
"""Classes without behaviour, by module: what reports and results of confined workers are made of."""


def heard(pipe: Connection, job: Job) -> tuple[str, Any]:
    """The next word of a job: its kind and its value. Raises EOFError and OSError as `recv` does."""
    if job.confined is None:
        kind, value = pipe.recv()
        return kind, value
    content = pipe.recv_bytes()
    try:
        kind, value = _Plain(io.BytesIO(content)).load()
        if isinstance(kind, str):
            return kind, value
    except Exception:  # whatever comes of bytes that a stranger's code may have written
        pass
    return "error", WorkFailed(f"{job.id} said what cannot be read: the code of its track may have written it")


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        """Of `pickle`: only what is listed, and nothing inside it."""
        if module.startswith(ROOM) and name in DATA.get(module.removeprefix(ROOM), ()):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not read here")
