"""Who is compared with whom: the competitors of one table, what counts, and whether the setup verifiably holds.

A method that failed counts at chance accuracy on that seed: leaving the seed out would reward failing. A method
that broke a rule is disqualified. A record that was invalidated counts for nothing, and its row says so.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from prunemark.benchmark.outcome import RATIOS_OF
from prunemark.benchmark.record import Record, canonical_json, pipeline_of
from prunemark.leaderboard.archive.load import competitor
from prunemark.leaderboard.inference.looks import FIRST_LOOK_SEEDS, SECOND_LOOK_SEEDS
from prunemark.setups.assessment import established, holds, violations
from prunemark.setups.comparison import HARNESS_SETUPS, chain
from prunemark.setups.pipeline import Pipeline
from prunemark.setups.track import TRACKS
from prunemark.setups.values import State

DENSE_LEVEL = "dense"
FAILED = {"failed": "failed", "timeout": "timed out", "out_of_memory": "ran out of memory"}
DISQUALIFIED = {"budget_exceeded": "budget exceeded", "noncompliant": "noncompliant"}

Place = tuple[str, str, str, str, str, str]
Shown = Mapping[Place, Collection[int]]
"""The numbers of seeds that earlier releases showed, by `place_of` what they showed."""


def place_of(track: str, setup: str, level: str, name: str, source_sha256: str, settings: Mapping[str, Any]) -> Place:
    """What looks are counted by: a method's code and settings in one table, whatever it is called beside others."""
    return track, setup, level, name.partition(" (")[0], source_sha256, canonical_json(dict(settings))


@dataclass(frozen=True)
class Competitor:
    """One row to be: all trials of one method with one set of settings.

    `records` by seed, `invalid` the reasons why some of them do not count. `chance_percent` is what a failed trial
    counts, None if the track does not say how many classes there are.
    """

    name: str
    records: Mapping[int, Record]
    chance_percent: float | None = None
    invalid: Mapping[int, str] = field(default_factory=dict)

    @property
    def any(self) -> Record:
        """One of its records, for what all have in common."""
        return self.records[min(self.records)]

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
        """The seeds with an accuracy: measured, or that of chance. A reference that failed is no competitor."""
        at_chance = self.chance_percent is not None and (self.any.outcome.method.kind == "pruned" or bool(self.ok))
        return tuple(sorted([*self.ok, *(self.failed if at_chance else ())]))

    def scores(self, seeds: Sequence[int]) -> list[float]:
        """Test accuracies in percent on the given seeds, all of them counted; shape (seeds,)."""
        measured = {seed: a.test_percent for seed, r in self.ok.items() if (a := r.outcome.accuracy)}
        return [measured.get(seed, float(self.chance_percent or 0.0)) for seed in seeds]

    def flags(self, seeds: Sequence[int]) -> tuple[str, ...]:
        """What a reader must know about its trials on these seeds, in words; and which do not count."""
        diverged = [s for s, r in self.ok.items() if s in seeds and any(p.train_loss is None for p in r.outcome.curve)]
        found = [f"diverged on {seeds_in_words(diverged)}"] if diverged else []
        at_chance = {seed: r for seed, r in self.failed.items() if seed in seeds}
        for (status, evidence), on in _by_reason(at_chance).items():
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
    """The terms of the track that all records are of; what the first records did not state yet, others or it does."""
    fullest = max(records, key=lambda record: len(record.outcome.track_terms)).outcome
    known = TRACKS.get(fullest.track)
    return ({"classes": known.classes, "family": known.family} if known else {}) | fullest.track_terms


def gather(records: Sequence[Record], invalid: Mapping[str, str] | None = None) -> list[Competitor]:
    """Groups the records of one table into competitors; equal names get a distinguishing suffix.

    `invalid` gives the reasons why records of these hashes do not count.
    """
    groups: dict[str, dict[int, Record]] = {}
    for record in records:
        groups.setdefault(competitor(record), {})[record.outcome.seed] = record
    by_name: dict[str, list[str]] = {}
    for key in sorted(groups):
        by_name.setdefault(next(iter(groups[key].values())).outcome.method.name, []).append(key)
    classes = terms_of(records).get("classes") if records else None
    withdrawn = {key: _invalid(group, invalid or {}) for key, group in groups.items()}
    found = []
    for name, keys in by_name.items():
        counting = [key for key in keys if len(withdrawn[key]) < len(groups[key])]
        for key in keys:
            words = _difference(groups, counting if key in counting else keys, key)
            called = f"{name} ({words})" if words else name
            found.append(Competitor(called, groups[key], 100.0 / classes if classes else None, withdrawn[key]))
    return found


