"""Running something in a process of its own, from which only files come back.

The child is forked, so it costs milliseconds; it gets its own session, an empty scratch folder, no standard
input, and dies with its parent. Time, memory and the size of what it leaves are bounded. One that runs submitted code
is confined besides (`confinement.py`), as far as the machine can; how far is on the record.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import secrets
import select
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from prunemark.benchmark.sandbox import container
from prunemark.benchmark.sandbox.confinement import Confinement, enter
from prunemark.benchmark.sandbox.explain import DISK, DIVERGED, IMAGES, LOG_LIMIT, RAISED, explained
from prunemark.benchmark.sandbox.machine import can_be_written
from prunemark.benchmark.sandbox.received import NotReadable, bytes_of, left_there
from prunemark.benchmark.sandbox.scratch import why_too_much
from prunemark.benchmark.sandbox.usage import cpu_seconds_of_children, usage_of, waited_seconds
from prunemark.records.outcome import Status
from prunemark.setups.errors import Diverged, InputError, WorkFailed
from prunemark.setups.processes import die_with_parent
from prunemark.setups.text import shown, shown_lines

ERROR_FILE, LOG_FILE, DONE_FILE = "error.json", "output.log", "done"
POLL_SECONDS = 0.05
NEARLY = 0.9  # of the seconds that a child may have: the kernel's limit counts in ticks, its account does not
SCRATCH_SECONDS, MOST_THREADS = 0.25, 512
LEAST_WAIT_SECONDS = 5.0


@dataclass(frozen=True)
class Limits:
    """What a child may use: seconds on the wall clock, bytes of resident memory, bytes of files in its scratch."""

    seconds: float
    memory_bytes: int = 8 * 2**30
    scratch_bytes: int = 8 * 2**30


@dataclass(frozen=True)
class Used:
    """What the kernel counted of a child that ended well, with all its threads."""

    cpu_seconds: float


class ChildFailed(Exception):
    """The child did not end well. `status` is a record's status word; `evidence` is for the user.

    `doubtful` are failures that a machine can bring about as well: an error, an exit, an allocation that got nothing.
    What the harness saw itself (a limit, a rule) is not.
    """

    def __init__(self, status: Status, rule: str, evidence: str, trace: str = "", *, doubtful: bool = False) -> None:
        super().__init__(evidence)
        self.status: Status = status
        self.rule, self.evidence, self.trace, self.doubtful = rule, evidence, trace, doubtful


def run_in_child(
    work: Callable[..., None],
    *arguments: Any,
    scratch: Path,
    limits: Limits,
    hear: Callable[[Any], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    confinement: Confinement | None = None,
    keep: tuple[int, ...] = (),
) -> Used:
    """Runs `work(*arguments)` in a forked child with `scratch` as its working directory.

    With `hear`, the child's work gets one argument more, a function: what it says through that, this process hears.
    Only for the harness's own work, since hearing unpickles. With a `confinement`, it has nothing else; `keep` are
    descriptors that it keeps then.

    Raises ChildFailed when it raises, ends or exceeds a limit. Of what is no fault of the method: WorkFailed when it is
    killed from outside or the disk is full or broken, Diverged of a base model, InputError when images cannot be read.
    Fork before this process has used CUDA: a forked child cannot.
    """
    token = secrets.token_hex(16)
    forking = multiprocessing.get_context("fork")
    ear, mouth = forking.Pipe(duplex=False)
    told = (*arguments, mouth.send) if hear else arguments
    opened = (*keep, mouth.fileno()) if hear else keep
    contained = confinement is not None and confinement.isolation == "container"
    began, begun = os.pipe() if contained else (-1, -1)
    process = forking.Process(target=_child, args=(work, told, scratch, os.getpid(), token, confinement, opened, begun))
    before = cpu_seconds_of_children()
    process.start()
    mouth.close()
    if contained:
        os.close(begun)
    deadline = clock() + limits.seconds
    look = clock() + SCRATCH_SECONDS
    try:
        while process.is_alive():
            _await_end(process)
            _pass_on(ear, hear)
            if clock() > deadline:
                _check_it_could_run(process.pid, limits)
                raise ChildFailed(
                    "timeout", "pruning time", f"stopped after {limits.seconds:g} s, the time a trial grants"
                )
            _check_size(process.pid, limits)
            if clock() > look:
                look = clock() + SCRATCH_SECONDS
                _check_scratch(scratch, limits.scratch_bytes, process.pid)
        _pass_on(ear, hear)
    finally:
        _kill_group(process)
        ear.close()
    used, exitcode = Used(total := cpu_seconds_of_children() - before), process.exitcode
    if contained:
        used, exitcode = _in_container(scratch, total, began), container.exitcode_of(exitcode)
    if confinement and exitcode == -signal.SIGKILL and total >= NEARLY * confinement.cpu_seconds:
        raise ChildFailed("timeout", "pruning time", f"stopped after {total:.0f} s of the processor")
    _raise_what_it_said(scratch, exitcode, trusted=confinement is None)
    if not left_there(scratch, DONE_FILE) or _text_of(scratch, DONE_FILE) != token:
        why = "it ended before the harness was done with it"
        raise ChildFailed("failed", "the method's process ended", why, doubtful=True)
    _check_scratch(scratch, limits.scratch_bytes)
    return used


def _check_it_could_run(pid: int | None, limits: Limits) -> None:
    """Raises WorkFailed for a process that mostly waited for a processor: its time says nothing of what it computes."""
    if (waited := waited_seconds(pid)) > max(limits.seconds / 2, LEAST_WAIT_SECONDS):
        raise WorkFailed(
            f"a process was stopped after {limits.seconds:g} s, {waited:.0f} of which it waited for a processor: the "
            "machine is too busy. Use fewer --workers"
        )


def _in_container(scratch: Path, total: float, began: int) -> Used:
    """What was used after a container had begun. Raises WorkFailed for one that never did: the method had no part."""
    before = container.spent_before(began)
    if before is None:
        said = shown(_text_of(scratch, LOG_FILE).strip().rpartition("\n")[2], 300) or "it says nothing"
        raise WorkFailed(f"a container could not begin: {said}.\nSee `prunemark doctor`, or use --isolation landlock")
    return Used(max(total - before, 0.0))


def _check_scratch(scratch: Path, most: int, pid: int | None = None) -> None:
    """Bounds the files that a child makes, in size and in number."""
    if why := why_too_much(scratch, most, pid):
        raise ChildFailed("noncompliant", "scratch", why)


def _check_size(pid: int | None, limits: Limits) -> None:
    """Bounds memory and threads of a child that runs."""
    now = usage_of(pid)
    if now.resident_bytes > limits.memory_bytes:
        granted = limits.memory_bytes / 2**30
        raise ChildFailed("out_of_memory", "memory", f"stopped at {granted:.1f} GiB, the memory a trial grants")
    if now.threads > MOST_THREADS:
        raise ChildFailed(
            "noncompliant", "threads", f"it had {now.threads:,} threads; at most {MOST_THREADS} are granted"
        )


def _text_of(scratch: Path, name: str) -> str:
    try:
        return bytes_of(scratch, name, 10 * LOG_LIMIT).decode("utf-8", errors="replace")
    except NotReadable:
        return ""


def _await_end(process: BaseProcess) -> None:
    """Waits until it ends, and not for long. `join` would ask a descriptor that a confined child has closed."""
    try:
        descriptor = os.pidfd_open(process.pid or 0)
    except (AttributeError, OSError):
        time.sleep(POLL_SECONDS)
        return
    select.select([descriptor], [], [], POLL_SECONDS)
    os.close(descriptor)


def _pass_on(ear: Connection, hear: Callable[[Any], None] | None) -> None:
    """What the child has said since. One that was stopped in the middle of a word has said no more than the others."""
    while hear and ear.poll():
        try:
            word = ear.recv()
        except (EOFError, OSError):
            return
        hear(word)


def _raise_what_it_said(scratch: Path, exitcode: int | None, trusted: bool) -> None:
    """Raises the error that the child left. That the disk is full, submitted code is not believed: it is tried."""
    if left_there(scratch, ERROR_FILE):
        error = _read_error(scratch)
        if error.rule == IMAGES and trusted:
            raise InputError(error.evidence.partition(": ")[2])
        if error.rule == DIVERGED and trusted:
            raise Diverged(error.evidence.partition(": ")[2])
        if error.rule == DISK and (trusted or not can_be_written(scratch)):
            raise WorkFailed(
                f"a trial could not write: {error.evidence}. Make room there and run the same command again"
            )
        if error.rule == DISK:
            error.rule = RAISED
        raise error
    if exitcode == -signal.SIGKILL:  # which a confined process cannot send to itself
        raise WorkFailed("a process was killed from outside (signal 9), as when the machine runs out of memory")
    if exitcode != 0:
        why = f"its process ended with exit code {exitcode}"
        raise ChildFailed("failed", "the method's process ended", why, doubtful=True)


ERROR_STATUSES: tuple[Status, ...] = ("failed", "out_of_memory", "budget_exceeded", "noncompliant")


def _read_error(scratch: Path) -> ChildFailed:
    """The error that the child wrote; submitted code may have written it instead, so nothing in it is trusted."""
    try:
        error = json.loads(_text_of(scratch, ERROR_FILE))
        status: Status = next(known for known in ERROR_STATUSES if known == error["status"])
        texts = [
            shown_lines(str(error[part])[-2 * LOG_LIMIT :], 2 * LOG_LIMIT) for part in ("rule", "evidence", "traceback")
        ]
    except (ValueError, KeyError, TypeError, StopIteration, OSError, RecursionError):
        why = "it left no error that can be read"
        return ChildFailed("failed", "the method's process ended", why, doubtful=True)
    doubtful = status in ("failed", "out_of_memory")
    return ChildFailed(status, texts[0][:200], texts[1][:500], texts[2][-LOG_LIMIT:], doubtful=doubtful)


def _child(
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    scratch: Path,
    parent: int,
    token: str,
    confinement: Confinement | None,
    keep: tuple[int, ...],
    begun: int,
) -> None:
    os.setsid()
    die_with_parent(parent)
    os.chdir(scratch)
    with open(os.devnull) as nothing, open(LOG_FILE, "w", encoding="utf-8") as log:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    part = (work, arguments, scratch, token, confinement, keep)
    if confinement is not None and confinement.isolation == "container":
        container.exec_in(_carry_out, part, confinement, scratch, keep, begun)
    _carry_out(*part)


def _carry_out(
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    scratch: Path,
    token: str,
    confinement: Confinement | None,
    keep: tuple[int, ...],
) -> None:
    """The child's own part, in whatever process that is by now."""
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    try:
        if confinement is not None:
            enter(confinement, scratch, keep)
        work(*arguments)
        (scratch / DONE_FILE).write_text(token)
    except BaseException as problem:
        (scratch / ERROR_FILE).write_text(
            json.dumps(explained(problem, confined=confinement is not None)), encoding="utf-8"
        )
    finally:
        sys.stdout.flush()


def _kill_group(process: BaseProcess) -> None:
    """Ends the child and whatever it started in its session."""
    if process.pid is not None:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            if process.is_alive():
                process.kill()
    process.join()
