"""Meeting the target: from scores to what stays, at exactly the compression that was asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import torch

from prunemark.setups.errors import InputError


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
    """MACs as a function of how many filters each group keeps: every layer scales with its two sides."""

    sizes: dict[str, int]
    terms: tuple[CostTerm, ...]

    def macs(self, kept: Mapping[str, int]) -> int:
        """MACs per example with `kept` filters in each group; exact, in integers."""
        total = 0
        for term in self.terms:
            macs = term.macs
            for group in (term.out_group, term.in_group):
                if group is not None:
                    macs = macs // self.sizes[group] * kept[group]
            total += macs
        return total

    @property
    def dense_macs(self) -> int:
        """MACs per example of the unpruned network."""
        return self.macs(self.sizes)


def uniform_counts(sizes: Mapping[str, int], ratio: float) -> dict[str, int]:
    """Filters kept when `ratio` of every layer goes: rounded to the nearest, at least one stays."""
    return {name: max(1, size - int(ratio * size + 0.5)) for name, size in sizes.items()}


def check_scores(scores: Mapping[str, torch.Tensor], shapes: Mapping[str, tuple[int, ...]]) -> dict[str, torch.Tensor]:
    """The scores as float64 on the CPU. Raises ValueError for a wrong shape, NaN, or a missing layer."""
    for name in scores:
        if name not in shapes:
            raise ValueError(f"scores for {name!r}, which is not prunable. Prunable: {', '.join(shapes)}")
    checked = {}
    for name, shape in shapes.items():
        if name not in scores:
            raise ValueError(f"no scores for layer {name}; every group of context.groups needs some")
        given = scores[name]
        if not isinstance(given, torch.Tensor):
            raise ValueError(f"scores of layer {name} must be a tensor of shape {shape}; got {type(given).__name__}")
        if tuple(given.shape) != shape:
            raise ValueError(f"scores of layer {name} must have shape {shape}; got {tuple(given.shape)}")
        values = given.detach().to("cpu", torch.float64)
        if torch.isnan(values).any():
            raise ValueError(f"scores of layer {name} contain NaN")
        checked[name] = values
    return checked


def choose_filters(
    scores: Mapping[str, torch.Tensor], cost: CostModel, speedup: float, tolerance: float | None, allocation: str
) -> dict[str, torch.Tensor]:
    """The indices that stay in each layer, sorted; MACs within `tolerance` of dense / speedup.

    `uniform` takes one ratio for all layers, `global` the lowest scores of all layers together. Where the
    filters are too coarse for the target, single filters are exchanged between layers, as few as possible;
    with a tolerance of None, the nearest without exchange is taken.
    Raises TargetMissed with the nearest that can be had, ValueError for an unknown allocation.
    """
    goal = cost.dense_macs / speedup
    if allocation == "uniform":
        counts = _nearest_uniform(cost, goal)
    elif allocation == "global":
        counts = _greedy_global(scores, cost, goal, tolerance or 0.0)
    else:
        raise ValueError(f"allocation is 'uniform' or 'global'; got {allocation!r}")
    if tolerance is not None:
        counts = _exchange(counts, cost, goal, tolerance)
    return {name: highest(scores[name], count) for name, count in counts.items()}


def highest(scores: torch.Tensor, count: int) -> torch.Tensor:
    """Indices of the `count` highest scores, sorted; of equal scores the later one goes first."""
    order = torch.argsort(scores, descending=True, stable=True)
    return order[:count].sort().values


def _nearest_uniform(cost: CostModel, goal: float) -> dict[str, int]:
    ratios = sorted({k / size for size in cost.sizes.values() for k in range(size)})
    candidates = [uniform_counts(cost.sizes, ratio) for ratio in ratios]
    return min(candidates, key=lambda counts: abs(cost.macs(counts) - goal))


def _greedy_global(
    scores: Mapping[str, torch.Tensor], cost: CostModel, goal: float, tolerance: float
) -> dict[str, int]:
    """Removes the lowest score of all layers, again and again, skipping what would overshoot the goal."""
    counts = dict(cost.sizes)
    ranking = [(float(score), name) for name in counts for score in scores[name].sort().values]
    for _, name in sorted(ranking, key=lambda entry: entry[0]):
        if cost.macs(counts) <= goal * (1 + tolerance):
            break
        fewer = counts | {name: counts[name] - 1}
        if fewer[name] >= 1 and cost.macs(fewer) >= goal * (1 - tolerance):
            counts = fewer
    return counts


def _exchange(counts: dict[str, int], cost: CostModel, goal: float, tolerance: float) -> dict[str, int]:
    """The nearest counts, in filters exchanged, whose MACs lie within the tolerance of the goal."""
    nearest = counts
    for moved in _by_distance(counts, cost.sizes):
        gap = abs(cost.macs(moved) - goal)
        if gap <= tolerance * goal:
            return moved
        nearest = moved if gap < abs(cost.macs(nearest) - goal) else nearest
    reached = cost.dense_macs / cost.macs(nearest)
    raise TargetMissed(
        f"a speed-up of {cost.dense_macs / goal:.3f}x was asked for, within {100 * tolerance:g} %; "
        f"whole filters reach {reached:.3f}x"
    )


def _by_distance(counts: dict[str, int], sizes: Mapping[str, int], reach: int = 3) -> Iterator[dict[str, int]]:
    """The counts themselves, then those that differ in one or two layers by up to `reach` filters."""
    yield counts
    names = list(counts)
    moves = [
        (abs(a) + abs(b), first, second, a, b)
        for i, first in enumerate(names)
        for second in names[i + 1 :] or [first]
        for a, b in product(range(-reach, reach + 1), repeat=2)
        if (a or b) and not (second == first and b)
    ]
    for _, first, second, a, b in sorted(moves):
        moved = dict(counts)
        moved[first] += a
        moved[second] += b
        if all(1 <= moved[name] <= sizes[name] for name in (first, second)):
            yield moved


def choose_weights(scores: Mapping[str, torch.Tensor], sparsity: float, allocation: str) -> dict[str, torch.Tensor]:
    """Masks, True where a weight stays; the number of zeros is round(sparsity x weights), exactly."""
    total = sum(values.numel() for values in scores.values())
    gone = int(sparsity * total + 0.5)
    if allocation == "global":
        flat = torch.cat([values.flatten() for values in scores.values()])
        return _split(_mask_out(flat, gone), scores)
    if allocation == "uniform":
        shares = _shares({name: values.numel() for name, values in scores.items()}, gone)
        return {name: _mask_out(v.flatten(), shares[name]).reshape(v.shape) for name, v in scores.items()}
    raise ValueError(f"allocation is 'uniform' or 'global'; got {allocation!r}")


def choose_pattern(
    scores: Mapping[str, torch.Tensor], pattern: tuple[int, int], share: float, allocation: str
) -> dict[str, torch.Tensor]:
    """Masks of an N:M pattern: of every M consecutive weights along the input the N of highest score stay.

    A `share` below 1 removes only so many of the others, the lowest first, in all layers together or in each.
    Raises InputError for a layer that M does not divide.
    """
    n, m = pattern
    best = {}
    for name, values in scores.items():
        check_divisible(name, values.shape, m)
        order = torch.argsort(in_groups(values, m), dim=1, descending=True, stable=True)
        stays = torch.zeros_like(order, dtype=torch.bool).scatter_(1, order[:, :n], True)
        best[name] = stays.reshape(values.movedim(1, -1).shape).movedim(-1, 1).contiguous()
    if share == 1:
        return best
    ranked = {name: values.masked_fill(best[name], math.inf) for name, values in scores.items()}
    return choose_weights(ranked, share * (m - n) / m, allocation)


def check_pattern(masks: Mapping[str, torch.Tensor], pattern: tuple[int, int]) -> None:
    """Raises TargetMissed unless exactly N of every M consecutive weights along the input stay."""
    n, m = pattern
    for name, mask in masks.items():
        stays = in_groups(mask, m).sum(dim=1)
        if (stays != n).any():
            raise TargetMissed(
                f"{n} of every {m} weights along the input stay; layer {name} has a group in which "
                f"{int(stays[stays != n][0])} do"
            )


def check_divisible(layer: str, shape: Sequence[int], m: int) -> None:
    """Raises InputError for a layer whose inputs cannot be taken M by M: such a layer is spared, not padded."""
    if shape[1] % m:
        raise InputError(
            f"layer {layer} has {shape[1]} inputs, which groups of {m} do not fill.\n"
            "Leave it out of the track's prunable layers"
        )


def in_groups(values: torch.Tensor, m: int) -> torch.Tensor:
    """(out, in, ...) as (groups, m): M consecutive weights along the input each."""
    return values.movedim(1, -1).reshape(-1, m)


def _mask_out(flat: torch.Tensor, gone: int) -> torch.Tensor:
    mask = torch.ones_like(flat, dtype=torch.bool)
    mask[torch.argsort(flat, stable=True)[:gone]] = False
    return mask


def _split(flat: torch.Tensor, like: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    parts = flat.split([values.numel() for values in like.values()])
    return {name: part.reshape(like[name].shape).clone() for name, part in zip(like, parts, strict=True)}


def _shares(sizes: dict[str, int], total: int) -> dict[str, int]:
    """`total` divided in proportion to the sizes: floors first, then one each by the largest remainder."""
    whole = sum(sizes.values())
    if total > whole:
        raise InputError(f"{total} weights cannot be removed from {whole}")
    exact = {name: size * total / whole for name, size in sizes.items()}
    shares = {name: int(value) for name, value in exact.items()}
    by_remainder = sorted(sizes, key=lambda name: exact[name] - shares[name], reverse=True)
    for name in by_remainder[: total - sum(shares.values())]:
        shares[name] += 1
    return shares
