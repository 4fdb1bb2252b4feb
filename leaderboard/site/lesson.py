"""What another setup does to a verdict, in words: found in the tables, never written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prunemark.benchmark.record import Record
from prunemark.leaderboard.site.charts import word
from prunemark.leaderboard.table import Row, Table
from prunemark.setups.budget import WHOLE

WORDS = {
    "better": "is better than {anchor} by {size:.2f} pp",
    "worse": "is worse than {anchor} by {size:.2f} pp",
    "equivalent": "is equivalent to {anchor} ({difference:+.2f} pp)",
    "undetermined": "cannot be told from {anchor} ({difference:+.2f} pp)",
}


@dataclass(frozen=True)
class Change:
    """One method whose verdict against the anchor is another one under a stricter setup."""

    name: str
    anchor: str
    looser: tuple[str, str, float]
    stricter: tuple[str, str, float]
    """Setup, verdict and difference in points."""

    @property
    def size_pp(self) -> float:
        """How far the difference to the anchor moved, in points."""
        return abs(self.looser[2] - self.stricter[2])

    @property
    def sentence(self) -> str:
        """Both verdicts in one sentence."""
        loose, strict = (
            f"under {setup}, {{}}{WORDS[word].format(anchor=self.anchor, size=abs(d), difference=d)}"
            for setup, word, d in (self.looser, self.stricter)
        )
        sentence = f"{loose.format(f'{self.name} ')}; {strict.format('it ')}."
        return sentence[0].upper() + sentence[1:]


def changes(tables: Sequence[Table]) -> list[Change]:
    """The methods of one level whose verdict changes between setups, each with its widest change, widest first.

    `tables` are of one track and level, looser setups first. Each setup is compared with the next stricter one under
    which the verdict is another, provided that one of the two verdicts is better or worse.
    """
    by_method: dict[str, list[tuple[str, str, float]]] = {}
    chained = [table for table in tables if table.setup not in WHOLE]
    for table in chained:
        for row in table.ranked:
            if row.verdict:
                by_method.setdefault(row.name, []).append(
                    (table.setup, word(row), row.verdict.comparison.difference_pp)
                )
    found = []
    for name, seen in by_method.items():
        pairs = [
            Change(name, chained[0].anchor, loose, strict)
            for number, loose in enumerate(seen)
            if (strict := next((later for later in seen[number + 1 :] if later[1] != loose[1]), None))
            and {loose[1], strict[1]} & {"better", "worse"}
        ]
        found += [max(pairs, key=lambda change: change.size_pp)] if pairs else []
    return sorted(found, key=lambda change: (-round(change.size_pp, 2), -abs(change.looser[2]), change.name))


def recipes(change: Change, tables: Sequence[Table], records: Mapping[str, Record]) -> str:
    """How the method and the anchor were retrained under the looser setup, where that differs; "" where it does not.

    Whoever reads that a method wins there has to know what the anchor was given. `records` by hash.
    """
    table = next(table for table in tables if table.setup == change.looser[0])
    rows = {row.name: row for row in table.ranked}
    mine, anchors = (_recipe(rows[name], records) for name in (change.name, change.anchor))
    if mine == anchors:
        return ""
    return f"Under {table.setup} {change.name} was retrained for {mine}, {change.anchor} for {anchors}."


def _recipe(row: Row, records: Mapping[str, Record]) -> str:
    recipe = next((r for sha in row.records if (r := records[sha].outcome.retraining_recipe)), None)
    return f"{recipe['epochs']} epochs at LR {recipe['lr']}" if recipe else "no epoch"
