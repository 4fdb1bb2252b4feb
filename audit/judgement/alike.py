"""Entries that differ only in their names, their compression and their results are judged alike in all else.

A table of results has many rows of one setting. What a pair of settings has in common is found once, with stand-ins
for the two names, and filled in for each pair of rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.metrics import RESULT_NAMES, result_fields
from prunemark.audit.document.reported_values import ReportedValue
from prunemark.audit.judgement.compressed import FIELDS
from prunemark.audit.judgement.details import Detail
from prunemark.setups.factors import FactorFinding

WINNER, LOSER = "\x01", "\x02"
"""Stand in for the names of the two sides; no document can hold such a character."""
OF_ONE_ROW = frozenset(
    (*(name for names in FIELDS.values() for name in names), *(f for name in RESULT_NAMES for f in result_fields(name)))
)
"""What differs from row to row; how many runs there were and which was chosen belong to the setting."""


@dataclass(frozen=True)
class _Key:
    """What two entries of one setting agree in; `entry` is the first that was seen."""

    name: str
    kind: str
    cycle_epochs: float
    said: tuple[tuple[Any, ...], ...]
    entry: Entry = field(compare=False)


@lru_cache(maxsize=8192)
def setting(entry: Entry, name: str) -> Entry:
    """The setting of an entry under a stand-in for its name: one object for all entries that are alike."""
    kept = {key: value for key, value in entry.reported.items() if key not in OF_ONE_ROW}
    return _one(_Key(name, entry.kind, entry.cycle_epochs, tuple(sorted(map(_said, kept.items()))), entry))


def _said(item: tuple[str, ReportedValue]) -> tuple[Any, ...]:
    name, found = item
    return name, repr(found.value), found.provenance, repr(found.first)


@lru_cache(maxsize=8192)
def _one(key: _Key) -> Entry:
    kept = {name: value for name, value in key.entry.reported.items() if name not in OF_ONE_ROW}
    return replace(key.entry, name=key.name, reported=kept)


def filled(text: str, winner: str, loser: str) -> str:
    """A text with the names in the place of their stand-ins."""
    return text.replace(WINNER, winner).replace(LOSER, loser)


def filled_finding(found: FactorFinding, winner: str, loser: str) -> FactorFinding:
    """A finding with the names."""
    return replace(found, why=filled(found.why, winner, loser))


def filled_detail(found: Detail, winner: str, loser: str) -> Detail:
    """A detail with the names."""
    names = {WINNER: winner, LOSER: loser}
    favours = None if found.favours is None else names[found.favours]
    return Detail(found.name, found.state, favours, found.why, tuple([names[one] for one in found.silent]))
