"""An LR schedule by its name: a hundred numbers are not printed, and two that print alike show where they differ."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from prunemark.setups.factors import LR_TOLERANCE_LOG10
from prunemark.setups.schedule import LRSchedule, format_lr
from prunemark.setups.values import Conflict, Leaf, known

MOST_STEPS = 5
_FACTORS = {0.1: "a tenth", 0.5: "a half", 0.2: "a fifth", 0.25: "a quarter"}


def named(leaf: Leaf[LRSchedule]) -> str:
    """A schedule in words, with its epochs; what is not one schedule as people read it."""
    if isinstance(leaf, Conflict):
        return " or ".join(named(choice) for choice in leaf.choices)
    schedule = known(leaf)
    if schedule is None:
        return {"n/a": "no training", "not reported": "not stated"}.get(str(leaf), str(leaf))
    warmup = f", {_epochs(schedule.warmup_epochs)} of warm-up" if schedule.warmup_epochs else ""
    return f"{_shape(schedule)}, {_epochs(schedule.epochs)}{warmup}"


def _epochs(count: int) -> str:
    return f"{count} epoch{'' if count == 1 else 's'}"


def _shape(schedule: LRSchedule) -> str:
    first, last = (format_lr(lr) for lr in (schedule.points[0][1], schedule.points[-1][1]))
    if schedule.kind == "cosine":
        return f"cosine {first} to {last}"
    if schedule.kind == "one-cycle":
        return f"one-cycle up to {first}"
    points = schedule.points
    if len(points) == 1:
        return f"{first} throughout"
    return _regular(points) or _curve(schedule) or _listed(points)


def _regular(points: Sequence[tuple[int, float]]) -> str:
    """Steps by one factor: at some epochs, or every so many."""
    if any(lr <= 0 for _, lr in points):
        return ""
    ratios = [b / a for (_, a), (_, b) in pairwise(points)]
    if any(not math.isclose(ratio, ratios[0], rel_tol=1e-3) for ratio in ratios):
        return ""
    by = next((word for factor, word in _FACTORS.items() if math.isclose(ratios[0], factor, rel_tol=1e-3)), "")
    by = by or f"{ratios[0]:.4g} times"
    at = [epoch for epoch, _ in points[1:]]
    if len(at) <= MOST_STEPS:
        return f"{format_lr(points[0][1])}, {by} from epoch {_and(at)}"
    every = {b - a for a, b in pairwise([0, *at])}
    return f"{format_lr(points[0][1])}, {by} every {_epochs(every.pop())}" if len(every) == 1 else ""


def _curve(schedule: LRSchedule) -> str:
    """A vector that was logged epoch by epoch, and is a straight line or a cosine."""
    vector = schedule.vector
    if len(vector) <= MOST_STEPS or len(schedule.points) < len(vector) - 1:
        return ""
    first, last, count = vector[0], vector[-1], len(vector)
    ends = f"{format_lr(_short(first))} to {format_lr(_short(last))}"
    line = [first + (last - first) * epoch / (count - 1) for epoch in range(count)]
    if _near(vector, line):
        return f"a straight line from {ends}"
    down = [(1 + math.cos(math.pi * epoch / count)) / 2 for epoch in range(count)]
    floor = (last - first * down[-1]) / (1 - down[-1])
    curve = [floor + (first - floor) * share for share in down]
    return f"cosine {ends}" if _near(vector, curve) else ""


def _near(a: Sequence[float], b: Sequence[float]) -> bool:
    largest = max(a)
    return all(abs(x - y) <= 2e-3 * largest for x, y in zip(a, b, strict=True))


def _short(lr: float) -> float:
    return float(f"{lr:.4g}")


def _listed(points: Sequence[tuple[int, float]]) -> str:
    if len(points) <= MOST_STEPS + 1:
        return ", ".join(
            f"{format_lr(_short(lr))} from epoch {epoch}" if epoch else format_lr(_short(lr)) for epoch, lr in points
        )
    rates = [lr for _, lr in points]
    return f"{len(points)} steps between {format_lr(_short(max(rates)))} and {format_lr(_short(min(rates)))}"


def _and(numbers: Sequence[int]) -> str:
    *most, last = map(str, numbers)
    return f"{', '.join(most)} and {last}" if most else last


def against(left: Leaf[LRSchedule], right: Leaf[LRSchedule]) -> str:
    """Two schedules that differ, in words in which they do."""
    a, b = named(left), named(right)
    one, two = known(left), known(right)
    if one is None or two is None or (a != b and one.epochs != two.epochs):
        return f"{a}; against {b}"
    where = next((e for e, (x, y) in enumerate(zip(one.vector, two.vector, strict=False)) if _apart(x, y)), None)
    if where is None:
        return f"{a}; against {b}"
    rates = f"{_exact(one.vector[where])} against {_exact(two.vector[where])}"
    both = f"both {a}" if a == b else f"{a}; against {b}"
    return f"{both}; the first epoch that differs is {where}: {rates}"


def _exact(lr: float) -> str:
    return format_lr(float(f"{lr:.6g}"))


def _apart(a: float, b: float) -> bool:
    if a <= 0 or b <= 0:
        return a != b
    return abs(math.log10(a / b)) > LR_TOLERANCE_LOG10
