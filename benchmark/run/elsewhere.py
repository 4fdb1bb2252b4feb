"""A job that is carried out on another machine: what that machine must have in common with this one, and the work.

What crosses is a job, data of the harness only: a call by name and its arguments. A method crosses as the path and the
hash of its file, and its code runs only in the process that a worker there forks for it, as here: the same sandbox.

A machine that has other files would make results of something else, or blame a method for a file that is missing. So it
is looked at before each job.
"""

from __future__ import annotations

import os
import platform
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from prunemark.benchmark.images.sources import VARIABLE
from prunemark.benchmark.run.drive import Event
from prunemark.benchmark.run.executor import Processes
from prunemark.benchmark.run.jobs import Job
from prunemark.benchmark.submission.covered import sha256_of
from prunemark.benchmark.submission.locate import MethodSource
from prunemark.benchmark.trial.environment import environment, package_versions
from prunemark.benchmark.trial.locks import SHARED
from prunemark.benchmark.trial.trial import Trial
from prunemark.records.writer import write_atomically
from prunemark.setups.errors import InputError, WorkFailed

HEARTBEAT_SECONDS = 15.0
Word = tuple[str, Any]
"""What crosses back: the kind of an event and its value; 'error' with the problem, and 'alive', which says nothing."""


@dataclass(frozen=True)
class Common:
    """What a worker elsewhere has to find as it is here: home, libraries, Prunemark. `images` is the path of --data."""

    home: str
    token: str
    libraries: tuple[tuple[str, str], ...]
    images: str | None = field(default_factory=lambda: os.environ.get(VARIABLE))


def in_common(home: Path) -> Common:
    """Of this machine. Writes a token into the home, by which another machine knows that it sees the same folder.

    From then on the locks of the home are leases.
    """
    place = home / SHARED
    if not place.exists():
        write_atomically(place, uuid4().hex)
    return Common(str(home), place.read_text(), tuple(_libraries().items()))


def _libraries() -> dict[str, str]:
    python = ".".join(platform.python_version_tuple()[:2])
    return environment() | package_versions(("prunemark",)) | {"Python": python}


def check_common(common: Common, job: Job | None = None) -> None:
    """Raises InputError where this machine would work on something else than the one that asks."""
    here = socket.gethostname()
    try:
        token = (Path(common.home) / SHARED).read_text()
    except OSError:
        token = ""
    if token != common.token:
        raise InputError(
            f"{here} does not see the home {common.home}.\nPut --home on a file system that all machines share"
        )
    if differs := [f"{k} {v}, here {_libraries().get(k)}" for k, v in common.libraries if _libraries().get(k) != v]:
        raise InputError(
            f"{here} has other libraries than the machine that submits: {'; '.join(differs)}.\n"
            "Use one environment on a shared file system, or one image"
        )
    for source in _sources(job) if job else ():
        path = Path(source.path)
        if not path.is_file() or sha256_of(path, source.name) != source.sha256:
            raise InputError(
                f"{here} does not have {path} as the machine that submits has it.\n"
                "Put the method's file on a file system that all machines share"
            )


def _sources(job: Job) -> Iterator[MethodSource]:
    for each in job.arguments:
        if isinstance(each, MethodSource):
            yield each
        elif isinstance(each, Trial):
            yield from (e.source for e in (each.entrant, each.submission) if e is not None and e.source is not None)


def carry_out(job: Job, common: Common, processes: Processes) -> Iterator[Word]:
    """Runs one job in a process of its own on this machine; what it says, and at last 'done' or 'error'.

    'alive' comes at least every quarter of a minute.
    """
    try:
        check_common(common, job)
    except InputError as problem:
        yield "error", problem
        return
    if problems := processes.start([job]):
        yield "error", problems[0][1]
        return
    said_at = time.monotonic()
    while processes.running():
        heard: list[Event] = []
        ended = processes.listen(heard.append, HEARTBEAT_SECONDS)
        words: list[Word] = [(event.kind, event.value) for event in heard]
        words += [("error", problem) for _, problem in ended if problem is not None]
        if not words and time.monotonic() - said_at >= HEARTBEAT_SECONDS:
            words = [("alive", None)]
        if words:
            said_at = time.monotonic()
            yield from (word for word in words)  # Ray sends values into generators, which a list does not take


def lost(job: Job, why: str) -> WorkFailed:
    """Of a job whose machine is gone: nobody is blamed, and it is tried again."""
    return WorkFailed(f"{job.id} was ended by the machine: {why}")
