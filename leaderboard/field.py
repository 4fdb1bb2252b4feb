"""Who is compared with whom: the competitors of one table, and whether the setup verifiably holds between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prunemark.benchmark.record import Record, canonical_json, pipeline_of
from prunemark.leaderboard.load import competitor
from prunemark.setups.assessment import assess, violations
from prunemark.setups.comparison import HARNESS_SETUPS, chain
from prunemark.setups.values import State

DENSE_LEVEL = "dense"


@dataclass(frozen=True)
class Competitor:
    """One row to be: all trials of one method with one set of settings. `records` by seed."""

    name: str
    records: Mapping[int, Record]

    @property
    def any(self) -> Record:
        """One of its records, for what all have in common."""
        return self.records[min(self.records)]

    @property
    def ok(self) -> dict[int, Record]:
        """The trials that reached their end, by seed."""
        return {seed: r for seed, r in sorted(self.records.items()) if r.outcome.status == "ok"}

    def scores(self, seeds: Sequence[int]) -> list[float]:
        """Test accuracies in percent on the given seeds; shape (seeds,)."""
        return [r.outcome.accuracy.test_percent for s in seeds if (r := self.records[s]).outcome.accuracy]


def gather(records: Sequence[Record]) -> list[Competitor]:
    """Groups the records of one table into competitors; equal names get a distinguishing suffix."""
    groups: dict[str, dict[int, Record]] = {}
    for record in records:
        groups.setdefault(competitor(record), {})[record.outcome.seed] = record
    by_name: dict[str, list[str]] = {}
    for key in sorted(groups):
        by_name.setdefault(next(iter(groups[key].values())).outcome.method.name, []).append(key)
    return [
        Competitor(name if len(keys) == 1 else f"{name} ({_difference(groups, keys, key)})", groups[key])
        for name, keys in by_name.items()
        for key in keys
    ]


def _difference(groups: Mapping[str, Mapping[int, Record]], keys: Sequence[str], key: str) -> str:
    """What tells competitors of one name apart: settings, else layer ratios, else the source's hash."""
    outcomes = {k: next(iter(groups[k].values())).outcome for k in keys}
    mine = outcomes[key]
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


def objection(anchor: Competitor, other: Competitor, setup: str, seeds: Sequence[int]) -> str | None:
    """Why the setup does not hold between the anchor and a competitor on these seeds, in words; None if it does.

    Judged by what was executed, seed by seed.
    """
    for seed in seeds:
        pair = [pipeline_of(anchor.records[seed]), pipeline_of(other.records[seed])]
        if found := violations(pair, HARNESS_SETUPS[setup]):
            if all(finding.state is State.NOT_APPLICABLE for finding in found):
                return "scratch training has no base model and no pruning stage: it is compared under SX-A and SX-B"
            reasons = "; ".join(f"{finding.factor.replace('_', ' ')}: {finding.why}" for finding in found)
            return f"{setup} does not hold with {anchor.name} ({reasons})"
    return None


def holding_setup(ranked: Sequence[Competitor], seeds: Sequence[int]) -> str | None:
    """The highest setup that verifiably holds among all ranked competitors, on every seed."""
    if len(ranked) < 2:
        return None
    row = chain()
    found = [assess([pipeline_of(c.records[seed]) for c in ranked]).established for seed in seeds]
    if not found or None in found:
        return None
    return min((id for id in found if id), key=row.index)
