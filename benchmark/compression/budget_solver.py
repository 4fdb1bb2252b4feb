"""Meeting a speed-up: from scores to the filters that stay, or the proof that whole filters cannot meet it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import torch

from prunemark.benchmark.compression.steps import Steps, highest, step_of

MOST_BOXES = 20_000


class TargetMissed(Exception):
    """No admissible choice meets the target. The message says what was asked for and what was reached."""


@dataclass(frozen=True)
class CostTerm:
    """One layer's MACs in the dense network, and the groups its output and input channels belong to."""

    macs: int
    out_group: str | None
    in_group: str | None


@dataclass(frozen=True)
class CostModel:
    """MACs as a function of how many filters each group keeps: every layer scales with its two sides.

    `ratios` are the layer ratios of a level that states them; none stands for one ratio in all layers. `steps` are
    those of the layers whose filters stay in multiples of something. `least` is how many stay at least: 0 for blocks.
    """

    sizes: dict[str, int]
    terms: tuple[CostTerm, ...]
    ratios: Mapping[str, float] = field(default_factory=dict)
    steps: Mapping[str, Steps] = field(default_factory=dict)
    least: int = 1

    def macs(self, kept: Mapping[str, int]) -> int:
        """MACs per example with `kept` filters in each group; exact, in integers."""
        return sum(self._macs_of(term, kept) for term in self.terms)

    def change(self, before: Mapping[str, int], moved: Mapping[str, int]) -> int:
        """How many MACs more it takes when the groups in `moved` keep those numbers instead: exact, and quick."""
        touched = {id(term): term for name in moved for term in self._terms_of.get(name, ())}.values()
        after = {**before, **moved}
        return sum(self._macs_of(term, after) - self._macs_of(term, before) for term in touched)

    @property
    def free(self) -> tuple[str, ...]:
        """The groups that may lose filters: where a level states layer ratios, those with one."""
        return tuple(name for name in self.sizes if not self.ratios or self.ratios.get(name, 0.0) > 0)

    @property
    def dense_macs(self) -> int:
        """MACs per example of the unpruned network."""
        return self.macs(self.sizes)

    def _macs_of(self, term: CostTerm, kept: Mapping[str, int]) -> int:
        macs = term.macs
        for group in (term.out_group, term.in_group):
            if group is not None:
                step = step_of(group, self.steps)
                macs = macs // (self.sizes[group] // step) * (kept[group] // step)
        return macs

    @cached_property
    def _terms_of(self) -> dict[str, list[CostTerm]]:
        found: dict[str, list[CostTerm]] = {name: [] for name in self.sizes}
        for term in self.terms:
            for group in {term.out_group, term.in_group} - {None}:
                found[str(group)].append(term)
        return found


def allowed_macs(goal: float, tolerance: float) -> tuple[float, float]:
    """The least and most MACs that meet a goal: neither they nor the speed-up are off by more than the tolerance."""
    return goal / (1 + tolerance), goal * (1 + tolerance)


