"""What it takes to choose filters of ResNet-50 for a speed-up, beside building that network.

Both are this process's processor time. Their ratio is what can be compared between machines.
"""

from __future__ import annotations

import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from prunemark.benchmark.compression.budget_solver import choose_filters
from prunemark.benchmark.compression.surgery import cost_model
from prunemark.benchmark.networks.registry import ImageShape, build_network
from prunemark.setups.track_files import find_track

SPEEDUP, TOLERANCE = 2.31, 0.01


def main() -> None:
    """Prints a line for each allocation."""
    shape = ImageShape(3, 224, 224, 1000)
    track = find_track("imagenet-resnet50")
    began = time.process_time()
    model = build_network(track.network, shape, 0)
    build = time.process_time() - began
    for allocation in ("uniform", "global"):
        began = time.process_time()
        cost = cost_model(model, track, shape)
        counted = time.process_time() - began
        generator = torch.Generator().manual_seed(0)
        scores = {name: torch.rand(size, generator=generator, dtype=torch.float64) for name, size in cost.sizes.items()}
        choose_filters(scores, cost, SPEEDUP, TOLERANCE, allocation)
        took = time.process_time() - began
        print(
            f"ResNet-50 to {SPEEDUP:g}x, {allocation}: {took:.1f} s, {counted:.1f} of them to count its costs; "
            f"{took / build:.1f} times what building the network takes"
        )


if __name__ == "__main__":
    main()
