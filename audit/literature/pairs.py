"""Pairs of rows of a table: those that a claim names, or all within one dataset and network."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from prunemark.audit.document.claims import Claim
from prunemark.audit.document.names import canonical
from prunemark.audit.judgement.audit_claim import Audit, audit_entries
from prunemark.audit.judgement.noise import OwnRepeats
from prunemark.audit.literature.results_csv import TableEntry
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.factors import plain_name
from prunemark.setups.values import known

GroupKey = tuple[str, str]


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


def all_pairs(rows: Sequence[TableEntry], own: OwnRepeats | None = None) -> Iterator[Audit]:
    """Every pair within a dataset and network; the claim is that the higher accuracy is better."""
    for group in groups(rows).values():
        scored = [(top1, row) for row in group if (top1 := known(row.entry["result.top1"].value)) is not None]
        for (a, left), (b, right) in combinations(scored, 2):
            winner, loser = (left, right) if a >= b else (right, left)
            yield audit_entries(winner.entry, loser.entry, Claim(winner.id, loser.id), own=own)


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