def _invalid(group: Mapping[int, Record], invalid: Mapping[str, str]) -> dict[int, str]:
    found = {seed: invalid[sha] for seed, r in group.items() if invalid and (sha := r.record_sha256) in invalid}
    by_itself = {seed: _evidence(r) for seed, r in group.items() if r.outcome.status == "invalidated"}
    return by_itself | found


def _difference(groups: Mapping[str, Mapping[int, Record]], keys: Sequence[str], key: str) -> str:
    """What tells competitors of one name apart: settings, else layer ratios, else the source's hash.

    "" where there is nothing to tell apart: one of its name, or the one control that has the level's own layer ratios.
    """
    outcomes = {k: next(iter(groups[k].values())).outcome for k in keys}
    mine = outcomes[key]
    lenders = [str(o.method.settings[RATIOS_OF]) for o in outcomes.values() if RATIOS_OF in o.method.settings]
    if len(keys) == 1 or (lenders and len(lenders) == len(keys) - 1 and RATIOS_OF not in mine.method.settings):
        return ""
    if lender := mine.method.settings.get(RATIOS_OF):
        name = str(lender).split(" ", maxsplit=1)[0]
        alike = [other for other in lenders if other.split(" ", maxsplit=1)[0] == name]
        return f"layer ratios of {name if len(alike) == 1 else lender}"
    differing = sorted(
        name
        for name in mine.method.settings
        if len({canonical_json(o.method.settings.get(name)) for o in outcomes.values()}) > 1
    )
    if differing:
        return ", ".join(f"{name}={mine.method.settings[name]}" for name in differing)
    if len({o.method.source_sha256 for o in outcomes.values()}) > 1:
        return f"source {mine.method.source_sha256[:8]}"
    kept = mine.compression.kept if mine.compression else {}
    return f"layer ratios {'/'.join(map(str, kept.values()))}"


def same_networks(competitors: Sequence[Competitor]) -> dict[str, str]:
    """By name, the controls that are another one's networks, weight for weight on every seed; and why, in words.

    They say nothing of their own, and would only enlarge the families. A control that somebody submitted as a method of
    their own, on at least its seeds, takes its place. Of controls the one that has the level's own layer ratios stands,
    or else the first by name.
    """
    found: dict[str, str] = {}
    is_control = {c.name: c.any.outcome.method.role in ("control", "reference") for c in competitors}
    standing = [c for c in competitors if not is_control[c.name]]
    controls = [c for c in competitors if is_control[c.name] and c.ok]
    for c in sorted(controls, key=lambda c: (RATIOS_OF in c.any.outcome.method.settings, c.name)):
        if other := next((o for o in standing if _repeats(c, o, is_control[o.name])), None):
            found[c.name] = f"the same networks as {other.name}, on every seed"
        else:
            standing.append(c)
    return found


def _repeats(control: Competitor, other: Competitor, among_controls: bool) -> bool:
    """Whether the other has the control's name and networks; among controls, and no seed more."""
    if control.any.outcome.method.name != other.any.outcome.method.name:
        return False
    mine, theirs = (
        {seed: (r.outcome.status, r.outcome.weights_sha256) for seed, r in c.records.items()} for c in (control, other)
    )
    return mine == theirs if among_controls else mine.items() <= theirs.items()


def find_anchor(competitors: Sequence[Competitor], name: str) -> Competitor | None:
    """The track's anchor: the competitor of this name with results, rather that which ran as the anchor."""
    found = [c for c in competitors if c.any.outcome.method.name == name and c.ok]
    as_anchor = [c for c in found if any(r.outcome.method.role == "anchor" for r in c.records.values())]
    return next(iter(as_anchor or found), None)


