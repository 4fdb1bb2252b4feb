"""What another setup does to a verdict, in words: found in the tables, never written by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from prunemark.leaderboard.site.charts import verdict_word
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.leaderboard.standings.training import more_in_words
from prunemark.records.record import Record
from prunemark.setups.comparison import HARNESS_SETUPS
from prunemark.setups.recipe import added_in_words

WORDS = {
    "better": "is better than {anchor} by {size:.2f} pp",
    "worse": "is worse than {anchor} by {size:.2f} pp",
    "equivalent": "is equivalent to {anchor} ({difference:+.2f} pp)",
    "undetermined": "is not separated from {anchor} ({difference:+.2f} pp)",
}


class Told(NamedTuple):
    """What is said of a method under one setup: the verdict, the difference in points, whether within the margin.

    `more` says with how many more pruning epochs than the anchor, "" for none.
    """

    setup: str
    word: str
    difference_pp: float
    within: bool = False
    more: str = ""

    @property
    def says(self) -> str:
        """The verdict in words, with a place for the anchor's name."""
        words = WORDS[self.word].format(anchor="{anchor}", size=abs(self.difference_pp), difference=self.difference_pp)
        within = " (within the margin)" if self.within and self.word in ("better", "worse") else ""
        return f"{words}{within}{(self.more and self.word != 'undetermined' and f', {self.more}') or ''}"


@dataclass(frozen=True)
class Change:
    """One method whose verdict against the anchor is another one under a stricter setup."""

    name: str
    anchor: str
    looser: Told
    stricter: Told

    @property
    def size_pp(self) -> float:
        """How far the difference to the anchor moved, in points."""
        return abs(self.looser.difference_pp - self.stricter.difference_pp)

    @property
    def sentence(self) -> str:
        """Both verdicts in one sentence."""
        loose, strict = (told.says.format(anchor=self.anchor) for told in (self.looser, self.stricter))
        return f"Under {self.looser.setup}, {self.name} {loose}; under {self.stricter.setup}, it {strict}."


def changes(tables: Sequence[Table]) -> list[Change]:
    """The methods of one level whose verdict changes between setups, each with its widest change, widest first.

    `tables` are of one track and level, looser setups first. Each setup is compared with the next stricter one under
    which the verdict is another, provided that one of the two verdicts is better or worse, and both are of the same
    seeds. Equivalent, and better or worse within the margin, are the same finding but for its direction: no change.
    """
    by_method: dict[str, list[Told]] = {}
    seeds: dict[tuple[str, str], tuple[int, ...]] = {}
    chained = [table for table in tables if not HARNESS_SETUPS[table.setup].whole_pipeline]
    for table in chained:
        for row in table.ranked:
            if row.verdict:
                difference_pp = row.verdict.comparison.difference_pp
                within, more = bool(row.verdict.within_margin), more_in_words(row.more_epochs)
                told = Told(table.setup, verdict_word(row), difference_pp, within, more)
                by_method.setdefault(row.name, []).append(told)
                seeds[row.name, table.setup] = row.seeds

    def changed(name: str, loose: Told, strict: Told) -> bool:
        compatible = loose.within and strict.within and "equivalent" in (loose.word, strict.word)
        same_seeds = seeds[name, loose.setup] == seeds[name, strict.setup]
        stricter = HARNESS_SETUPS[strict.setup].implies(HARNESS_SETUPS[loose.setup])
        return stricter and loose.word != strict.word and same_seeds and not compatible

    found = []
    for name, seen in by_method.items():
        pairs = [
            Change(name, chained[0].anchor, loose, strict)
            for number, loose in enumerate(seen)
            if (strict := next((s for s in seen[number + 1 :] if changed(name, loose, s)), None))
            and {loose.word, strict.word} & {"better", "worse"}
        ]
        found += [max(pairs, key=lambda change: change.size_pp)] if pairs else []
    return sorted(found, key=lambda change: (-round(change.size_pp, 2), -abs(change.looser.difference_pp), change.name))


def recipes(found: Sequence[Change], tables: Sequence[Table], records: Mapping[str, Record]) -> list[str]:
    """How the methods and their anchor were retrained under each of the setups, a sentence for each where that differs.

    Whoever reads that a method wins has to know what the anchor was given. `tables` are of one level, `records` by
    hash.
    """
    by_setup: dict[str, list[str]] = {}
    for change in found:
        for setup in (change.looser.setup, change.stricter.setup):
            by_setup.setdefault(setup, [change.anchor]).append(change.name)
    sentences = []
    for table in (table for table in tables if table.setup in by_setup):
        rows = {row.name: row for row in table.ranked}
        alike: dict[str, list[str]] = {}
        for name in dict.fromkeys(by_setup[table.setup]):
            if name in rows:
                alike.setdefault(_recipe(rows[name], records), []).append(name)
        if len(alike) > 1:
            told = "; ".join(f"{_listed(names)} for {recipe}" for recipe, names in alike.items())
            sentences.append(f"Retraining under {table.setup}: {told}.")
    return sentences


def _recipe(row: Row, records: Mapping[str, Record]) -> str:
    """Epochs and LR as the records of a row have them, all of its seeds."""
    found = [r for sha in row.records if sha in records and (r := records[sha].outcome.retraining_recipe)]
    texts = [f"{recipe['epochs']} epochs at LR {recipe['lr']}{added_in_words(recipe)}" for recipe in found]
    return " or ".join(dict.fromkeys(texts)) or "no epoch"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
