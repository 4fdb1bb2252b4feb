"""A reproduced table of the paper: measured next to published, and which findings held here, by which test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from prunemark.leaderboard.inference.multiplicity import holm
from prunemark.leaderboard.inference.statistics import PairedComparison, paired_t, student_p
from prunemark.records.executed import pipeline_of
from prunemark.records.record import Record
from prunemark.setups.assessment import violations
from prunemark.setups.comparison import SETUPS
from prunemark.setups.paper_tables import Grid, PaperRow

ALPHA = 0.05


@dataclass(frozen=True)
class Cell:
    """One row at one ratio: accuracies over the seeds and what the paper printed, in percent."""

    scores: tuple[float, ...]
    trainability: tuple[float, ...]
    paper_percent: float
    paper_ta_percent: float | None

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return fmean(self.scores)

    @property
    def sd(self) -> float | None:
        """Over the seeds; None for one."""
        return stdev(self.scores) if len(self.scores) > 1 else None


@dataclass(frozen=True)
class ClaimResult:
    """A claim of the paper put to the test here. `p` is adjusted for all claims of the table."""

    claim: str
    word: str
    difference_pp: float
    interval_pp: tuple[float, float]
    p: float


@dataclass(frozen=True)
class Reproduction:
    """A whole table. `cells` by (row, level); `verified` says which setups hold between which rows."""

    grid: Grid
    track: str
    margin_pp: float
    levels: tuple[str, ...]
    speedups: tuple[float, ...]
    seeds: tuple[int, ...]
    cells: Mapping[tuple[str, str], Cell]
    findings: tuple[ClaimResult, ...]
    verified: tuple[str, ...]


def row_id(row: PaperRow) -> str:
    """What a row's records are called."""
    return f"{row.name} ({row.setup})"


def reproduce(grid: Grid, records: Sequence[Record]) -> Reproduction:
    """The table of these records. Raises ValueError when a row, ratio or seed is missing."""
    found = {(r.outcome.method.name, r.outcome.level, r.outcome.seed): r for r in records if r.outcome.accuracy}
    seeds = tuple(sorted({seed for _, _, seed in found}))
    levels = tuple(f"{100 * ratio:g}%" for ratio in grid.ratios)
    missing = [
        f"{row_id(row)} at {level}, seed {seed}"
        for row in grid.rows for level in levels for seed in seeds if (row_id(row), level, seed) not in found
    ]  # fmt: skip
    if missing or not seeds:
        raise ValueError(f"no result for {'; '.join(missing[:3]) or 'any row'}")
    cells = {
        (row_id(row), level): _cell(row, index, [found[row_id(row), level, seed] for seed in seeds])
        for row in grid.rows for index, level in enumerate(levels)
    }  # fmt: skip
    examples = next(iter(found.values())).outcome.accuracy
    assert examples is not None
    first = [found[row_id(grid.rows[-1]), level, seeds[0]].outcome.compression for level in levels]
    speedups = tuple(c.speedup_macs if c else 1.0 for c in first)
    margin = float(records[0].outcome.track_terms["margin_pp"])
    return Reproduction(
        grid, records[0].outcome.track, margin, levels, speedups, seeds, cells,
        _results(grid, levels, cells, 100 / examples.test_examples, margin), _verified(grid, levels, seeds, found),
    )  # fmt: skip


def _cell(row: PaperRow, index: int, records: Sequence[Record]) -> Cell:
    scores = tuple(r.outcome.accuracy.test_percent for r in records if r.outcome.accuracy)
    diagnostics = [r.outcome.diagnostics for r in records]
    ta = tuple(d.trainability_percent for d in diagnostics if d and d.trainability_percent is not None)
    return Cell(scores, ta, row.paper_percent[index], row.paper_ta_percent)


PaperClaim = tuple[
    str, str, str, str, bool
]  # words, level, the row said to be better, the other one, or said to be as good


