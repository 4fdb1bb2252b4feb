"""Confirming contributed methods: a board draws fresh seeds for them, and runs them and the anchor on these.

Whoever keeps the board does it, after the code was registered: a contribution writes a method's source into `methods/`
and its records into `records/`. Seeds are written down before anything runs, and stay: a run that was cut short goes on
with the same ones, and whoever draws more has all of them counted. Not covered: that somebody draws in one copy of the
board after another and publishes the copy that is liked. It rests on the board's side not to.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from prunemark.benchmark.run.drive import Executor
from prunemark.benchmark.run.home import Home
from prunemark.benchmark.trial.trial import Trial
from prunemark.contributions.draw import can_run
from prunemark.contributions.rerun import Code, trial_of
from prunemark.leaderboard.standings.field import find_anchor
from prunemark.leaderboard.standings.method_results import results_of, terms_of
from prunemark.records.card import known_methods
from prunemark.records.fresh_seeds import FreshSeeds, draw_seeds, drawn_for
from prunemark.records.identity import method_of, own_settings
from prunemark.records.matched_to import MatchedTo
from prunemark.records.record import Record, canonical_json
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.track import ANY_TIME, parse_planned

USUAL = 5


@dataclass(frozen=True, eq=False)
class Contributed:
    """One row of a board that needs fresh seeds: a method with its settings on one track, under one setup.

    `records` has one record at each level at which it was contributed.
    """

    records: dict[str, Record]

    @property
    def any(self) -> Record:
        """One of them, for what all have in common."""
        return next(iter(self.records.values()))

    @property
    def label(self) -> str:
        """The row in words."""
        o = self.any.outcome
        settings = ", ".join(f"{name}={value}" for name, value in sorted(o.method.settings.items()))
        named = f"{o.method.name} {o.method.source_sha256[:8]}{f' ({settings})' if settings else ''}"
        return f"{named} on {o.track}, {o.setup}"

    def drawn(self, draws: Sequence[FreshSeeds]) -> dict[str, tuple[int, ...]]:
        """By level, the seeds that were drawn for it."""
        return {level: drawn_for(record.outcome, draws) for level, record in self.records.items()}


def contributed(
    records: Sequence[Record], methods: Sequence[str] = (), track: str | None = None, setup: str | None = None
) -> list[Contributed]:
    """The rows that need fresh seeds: all, or those of some methods, by name or by the start of the source's hash.

    Of several records of a row at a level, one that can be run again stands for it. Raises InputError for a method that
    the board does not have, and where there is nothing to confirm.
    """
    found: dict[tuple[str, str, str], dict[str, Record]] = {}
    for record in sorted(records, key=lambda r: (not _runs(r), r.outcome.seed)):
        o = record.outcome
        theirs = o.method.kind == "pruned" and o.method.name not in known_methods()
        if theirs and track in (None, o.track) and setup in (None, o.setup):
            found.setdefault((o.track, o.setup, method_of(record)), {}).setdefault(o.level, record)
    rows = [Contributed(dict(sorted(levels.items()))) for _, levels in sorted(found.items())]
    if not rows:
        raise InputError("nothing to confirm: there is no method here that does not ship with Prunemark")
    for name in methods:
        if not any(_called(row, name) for row in rows):
            raise unknown_name("contributed method", name, dict.fromkeys(r.any.outcome.method.name for r in rows))
    return [row for row in rows if not methods or any(_called(row, name) for name in methods)]


def _runs(record: Record) -> bool:
    return can_run(record, ()) and record.outcome.status == "ok"


def _called(row: Contributed, name: str) -> bool:
    method = row.any.outcome.method
    return method.name == name or (len(name) >= 8 and method.source_sha256.startswith(name))


def draws_needed(
    rows: Sequence[Contributed], draws: Sequence[FreshSeeds], records: Sequence[Record],
    number: int | None, at: str, randomness: random.Random,
) -> list[FreshSeeds]:  # fmt: skip
    """The draws that give every row `number` seeds at every level; by default 5, or as many as its track plans.

    Rows of one track share the new seeds, and so the anchor's runs: all of them are registered already. No seed is one
    that anything on the track has run on, or that was drawn there before.
    """
    found: list[FreshSeeds] = []
    for track in dict.fromkeys(row.any.outcome.track for row in rows):
        here = [row for row in rows if row.any.outcome.track == track]
        lacking = [(row, levels, count) for row in here for count, levels in _lacking(row, draws, number).items()]
        if not lacking:
            continue
        taken = {r.outcome.seed for r in records if r.outcome.track == track}
        taken |= {seed for draw in draws if draw.track == track for seed in draw.seeds}
        pool = draw_seeds(max(count for _, _, count in lacking), taken, randomness)
        for row, levels, count in lacking:
            o, method = row.any.outcome, row.any.outcome.method
            found.append(
                FreshSeeds(
                    at, tuple(levels), method.name, pool[:count], dict(method.settings), o.setup,
                    method.source_sha256, track,
                )
            )  # fmt: skip
    return found


def _lacking(row: Contributed, draws: Sequence[FreshSeeds], number: int | None) -> dict[int, list[str]]:
    """By how many seeds more are needed, the levels that need them."""
    judged = str(terms_of([row.any]).get("judged") or ANY_TIME)
    wanted = number or (USUAL if judged == ANY_TIME else parse_planned(judged))
    found: dict[int, list[str]] = {}
    for level, seeds in row.drawn(draws).items():
        if len(seeds) < wanted:
            found.setdefault(wanted - len(seeds), []).append(level)
    return found


@dataclass(frozen=True)
class Confirmation:
    """What a board has, and how to make trials of it: `scratch` is an empty folder, `isolation` as in `Trial`."""

    records: tuple[Record, ...]
    code: Code
    scratch: Path
    home: Home
    isolation: str = ""
    templates: dict[str, Trial] = field(default_factory=dict)

    def why_not(self, row: Contributed) -> str:
        """Why a row cannot be run here, in words; "" if it can."""
        if self._source(row.any) not in self.code.sources:
            return f"its source {self._source(row.any)[:12]} is not in methods/: it is not registered"
        if (bases := len(row.any.outcome.track_terms.get("base") or ())) > 1:
            return f"its track gives {bases} base models, one for each seed: there are no fresh seeds to draw"
        for level, record in row.records.items():
            if not can_run(record, self.records):
                o = record.outcome
                return f"{level} cannot be run again here ({o.status} on {record.observed.device} under {o.setup})"
            if self._anchor(record) is None:
                return f"the board has no result of the anchor at {level}"
        return ""

    def trials(self, row: Contributed, draws: Sequence[FreshSeeds], executor: Executor) -> Iterator[Trial]:
        """What a row needs on all its fresh seeds and the board does not hold: method, anchor, matched controls."""
        held = {_trial(record): record for record in self.records}
        for level, seeds in row.drawn(draws).items():
            mine = row.records[level]
            anchor = self._anchor(mine)
            for record in (mine, *([anchor] if anchor else []), *self._controls(mine)):
                todo = [seed for seed in seeds if _trial(record, seed) not in held]
                if not todo:
                    continue
                trial = self._template(record, executor)
                if trial.submission:  # a control takes the layer ratios of a trial that has to run before it
                    trial = replace(trial, submission=self._template(mine, executor).entrant)
                for seed in todo:
                    if trial.submission:
                        yield replace(trial.of(trial.submission), seed=seed)
                    yield replace(trial, seed=seed)

    def _template(self, record: Record, executor: Executor) -> Trial:
        if record.record_sha256 not in self.templates:
            folder = self.scratch / record.record_sha256[:16]
            made = trial_of(record, self.records, self.code, folder, self.home, executor, self.isolation)
            self.templates[record.record_sha256] = made
        return self.templates[record.record_sha256]

    def _source(self, record: Record) -> str:
        return record.outcome.method.source_sha256

    def _here(self, record: Record) -> list[Record]:
        o = record.outcome
        return [
            r for r in self.records if (p := r.outcome) and (p.track, p.setup, p.level) == (o.track, o.setup, o.level)
        ]

    def _anchor(self, record: Record) -> Record | None:
        """A trial of the anchor that the record's table has."""
        here = self._here(record)
        found = find_anchor(results_of(here), str(terms_of(here)["anchor"]))
        return next((r for r in found.ok.values() if can_run(r, self.records)), None) if found else None

    def _controls(self, record: Record) -> list[Record]:
        """A trial of each control that has the method's own layer ratios."""
        method = record.outcome.method
        found: dict[str, Record] = {}
        for other in sorted(self._here(record), key=lambda r: r.outcome.seed):
            matched = MatchedTo.among(own_settings(other.outcome))
            its = matched and matched.names(method.name, method.source_sha256, method.settings)
            if its and other.outcome.status == "ok" and can_run(other, self.records):
                found.setdefault(other.outcome.method.name, other)
        return list(found.values())


def _trial(record: Record, seed: int | None = None) -> str:
    """One trial of a row; `seed` in place of the record's own."""
    o = record.outcome
    number = o.seed if seed is None else seed
    return canonical_json([o.track, o.setup, o.level, number, o.method.name, o.method.source_sha256, o.method.settings])
