"""What is believed of a method's process: what a child left is checked as a stranger's data, tensor by tensor."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from prunemark.benchmark.compression.surgery import BadDecision
from prunemark.benchmark.metering.meter import FLOPS_PER_MAC, PASSES_PER_STEP, BudgetExceeded
from prunemark.benchmark.method import Decision
from prunemark.benchmark.sandbox.messages import kept_indices
from prunemark.benchmark.sandbox.received import NotReadable, json_of, tensors_of
from prunemark.benchmark.trial.keys import DECISION
from prunemark.benchmark.trial.packing import WEIGHTS
from prunemark.benchmark.trial.pruned import LOADED, MASKS, STAGE
from prunemark.records.outcome import MeteredStage

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ,;:=._+*/()-]{0,39}")
"""An allocation: one short line of plain letters."""

MARGIN_BYTES = 1 << 20
MOST_TIMES = 100.0
"""So many times larger or smaller may the weights of a layer get: a batch norm behind it hides the scale from the
network, and not from the retraining, whose LR it divides by its square."""
LARGEST = 1e12
CPU_TIMES, OTHER_CPU_SECONDS, MOST_LOADING_SECONDS = 2.0, 0.5, 3.0
"""A process whose weights come back may take so many times what its reading costs here. For all else it may take as
much as the passes granted for scores would, and half a second at least. Measured on 2 cores: the shipped methods take
1.0 to 1.4 times their reading and 0.1 to 0.4 s."""


@dataclass(frozen=True)
class Said:
    """What a method's process says that it decided, and that this cost."""

    decision: Decision
    stage: MeteredStage


def what_it_said(scratch: Path, state: Mapping[str, torch.Tensor]) -> Said:
    """The decision and the reading that were left; `state` is the base model's. Raises NotReadable, BadDecision."""
    most = MARGIN_BYTES + sum(tensor.numel() for tensor in state.values())
    masks = tensors_of(scratch, MASKS, most)
    if any(mask.dtype != torch.uint8 or mask.max() > 1 for mask in masks.values() if mask.numel()):
        raise NotReadable(f"{MASKS} holds something else than zeros and ones")
    said = _object(json_of(scratch, DECISION, most * 16), {"kept", "counts", "allocation"})
    allocation = said["allocation"]
    if not isinstance(allocation, str) or not WORD.fullmatch(allocation):
        raise BadDecision("the allocation of a decision is a short word or two of plain letters, such as 'uniform'")
    kept = kept_indices(said["kept"])
    layers = said["counts"] if isinstance(said["counts"], dict) else {}
    if set(layers) != {*kept, *masks}:
        raise NotReadable(f"{DECISION} counts other layers than it decides about")
    # in the method's own order, by which controls draw; what it counted is counted anew
    in_order = {name: masks[name].to(torch.bool) for name in layers if name in masks}
    decision = Decision(kept, in_order, allocation)
    return Said(decision, _stage(json_of(scratch, STAGE)))


def own_weights(scratch: Path, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The weights that a method left: names, shapes and types of the base model's. Raises NotReadable, BadDecision."""
    weights = tensors_of(scratch, WEIGHTS, most_bytes(state))
    if {n: (t.shape, t.dtype) for n, t in weights.items()} != {n: (t.shape, t.dtype) for n, t in state.items()}:
        raise BadDecision("the weights left by the method are not those of the base network, in name, shape and type")
    for name, tensor in weights.items():
        _check_tensor(name, tensor)
    return weights


def most_bytes(state: Mapping[str, torch.Tensor]) -> int:
    """The largest file that holds the weights of this network."""
    return MARGIN_BYTES + sum(tensor.numel() * tensor.element_size() for tensor in state.values())


def check_scale(weights: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> None:
    """Raises BadDecision for a layer whose weights are of another order of magnitude than the base model's.

    For what has not been trained: training may take weights anywhere. What is exactly zero is left out: a method may
    have removed it.
    """
    for name in (name for name, tensor in state.items() if tensor.dim() > 1):
        now, before = _size(weights[name]), _size(state[name])
        if before > 0 and now > 0 and not 1 / MOST_TIMES <= now / before <= MOST_TIMES:
            raise BadDecision(
                f"{name} is {now / before:.3g} times as large as in the base model: before a batch norm that changes "
                f"nothing but the LR of the retraining, in effect. At most {MOST_TIMES:g} times is accepted"
            )


def _size(weight: torch.Tensor) -> float:
    """The root mean square of what is not zero."""
    values = weight[weight != 0].to(torch.float64)
    return float(values.square().mean().sqrt()) if values.numel() else 0.0


def loading_cpu_seconds(scratch: Path) -> float:
    """What loading its file took a method, libraries included, as its process says: up to a bound, so far believed."""
    try:
        said = json_of(scratch, LOADED)
    except NotReadable:
        return 0.0
    return min(max(float(said), 0.0), MOST_LOADING_SECONDS) if type(said) in (int, float) else 0.0


class TooManySeconds(BudgetExceeded):
    """A process took too much of the processor. A busy machine makes seconds longer, so it has to come twice."""


def check_cpu_seconds(used: float, reading: float, scoring: float, loading: float) -> None:
    """Raises TooManySeconds when a process took far more of the processor than what it says that it did costs here.

    `used` are the kernel's seconds; `reading` those that the steps of its reading take, `scoring` those of the passes
    for scores that are granted, and `loading` those of loading the method's file.
    """
    if used > (allowed := loading + max(OTHER_CPU_SECONDS, CPU_TIMES * scoring) + CPU_TIMES * reading):
        raise TooManySeconds(
            f"the method's process took {used:.2f} s of the processor; what its reading counts takes {reading:.2f} s "
            f"here, and {allowed:.2f} s are allowed where the weights are the method's own"
        )


def _check_tensor(name: str, tensor: torch.Tensor) -> None:
    if tensor.is_floating_point() and not torch.isfinite(tensor).all():
        raise ValueError(f"the pruning stage left weights that are not finite, in {name}")
    if tensor.is_floating_point() and tensor.numel() and tensor.abs().max() > LARGEST:
        raise BadDecision(f"the weights left in {name} are beyond {LARGEST:g}")
    if name.endswith("running_var") and tensor.numel() and tensor.min() < 0:
        raise BadDecision(f"a batch norm cannot have the negative variance left in {name}")
    if name.endswith("num_batches_tracked") and int(tensor) < 0:
        raise BadDecision(f"a batch norm cannot have seen a negative number of batches, as {name} says")


def _stage(said: Any) -> MeteredStage:
    plain = _object(said, {field.name for field in fields(MeteredStage)})
    lrs, counts = plain["lr"], {name: value for name, value in plain.items() if name != "lr"}
    if not isinstance(lrs, list) or not all(type(lr) in (int, float) and 0 <= lr < 1e9 for lr in lrs):
        raise NotReadable(f"the LRs in {STAGE} are not numbers")
    if not all(type(value) is int and 0 <= value < 2**62 for value in counts.values()):
        raise NotReadable(f"{STAGE} has a count that is no whole number")
    return MeteredStage(**counts, lr=tuple(float(lr) for lr in lrs))


def _object(said: Any, names: set[str]) -> dict[str, Any]:
    if not isinstance(said, dict) or set(said) != names:
        raise NotReadable(f"what was left is no object with {', '.join(sorted(names))}")
    return said


def steps_of(stage: MeteredStage, macs_per_sample: int, batch_size: int) -> float:
    """How many steps on a whole batch of the dense network have the FLOPs of this reading."""
    return stage.train_flops / (FLOPS_PER_MAC * PASSES_PER_STEP * batch_size * macs_per_sample)
