"""The arithmetic of a trial: by which instructions torch and its libraries compute on a CPU.

Left alone, each of them takes the widest instructions of the processor it meets, and their sums round differently:
training carries a last bit into every digit. A track that states `portable` holds them to what x86-64 processors with
AVX2 share, so that a trial gives the same bits on all of them; docs/decisions/ says on which that was checked. Not held
are square roots, which MKL computes from an estimate that differs between makers, and whatever a submission computes
with numpy. Other processors (ARM, or without AVX2) compute as they do; records say by which instructions.

On a GPU, where sums of many threads end in any order, a trial is held to algorithms with one order, as far as torch has
them: the same bits on the same kind of GPU by the same libraries, and no promise beyond.
"""

from __future__ import annotations

import os
from pathlib import Path

from prunemark.setups.errors import WorkFailed
from prunemark.setups.execution import Execution
from prunemark.setups.track import PORTABLE

VARIABLES = {
    "ATEN_CPU_CAPABILITY": "avx2",  # torch's own kernels
    "MKL_CBWR": "COMPATIBLE",  # matrix products: its AVX2 still differs between the makers of processors
    "ONEDNN_MAX_CPU_ISA": "AVX2",  # convolutions
}
NEEDED = {"avx2", "fma"}
PROCESSORS = Path("/proc/cpuinfo")


def use(
    arithmetic: str | None, device: str = "cpu", execution: Execution | None = None, processors: Path = PROCESSORS
) -> None:
    """Chooses the arithmetic of this process, which must not have computed anything yet, and its terms of execution.

    The libraries choose once, when they first compute: that is made to happen here, before submitted code could change
    the variables. Raises WorkFailed where torch has chosen other instructions already.
    """
    if device != "cpu":
        _in_one_order()
    if execution is not None:
        from prunemark.benchmark.training.execution import hold

        hold(execution)
    if arithmetic != PORTABLE or not can_be_portable(processors):
        return
    os.environ.update(VARIABLES)
    import torch
    from torch.nn import functional as F

    if (found := torch.backends.cpu.get_cpu_capability()) != "AVX2":
        raise WorkFailed(f"this process computes by {found} already; portable arithmetic has to be chosen before")
    ones = torch.ones(1, 2, 8, 8)
    F.conv2d(ones, ones[:, :, :3, :3])
    torch.mm(ones[0, 0], ones[0, 1])


def _in_one_order() -> None:
    """Algorithms without races on a GPU; a submission whose operation has no such algorithm is warned, not stopped."""
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.backends.cudnn.benchmark = False  # it would choose by what was fastest this time
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined] # it would cost a write


def can_be_portable(processors: Path = PROCESSORS) -> bool:
    """Whether this processor has the instructions that portable arithmetic is made of."""
    try:
        lines = processors.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    flags = next((line.partition(":")[2].split() for line in lines if line.startswith("flags")), [])
    return set(flags) >= NEEDED
