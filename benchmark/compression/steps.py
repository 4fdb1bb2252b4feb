"""Filters that cannot stay or go one by one: as many in each block of a layer, or whole sets of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class Steps:
    """The units in which the filters of a layer stay or go. `index` is (units, step), each filter in one place.

    `whole` False: each column is a block, such as the filters that one group of a grouped convolution reads, and as
    many of it stay as of the others, whichever. `whole` True: each row is a set that stays or goes together, such as a
    head, or the two filters of a gated pair. Either way the number that stays is a multiple of `step`.
    """

    index: torch.Tensor = field(compare=False)
    whole: bool

    @property
    def step(self) -> int:
        """How many filters a unit has."""
        return int(self.index.shape[1])

    @property
    def units(self) -> int:
        """How many units the layer has."""
        return int(self.index.shape[0])

    def scores(self, scores: torch.Tensor) -> torch.Tensor:
        """A score for each unit, (units,), from one for each filter: the mean over its filters.

        In blocks the units are the lowest of each block, the next lowest of each, and so on.
        """
        placed = scores[self.index.to(scores.device)]
        return (placed if self.whole else placed.sort(dim=0).values).mean(dim=1)

    def highest(self, scores: torch.Tensor, count: int) -> torch.Tensor:
        """Indices of the `count` filters that stay, sorted: the best of each block, or the best sets.

        Of equal scores the later one goes first. Raises ValueError unless `count` is a multiple of the step.
        """
        if count % self.step:
            raise ValueError(f"filters stay in multiples of {self.step} here; got {count}")
        index = self.index.to(scores.device)
        ranked = self.scores(scores)[:, None] if self.whole else scores[index]
        order = torch.argsort(ranked, dim=0, descending=True, stable=True)[: count // self.step]
        return (index[order[:, 0]] if self.whole else index.gather(0, order)).flatten().sort().values

    def fit(self, kept: torch.Tensor) -> bool:
        """Whether these filters can stay, and the others go."""
        stays = torch.zeros(self.index.numel(), dtype=torch.bool)
        stays[kept.cpu()] = True
        counts = stays[self.index].sum(dim=1 if self.whole else 0)
        return bool(((counts == 0) | (counts == self.step)).all() if self.whole else (counts == counts[0]).all())

    def __str__(self) -> str:
        if self.whole:
            return f"in whole sets of {self.step} filters"
        return f"as many in each of its {self.step} blocks of {self.units} filters"


@dataclass(frozen=True)
class Block:
    """Which residual block a layer is in: its path, the stage that it belongs to, and its number there."""

    path: str
    stage: str
    number: int


def blocks(filters: int, step: int) -> Steps:
    """Equal blocks of neighbours, `step` of them, of which as many stay each."""
    return Steps(torch.arange(filters).reshape(step, filters // step).T, whole=False)


def sets(members: list[list[int]]) -> Steps:
    """Sets of one size that stay or go whole."""
    return Steps(torch.tensor(members), whole=True)


def highest(scores: torch.Tensor, count: int, steps: Steps | None = None) -> torch.Tensor:
    """Indices of the `count` highest scores, sorted, in whole steps; of equal scores the later one goes first."""
    if steps is not None:
        return steps.highest(scores, count)
    order = torch.argsort(scores, descending=True, stable=True)
    return order[:count].sort().values


def first(count: int, steps: Steps | None = None) -> torch.Tensor:
    """The first so many filters, in whole steps."""
    if steps is None:
        return torch.arange(count)
    return steps.highest(-torch.arange(steps.index.numel(), dtype=torch.float64), count)


def step_of(name: str, steps: Mapping[str, Steps]) -> int:
    """How many filters of this layer stay or go at once."""
    return steps[name].step if name in steps else 1
