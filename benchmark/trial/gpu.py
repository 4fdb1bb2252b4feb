"""Whether a GPU can do work: tried in a child process, because a process whose GPU failed cannot use it again."""

from __future__ import annotations

import torch

from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.scratch import scratch_folder
from prunemark.setups.errors import WorkFailed

SECONDS = 60.0


def gpu_trouble(device: str, memory_bytes: int) -> str:
    """What is wrong with the GPU, in words; '' where it computes and has so much memory free."""
    with scratch_folder() as scratch:
        try:
            run_in_child(_use, device, memory_bytes, scratch=scratch, limits=Limits(SECONDS, memory_bytes=32 << 30))
        except (ChildFailed, WorkFailed) as problem:
            return f"{device} cannot do the work: {str(problem).splitlines()[0]}"
    return ""


def _use(device: str, memory_bytes: int) -> None:
    ones = torch.ones(1024, device=device)
    if ones.sum().item() != len(ones):
        raise RuntimeError("it adds up wrongly")
    free, _total = torch.cuda.mem_get_info(device)
    if free < memory_bytes:
        raise RuntimeError(f"{free / 2**30:.1f} GiB are free, and a trial may need {memory_bytes / 2**30:.1f}")
