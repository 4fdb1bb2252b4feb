"""What it takes to choose filters of ResNet-50 for a speed-up, beside building that network.

Both are this process's processor time. Their ratio is what can be compared between machines.
"""

from __future__ import annotations

import time

import torch
from figures import Figure

from prunemark.benchmark.compression.budget_solver import choose_filters
from prunemark.benchmark.compression.surgery import cost_model
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.setups.track_files import find_track

SPEEDUP, TOLERANCE = 2.31, 0.01


def cost() -> tuple[list[Figure], list[str]]:
    """For each allocation."""
    torch.set_num_threads(1)
    shape, found = ImageShape(3, 224, 224, 1000), []
    track = find_track("imagenet-resnet50")
    began = time.process_time()
    model = build_network(track.network, shape, 0)
    build = time.process_time() - began
    for allocation in ("uniform", "global"):
        began = time.process_time()
        costs = cost_model(model, track, shape)
        generator = torch.Generator().manual_seed(0)
        scores = {n: torch.rand(size, generator=generator, dtype=torch.float64) for n, size in costs.sizes.items()}
        choose_filters(scores, costs, SPEEDUP, TOLERANCE, allocation)
        took = time.process_time() - began
        found.append(Figure(f"{allocation}, against building the network", took / build, "times as long"))
        found.append(Figure(f"{allocation}", took, "s"))
    return found, [f"To a speed-up of {SPEEDUP:g} within {100 * TOLERANCE:g} %."]
