"""Which method a record is of, and which trial."""

from __future__ import annotations

from collections.abc import Sequence

from prunemark.records.matched_to import RATIOS_OF, Settings
from prunemark.records.outcome import Outcome
from prunemark.records.record import Record, canonical_json


def identity(record: Record) -> str:
    """What one trial is: the same track, setup, level, seed and method."""
    return trial_of(record, method_of(record))


def trial_of(record: Record, who: str) -> str:
    """What one trial is, given which method it is of."""
    o = record.outcome
    return repr((o.track, o.setup, o.level, o.seed, who))


def method_of(record: Record) -> str:
    """The method that a record is of: its name, code and settings; of a control, its layer ratios too."""
    return _who(record.outcome, record.outcome.method.settings)


def methods_of(records: Sequence[Record]) -> list[str]:
    """The method that each of the records is of, as a board has to see it; not so what one record says by itself.

    A control that failed left no network to read its layer ratios from: it is the control of its name, code and
    settings that has some, where there is just one in its table. On N:M tracks the ratios are nobody's
    (`own_settings`).
    """
    found: list[str] = []
    unknown: list[int] = []
    known: dict[str, set[str]] = {}
    for index, record in enumerate(records):
        o = record.outcome
        found.append(_who(o, own_settings(o)))
        if _is_given_ratios(o, own_settings(o)):
            if o.compression is None:
                unknown.append(index)
            else:
                known.setdefault(_without_ratios(o), set()).add(found[index])
    for index in unknown:
        candidates = known.get(_without_ratios(records[index].outcome), set())
        if len(candidates) == 1:
            found[index] = next(iter(candidates))
    return found


def own_settings(outcome: Outcome) -> Settings:
    """The settings that tell a method from others.

    Under an N:M pattern every layer keeps the same share. A control there has the ratios of all methods, not those of
    the one that it is matched to, which its record names.
    """
    method = outcome.method
    return method.chosen if RATIOS_OF in method.settings and outcome.track_terms.get("pattern") else method.settings


def _who(outcome: Outcome, settings: Settings) -> str:
    compression = outcome.compression
    ratios = compression.kept if compression and _is_given_ratios(outcome, settings) else None
    return _named(outcome, settings, ratios)


def _is_given_ratios(outcome: Outcome, settings: Settings) -> bool:
    return outcome.method.role in ("control", "reference") and RATIOS_OF not in settings


def _without_ratios(outcome: Outcome) -> str:
    o = outcome
    return repr((o.track, o.setup, o.level, _named(o, own_settings(o), None)))


def _named(outcome: Outcome, settings: Settings, ratios: object) -> str:
    method = outcome.method
    return canonical_json([method.name, method.kind, method.source_sha256, settings, ratios])