def uniform_counts(
    sizes: Mapping[str, int],
    ratio: float,
    ratios: Mapping[str, float] | None = None,
    steps: Mapping[str, Steps] | None = None,
    least: int = 1,
) -> dict[str, int]:
    """Filters kept when `ratio` of every layer goes: rounded to the nearest step, at least one of which stays.

    Where a level states layer ratios, `ratio` is a multiple of each.
    """
    share, counts = ratios or {}, {}
    for name, size in sizes.items():
        step = step_of(name, steps or {})
        gone = min(ratio * share.get(name, 1.0 if not share else 0.0), 1.0)
        counts[name] = max(least, size // step - int(gone * (size // step) + 0.5)) * step
    return counts


def choose_filters(
    scores: Mapping[str, torch.Tensor], cost: CostModel, speedup: float, tolerance: float | None, allocation: str
) -> dict[str, torch.Tensor]:
    """The indices that stay in each layer, sorted; MACs within `tolerance` of dense / speedup (`allowed_macs`).

    `uniform` takes one ratio for all layers (or the level's layer ratios in proportion), `global` the lowest scores
    of all layers together. Where the filters are too coarse for the target, single filters are exchanged between
    layers, as few as possible; with a tolerance of None, the nearest without exchange is taken.
    Raises TargetMissed with the nearest below and above, ValueError for an unknown allocation.
    """
    goal = cost.dense_macs / speedup
    if allocation == "uniform":
        counts = _nearest_uniform(cost, goal)
    elif allocation == "global":
        counts = _greedy_global(scores, cost, goal, tolerance or 0.0)
    else:
        raise ValueError(f"allocation is 'uniform' or 'global'; got {allocation!r}")
    if tolerance is not None:
        counts = _exchange(counts, cost, goal, tolerance) or _anywhere(counts, cost, goal, tolerance)
    return {name: highest(scores[name], count, cost.steps.get(name)) for name, count in counts.items()}


def _nearest_uniform(cost: CostModel, goal: float) -> dict[str, int]:
    shares = {name: cost.ratios.get(name, 0.0) if cost.ratios else 1.0 for name in cost.sizes}
    units = {name: size // step_of(name, cost.steps) for name, size in cost.sizes.items()}
    ratios = sorted(
        {k / (size * shares[n]) for n, size in units.items() if shares[n] for k in range(size + 1 - cost.least)}
    )
    candidates = [uniform_counts(cost.sizes, ratio, cost.ratios, cost.steps, cost.least) for ratio in ratios]
    return min(candidates, key=lambda counts: abs(cost.macs(counts) - goal))


def _greedy_global(
    scores: Mapping[str, torch.Tensor], cost: CostModel, goal: float, tolerance: float
) -> dict[str, int]:
    """Removes the lowest score of all layers, again and again, skipping what would overshoot the goal."""
    counts, macs = dict(cost.sizes), cost.dense_macs
    least, most = allowed_macs(goal, tolerance)
    ranking = [
        (float(score), name)
        for name in cost.free
        for score in (cost.steps[name].scores(scores[name]) if name in cost.steps else scores[name]).sort().values
    ]
    for _, name in sorted(ranking, key=lambda entry: entry[0]):
        if macs <= most:
            break
        fewer = counts[name] - step_of(name, cost.steps)
        if fewer >= cost.least and (now := macs + cost.change(counts, {name: fewer})) >= least:
            counts[name], macs = fewer, now
    return counts


def _exchange(counts: dict[str, int], cost: CostModel, goal: float, tolerance: float) -> dict[str, int] | None:
    """The nearest counts, in filters exchanged, whose MACs lie within the tolerance of the goal, where there are."""
    macs = cost.macs(counts)
    least, most = allowed_macs(goal, tolerance)
    for moved in _by_distance({name: counts[name] for name in cost.free}, cost.sizes, cost.steps, cost.least):
        if least <= macs + cost.change(counts, moved) <= most:
            return counts | moved
    return None


def _by_distance(
    counts: dict[str, int], sizes: Mapping[str, int], steps: Mapping[str, Steps], least: int
) -> Iterator[dict[str, int]]:
    """No change at all, then changes of one or two layers by up to three filters (or steps): the new numbers."""
    yield {}
    names = list(counts)
    moves = [
        (abs(a) + abs(b), first, second, a, b)
        for i, first in enumerate(names)
        for second in names[i + 1 :] or [first]
        for a, b in product(range(-3, 4), repeat=2)
        if (a or b) and not (second == first and b)
    ]
    for _, first, second, a, b in sorted(moves):
        moved = {first: counts[first] + a * step_of(first, steps)}
        moved[second] = moved.get(second, counts[second]) + b * step_of(second, steps)
        if all(least <= moved[name] <= sizes[name] for name in moved):
            yield moved


def _anywhere(counts: dict[str, int], cost: CostModel, goal: float, tolerance: float) -> dict[str, int]:
    """Any counts within the tolerance, sought from the given ones outwards; or the proof that there are none.

    MACs never fall when a layer keeps more. So a box of counts, from `low` to `high` in each layer, holds nothing of
    use when even its largest is too small, or its smallest too large; any other is cut in two. When all boxes are
    used up there is no solution, and the nearest below and above are among their corners.
    """
    least, most = allowed_macs(goal, tolerance)
    boxes = [
        (dict(cost.sizes) | {name: cost.least * step_of(name, cost.steps) for name in cost.free}, dict(cost.sizes))
    ]
    below, above = 0, 0  # the largest MACs that are too small, the smallest that are too large; 0 for none
    for _ in range(MOST_BOXES):
        if not boxes:
            break
        low, high = boxes.pop()
        for corner in (low, high):
            macs = cost.macs(corner)
            if least <= macs <= most:
                return corner
            if macs < least:
                below = max(below, macs)
            else:
                above = min(above or macs, macs)
        if cost.macs(high) > most and cost.macs(low) < least and low != high:
            boxes += _halves(low, high, counts, cost)
    raise TargetMissed(_nearest_in_words(cost, goal, tolerance, below, above, proven=not boxes))


def _halves(
    low: dict[str, int], high: dict[str, int], counts: Mapping[str, int], cost: CostModel
) -> list[tuple[dict[str, int], dict[str, int]]]:
    """The box cut in two along the layer that says most; last the half in which the wanted counts lie."""
    name = max((n for n in low if low[n] < high[n]), key=lambda n: cost.change(low, {n: high[n]}))
    step = step_of(name, cost.steps)
    middle = (low[name] + high[name]) // step // 2 * step
    lower, upper = (low, high | {name: middle}), (low | {name: middle + step}, high)
    return [upper, lower] if counts[name] <= middle else [lower, upper]


def _nearest_in_words(cost: CostModel, goal: float, tolerance: float, below: int, above: int, *, proven: bool) -> str:
    reached = sorted(cost.dense_macs / macs for macs in (above, below) if macs)
    nearest = " or ".join(f"{speedup:.3f}x" for speedup in reached)
    between = " and nothing between" if len(reached) > 1 else " at most" if above else " at least"
    if not proven:
        between = f" as far as {MOST_BOXES} steps of search can tell"
    return (
        f"a speed-up of {cost.dense_macs / goal:.3f}x was asked for, within {100 * tolerance:g} %; "
        f"whole {'filters' if cost.least else 'blocks'} reach {nearest}{between}"
    )
