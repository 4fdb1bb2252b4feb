"""Processes that train together: started by torchrun's rules on this machine, watched, and ended together.

Each is forked from the process that asks, which then only watches, and finds RANK, LOCAL_RANK, WORLD_SIZE,
LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT as torchrun sets them. They exchange by NCCL on GPUs, one process a GPU,
and by gloo on the CPU. The port is open to this machine only, and taken before anything is forked.

When one ends badly, all end, and what it said is raised: there is no method's code in them, so it is the machine's
failure or the data's, and never a method's.
"""

from __future__ import annotations

import contextlib
import datetime
import multiprocessing
import os
import socket
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import torch
import torch.distributed as dist

from prunemark.benchmark.training.processes import leave
from prunemark.setups.errors import Diverged, InputError, WorkFailed
from prunemark.setups.processes import die_with_parent

HOST = "127.0.0.1"
OURS = (Diverged, WorkFailed, InputError)
NO_LIMIT = datetime.timedelta(days=30)  # a method may take long before it asks for training; death is noticed otherwise
GRACE_SECONDS = 2.0
LOG_SHOWN = 2000


@dataclass
class _Member:
    rank: int
    process: BaseProcess
    pipe: Connection
    done: bool = False
    problem: Exception | None = None


def run_together(
    count: int, device: str, what: str, work: Callable[..., None], *arguments: Any,
    hear: Callable[[Any], None] | None = None,
) -> None:  # fmt: skip
    """Runs `work(*arguments)` in so many processes, each of which knows the others (`processes.here`).

    With `hear`, the work gets one argument more: a function, through which this process hears. `what` is trained, in
    words. Call it before this process has used CUDA. Raises InputError and Diverged as one of them raised it,
    WorkFailed for everything else.
    """
    forking = multiprocessing.get_context("fork")
    with socket.create_server((HOST, 0)) as listening, tempfile.TemporaryFile() as log:
        members = []
        for rank in range(count):
            ear, mouth = forking.Pipe(duplex=False)
            told = (*arguments, lambda word, mouth=mouth: mouth.send(("said", word))) if hear else arguments
            at = (rank, count, device, listening, log.fileno(), os.getpid(), mouth)
            process = forking.Process(target=_member, args=(at, work, told), name=f"{what}, process {rank}")
            process.start()
            mouth.close()
            members.append(_Member(rank, process, ear))
        try:
            _watch(members, what, hear)
        except _Trouble as problem:
            log.seek(max(log.seek(0, os.SEEK_END) - LOG_SHOWN, 0))
            said = log.read().decode(errors="replace")
            raise WorkFailed(problem.words, f"{problem.trace}\n{said}") from None
        finally:
            for member in members:
                member.process.kill()
            for member in members:
                member.process.join()
                member.pipe.close()


def _member(at: tuple[Any, ...], work: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """The body of a process. What libraries print goes into the log."""
    rank, count, device, listening, log, parent, mouth = at
    die_with_parent(parent)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        join(rank, count, device, listening)
        work(*arguments)
        leave()
        mouth.send(("done", None))
    except OURS as problem:
        mouth.send(("error", next(kind for kind in OURS if isinstance(problem, kind))(*problem.args)))
    except BaseException as problem:
        words = f"{type(problem).__name__}: {problem}"
        mouth.send(("trouble", (time.monotonic(), words, "".join(traceback.format_exception(problem)))))
    mouth.close()
    os._exit(0)  # no thread of a library, which waits for those that are gone, holds it up


def join(rank: int, count: int, device: str, listening: socket.socket) -> None:
    """Makes this process one of those that train together. The first serves the others at the socket."""
    port = listening.getsockname()[1]
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": HOST, "MASTER_PORT": str(port),
    }  # fmt: skip
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    backend = "gloo"
    if device != "cpu":
        if torch.cuda.device_count() < count:
            raise InputError(
                f"--devices-per-trial {count}, but {torch.cuda.device_count()} GPUs are visible where the trial runs"
            )
        torch.cuda.set_device(rank)  # from here on "cuda" means this one
        backend = "cpu:gloo,cuda:nccl"
    descriptor = listening.detach() if rank == 0 else None
    if rank:
        listening.close()
    store = dist.TCPStore(  # type: ignore[attr-defined]
        HOST, port, count, is_master=rank == 0, timeout=NO_LIMIT, wait_for_workers=False, master_listen_fd=descriptor
    )
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=NO_LIMIT)


def _watch(members: Sequence[_Member], what: str, hear: Callable[[Any], None] | None) -> None:
    """Waits until all are done. Raises what ended one of them, and not what that did to the others."""
    until: float | None = None
    while not all(member.done for member in members):
        open_ones = [m for m in members if not m.done and m.problem is None]
        if not open_ones or (until is not None and time.monotonic() > until):
            break
        wait([thing for m in open_ones for thing in (m.pipe, m.process.sentinel)], GRACE_SECONDS if until else None)
        for member in open_ones:
            gone = not member.process.is_alive()
            _hear(member, what, hear)
            if gone and not member.done and member.problem is None:
                code = member.process.exitcode or 0
                how = f"was killed by signal {-code}" if code < 0 else "ended without a word"
                member.problem = WorkFailed(f"process {member.rank + 1} of {len(members)} of {what} {how}")
            if member.problem is not None and until is None:
                until = time.monotonic() + GRACE_SECONDS
    problems = [member.problem for member in members if member.problem is not None]
    if problems:
        raise min(problems, key=lambda problem: problem.at if isinstance(problem, _Trouble) else 0.0)


class _Trouble(Exception):
    """What a process raised, and when: later ones may only be that another process is gone."""

    def __init__(self, at: float, words: str, trace: str) -> None:
        super().__init__(words)
        self.at, self.words, self.trace = at, words, trace


def _hear(member: _Member, what: str, hear: Callable[[Any], None] | None) -> None:
    with contextlib.suppress(EOFError, OSError):
        while member.pipe.poll():
            kind, value = member.pipe.recv()
            if kind == "said" and hear and member.rank == 0:
                hear(value)
            elif kind == "done":
                member.done = True
            elif kind == "error":
                member.problem = value
            elif kind == "trouble":
                at, words, trace = value
                member.problem = _Trouble(at, f"process {member.rank + 1} of {what} ended: {words}", trace)