def why_unranked(c: Competitor, anchor: Competitor | None, setup: str, seeds: Sequence[int]) -> str | None:
    """Why a competitor is not ranked on the anchor's seeds, in words; None if it is."""
    if c is anchor:
        return None
    if c.any.outcome.method.kind == "dense":
        return "the unpruned network, retrained without a pruning stage: for reference"
    if broken := c.disqualified:
        (status, evidence), on = next(iter(_by_reason(broken).items()))
        failure = broken[on[0]].outcome.failure
        rule = f" ({failure.rule})" if failure else ""
        return f"disqualified on {seeds_in_words(on)}: {DISQUALIFIED[status]}{rule}: {evidence}"
    if not c.counted:
        if c.failed:
            (status, evidence), _ = next(iter(_by_reason(c.failed).items()))
            return f"{FAILED[status]}: {evidence}"
        return "; ".join(dict.fromkeys(f"invalidated: {why}" for why in c.invalid.values())) or "no result"
    if anchor is None:
        return "the anchor has no result here, so nothing is compared"
    shared = [seed for seed in seeds if seed in c.ok]
    if shared and (found := objection(anchor, c, setup, shared)):
        return found
    there = [seed for seed in seeds if seed in c.counted]
    if len(there) < len(compared_on(c, seeds)):
        return f"partial: {len(there)} of the anchor's {len(seeds)} seeds"
    return None


def compared_on(c: Competitor, seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds on which a competitor is compared with the anchor, which has all of `seeds`.

    Those are all; where the anchor was looked at twice, the first five for a competitor that was run on just these.
    One whose later runs failed, or do not count, is partial: a first look must not be what is left of a second.
    """
    first, later = tuple(seeds[:FIRST_LOOK_SEEDS]), seeds[FIRST_LOOK_SEEDS:]
    ran_first_alone = all(seed in c.counted for seed in first) and not any(seed in c.records for seed in later)
    return first if len(seeds) == SECOND_LOOK_SEEDS and ran_first_alone else tuple(seeds)


def objection(anchor: Competitor, other: Competitor, setup: str, seeds: Sequence[int]) -> str | None:
    """Why the setup does not hold between the anchor and a competitor on these seeds, in words; None if it does.

    Judged by what was executed, seed by seed.
    """
    for seed in seeds:
        pair = [anchor.pipelines[seed], other.pipelines[seed]]
        if found := violations(pair, HARNESS_SETUPS[setup]):
            if all(finding.state is State.NOT_APPLICABLE for finding in found):
                return "scratch training has no base model and no pruning stage: it is compared under S1, SX-A and SX-B"
            reasons = "; ".join(f"{finding.factor.replace('_', ' ')}: {finding.why}" for finding in found)
            return f"{setup} does not hold with {anchor.name} ({reasons})"
    return None


def holding_setup(ranked: Sequence[Competitor], seeds: Sequence[int], setup: str) -> str | None:
    """The highest setup that verifiably holds among all ranked competitors, on every seed that they finished.

    Of S1 < S2 < ... < S4.2; but the one they ran under, where that lies beside this order and is more than was found.
    """
    row, run = chain(), HARNESS_SETUPS[setup]
    pools = [[c.pipelines[seed] for c in ranked if seed in c.pipelines] for seed in seeds]
    fields = [pipelines for pipelines in pools if len(pipelines) > 1]
    found = [established(pipelines) for pipelines in fields]
    if not found or None in found:
        return None
    highest = min((id for id in found if id), key=row.index)
    beside = setup not in row and run.implies(HARNESS_SETUPS[highest])
    return setup if beside and all(holds(pipelines, run) for pipelines in fields) else highest


def seeds_in_words(seeds: Sequence[int]) -> str:
    """seed 3, or seeds 3, 4."""
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"


def _by_reason(records: Mapping[int, Record]) -> dict[tuple[str, str], list[int]]:
    """Seeds by status and evidence."""
    found: dict[tuple[str, str], list[int]] = {}
    for seed, record in records.items():
        found.setdefault((record.outcome.status, _evidence(record)), []).append(seed)
    return found


def _evidence(record: Record) -> str:
    return record.outcome.failure.evidence if record.outcome.failure else "no reason is recorded"
