"""Release against release: what changed in the field of competitors, which is what a release freezes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from prunemark.leaderboard.site.track_facts import some_of
from prunemark.leaderboard.standings.board import Board
from prunemark.leaderboard.standings.release import FrozenTable, Release, frozen_tables


def changes(board: Board, releases: Sequence[Release]) -> dict[str, str]:
    """By release what it has that the one before did not, in words; "" is this board against the newest release.

    `releases` are from first to last. Verdicts are compared where both hold them: the first two forms of a
    release do not.
    """
    found = {after.id: _rules(before, after) + _changed(before.fields, after.fields)
             for before, after in pairwise(releases)}  # fmt: skip
    if releases and not board.release:
        found[""] = _changed(releases[-1].fields, frozen_tables(board))
    return {id: f"{said[:1].upper()}{said[1:]}." for id, said in found.items()}


def _rules(before: Release, after: Release) -> str:
    return f"judged by {after.rules} in place of {before.rules}; " if before.rules != after.rules else ""


def _changed(before: Sequence[FrozenTable], after: Sequence[FrozenTable]) -> str:
    """Tables, methods and seeds that came or went."""
    old, new = ({(t.track, t.setup, t.level): t for t in tables} for tables in (before, after))
    both = [(old[place], new[place]) for place in old.keys() & new.keys()]
    came = {each.name for now in new.values() for each in now.entrants}
    came -= (had := {each.name for then in old.values() for each in then.entrants})
    went = had - {each.name for now in new.values() for each in now.entrants}
    more = sum(_seeds(then) < _seeds(now) for then, now in both)
    ranked = sum(_ranked(then) != _ranked(now) for then, now in both)
    parts = [
        _counted(len(new.keys() - old.keys()), "table", "more", _tracks(new) - _tracks(old), "on"),
        _counted(len(old.keys() - new.keys()), "table", "fewer", _tracks(old) - _tracks(new), "of"),
        _counted(len(came), "competitor", "more", came, ":"),
        _counted(len(went), "competitor", "fewer", went, ":"),
        _counted(more, "table", "with more seeds"),
        _counted(ranked, "table", "that ranks others"),
        _turned(both),
    ]
    return ", ".join(filter(None, parts)) or "the same field"


def _turned(both: Sequence[tuple[FrozenTable, FrozenTable]]) -> str:
    """The methods that got another verdict, each with its table."""
    found = []
    for then, now in both:
        words = {(each.name, str(each.settings)): each.verdict for each in then.entrants}
        for each in now.entrants:
            was = words.get((each.name, str(each.settings)))
            if was and each.verdict and was != each.verdict:
                found.append(f"{each.name} from {was} to {each.verdict} on {now.track}, {now.setup}, {now.level}")
    return _counted(len(found), "verdict", "changed", found, ":")


def _counted(count: int, what: str, how: str, names: Sequence[str] | set[str] = (), word: str = "") -> str:
    if not count:
        return ""
    listed = some_of(sorted(names))
    said = f"{count} {what}{'s' * (count > 1)} {how}"
    return f"{said}{'' if word == ':' else ' '}{word} {listed}" if listed else said


def _tracks(tables: dict[tuple[str, str, str], FrozenTable]) -> set[str]:
    return {track for track, _, _ in tables}


def _seeds(table: FrozenTable) -> int:
    return sum(each.seeds for each in table.entrants)


def _ranked(table: FrozenTable) -> set[str]:
    return {each.name for each in table.entrants if each.ranked}