def claims(grid: Grid, levels: Sequence[str]) -> list[PaperClaim]:
    """What the paper says of this table, as comparisons of two rows."""
    names = {row.name: row_id(row) for row in grid.rows}
    out: list[PaperClaim] = []
    larger = (("P30F90, 1e-1", "P30F90, 1e-2", "+60"), ("P60F60, 1e-2", "P60F60, 1e-3", "+180"),
              ("P90F30, 1e-2", "P90F30, 1e-4", "+1485"))  # fmt: skip
    for high, low, extra in larger:
        for level in levels[-2:]:
            if {high, low} <= names.keys():
                out.append((f"M1: with as many epochs, {high} beats {low}", level, names[high], names[low], False))
            if {high, longest := f"{low}, {extra}"} <= names.keys():
                words = f"M1: given {extra} epochs, {low} comes as far as {high}"
                out.append((words, level, names[longest], names[high], True))
    scratch = next((row_id(row) for row in grid.rows if row.scratch), None)
    for name, setup, better_up_to in (("P30F90, 1e-1", "SX-A", 1.0), ("P30/kF90, 1e-1", "SX-B", 0.7)):
        if scratch and name in names:
            for level, ratio in zip(levels, grid.ratios, strict=True):
                better = ratio <= better_up_to
                words = f"M2: under {setup}, {name} {'beats scratch' if better else 'does not beat scratch'}"
                pair = (names[name], scratch) if better else (scratch, names[name])
                out.append((words, level, *pair, not better))
    for kind in ("step", "cosine"):
        if scratch and f"L1 (1e-2), {kind}" in names:
            for level, ratio in zip(levels, grid.ratios, strict=True):
                pair = (names[f"L1 (1e-2), {kind}"], names[f"scratch, {kind}"])
                if ratio == 0.9:
                    out.append((f"scratch beats L1 (1e-2), {kind}", level, pair[1], pair[0], False))
                else:
                    out.append((f"L1 (1e-2) comes as far as scratch, {kind}", level, *pair, True))
    return out


def _results(
    grid: Grid, levels: Sequence[str], cells: Mapping[tuple[str, str], Cell], quantum: float, margin_pp: float
) -> tuple[ClaimResult, ...]:
    stated = claims(grid, levels)
    compared = [
        paired_t(cells[a, level].scores, cells[b, level].scores, quantum_percent=quantum)
        for _, level, a, b, _ in stated
    ]
    support = [
        _p_for(comparison, as_good, margin_pp) for comparison, (*_, as_good) in zip(compared, stated, strict=True)
    ]
    against = [comparison.p_less for comparison in compared]
    words = zip(stated, compared, holm(support) if support else [], holm(against) if against else [], strict=True)
    return tuple(
        ClaimResult(
            f"{claim} ({level})", "held" if p_for <= ALPHA else "did not hold" if p_against <= ALPHA else "not decided",
            comparison.difference_pp, comparison.interval_pp, min(p_for, 1.0) if p_against > ALPHA else p_against,
        )
        for (claim, level, *_), comparison, p_for, p_against in words
    )  # fmt: skip


def _p_for(comparison: PairedComparison, as_good: bool, margin_pp: float) -> float:
    """Of 'better', the one-sided p; of 'as far as', that it is worse by less than the margin (non-inferiority)."""
    if not as_good:
        return comparison.p_greater
    t = (comparison.difference_pp + margin_pp) / comparison.standard_error_pp
    return student_p(t, comparison.df)[1] if comparison.seeds > 1 else 1.0


def _verified(
    grid: Grid, levels: Sequence[str], seeds: Sequence[int], found: Mapping[tuple[str, str, int], Record]
) -> tuple[str, ...]:
    """Which setups hold between the rows of one label and scratch, as executed; and what keeps others from it."""
    scratch = next((row for row in grid.rows if row.scratch), None)
    out = []
    for setup, labels in (("SX-A", ("SX-A", "S4.2")), ("SX-B", ("SX-B",))):
        rows = [row for row in grid.rows if row.setup in labels and not row.scratch]
        reference = [scratch] if scratch else rows[:1]
        rows = [row for row in rows if row not in reference]
        if not rows or not reference:
            continue
        broken = {
            f"{row.name} at {level}: {v.factor.replace('_', ' ')} {v.left} against {v.right}"
            for row in rows for level in levels for seed in seeds
            for v in violations(
                [pipeline_of(found[row_id(reference[0]), level, seed]), pipeline_of(found[row_id(row), level, seed])],
                SETUPS[setup],
            )
        }  # fmt: skip
        names = ", ".join(row.name for row in rows)
        words = "holds on every seed and ratio" if not broken else f"does not hold: {'; '.join(sorted(broken)[:3])}"
        out.append(f"{setup} between {reference[0].name} and {names}: {words}")
    return tuple(out)
