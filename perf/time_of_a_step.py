"""Where the time of a training step of a small network goes, and how much of it is arithmetic."""

from __future__ import annotations

import time

import torch
from figures import Figure
from throughput import TRACK, digits, harness
from torch.profiler import ProfilerActivity, profile

from prunemark.benchmark.networks import cost
from prunemark.benchmark.networks.registry import build_network

PARTS = {
    "convolutions and their gradients": ("conv",),
    "batch norm and its gradients": ("batch_norm",),
    "sums and products of elements: the optimiser, activations, pooling": (
        "relu", "threshold", "pool", "aten::add", "aten::mul", "div", "mean", "sum", "_foreach",
    ),
    "data: choosing, padding, moving": ("index", "gather", "pad", "copy", "randint", "arange", "cat", "fill", "zero"),
}  # fmt: skip
MATRIX, WARM_UP = 1024, 3


def shares() -> tuple[list[Figure], list[str]]:
    """Parts of the processor time that torch's operations take, of what is left to Python, and MACs a second."""
    data = digits()
    model = build_network(TRACK.network, data.shape, 0).to(memory_format=torch.channels_last)
    macs = 3 * cost.count(model, data.shape).macs * len(data)
    for _ in range(WARM_UP):
        harness(data, model)
    whole = min(_taken(lambda: harness(data, model)) for _ in range(10))
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        harness(data, model)
    spent = {part: 0.0 for part in PARTS} | {"other operations": 0.0}
    events = recorded.key_averages()
    for event in events:
        if not event.key.startswith(("autograd::", "Optimizer", "ProfilerStep")):
            part = next((p for p, names in PARTS.items() if any(n in event.key for n in names)), "other operations")
            spent[part] += event.self_cpu_time_total
    total = sum(spent.values())
    square = torch.ones(MATRIX, MATRIX)
    most = 2 * MATRIX**3 / min(_taken(lambda: square @ square) for _ in range(10)) / 1e9
    reached = 2 * macs / whole / 1e9
    found = [Figure(part, 100 * seconds / total, "% of torch's operations") for part, seconds in spent.items()]
    found += [
        Figure("arithmetic of convolutions and products, forward and backward", reached, "GFLOP/s"),
        Figure(f"a product of two matrices of {MATRIX}x{MATRIX}, the most of this core", most, "GFLOP/s"),
    ]
    stepping = sum(event.cpu_time_total for event in events if event.key.startswith("Optimizer.step"))
    found.append(Figure("the optimiser as a whole, with its Python", 100 * stepping / total, "% of the same"))
    calls = sum(event.count for event in events if event.key.startswith("aten::"))
    steps = -(-len(data) // TRACK.retraining.batch_size)
    return found, [NOTE.format(calls=round(calls / steps), step=1000 * whole / steps)]


NOTE = (
    "A step of 128 images of 8x8 takes {step:.1f} ms and about {calls} operations, most of which move a few kilobytes. "
    "Convolutions of 8 to 32 channels leave most of a vector unit idle, and each has a fixed cost to be set up. "
    "Closed so far, without changing a bit: the optimiser steps all parameters in one call (a third less), gradients "
    "are dropped without torch's bookkeeping, and channels come last. Not taken: fused steps of the optimiser, "
    "folded batch norms and compiled networks, because they round differently."
)


def _taken(work: object) -> float:
    began = time.process_time()
    work()  # type: ignore[operator]
    return time.process_time() - began
