"""What a track's terms of execution are in torch: see `setups/execution.py` for what each of them means.

Precision of products and determinism are of a whole process, and are chosen before it computes. Autocast, layout and
compiler are of one network while it is trained. What the meter counts is the same under all of them: it counts samples
and steps, and products by the network's shapes.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from prunemark.benchmark.metering.backends import compile_network, first_line
from prunemark.setups.errors import InputError
from prunemark.setups.execution import Execution

Forward = Callable[[torch.Tensor], torch.Tensor]
Held = tuple[bool, bool, int, bool, bool]
"""What holds for a process: TF32 in products, in convolutions, how strictly deterministic, and two details of it."""


def hold(execution: Execution | None) -> None:
    """Chooses for this process what is stated for a whole process; the rest stays as it is."""
    if execution is None:
        return
    if execution.precision in ("float32", "tf32"):
        allowed = execution.precision == "tf32"
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = allowed
    if execution.deterministic is True:
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = True  # type: ignore[attr-defined]
    if execution.deterministic is False:
        torch.use_deterministic_algorithms(False)
        torch.backends.cudnn.benchmark = True


def held() -> Held:
    """What holds for this process, for one that is started anew in its place."""
    return (
        bool(torch.backends.cuda.matmul.allow_tf32),
        bool(torch.backends.cudnn.allow_tf32),
        torch.get_deterministic_debug_mode(),
        torch.backends.cudnn.benchmark,
        bool(torch.utils.deterministic.fill_uninitialized_memory),  # type: ignore[attr-defined]
    )


def hold_again(state: Held) -> None:
    """What held for another process."""
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = state[:2]
    torch.set_deterministic_debug_mode(state[2])
    torch.backends.cudnn.benchmark = state[3]
    torch.utils.deterministic.fill_uninitialized_memory = state[4]  # type: ignore[attr-defined]


def in_pruning(execution: Execution | None) -> Execution | None:
    """The terms of the pruning stage: nothing is compiled there. Its seconds are bounded, and compiling takes many."""
    return replace(execution, compile=None) if execution else None


def memory_format(execution: Execution | None) -> torch.memory_format:
    """The layout of weights and activations in pretraining and retraining.

    Where none is stated it is channels last, in which small convolutions are a sixth faster on a CPU.
    """
    stated = execution.memory_format if execution else None
    return torch.contiguous_format if stated == "contiguous" else torch.channels_last


def forward_of(model: nn.Module, execution: Execution | None, device: torch.device) -> Forward:
    """The network as the training loop calls it: images (batch, c, h, w) to float32 logits (batch, classes).

    Raises InputError, when it is first called, for a network that torch.compile cannot take here.
    """
    call: Forward = model
    if execution and execution.compiles:
        call = _compiled(model, str(execution.compile))
    return _under_autocast(call, device) if execution and execution.precision == "bf16" else call


def _under_autocast(call: Forward, device: torch.device) -> Forward:
    def forward(images: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            logits = call(images)
        return logits.float()

    return forward


def _compiled(model: nn.Module, mode: str) -> Forward:
    import torch._dynamo

    torch._dynamo.reset()  # the bound on what is compiled is one for all networks of a process
    torch._dynamo.config.fail_on_recompile_limit_hit = True  # and one that met it would run uncompiled
    _keep_what_is_compiled()
    compiled = compile_network(model, mode)
    graphs = mode == "reduce-overhead"

    def forward(images: torch.Tensor) -> torch.Tensor:
        if graphs:  # what the last step put out may be written over from here on
            torch.compiler.cudagraph_mark_step_begin()
        try:
            return compiled(images)
        except Exception as problem:
            if not from_compiler(problem):
                raise
            raise InputError(
                f"torch.compile cannot take this network here ({first_line(problem)}).\n"
                "On a CPU it needs g++. Or leave compile out of the terms of execution"
            ) from None

    return forward


def _keep_what_is_compiled() -> None:
    """In the user's cache: the temporary folder of a job goes with it, and the next trial would compile all anew."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prunemark" / "torchinductor"
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))


def from_compiler(problem: Exception) -> bool:
    """Whether torch's compiler raised it, and not the network's own code."""
    names = {f"{kind.__module__}.{kind.__name__}" for kind in type(problem).__mro__}
    return any(name.startswith(("torch._dynamo.exc.", "torch._inductor.exc.")) for name in names)
