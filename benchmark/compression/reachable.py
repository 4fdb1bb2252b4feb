"""Whether whole filters can meet the levels of a track on its network: found out before anything trains."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from prunemark.benchmark.compression.budget_solver import CostModel, TargetMissed, choose_filters
from prunemark.benchmark.compression.surgery import cost_model
from prunemark.benchmark.networks.registry import ImageShape
from prunemark.setups.errors import InputError
from prunemark.setups.track import Level, Track


def least_filters(model: nn.Module, track: Track, shape: ImageShape) -> dict[str, int]:
    """By level, how many filters stay in the layer that keeps the fewest when all layers give alike.

    Raises InputError for a level that whole filters cannot meet, with the nearest that they can.
    """
    return {level.name: _least(track, cost_model(model, track, shape, level), level) for level in track.levels}


def _least(track: Track, cost: CostModel, level: Level) -> int:
    assert level.speedup is not None
    try:
        kept = choose_filters(_any_scores(cost.sizes), cost, level.speedup, track.tolerance, "uniform")
    except TargetMissed as problem:
        raise InputError(f"level {level.name!r} cannot be met: {problem}") from None
    return min(len(indices) for indices in kept.values())


def _any_scores(sizes: Mapping[str, int]) -> dict[str, torch.Tensor]:
    return {name: torch.arange(size, dtype=torch.float32) for name, size in sizes.items()}
