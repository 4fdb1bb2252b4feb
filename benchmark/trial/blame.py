"""Whether a failed pruning stage was the machine's: by trying whether the machine can do the work at all."""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.machine import trouble
from prunemark.benchmark.sandbox.scratch import scratch_folder
from prunemark.benchmark.trial.packing import WEIGHTS
from prunemark.benchmark.trial.trial import Trial
from prunemark.setups.errors import WorkFailed

SECONDS, ROOM_BYTES = 60.0, 256 << 20
FULL_DISK = ("No space left", "Disk quota", "Errno 28", "bus error", "exit code -7")
"""Words after which a disk has to take as much as a trial is granted; without them, as much as it is handed."""


def check_machine(trial: Trial, base: Path, failure: ChildFailed) -> None:
    """Raises WorkFailed where the machine cannot do the work now. What a method wrote lies nowhere any more."""
    room = 2 * (base / WEIGHTS).stat().st_size
    said_full = any(words in failure.evidence + failure.trace for words in FULL_DISK)
    memory = Limits(0).memory_bytes if failure.status == "out_of_memory" else 0
    where = (Path(tempfile.gettempdir()), base)
    why = trouble(where, room + (ROOM_BYTES if said_full else 0), memory) if failure.doubtful else ""
    if failure.doubtful and not why and trial.device != "cpu":
        why = gpu_trouble(trial.device, memory)
    if why:
        raise WorkFailed(f"{trial.label} was not run: {why}. ({failure.evidence})")


def gpu_trouble(device: str, memory_bytes: int) -> str:
    """What is wrong with the GPU, in words; '' where it computes and has so much memory free.

    Tried in a child process, because a process whose GPU failed cannot use it again.
    """
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
