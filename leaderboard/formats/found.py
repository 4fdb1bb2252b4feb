"""What a board has found: who leads, how much is decided, and one sentence of it that is computed from its tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from prunemark.leaderboard.standings.table import Table
from prunemark.setups.comparison import chain

DECIDED = ("better", "worse", "equivalent")
STRICT = ("S4.2", "S3.2")
"""The setups that first screens speak of: the strictest, and the least that the founding paper recommends."""


def found_in_words(tables: Sequence[Table]) -> str:
    """How many comparisons with an anchor are decided, and how; and what the loosest and the strictest setup find.

    Levels that are not for ranking, and verdicts of methods that trained for longer, are counted apart. "" where
    nothing is compared.
    """
    counts = counts_of(tables)
    compared = sum(counts.values())
    if not compared:
        return ""
    decided = sum(counts[word] for word in DECIDED)
    said = f"Of {compared:,} comparisons with an anchor, {decided:,} are decided ({decided / compared:.0%}): " + (
        f"{counts['better']:,} better, {counts['worse']:,} worse, {counts['equivalent']:,} equivalent"
    )
    if longer := counts["longer"]:
        said += f"; {longer:,} more are shown of methods that pruned for longer"
    return f"{said}{_by_setup(tables)}."


def counts_of(tables: Iterable[Table]) -> Counter[str]:
    """How many tested comparisons with the anchor ended with which verdict, `longer` those after longer pruning."""
    found: Counter[str] = Counter()
    for table in tables:
        for row in table.ranked:
            if row.verdict is not None and row.verdict.p_holm is not None:
                shown = row.verdict.word in DECIDED
                found["longer" if shown and row.more_epochs else row.verdict.word] += 1
    return found


def leading(tables: Sequence[Table]) -> Table:
    """Of the levels of one track and setup that at which most is settled, the hardest of several."""
    return max(reversed(tables), key=lambda table: (len(table.ranked) > 0, decided([table])))


def decided(tables: Iterable[Table]) -> int:
    """How many comparisons are decided, longer pruning apart."""
    counts = counts_of(tables)
    return sum(counts[word] for word in DECIDED)


def _by_setup(tables: Sequence[Table]) -> str:
    """On the tracks that have both: the share of comparisons that the loosest and the strictest setup call better."""
    there = [setup for setup in chain() if any(table.setup == setup for table in tables)]
    if len(there) < 2:
        return ""
    tracks = {table.track for table in tables if table.setup == there[0]}
    tracks &= {table.track for table in tables if table.setup == there[-1]}
    shares = []
    for setup in (there[0], there[-1]):
        counts = counts_of(table for table in tables if table.setup == setup and table.track in tracks)
        if not (compared := sum(counts.values())):
            return ""
        shares.append(f"{setup} calls {(counts['better'] + counts['longer']) / compared:.0%} of its methods better")
    return f"; where both were run, {' and '.join(shares)}"
