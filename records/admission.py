"""Which records a board admits. Every record that it leaves out is named, with the reason.

One odd record must not cost the rest their board. A record is left out, in this order, where
- no table can be made of it: what it says is not known here, or cannot be, or is not what its setup imposes;
- it ran on other terms of its track than the rest. A released track never changes, so what a record says of it has to
  be what its file in `setups/tracks/` says. Of a user's own track the terms that were stated first stand; its title is
  words, which can be corrected;
- it is of an older version of its track: of several versions the newest is ranked.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prunemark.records.imposed import contradiction
from prunemark.records.outcome import Outcome
from prunemark.records.record import Record, canonical_json
from prunemark.setups.comparison import HARNESS_SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.given_base import bases_from
from prunemark.setups.schedule import from_vector
from prunemark.setups.track import DENSE_LEVEL, WORDS
from prunemark.setups.track_files import known_track, released_tracks

TEXTS = ("title", "dataset", "network", "anchor", "granularity")
TEXTS_OR_NOTHING = ("family", "pattern")

FACTS_STATED_LATER = frozenset({"classes", "family"})
STATED_LATER = FACTS_STATED_LATER | {"prior"}
"""Fields that tracks state since records were first written: a record without them ran on the same terms.

Of a user's own track, facts may be stated later; a prior must not: what is expected of the noise is said before.
"""

UNKNOWN = ", which this Prunemark does not know: update it, or it was never released"


LONGEST = 200
"""Characters of a method's, track's, level's or setup's name."""


@dataclass(frozen=True)
class Refused:
    """A record that was left out: what it is called, why, and the hash of the one that stands in its place, if any."""

    name: str
    why: str
    newer: str = ""

    @classmethod
    def record(cls, record: Record, why: str, newer: str = "") -> Refused:
        """A record by the name of its file."""
        return cls(f"{record.record_sha256}.json", why, newer)


@dataclass
class Admission:
    """The records that are admitted, in the order given, and those that are not.

    `other_versions` are those versions of tracks that are not ranked, with their numbers of records.
    """

    admitted: list[Record] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    other_versions: dict[str, int] = field(default_factory=dict)

    def judge(self, record: Record, why: str) -> None:
        """Admits the record, or refuses it where there is a reason."""
        if why:
            self.refused.append(Refused.record(record, why))
        else:
            self.admitted.append(record)


def admit(records: Sequence[Record], track: str | None = None) -> Admission:
    """The records of which a board is made. Of several versions of one track the newest is ranked, or `track`."""
    complete = complete_enough(records)
    alike = on_the_same_terms(complete.admitted)
    ranked = of_the_newest_version(alike.admitted, track)
    return Admission(ranked.admitted, complete.refused + alike.refused + ranked.refused, ranked.other_versions)


def complete_enough(records: Sequence[Record]) -> Admission:
    """Admits the records of which a table can be made."""
    examples = _test_examples(records)
    of_terms: dict[int, str] = {}  # thousands of records share what the reader keeps once
    found = Admission()
    for record in records:
        outcome = record.outcome
        terms = id(outcome.track_terms)
        if terms not in of_terms:
            of_terms[terms] = "" if outcome.track in released_tracks() else why_no_track(outcome.track_terms)
        found.judge(record, of_terms[terms] or _why_no_table(record) or _other_test_set(outcome, examples))
    return found


def of_other_levels(records: Iterable[Record]) -> list[Refused]:
    """The records of levels that their tracks do not state, which stand in no table. A paper's table has its own."""
    return [
        Refused.record(record, f"is of level {o.level!r}, which {o.track} does not have")
        for record in records
        if (o := record.outcome).level not in (DENSE_LEVEL.name, *(each["name"] for each in o.track_terms["levels"]))
    ]


def why_no_track(terms: Mapping[str, Any]) -> str:
    """What a table needs and these terms of somebody's own track lack, in words; "" if they have it all."""
    wrong = [name for name in TEXTS if not isinstance(terms.get(name), str)]
    wrong += [name for name in TEXTS_OR_NOTHING if not isinstance(terms.get(name, ""), str)]
    wrong += ["margin_pp"] * (not _positive(terms.get("margin_pp")))
    wrong += ["classes"] * ("classes" in terms and not _positive(terms["classes"]))
    prior = terms.get("prior")
    if prior is not None and not (isinstance(prior, dict) and all(_positive(prior.get(k)) for k in ("df", "sd_pp"))):
        wrong.append("prior")
    levels = terms.get("levels")
    whole = isinstance(levels, Sequence) and not isinstance(levels, str)
    if not whole or not all(isinstance(each, dict) and isinstance(each.get("name"), str) for each in levels or [None]):
        wrong.append("levels")
    wrong += ["base"] * ("base" in terms and not _are_bases(terms["base"]))
    return f"states a track of which no table can be made: {', '.join(sorted(wrong))}" if wrong else ""


