"""From records to standings: one table a track, setup and level, ranked by what the evidence separates."""

from __future__ import annotations

import statistics as plain_statistics
from collections.abc import Sequence
from dataclasses import dataclass

from prunemark.benchmark.record import Record
from prunemark.leaderboard import field
from prunemark.leaderboard.field import Competitor
from prunemark.leaderboard.load import Loaded, Refused
from prunemark.leaderboard.multiplicity import Verdict, against_anchor, evidence_level, judge, rank_intervals
from prunemark.setups.comparison import HARNESS_SETUPS
from prunemark.setups.errors import InputError

MINIMUM_SEEDS, SEEDS_FOR_RANKS = 3, 8


@dataclass(frozen=True)
class Row:
    """One competitor. Accuracies in percent, differences in percentage points, latency in milliseconds.

    `verdict` is None for the anchor and for rows that are not ranked; `rank` is [low, high]; `why` says why a
    row is not ranked.
    """

    name: str
    role: str
    kind: str
    seeds: tuple[int, ...]
    accuracy_percent: float | None
    sd_pp: float | None
    drop_pp: float | None
    speedup_macs: float | None
    sparsity: float | None
    params: int | None
    latency_ms: float | None
    verdict: Verdict | None = None
    rank: tuple[int, int] | None = None
    why: str = ""


@dataclass(frozen=True)
class Table:
    """The standings of one track, setup and level, with what its statements rest on."""

    track: str
    title: str
    setup: str
    level: str
    anchor: str
    margin_pp: float
    seeds: tuple[int, ...]
    ranked: tuple[Row, ...]
    unranked: tuple[Row, ...]
    holds: str | None
    one_base: bool

    @property
    def evidence(self) -> str:
        """no test, screening, verdicts or ranks: what this many seeds allow to be said."""
        return evidence_level(len(self.seeds))


@dataclass(frozen=True)
class Board:
    """All tables, and the records that were left out."""

    tables: tuple[Table, ...]
    refused: tuple[Refused, ...]
    records: int


def make_board(
    loaded: Loaded, *, track: str | None = None, setup: str | None = None, levels: Sequence[str] | None = None
) -> Board:
    """The standings of all records, or of one track, setup or some levels.

    Raises InputError when nothing fits.
    """
    chosen = [r for r in loaded.records if track in (None, r.outcome.track) and setup in (None, r.outcome.setup)]
    places: dict[tuple[str, str], list[Record]] = {}
    for record in chosen:
        places.setdefault((record.outcome.track, record.outcome.setup), []).append(record)
    tables = []
    for place in sorted(places, key=lambda p: (p[0], list(HARNESS_SETUPS).index(p[1]))):
        for level in _levels(places[place]):
            if levels is None or level in levels:
                inside = [r for r in places[place] if r.outcome.level in (level, field.DENSE_LEVEL)]
                tables.append(make_table(inside, level))
    if not loaded.records and loaded.refused:
        first = loaded.refused[0]
        raise InputError(f"none of {len(loaded.refused)} records can be used. The first, {first.name}, {first.why}")
    if not tables:
        raise InputError(f"no records of {' '.join(filter(None, (track, setup, *(levels or ()))))} to rank here")
    return Board(tuple(tables), loaded.refused, len(loaded.records))


def _levels(records: Sequence[Record]) -> list[str]:
    """The levels that have records, in the order in which the track states them."""
    stated = [level["name"] for level in records[0].outcome.track_terms["levels"]]
    present = {record.outcome.level for record in records}
    return [name for name in stated if name in present]


