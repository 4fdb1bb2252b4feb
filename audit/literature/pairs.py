"""Pairs of rows of a table: those that a claim names, or all runs that can be compared."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from prunemark.audit.document.claims import Claim
from prunemark.audit.document.metrics import METRICS
from prunemark.audit.document.names import canonical
from prunemark.audit.judgement.audit_claim import Audit, audit_entries
from prunemark.audit.judgement.compressed import at_a_glance, compression_finding
from prunemark.audit.judgement.noise import OwnRepeats
from prunemark.audit.literature.results_csv import TableEntry, metric_of
from prunemark.audit.literature.runs import distinct, drop_of, result_of
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.factors import plain_name
from prunemark.setups.values import State, known

GroupKey = tuple[str, str]
NO_TOKENS: frozenset[str] = frozenset()


def group_of(row: TableEntry) -> GroupKey:
    """(dataset, network) as the table of names lists them, however the row spells them."""
    dataset, network = (str(known(row.entry[name].value) or "?") for name in ("dataset", "network.name"))
    return canonical("datasets", dataset), canonical("networks", network)


def groups(rows: Sequence[TableEntry]) -> dict[GroupKey, list[TableEntry]]:
    """The rows by dataset and network, in the order of the table."""
    found: dict[GroupKey, list[TableEntry]] = defaultdict(list)
    for row in rows:
        found[group_of(row)].append(row)
    return dict(found)


@dataclass(frozen=True)
class Pairing:
    """Two rows of one dataset, network and metric, the better result first, and how their compression compares.

    `common` says that both state one measure of it, MACs or weights.
    """

    winner: TableEntry
    loser: TableEntry
    metric: str
    compression: State

    common: bool

    @property
    def comparable(self) -> bool:
        """Whether the better result is known to be compressed at least as much, or only printed digits leave it open.

        Otherwise it says nothing of the methods: a network that keeps more is more accurate.
        """
        return self.compression is not State.REFUTED and self.common


def pairings(rows: Sequence[TableEntry]) -> Iterator[Pairing]:
    """Every two runs within one dataset, network and metric; a run that several rows list stands once.

    Better is the higher accuracy, or the smaller drop where a drop is all that one of them prints.
    """
    for group in groups([run.row for run in distinct(rows)]).values():
        by_metric: dict[str, list[tuple[float | None, float | None, TableEntry]]] = defaultdict(list)
        for row in group:
            metric, value, drop = metric_of(row.row), result_of(row), drop_of(row)
            if metric is not None and (value is not None or drop is not None):
                score = None if value is None else value * METRICS[metric].sign
                by_metric[metric].append((score, drop, row))
        for metric, its in by_metric.items():
            for (a, lost_a, one), (b, lost_b, other) in combinations(its, 2):
                if a is not None and b is not None:
                    first = a >= b
                elif lost_a is not None and lost_b is not None:
                    first = lost_a <= lost_b
                else:
                    continue
                yield _pairing(*((one, other) if first else (other, one)), metric)


def _pairing(winner: TableEntry, loser: TableEntry, metric: str) -> Pairing:
    seen = at_a_glance(winner.entry, loser.entry)
    state = seen or compression_finding(winner.entry, loser.entry, NO_TOKENS).state
    return Pairing(winner, loser, metric, state, seen is not State.UNDECIDABLE)


def all_pairs(rows: Sequence[TableEntry], own: OwnRepeats | None = None) -> Iterator[Audit]:
    """Every pair of runs that can be compared (`Pairing.comparable`); the claim is that the better result is better."""
    for found in pairings(rows):
        if found.comparable:
            claim = Claim(found.winner.id, found.loser.id, metric=found.metric)
            yield audit_entries(found.winner.entry, found.loser.entry, claim, own=own)


def claimed(rows: Sequence[TableEntry], claim: str, own: OwnRepeats | None = None) -> list[Audit]:
    """The pairs a claim such as `L1-norm>HRank` or `R011>R007` names: by row id, else by method.

    A method that stands in several rows is compared wherever dataset and network are the same. Raises
    InputError when a side names no row, or no two rows share dataset and network.
    """
    left, right = (_named(rows, side) for side in sides(claim, "with methods or row ids: 'L1-norm>HRank'"))
    chosen = [(a, b) for a in left for b in right if a is not b]
    if len(left) > 1 or len(right) > 1:
        chosen = [(a, b) for a, b in chosen if group_of(a) == group_of(b)]
    if not chosen:
        raise InputError(f"the claim {claim!r} names no two rows of one dataset and network")
    return [audit_entries(a.entry, b.entry, Claim(a.id, b.id), own=own) for a, b in chosen]


def sides(claim: str, example: str) -> tuple[str, str]:
    """The winner and the loser of `WINNER>LOSER`. Raises InputError with the `example`."""
    winner, _, loser = (part.strip() for part in claim.partition(">"))
    if not winner or not loser:
        raise InputError(f"cannot read the claim {claim!r}. Write WINNER>LOSER, {example}")
    return winner, loser


def _named(rows: Sequence[TableEntry], name: str) -> list[TableEntry]:
    by_id = [row for row in rows if row.id == name]
    if by_id:
        return by_id
    wanted = plain_name(name)
    by_method = [
        row for row in rows if wanted in (plain_name(row.entry.method), plain_name(row.row.get("variant", "")))
    ]
    begins = [row for row in rows if plain_name(row.entry.method).startswith(wanted)]
    if not by_method and not begins:
        raise unknown_name("row or method", name, {row.entry.method for row in rows})
    return by_method or begins