def _are_bases(stated: object) -> bool:
    try:
        return bool(bases_from(stated))
    except InputError:
        return False


def _why_no_table(record: Record) -> str:
    outcome, observed = record.outcome, record.observed
    if any(len(name) > LONGEST for name in (outcome.method.name, outcome.track, outcome.level, outcome.setup)):
        return f"has a name of more than {LONGEST} characters"
    if outcome.setup not in HARNESS_SETUPS:
        return f"ran under {outcome.setup!r}, a setup that this Prunemark does not know: update it"
    if outcome.status == "ok" and outcome.accuracy is None:
        return "ended well and has no accuracy"
    timed = (*([observed.latency] if observed.latency else []), *observed.passes, *observed.dense_passes)
    if not all(each.median_ms > 0 for each in timed):
        return "says that a forward pass took no time"
    try:
        for stage in (outcome.base.pretraining if outcome.base else None, outcome.pruning, outcome.retraining):
            if stage is not None:
                from_vector(stage.lr)
    except InputError as problem:
        return f"has an LR schedule that cannot be: {problem}"
    return contradiction(outcome)


def _test_examples(records: Iterable[Record]) -> dict[str, int]:
    """By track, the size of its test split: that of most of its records, and of equally many the larger one."""
    counts: dict[str, Counter[int]] = {}
    for record in records:
        if accuracy := record.outcome.accuracy:
            counts.setdefault(record.outcome.track, Counter())[accuracy.test_examples] += 1
    return {track: max(of, key=lambda size: (of[size], size)) for track, of in counts.items()}


def _other_test_set(outcome: Outcome, examples: Mapping[str, int]) -> str:
    if outcome.accuracy is None or outcome.accuracy.test_examples == examples[outcome.track]:
        return ""
    mine, theirs = outcome.accuracy.test_examples, examples[outcome.track]
    return f"was tested on {mine} images, the others of {outcome.track} on {theirs}"


def _positive(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value > 0  # type: ignore[arg-type,operator]


def on_the_same_terms(records: Sequence[Record]) -> Admission:
    """Admits the records whose track is the one they say."""
    stated = _stated_terms(records)
    ours = {track for track in stated if known_track(track)}
    found = Admission()
    for record in records:
        track, terms = record.outcome.track, record.outcome.track_terms
        words = frozenset() if track in ours else WORDS
        alike = terms is stated[track] or terms == stated[track]
        fields = [] if alike else _differing(terms, stated[track], words)
        known = "the released track" if track in ours else "the first records of this track"
        why = f"ran on other terms of {track} than {known}: {', '.join(fields)}" if fields else ""
        found.judge(record, why)
    return found


def _stated_terms(records: Iterable[Record]) -> dict[str, Mapping[str, Any]]:
    """By track: its terms as released, or else as the record that finished first states them.

    What that one did not state yet is as the first record that does states it.
    """
    found: dict[str, Mapping[str, Any]] = {}
    own: dict[str, list[Record]] = {}
    for record in records:
        track = record.outcome.track
        if track in own:
            own[track].append(record)
        elif track not in found:
            if known := known_track(track):
                found[track] = json.loads(canonical_json(known.as_dict()))
            else:
                own[track] = [record]
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


def of_the_newest_version(records: Sequence[Record], track: str | None = None) -> Admission:
    """Admits the records of the newest version of each track, or of the version `track` where that is asked for.

    A version of a track of Prunemark's that this Prunemark does not know stands behind those that it knows, and its
    records are refused.
    """
    released = released_tracks()
    known_names = {track_name(id) for id in released}
    unknown = {id for r in records if (id := r.outcome.track) not in released and track_name(id) in known_names}
    latest: dict[str, tuple[int, str]] = {}
    for id in {record.outcome.track for record in records}:
        name, number = _parted(id)
        latest[name] = max(latest.get(name, (-1, id)), (-1 if id in unknown else number, id))
    if track is not None:
        latest[track_name(track)] = (0, track)
    found, others = Admission(), Counter[str]()
    for record in records:
        id = record.outcome.track
        ranked = latest[track_name(id)][1]
        if id == ranked or id in unknown:
            found.judge(record, "" if id == ranked else f"of {id}{UNKNOWN}; ranked are the records of {ranked}")
        else:
            others[id] += 1
    found.other_versions = dict(sorted(others.items()))
    return found


def track_name(id: str) -> str:
    """The name of a track, without its version."""
    return _parted(id)[0]


def _parted(id: str) -> tuple[str, int]:
    name, _, version = id.rpartition("@")
    return (name, int(version)) if name and version.isascii() and version.isdigit() and len(version) < 9 else (id, 0)
