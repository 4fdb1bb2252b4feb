"""Sound records of which no table can be made: what they say is not known here, or cannot be.

One of them must not cost the rest their board. They are left out by name, as those of other terms are (`versions`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prunemark.records.outcome import Outcome
from prunemark.records.record import Record
from prunemark.records.versions import Objection
from prunemark.setups.comparison import HARNESS_SETUPS
from prunemark.setups.errors import InputError
from prunemark.setups.schedule import from_vector
from prunemark.setups.track_files import released_tracks

DENSE_LEVEL = "dense"
TEXTS = ("title", "dataset", "network", "anchor", "granularity")
TEXTS_OR_NOTHING = ("family", "pattern")


def usable(records: Sequence[Record]) -> tuple[list[Record], list[Objection]]:
    """The records of which a table can be made, in the order given; and the others, with the reason in words."""
    examples = _test_examples(records)
    of_terms: dict[int, str] = {}  # thousands of records share what the reader keeps once
    kept: list[Record] = []
    others: list[Objection] = []
    for record in records:
        outcome = record.outcome
        terms = id(outcome.track_terms)
        if terms not in of_terms:
            of_terms[terms] = "" if outcome.track in released_tracks() else why_no_track(outcome.track_terms)
        why = of_terms[terms] or _why_not(record) or _other_test_set(outcome, examples)
        if why:
            others.append((record, why))
        else:
            kept.append(record)
    return kept, others


def of_no_level(records: Iterable[Record]) -> list[Objection]:
    """The records of levels that their tracks do not state, which stand in no table. A paper's table has its own."""
    return [
        (record, f"is of level {o.level!r}, which {o.track} does not have")
        for record in records
        if (o := record.outcome).level not in (DENSE_LEVEL, *(each["name"] for each in o.track_terms["levels"]))
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
    return f"states a track of which no table can be made: {', '.join(sorted(wrong))}" if wrong else ""


def _why_not(record: Record) -> str:
    outcome, observed = record.outcome, record.observed
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
    return ""


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
