"""What a quiet pass says: the speed-up with its interval, or in words why it is withheld. Numbers in, numbers out.

A block holds one visit to each of three networks: the dense one, the dense one again (another copy of it, so that the
pass has a comparison whose answer is known: 1), and the pruned one. Ratios are taken inside a block, because what else
the machine does changes from block to block. Medians and intervals by order statistics need no assumption about how
times are distributed: they have long tails (Conover, Practical Nonparametric Statistics, 3rd ed., section 3.2).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from prunemark.records.part import RecordPart

CONFIDENCE = 0.95
AGAINST_ITSELF = 1.05
"""The dense network against itself has to be shown to lie within this factor of 1: its whole interval."""
SPREAD = 1.25
"""The upper quartile of times, and of ratios, over the lower one: more is not a quiet pass."""
FEWEST_BLOCKS = 12


@dataclass(frozen=True)
class Blocks(RecordPart):
    """Milliseconds of the median pass of each visit, shape (blocks,) each; those of one index ran in turns."""

    dense_ms: tuple[float, ...]
    again_ms: tuple[float, ...]
    pruned_ms: tuple[float, ...]

    @property
    def why_unusable(self) -> str:
        """What keeps these from being the times of blocks at all, in words; "" if nothing."""
        lengths = {len(self.dense_ms), len(self.again_ms), len(self.pruned_ms)}
        times = (*self.dense_ms, *self.again_ms, *self.pruned_ms)
        if len(lengths) > 1 or not all(0 < time < math.inf for time in times):
            return "holds blocks that are not whole, or passes that took no time"
        return ""


@dataclass(frozen=True)
class Ratio:
    """A median of paired ratios with its 95 % interval."""

    median: float
    low: float
    high: float


@dataclass(frozen=True)
class Speed:
    """What blocks say. `withheld` is the reason not to show the numbers as a result, "" if they can be trusted."""

    dense_ms: float
    pruned_ms: float
    speedup: Ratio
    against_itself: Ratio
    withheld: str


def speed_of(blocks: Blocks) -> Speed:
    """The dense network's time over the pruned one's, and over its own.

    The dense time of a block is the geometric mean of its two visits. Raises ValueError for fewer blocks than an
    interval needs.
    """
    dense = [math.sqrt(one * other) for one, other in zip(blocks.dense_ms, blocks.again_ms, strict=True)]
    ratios = [one / other for one, other in zip(dense, blocks.pruned_ms, strict=True)]
    itself = [one / other for one, other in zip(blocks.dense_ms, blocks.again_ms, strict=True)]
    speedup, against_itself = median_with_interval(ratios), median_with_interval(itself)
    spreads = {
        "times of the dense network": spread(dense),
        "times of the pruned network": spread(blocks.pruned_ms),
        "ratios of the two": spread(ratios),
    }
    withheld = why_withheld(len(ratios), spreads, against_itself)
    return Speed(statistics.median(dense), statistics.median(blocks.pruned_ms), speedup, against_itself, withheld)


def why_withheld(blocks: int, spreads: dict[str, float], against_itself: Ratio) -> str:
    """Why a pass cannot be trusted, in words that follow a colon; "" if it can.

    `spreads` are upper over lower quartiles by what they are of.
    """
    if blocks < FEWEST_BLOCKS:
        return f"{blocks} blocks were measured and {FEWEST_BLOCKS} are needed"
    if against_itself.low < 1 / AGAINST_ITSELF or against_itself.high > AGAINST_ITSELF:
        return (
            f"the dense network against itself is {as_text(against_itself)} in the same pass, "
            f"which is not shown to be within {100 * (AGAINST_ITSELF - 1):.0f} % of 1"
        )
    for what, found in spreads.items():
        if found > SPREAD:
            return f"the upper quartile of the {what} is {found:.2f} times the lower one; at most {SPREAD:g} is allowed"
    return ""


def median_with_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> Ratio:
    """The median and its distribution-free interval: two order statistics, alike far from the ends.

    Raises ValueError for fewer than 6 values at 95 %: even their range is too short.
    """
    ordered = sorted(values)
    rank = interval_rank(len(ordered), confidence)
    return Ratio(statistics.median(ordered), ordered[rank - 1], ordered[-rank])


def interval_rank(count: int, confidence: float = CONFIDENCE) -> int:
    """The largest k with P(the median lies between the k-th smallest and the k-th largest value) >= confidence."""
    rank, below = 0, 0.0  # below: P(fewer than `rank` values of `count` are under the median), each one with 1/2
    while 2 * (below + math.comb(count, rank) / 2**count) <= 1 - confidence:
        below += math.comb(count, rank) / 2**count
        rank += 1
    if rank == 0:
        raise ValueError(f"{count} values are too few for an interval of {100 * confidence:g} %")
    return rank


def spread(values: Sequence[float]) -> float:
    """The upper quartile over the lower one, of positive values."""
    low, _, high = statistics.quantiles(values, n=4)
    return high / low


def pooled(ratios: Sequence[Ratio]) -> Ratio:
    """One ratio for a method whose seeds have different architectures: geometric means, of the limits too.

    The limits of independent passes cannot all be wrong to one side, so this interval is wider than it has to be.
    """
    if len(set(ratios)) == 1:
        return ratios[0]
    return Ratio(*(statistics.geometric_mean(part) for part in zip(*map(_parts, ratios), strict=True)))


def _parts(ratio: Ratio) -> tuple[float, float, float]:
    return ratio.median, ratio.low, ratio.high


def as_text(ratio: Ratio) -> str:
    """1.21x [1.19, 1.24]."""
    return f"{ratio.median:.2f}x [{ratio.low:.2f}, {ratio.high:.2f}]"
