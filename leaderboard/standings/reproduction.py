"""A reproduced table of the paper: measured next to published, and every cell a finding with its own verdict.

Nobody chooses which cells count: each row is compared with its reference at each ratio, and all comparisons of a table
are one family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

from prunemark.leaderboard.inference.multiplicity import holm
from prunemark.leaderboard.inference.statistics import paired_t, tost
from prunemark.records.executed import pipeline_of
from prunemark.records.record import Record
from prunemark.setups.assessment import violations
from prunemark.setups.comparison import SETUPS
from prunemark.setups.paper_tables import Grid, PaperRow, reference_of

ALPHA = 0.05
Word = Literal["confirmed", "opposite", "equivalent", "open"]


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
class CellFinding:
    """One row minus its reference at one ratio, in points, here and in the paper.

    `p` is two-sided, `p_equivalence` that of equivalence within the margin; each is adjusted by Holm for all cells of
    the table, `p_raw` is not. `same_sign` is about the two differences as they are, significant or not.
    """

    row: str
    reference: str
    level: str
    paper_difference_pp: float
    difference_pp: float
    interval_pp: tuple[float, float]
    p: float
    p_equivalence: float
    p_raw: float

    @property
    def same_sign(self) -> bool:
        """Whether the row is ahead, behind or level here as in the paper."""
        return _sign(self.paper_difference_pp) == _sign(self.difference_pp)

    @property
    def word(self) -> Word:
        """confirmed or opposite: a significant difference, of the paper's sign or not. equivalent, or else open."""
        if self.p <= ALPHA:
            return "confirmed" if self.same_sign else "opposite"
        return "equivalent" if self.p_equivalence <= ALPHA else "open"


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
    findings: tuple[CellFinding, ...]
    verified: tuple[str, ...]

    def count(self, word: Word) -> int:
        """How many cells have this verdict."""
        return sum(finding.word == word for finding in self.findings)

    @property
    def summary(self) -> str:
        """All cells in one line."""
        margin = f"{self.margin_pp:g} pp"
        signs = [(finding.same_sign, finding.p_raw <= ALPHA) for finding in self.findings]
        return (
            f"{sum(same for same, _ in signs)} of {len(signs)} signs agree; {signs.count((False, True))} are "
            f"significantly opposite. After Holm over all {len(signs)}, {self.count('confirmed')} are confirmed, "
            f"{self.count('opposite')} opposite, {self.count('equivalent')} equivalent within {margin} and "
            f"{self.count('open')} open"
        )


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
        _findings(grid, levels, cells, 100 / examples.test_examples, margin), _verified(grid, levels, seeds, found),
    )  # fmt: skip


def _cell(row: PaperRow, index: int, records: Sequence[Record]) -> Cell:
    scores = tuple(r.outcome.accuracy.test_percent for r in records if r.outcome.accuracy)
    diagnostics = [r.outcome.diagnostics for r in records]
    ta = tuple(d.trainability_percent for d in diagnostics if d and d.trainability_percent is not None)
    return Cell(scores, ta, row.paper_percent[index], row.paper_ta_percent)


def _sign(difference: float) -> int:
    rounded = round(difference, 6)  # means of accuracies differ in their last bits
    return (rounded > 0) - (rounded < 0)


def _findings(
    grid: Grid, levels: Sequence[str], cells: Mapping[tuple[str, str], Cell], quantum: float, margin_pp: float
) -> tuple[CellFinding, ...]:
    pairs = [(row, other, level) for row in grid.rows if (other := reference_of(grid, row)) for level in levels]
    sides = [(cells[row_id(row), level], cells[row_id(other), level]) for row, other, level in pairs]
    compared = [paired_t(a.scores, b.scores, quantum_percent=quantum) for a, b in sides]
    different = holm([comparison.p_two_sided for comparison in compared]) if compared else []
    equal = [tost(c, margin_pp).p if c.seeds > 1 else 1.0 for c in compared]
    return tuple(
        CellFinding(
            row_id(row),
            row_id(other),
            level,
            a.paper_percent - b.paper_percent,
            c.difference_pp,
            c.interval_pp,
            p,
            q,
            c.p_two_sided,
        )
        for (row, other, level), (a, b), c, p, q in zip(
            pairs, sides, compared, different, holm(equal) if equal else [], strict=True
        )
    )


def _verified(
    grid: Grid, levels: Sequence[str], seeds: Sequence[int], found: Mapping[tuple[str, str, int], Record]
) -> tuple[str, ...]:
    """Which setups hold between the rows of one label and scratch, as executed; and what keeps others from it."""
    scratch = next((row for row in grid.rows if row.scratch), None)
    methods = (("S3.2", ("S3.2",)),) if any(row.method for row in grid.rows) else ()
    out = []
    for setup, labels in (("SX-A", ("SX-A", "S4.2")), ("SX-B", ("SX-B",)), *methods):
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
