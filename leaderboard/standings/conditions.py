"""Whether a track can tell methods apart: conditions that are measured, each with what is needed and what was found.

What is run for it are the anchor, random pruning, a bad criterion, the dense network retrained, and the bases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from prunemark.leaderboard.inference.statistics import PairedComparison, paired_t
from prunemark.leaderboard.standings.levels import FEWEST_FILTERS
from prunemark.records.record import Record
from prunemark.setups.track import WITH_FILTERS

TEST_EXAMPLES = 5_000
DENSE_ERROR_PERCENT = (5.0, 25.0)
CONVERGED_PP = 0.5
TRIAL_SECONDS = 3.0
LEAST_SEEDS = 3


@dataclass(frozen=True)
class Condition:
    """One condition: what is needed, what was measured, and whether it holds."""

    condition: str
    needed: str
    measured: str
    holds: bool


def conditions(records: Sequence[Record], *, anchor: str, random: str, bad: str) -> list[Condition]:
    """The conditions that records can show. `records` are trials of one track and setup that ended well.

    They hold, on the same seeds, the dense network retrained, and at the highest level the methods named `anchor`,
    `random` and `bad`. Of the dense reference, the difference to its own base is taken: what retraining gains.
    Raises ValueError for fewer than three seeds.
    """
    by_name: dict[str, dict[int, Record]] = {}
    for record in records:
        by_name.setdefault(record.outcome.method.name.partition(" (")[0], {})[record.outcome.seed] = record
    dense = next(mine for mine in by_name.values() if next(iter(mine.values())).outcome.method.kind == "dense")
    ours = by_name[anchor]
    return [
        _examples(ours), _error(dense), _converged(dense), *_filters(ours), _worse(by_name[random], ours, "random"),
        _worse(by_name[bad], ours, "a bad criterion"), _seconds(ours),
    ]  # fmt: skip


def _examples(ours: Mapping[int, Record]) -> Condition:
    examples = _test_examples(ours)
    return Condition("test examples", f"at least {TEST_EXAMPLES:,}", f"{examples:,}", examples >= TEST_EXAMPLES)


def _test_examples(of: Mapping[int, Record]) -> int:
    return min(accuracy.test_examples for r in of.values() if (accuracy := r.outcome.accuracy))


def _error(dense: Mapping[int, Record]) -> Condition:
    error = 100 - fmean(_bases(dense))
    low, high = DENSE_ERROR_PERCENT
    return Condition(
        "error of the base model",
        f"{low:g} to {high:g} %",
        f"{error:.2f} % over {len(dense)} seeds",
        low <= error <= high,
    )


def _converged(dense: Mapping[int, Record]) -> Condition:
    gain = _compared(_scores(dense), _bases(dense), _test_examples(dense))
    return Condition(
        "retraining the dense network gains", f"under {CONVERGED_PP:g} pp", _with_interval(gain),
        gain.difference_pp < CONVERGED_PP,
    )  # fmt: skip


def _filters(ours: Mapping[int, Record]) -> list[Condition]:
    """None for a track of weights, where nothing is removed, and of blocks, all of which may go."""
    costs = [r.outcome.compression for r in ours.values() if r.outcome.track_terms["granularity"] in WITH_FILTERS]
    kept = [filters for cost in costs if cost for filters in cost.kept.values()]
    if not kept:
        return []
    fewest = min(kept)
    return [
        Condition("filters left in every layer", f"at least {FEWEST_FILTERS}", str(fewest), fewest >= FEWEST_FILTERS)
    ]


def _worse(other: Mapping[int, Record], ours: Mapping[int, Record], what: str) -> Condition:
    found = _compared(_scores(other), _scores(ours), _test_examples(ours))
    return Condition(
        f"{what} against the anchor", "below 0, with its interval", _with_interval(found),
        found.interval_pp[1] < 0,
    )  # fmt: skip


def _seconds(ours: Mapping[int, Record]) -> Condition:
    seconds = median(r.observed.pruning_seconds + r.observed.retraining_seconds for r in ours.values())
    return Condition(
        "a trial on one core", f"at most {TRIAL_SECONDS:g} s", f"{seconds:.2f} s (median)", seconds <= TRIAL_SECONDS
    )


def _scores(of: Mapping[int, Record]) -> list[float]:
    return [accuracy.test_percent for _seed, r in sorted(of.items()) if (accuracy := r.outcome.accuracy)]


def _bases(of: Mapping[int, Record]) -> list[float]:
    return [base.test_percent for _seed, r in sorted(of.items()) if (base := r.outcome.base)]


def _compared(a_percent: list[float], b_percent: list[float], examples: int) -> PairedComparison:
    if len(a_percent) < LEAST_SEEDS:
        raise ValueError(f"conditions are measured on {LEAST_SEEDS} seeds or more; given {len(a_percent)}")
    return paired_t(a_percent, b_percent, quantum_percent=100 / examples)


def _with_interval(found: PairedComparison) -> str:
    low, high = found.interval_pp
    return f"{found.difference_pp:+.2f} pp, 95 % interval {low:+.2f} to {high:+.2f}, {found.seeds} seeds"