def make_table(records: Sequence[Record], level: str) -> Table:
    """The standings at one level. `records` are of one track and setup; dense ones go beside every level.

    Ranked are the competitors between whom and the anchor the setup verifiably holds, on the anchor's
    seeds; one that lacks some of them is partial and unranked, and one that failed is shown with its
    reason. Nothing is imputed.
    """
    terms, setup = records[0].outcome.track_terms, records[0].outcome.setup
    competitors = field.gather(records)
    anchor = next((c for c in competitors if c.any.outcome.method.name == terms["anchor"] and c.ok), None)
    seeds = tuple(anchor.ok) if anchor else ()
    reasons = {c.name: _why_unranked(c, anchor, setup, seeds) for c in competitors}
    ranked = [c for c in competitors if reasons[c.name] is None]
    rows = _standings(ranked, anchor, seeds, terms["margin_pp"]) if anchor else []
    others = [_row(c, tuple(c.ok), why=why) for c in competitors if (why := reasons[c.name])]
    bases = {c.records[s].outcome.base.sha256 for c in ranked for s in seeds if c.records[s].outcome.base}  # type: ignore[union-attr]
    return Table(
        records[0].outcome.track, str(terms["title"]), setup, level, terms["anchor"], float(terms["margin_pp"]), seeds,
        tuple(rows), tuple(sorted(others, key=lambda row: -(row.accuracy_percent or -1.0))),
        field.holding_setup(ranked, seeds), len(bases) == 1 and len(seeds) > 1,
    )  # fmt: skip


def _why_unranked(c: Competitor, anchor: Competitor | None, setup: str, seeds: Sequence[int]) -> str | None:
    if not c.ok:
        failure = c.any.outcome.failure
        return f"{c.any.outcome.status}: {failure.evidence if failure else 'no result'}"
    if anchor is None:
        return "the anchor has no result here, so nothing is compared"
    shared = [seed for seed in seeds if seed in c.ok]
    if shared and (objection := field.objection(anchor, c, setup, shared)):
        return objection
    if len(shared) < len(seeds):
        failed = [seed for seed in seeds if seed in c.records and seed not in c.ok]
        how = f"; failed on seed {', '.join(map(str, failed))}" if failed else ""
        return f"partial: {len(shared)} of the anchor's {len(seeds)} seeds{how}"
    return None


def _standings(ranked: Sequence[Competitor], anchor: Competitor, seeds: tuple[int, ...], margin_pp: float) -> list[Row]:
    scores = {c.name: c.scores(seeds) for c in ranked}
    accuracy = anchor.any.outcome.accuracy
    assert accuracy is not None
    quantum = 100.0 / accuracy.test_examples
    verdicts: dict[str, Verdict] = {}
    ranks: dict[str, tuple[int, int]] = {}
    if len(seeds) >= 2 and len(ranked) > 1:
        verdicts = judge(against_anchor(scores, anchor.name, quantum_percent=quantum), margin_pp=margin_pp)
    if len(seeds) >= MINIMUM_SEEDS:
        ranks = rank_intervals(scores, quantum)
    rows = [_row(c, seeds, verdicts.get(c.name), ranks.get(c.name)) for c in ranked]
    return sorted(rows, key=lambda row: (-(row.accuracy_percent or 0.0), row.name))


def _row(
    c: Competitor,
    seeds: tuple[int, ...],
    verdict: Verdict | None = None,
    rank: tuple[int, int] | None = None,
    why: str = "",
) -> Row:
    outcomes = [c.records[seed].outcome for seed in seeds]
    scores = c.scores(seeds)
    drops = [o.base.test_percent - o.accuracy.test_percent for o in outcomes if o.base and o.accuracy]
    costs = [o.compression for o in outcomes if o.compression]
    latencies = [lat.median_ms for seed in seeds if (lat := c.records[seed].observed.latency)]
    return Row(
        name=c.name, role=c.any.outcome.method.role, kind=c.any.outcome.method.kind, seeds=seeds,
        accuracy_percent=plain_statistics.fmean(scores) if scores else None,
        sd_pp=plain_statistics.stdev(scores) if len(scores) > 1 else None,
        drop_pp=plain_statistics.fmean(drops) if drops else None,
        speedup_macs=plain_statistics.fmean(x.speedup_macs for x in costs) if costs else None,
        sparsity=plain_statistics.fmean(x.sparsity for x in costs) if costs else None,
        params=round(plain_statistics.fmean(x.params for x in costs)) if costs else None,
        latency_ms=plain_statistics.median(latencies) if latencies else None,
        verdict=verdict, rank=rank, why=why,
    )  # fmt: skip
