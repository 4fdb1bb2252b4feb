"""The methods of one table: all trials of one method with one set of settings, under a name of its own.

A method that failed counts at chance accuracy on that seed: leaving the seed out would reward failing. A record that
was invalidated counts for nothing, and its row says so.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from prunemark.records.executed import pipeline_of
from prunemark.records.fresh_seeds import FreshSeeds, drawn_for, needs_fresh_seeds
from prunemark.records.identity import methods_of, own_settings
from prunemark.records.matched_to import MatchedTo, Settings
from prunemark.records.outcome import Outcome
from prunemark.records.record import Record, canonical_json
from prunemark.setups.pipeline import Pipeline
from prunemark.setups.recipe import added_in_words
from prunemark.setups.track_files import released_tracks

FAILED = {"failed": "failed", "timeout": "timed out", "out_of_memory": "ran out of memory"}
DISQUALIFIED = {"budget_exceeded": "budget exceeded", "noncompliant": "noncompliant"}


@dataclass(frozen=True)
class MethodResults:
    """One row to be: all trials of one method with one set of settings.

    `records` by seed, `invalid` the reasons why some of them do not count. `chance_percent` is what a failed trial
    counts, None if the track does not say how many classes there are. `fresh` are the seeds that a board drew for it,
    in drawn order: none others count. None where they count in the order of their numbers.
    """

    name: str
    records: Mapping[int, Record]
    chance_percent: float | None = None
    invalid: Mapping[int, str] = field(default_factory=dict)
    fresh: tuple[int, ...] | None = None

    @property
    def any(self) -> Record:
        """One of its records, for what all have in common."""
        return self.records[min(self.records)]

    @property
    def settings(self) -> Settings:
        """Those that tell it from others."""
        return own_settings(self.any.outcome)

    @property
    def matched_to(self) -> MatchedTo | None:
        """Of a matched control, the submission whose layer ratios it has; None for any other row."""
        return MatchedTo.among(self.settings)

    @cached_property
    def ok(self) -> dict[int, Record]:
        """The trials that reached their end and count, by seed."""
        return self._with_status({"ok": ""})

    @cached_property
    def pipelines(self) -> dict[int, Pipeline]:
        """What was executed in those trials, by seed."""
        return {seed: pipeline_of(record) for seed, record in self.ok.items()}

    @cached_property
    def failed(self) -> dict[int, Record]:
        """The trials in which the method failed, by seed."""
        return self._with_status(FAILED)

    @cached_property
    def disqualified(self) -> dict[int, Record]:
        """The trials in which a rule was broken, by seed."""
        return self._with_status(DISQUALIFIED)

    @cached_property
    def counted(self) -> tuple[int, ...]:
        """The seeds with an accuracy: measured, or that of chance. A reference that failed has none."""
        at_chance = self.chance_percent is not None and (self.any.outcome.method.kind == "pruned" or bool(self.ok))
        return tuple(sorted([*self.ok, *(self.failed if at_chance else ())]))

    @property
    def shown(self) -> tuple[int, ...]:
        """The seeds of the mean that a row shows where nothing is compared: fresh ones, where it has some."""
        return tuple(seed for seed in self.fresh or () if seed in self.counted) or self.counted

    def scores(self, seeds: Sequence[int]) -> list[float]:
        """Test accuracies in percent on the given seeds, all of them counted; shape (seeds,)."""
        measured = {seed: a.test_percent for seed, r in self.ok.items() if (a := r.outcome.accuracy)}
        return [measured.get(seed, float(self.chance_percent or 0.0)) for seed in seeds]

    def flags(self, seeds: Sequence[int]) -> tuple[str, ...]:
        """What a reader must know about its trials on these seeds, in words; and which do not count."""
        diverged = [s for s, r in self.ok.items() if s in seeds and any(p.train_loss is None for p in r.outcome.curve)]
        found = [f"diverged on {seeds_in_words(diverged)}"] if diverged else []
        recipes = [record.outcome.retraining_recipe or {} for seed, record in self.ok.items() if seed in seeds]
        found += [f"its own retraining{words}" for words in dict.fromkeys(map(added_in_words, recipes)) if words]
        at_chance = {seed: r for seed, r in self.failed.items() if seed in seeds}
        for (status, evidence), on in by_reason(at_chance).items():
            words = f"{FAILED[status]} on {seeds_in_words(on)}: counted at chance, {self.chance_percent or 0.0:.3g} %"
            found.append(f"{words} ({evidence})")
        reasons: dict[str, list[int]] = {}
        for seed, why in sorted(self.invalid.items() if self.counted else ()):  # else it is why the row is not ranked
            reasons.setdefault(why, []).append(seed)
        return (*found, *(f"invalidated on {seeds_in_words(on)}: {why}" for why, on in reasons.items()))

    def _with_status(self, statuses: Mapping[str, str]) -> dict[int, Record]:
        return {
            seed: r
            for seed, r in sorted(self.records.items())
            if r.outcome.status in statuses and seed not in self.invalid
        }


def terms_of(records: Sequence[Record]) -> dict[str, Any]:
    """The terms of the track that all records are of; what the first records did not state yet, others or it does.

    Of those that state most, the newest: a title may have been corrected.
    """
    fullest = max(records, key=lambda r: (len(r.outcome.track_terms), r.observed.finished_at)).outcome
    known = released_tracks().get(fullest.track)
    return ({"classes": known.classes, "family": known.family} if known else {}) | fullest.track_terms


def results_of(
    records: Sequence[Record], invalid: Mapping[str, str] | None = None, draws: Sequence[FreshSeeds] | None = None
) -> list[MethodResults]:
    """Groups the records of one table into methods, each with a name of its own.

    `invalid` gives the reasons why records of these hashes do not count, `draws` the fresh seeds of a board.
    """
    groups: dict[str, dict[int, Record]] = {}
    for who, record in zip(methods_of(records), records, strict=True):
        groups.setdefault(who, {})[record.outcome.seed] = record
    classes = terms_of(records).get("classes") if records else None
    withdrawn = {key: _invalid(group, invalid or {}) for key, group in groups.items()}
    names = _names(groups, [key for key in groups if len(withdrawn[key]) < len(groups[key])])
    chance = 100.0 / classes if classes else None
    return [
        MethodResults(name, groups[key], chance, withdrawn[key], _fresh(groups[key], draws))
        for key, name in names.items()
    ]


def _fresh(group: Mapping[int, Record], draws: Sequence[FreshSeeds] | None) -> tuple[int, ...] | None:
    outcome = next(iter(group.values())).outcome
    return None if draws is None or not needs_fresh_seeds(outcome) else drawn_for(outcome, draws)


def _names(groups: Mapping[str, Mapping[int, Record]], counting: Sequence[str]) -> dict[str, str]:
    """By key, in order of the methods' names; no two are alike. `counting` are those with records that count.

    A row is known by its name everywhere: two of one name would be shown with each other's verdict.
    """
    outcomes = {key: next(iter(groups[key].values())).outcome for key in groups}
    by_name: dict[str, list[str]] = {}
    for key in sorted(groups):
        by_name.setdefault(outcomes[key].method.name, []).append(key)
    names = {}
    for name, keys in by_name.items():
        there = [key for key in keys if key in counting]
        for key in keys:
            words = _difference(outcomes, there if key in there else keys, key)
            names[key] = f"{name} ({words})" if words else name
    for words_of in (_source_in_words, _ratios_in_words):
        names = _apart(names, {key: words_of(outcomes[key]) for key in names})
    return _apart(names, {key: hashlib.sha256(key.encode()).hexdigest()[:8] for key in names})


def _apart(names: Mapping[str, str], words: Mapping[str, str]) -> dict[str, str]:
    """Adds the words to names that several have, where the words differ."""
    sharing: dict[str, list[str]] = {}
    for key, name in names.items():
        sharing.setdefault(name, []).append(key)
    told = [key for keys in sharing.values() if len({words[key] for key in keys}) > 1 for key in keys]
    return {key: _and_also(name, words[key]) if key in told else name for key, name in names.items()}


def _and_also(name: str, words: str) -> str:
    return f"{name[:-1]}, {words})" if name.endswith(")") else f"{name} ({words})"


def _invalid(group: Mapping[int, Record], invalid: Mapping[str, str]) -> dict[int, str]:
    found = {seed: invalid[sha] for seed, r in group.items() if invalid and (sha := r.record_sha256) in invalid}
    by_itself = {seed: evidence_of(r) for seed, r in group.items() if r.outcome.status == "invalidated"}
    return by_itself | found


def _difference(outcomes: Mapping[str, Outcome], keys: Sequence[str], key: str) -> str:
    """What tells methods of one name apart: settings, else layer ratios, else the source's hash.

    "" where there is nothing to tell apart: one of its name, or the one control that has the level's own layer ratios.
    """
    mine, own = outcomes[key], own_settings(outcomes[key])
    settings = [own_settings(outcomes[k]) for k in keys]
    named, matched_to = [found for each in settings if (found := MatchedTo.among(each))], MatchedTo.among(own)
    if len(keys) == 1 or (named and len(named) == len(keys) - 1 and matched_to is None):
        return ""
    if matched_to:
        alike = [other for other in named if other.name == matched_to.name]
        return f"layer ratios of {matched_to.name if len(alike) == 1 else matched_to.text}"
    differing = sorted(name for name in own if len({canonical_json(each.get(name)) for each in settings}) > 1)
    if differing:
        return ", ".join(f"{name}={own[name]}" for name in differing)
    if len({outcomes[k].method.source_sha256 for k in keys}) > 1:
        return _source_in_words(mine)
    return _ratios_in_words(mine)


def _source_in_words(outcome: Outcome) -> str:
    return f"source {outcome.method.source_sha256[:8]}"


def _ratios_in_words(outcome: Outcome) -> str:
    kept = outcome.compression.kept if outcome.compression else {}
    return f"layer ratios {'/'.join(map(str, kept.values())) or 'unknown'}"


def seeds_in_words(seeds: Sequence[int]) -> str:
    """seed 3, or seeds 3, 4."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def by_reason(records: Mapping[int, Record]) -> dict[tuple[str, str], list[int]]:
    """Seeds by status and evidence."""
    found: dict[tuple[str, str], list[int]] = {}
    for seed, record in records.items():
        found.setdefault((record.outcome.status, evidence_of(record)), []).append(seed)
    return found


def evidence_of(record: Record) -> str:
    """Why its trial failed or broke a rule, in words."""
    return record.outcome.failure.evidence if record.outcome.failure else "no reason is recorded"
