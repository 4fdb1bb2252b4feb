"""What a row of `make bench` finds: figures, each a ratio of two ways of doing the same work, taken in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

Clock = Callable[[], float]


class NotMeasured(Exception):
    """Why a row cannot be measured here, in words."""


@dataclass(frozen=True)
class Figure:
    """A number with its unit ('x' for ratios). `low` and `high` are quartiles over `repeats`; None where it is one.

    `at_least` and `at_most` are what it must reach, where something must be reached.
    """

    what: str
    value: float
    unit: str = "x"
    low: float | None = None
    high: float | None = None
    repeats: int = 1
    at_least: float | None = None
    at_most: float | None = None


def seconds(work: Callable[[], object], clock: Clock = time.process_time) -> float:
    """What one call takes."""
    begin = clock()
    work()
    return clock() - begin


def in_turns(a: Callable[[], float], b: Callable[[], float], repeats: int) -> tuple[list[float], list[float]]:
    """The seconds that both say they took, the first one changing places with the second."""
    took: tuple[list[float], list[float]] = ([], [])
    for number in range(repeats):
        for which in (0, 1) if number % 2 else (1, 0):
            took[which].append((a, b)[which]())
    return took


def ratio(
    what: str, a: Callable[[], float], b: Callable[[], float], repeats: int, at_least: float | None = None
) -> Figure:
    """How many times as fast `a` is as `b`: the median over pairs, each taken at about one time, with its quartiles.

    A first turn of each warms up.
    """
    a(), b()
    mine, other = in_turns(a, b, repeats)
    pairs = [theirs / ours for ours, theirs in zip(mine, other, strict=True)]
    low, middle, high = statistics.quantiles(pairs, n=4)
    return Figure(what, middle, "x", low, high, repeats, at_least)
