"""Times forward passes of networks in turns: many short blocks, in every order, by a clock that is passed in."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from itertools import permutations

from prunemark.records.speed import FEWEST_BLOCKS, Blocks

Run = Callable[[], object]
"""One forward pass of one batch; it returns when the pass is done."""

ORDERS = tuple(permutations(range(3)))
"""Each network comes at every place, and after every other, equally often: whoever ran before leaves its cache."""
BLOCKS = 36  # six times each order
VISIT_SECONDS, FEWEST_PASSES, MOST_PASSES = 0.003, 3, 101
SLOW_SECONDS = 0.05  # a pass that takes longer is long enough by itself
MOST_SECONDS = 20.0  # in all; networks that are slower get fewer blocks, never fewer than are needed
WARM_UP = 3


def time_in_turns(dense: Run, again: Run, pruned: Run, clock: Callable[[], float]) -> tuple[Blocks, int]:
    """The blocks, and how many passes each of their numbers is the median of.

    A visit repeats the pass as often as the dense network needs to fill VISIT_SECONDS, alike for all three: what
    interrupts one pass of several does not decide.
    """
    runs = (dense, again, pruned)
    for run in runs:
        for _ in range(WARM_UP):
            run()
    one = _visit(dense, FEWEST_PASSES, clock)
    passes = pass_count(one)
    found: list[list[float]] = [[], [], []]
    for block in range(block_count(one * passes)):
        for which in ORDERS[block % len(ORDERS)]:
            found[which].append(round(1000 * _visit(runs[which], passes, clock), 7))
    return Blocks(*map(tuple, found)), passes


def pass_count(seconds: float) -> int:
    """How often a pass of so many seconds is repeated in a visit; an odd number, so that the median is one of them."""
    if seconds > SLOW_SECONDS:
        return 1
    return min(MOST_PASSES, max(FEWEST_PASSES, math.ceil(VISIT_SECONDS / max(seconds, 1e-9)) | 1))


def block_count(visit_seconds: float) -> int:
    """As many as fit into MOST_SECONDS: whole rounds of all orders."""
    rounds = int(MOST_SECONDS / max(len(ORDERS) * 3 * visit_seconds, 1e-9))
    return min(BLOCKS, max(FEWEST_BLOCKS, rounds * len(ORDERS)))


def _visit(run: Run, passes: int, clock: Callable[[], float]) -> float:
    """The median pass of so many in a row, in seconds."""
    seconds = []
    for _ in range(passes):
        begin = clock()
        run()
        seconds.append(clock() - begin)
    return statistics.median(seconds)
