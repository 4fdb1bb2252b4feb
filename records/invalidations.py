"""Records that no longer count: an appended list with reasons. Nothing is deleted, and nothing counts twice.

`records/invalidations.jsonl`, one line each: {"at": ISO date, "reason": "...", "record_sha256": "..."}.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from prunemark.records.pack import SHA256
from prunemark.records.record import canonical_json
from prunemark.records.writer import append_line
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError

FILE = "invalidations.jsonl"
LONGEST_REASON = 500
LARGEST, MOST_LINES, MOST_WRONG = 2**23, 50_000, 100
"""Bytes and lines of the list that are read, and lines that are no invalidation after which no more are."""


@dataclass(frozen=True)
class Invalidation:
    """One record that does not count, since when and why."""

    at: str
    reason: str
    record_sha256: str


def read_invalidations(folder: Path) -> tuple[tuple[Invalidation, ...], tuple[tuple[str, str], ...]]:
    """The invalidations of a `records` folder, and (place, why) for every line that is none. No file: no lines."""
    path = folder / FILE
    if not path.exists():
        return (), ()
    try:
        lines = read_bounded(path, LARGEST, FILE).split(b"\n", MOST_LINES)
    except InputError as problem:
        return (), ((FILE, str(problem).removeprefix(f"{FILE} ")),)
    found: dict[str, Invalidation] = {}
    wrong: list[tuple[str, str]] = []
    for number, line in enumerate(lines, 1):
        place = f"{FILE}, line {number}"
        if len(wrong) == MOST_WRONG or number > MOST_LINES:
            return tuple(found.values()), (*wrong, (place, "and what follows is not read: too much before it is wrong"))
        try:
            entry = _read(line) if line.strip() else None
        except (ValueError, TypeError, RecursionError):
            wrong.append((place, "is not an invalidation"))
            continue
        if entry and entry.record_sha256 in found:
            wrong.append((place, "invalidates a record a second time"))
        elif entry:
            found[entry.record_sha256] = entry
    return tuple(found.values()), tuple(wrong)


def _read(line: bytes) -> Invalidation:
    """Raises ValueError or TypeError for a line that is no invalidation."""
    entry = Invalidation(**json.loads(line))
    texts = (entry.at, entry.reason, entry.record_sha256)
    if not all(isinstance(text, str) for text in texts) or not SHA256.fullmatch(entry.record_sha256):
        raise ValueError("no texts, or no hash")
    return entry


def invalidate(folder: Path, record_sha256: str, reason: str, at: str, known: Collection[str]) -> Invalidation:
    """Appends one invalidation to a `records` folder. `at` is the ISO date, `known` the records that are there.

    Raises InputError for a record that is not known, that is invalidated already, or without a reason of at most
    500 characters on one line; WorkFailed when the disk refuses.
    """
    said = reason.strip()
    if not said or len(said) > LONGEST_REASON or not said.isprintable():
        raise InputError(f"--reason says why in one line of 1 to {LONGEST_REASON} characters; given {reason[:60]!r}")
    if record_sha256 not in known:
        raise InputError(f"no record {record_sha256[:64]!r} in {str(folder)!r}, so there is nothing to invalidate")
    before = {entry.record_sha256: entry for entry in read_invalidations(folder)[0]}
    if old := before.get(record_sha256):
        raise InputError(f"record {record_sha256[:12]} does not count since {old.at[:10]} already: {old.reason}")
    entry = Invalidation(at, said, record_sha256)
    append_line(folder / FILE, canonical_json(entry))
    return entry
