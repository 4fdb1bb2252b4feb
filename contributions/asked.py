"""What a board asks of new results, beyond what is asked everywhere: isolation, seeds, settings of shipped methods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from prunemark.benchmark.submission.declared import class_values, defaults_of, lineage
from prunemark.benchmark.submission.locate import locate
from prunemark.records.board_terms import BoardTerms, read_terms
from prunemark.records.card import known_methods
from prunemark.records.fresh_seeds import FreshSeeds, read_draws
from prunemark.records.record import Record


@dataclass(frozen=True)
class Asked:
    """What a board asks: its terms, and the seeds that it drew."""

    terms: BoardTerms
    draws: tuple[FreshSeeds, ...] = ()

    def against(self, record: Record) -> Iterator[str]:
        """What a new record does not meet, in words."""
        o, method = record.outcome, record.outcome.method
        isolation = record.observed.isolation
        if method.kind == "pruned" and method.name not in known_methods() and not self.terms.admits(isolation):
            yield (
                f"ran with isolation {isolation[:40]!r}, and this board asks for {' or '.join(self.terms.accepted)}. "
                "`prunemark doctor` says what a machine has; run it where that is enough"
            )
        if drawn := [draw for draw in self.draws if draw.track == o.track and o.seed in draw.seeds]:
            yield (
                f"is on a seed that this board drew for {drawn[0].method}. Only `prunemark confirm` brings results on "
                "those: leave it out"
            )
        elif any(draw.is_for(o) for draw in self.draws):  # one of them could be what `confirm` goes by
            yield "is of a row that this board drew seeds for: other seeds change nothing any more. Leave it out"
        known = default_settings(method.name) if method.kind == "pruned" and method.name in known_methods() else {}
        if other := {name: value for name, value in method.chosen.items() if known.get(name, value) != value}:
            yield (
                f"is of a method that ships with Prunemark, with settings that are not its own: {other}. "
                "Derive a class with another name from it: then the board draws its seeds"
            )


def asked_by(board: Path) -> Asked | None:
    """What a board's folder asks; None where it has no `board.toml`. Raises InputError for one that is wrong."""
    terms = read_terms(board)
    return Asked(terms, read_draws(board / "records")[0]) if terms else None


@cache
def default_settings(name: str) -> Mapping[str, Any]:
    """The default settings of a method that ships, read off its source: nothing is executed."""
    source = locate(name)[1]
    return defaults_of(class_values(lineage(Path(source.path), source.class_name)))
