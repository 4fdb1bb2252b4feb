"""What ended a child's work, as data: which rule it broke, where in the submission, and in which words."""

from __future__ import annotations

import errno
import traceback

from prunemark.setups.text import shown_lines

LOG_LIMIT = 20_000
IMAGES = "the images"
DISK, DISK_ERRORS = "the disk", (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS)


def explained(problem: BaseException) -> dict[str, str]:
    """The error as data: the place in the submission, the type and the message."""
    from prunemark.benchmark.compression.budget_solver import TargetMissed
    from prunemark.benchmark.compression.surgery import BadDecision
    from prunemark.benchmark.images.datasets import UnreadableImage
    from prunemark.benchmark.metering.meter import BudgetExceeded
    from prunemark.benchmark.sandbox.barriers import NotAllowed

    status, rule = "failed", "the method raised an error"
    for kind, its_status, its_rule in (
        (BudgetExceeded, "budget_exceeded", "pruning budget"),
        (TargetMissed, "noncompliant", "matched compression"),
        (BadDecision, "noncompliant", "a subnetwork of the base model"),
        (NotAllowed, "noncompliant", "one process, no network"),
        (MemoryError, "out_of_memory", "memory"),
    ):
        if isinstance(problem, kind):
            status, rule = its_status, its_rule
    if _is_memory_error(problem):
        status, rule = "out_of_memory", "memory"
    if isinstance(problem, UnreadableImage):
        rule = IMAGES
    if isinstance(problem, OSError) and problem.errno in DISK_ERRORS:
        rule = DISK
    trace = "".join(traceback.format_exception(problem))
    evidence = shown_lines(f"{type(problem).__name__}: {problem}", 500)
    return {
        "status": status,
        "rule": rule,
        "evidence": evidence,
        "traceback": shown_lines(trace[-LOG_LIMIT:], LOG_LIMIT),
    }


def _is_memory_error(problem: BaseException) -> bool:
    """torch has an error of its own for a GPU, and a RuntimeError for a CPU whose allocator got nothing."""
    import torch

    said = "can't allocate memory" in str(problem) or "not enough memory" in str(problem)
    return isinstance(problem, torch.OutOfMemoryError) or (isinstance(problem, RuntimeError) and said)
