"""One track, one set of terms: records that ran on other terms than the rest are left out by name.

A released track never changes, so what a record says of it has to be what its file in `setups/tracks/` says. Of a
user's own track the terms that were stated first stand; its title is words, which may be corrected. Of several
versions of one track the newest is ranked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prunemark.records.record import Record, canonical_json
from prunemark.setups.track import WORDS
from prunemark.setups.track_files import released_tracks

FACTS_STATED_LATER = frozenset({"classes", "family"})
STATED_LATER = FACTS_STATED_LATER | {"prior"}
"""Fields that tracks state since records were first written: a record without them ran on the same terms.

Of a user's own track, facts may be stated later; a prior may not: what is expected of the noise is said before.
"""

UNKNOWN = ", which this Prunemark does not know: update it, or it was never released"
Objection = tuple[Record, str]


def on_the_same_terms(records: Sequence[Record]) -> tuple[list[Record], list[Objection]]:
    """The records whose track is the one they say, in the order given; and the others, with the reason in words."""
    stated = _stated_terms(records)
    kept: list[Record] = []
    others: list[Objection] = []
    for record in records:
        track, terms = record.outcome.track, record.outcome.track_terms
        words = frozenset() if track in released_tracks() else WORDS
        if terms is stated[track] or terms == stated[track] or not (fields := _differing(terms, stated[track], words)):
            kept.append(record)
            continue
        known = "the released track" if track in released_tracks() else "the first records of this track"
        others.append((record, f"ran on other terms of {track} than {known}: {', '.join(fields)}"))
    return kept, others


def _stated_terms(records: Iterable[Record]) -> dict[str, Mapping[str, Any]]:
    """By track: its terms as released, or else as the record that finished first states them.

    What that one did not state yet is as the first record that does states it.
    """
    released = released_tracks()
    found: dict[str, Mapping[str, Any]] = {}
    own: dict[str, list[Record]] = {}
    for record in records:
        track = record.outcome.track
        if track not in released:
            own.setdefault(track, []).append(record)
        elif track not in found:
            found[track] = json.loads(canonical_json(released[track].as_dict()))
    for track, them in own.items():
        them.sort(key=lambda r: (r.observed.finished_at, r.record_sha256))
        terms = dict(them[0].outcome.track_terms)
        for name in FACTS_STATED_LATER - terms.keys():
            stated = (r.outcome.track_terms for r in them)
            terms |= next(({name: each[name]} for each in stated if name in each), {})
        found[track] = terms
    return found


def _differing(terms: Mapping[str, Any], stated: Mapping[str, Any], words: frozenset[str]) -> list[str]:
    """The fields in which two sets of terms differ, apart from those that are words."""
    names = (terms.keys() | stated.keys()) - (STATED_LATER - terms.keys()) - words
    return sorted(name for name in names if name not in terms or terms[name] != stated.get(name))


def newest(records: Sequence[Record], track: str | None = None) -> tuple[list[Record], dict[str, int], list[Objection]]:
    """The records of the newest version of each track, or of the version `track` where that is asked for.

    Then, by id, how many records other versions have. A version of a track of Prunemark's that this Prunemark does not
    know stands behind those that it knows, and its records are objected to.
    """
    released = released_tracks()
    known_names = {_parted(id)[0] for id in released}
    unknown = {id for r in records if (id := r.outcome.track) not in released and _parted(id)[0] in known_names}
    ids = {record.outcome.track for record in records}
    latest: dict[str, tuple[int, str]] = {}
    for id in ids:
        name, number = _parted(id)
        latest[name] = max(latest.get(name, (-1, id)), (-1 if id in unknown else number, id))
    if track is not None:
        latest[_parted(track)[0]] = (0, track)
    ranked = {id: latest[_parted(id)[0]][1] for id in ids}
    kept = [record for record in records if ranked[record.outcome.track] == record.outcome.track]
    left = [record for record in records if ranked[record.outcome.track] != record.outcome.track]
    others = Counter(id for record in left if (id := record.outcome.track) not in unknown)
    objections = [
        (record, f"of {id}{UNKNOWN}; ranked are the records of {ranked[id]}")
        for record in left
        if (id := record.outcome.track) in unknown
    ]
    return kept, dict(sorted(others.items())), objections


def name_of(id: str) -> str:
    """The name of a track, without its version."""
    return _parted(id)[0]


def _parted(id: str) -> tuple[str, int]:
    name, _, version = id.rpartition("@")
    return (name, int(version)) if name and version.isascii() and version.isdigit() and len(version) < 9 else (id, 0)
