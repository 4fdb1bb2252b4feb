"""What went wrong in a child, as data: told by the harness's own code there, and believed only so far."""

from __future__ import annotations

import errno
import traceback

from prunemark.benchmark.sandbox.confinement import REFUSED
from prunemark.benchmark.sandbox.mistakes import advice_on
from prunemark.setups.errors import Diverged
from prunemark.setups.text import shown_lines

LOG_LIMIT, MOST_OF_EVIDENCE = 20_000, 500
SUBMITTED = "submitted"
"""The folder that a method's files are laid into: what in a trace is the author's."""
IMAGES, SANDBOX, RAISED = "the images", "the sandbox", "the method raised an error"
DIVERGED = "the base model"
DISK, DISK_ERRORS = "the disk", (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


def explained(problem: BaseException, *, confined: bool = False) -> dict[str, str]:
    """The error as data: the place in the submission, the type and the message."""
    from prunemark.benchmark.compression.budget_solver import TargetMissed
    from prunemark.benchmark.compression.surgery import BadDecision
    from prunemark.benchmark.images.datasets import UnreadableImage
    from prunemark.benchmark.metering.meter import BudgetExceeded
    from prunemark.benchmark.sandbox.barriers import NotAllowed

    status, rule = "failed", RAISED
    for kind, its_status, its_rule in (
        (BudgetExceeded, "budget_exceeded", "pruning budget"),
        (TargetMissed, "noncompliant", "matched compression"),
        (BadDecision, "noncompliant", "a subnetwork of the base model"),
        (NotAllowed, "noncompliant", "one process, no network"),
        (PermissionError, "noncompliant", SANDBOX),
        (MemoryError, "out_of_memory", "memory"),
    ):
        if isinstance(problem, kind):
            status, rule = its_status, its_rule
    if _is_memory_error(problem):
        status, rule = "out_of_memory", "memory"
    if isinstance(problem, UnreadableImage):
        rule = IMAGES
    if isinstance(problem, Diverged):
        rule = DIVERGED
    if isinstance(problem, OSError) and problem.errno in DISK_ERRORS:
        rule = DISK
    trace = "".join(traceback.format_exception(problem))
    advice = advice_on(problem, f"/{SUBMITTED}/") if confined else ""
    if not advice and confined and isinstance(problem, PermissionError | FileNotFoundError):
        advice = REFUSED
    evidence = _with_advice(f"{type(problem).__name__}: {_said(problem)}", advice)
    return {
        "status": status,
        "rule": rule,
        "evidence": evidence,
        "traceback": shown_lines(trace[-LOG_LIMIT:], LOG_LIMIT),
    }


def _with_advice(said: str, advice: str) -> str:
    """What happened on one line, and what to do on another. An error of ours has both; of another's all is one line."""
    if not advice:
        return shown_lines(said, MOST_OF_EVIDENCE)
    return shown_lines(f"{' '.join(said.split())[: MOST_OF_EVIDENCE - len(advice) - 1]}\n{advice}", MOST_OF_EVIDENCE)


def _said(problem: BaseException) -> str:
    """Its message, or the line that failed; a stranger's error may raise another one when it is asked."""
    try:
        if isinstance(problem, AssertionError) and not problem.args:
            return traceback.extract_tb(problem.__traceback__)[-1].line or ""
        return str(problem).replace("'types.SimpleNamespace' object", "the context")
    except Exception as other:
        return f"(its message cannot be read: {type(other).__name__})"


def _is_memory_error(problem: BaseException) -> bool:
    """torch has an error of its own for a GPU, and a RuntimeError for a CPU whose allocator got nothing."""
    import torch

    said = any(words in _said(problem) for words in ("can't allocate memory", "not enough memory"))
    return isinstance(problem, torch.OutOfMemoryError) or (isinstance(problem, RuntimeError) and said)
