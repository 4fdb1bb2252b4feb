"""One table: the standings of one track, setup and level, ranked by what the evidence separates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from prunemark.leaderboard.inference.crossed import CrossedComparison
from prunemark.leaderboard.inference.multiplicity import Verdict, evidence_level
from prunemark.leaderboard.inference.statistics import VariancePrior, student_interval
from prunemark.leaderboard.standings import field
from prunemark.leaderboard.standings.matched_controls import judge_matched_controls, matched_control_in_words
from prunemark.leaderboard.standings.measured import Measured, measured_of
from prunemark.leaderboard.standings.method_results import MethodResults, results_of, seeds_in_words, terms_of
from prunemark.leaderboard.standings.standings import Correctness, Standings, stand
from prunemark.records.record import Record
from prunemark.setups.track import ANY_TIME, parse_planned


@dataclass(frozen=True)
class Row:
    """One method. Accuracies in percent, differences in percentage points.

    `seeds`, `scores` (accuracy in percent) and `records` (hashes) belong together, seed by seed; `uncounted` are its
    other records, (seed, hash). `verdict` is about the difference to the anchor on this test set (E1), `generalises`
    about new images too (E2); both are None for the anchor and for rows that are not ranked. `rank` is [low, high].
    `flags` is what a reader must know of some seeds; `why` says why a row is not ranked, "" if it is.
    """

    name: str
    role: str
    kind: str
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    records: tuple[str, ...]
    source_sha256: str
    settings: tuple[tuple[str, bool | int | float | str], ...]
    accuracy_percent: float | None
    sd_pp: float | None
    interval_percent: tuple[float, float] | None
    drop_pp: float | None
    speedup_macs: float | None
    sparsity: float | None
    params: int | None
    measured: Measured
    trainability_percent: float | None
    verdict: Verdict | None = None
    generalises: CrossedComparison | None = None
    rank: tuple[int, int] | None = None
    flags: tuple[str, ...] = ()
    uncounted: tuple[tuple[int, str], ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Table:
    """The standings of one track, setup and level, with what its statements rest on.

    `levels` are all levels of the track, `family` its dataset x network family. `planned` is the number of seeds of its
    one look, None where it is judged at any time. `prior` and `notes` are sentences for the caption, `release` is whose
    field it is; each is "" (or empty) where there is nothing to say. `variance_prior` is the prior that the
    tests used, `pattern` that of an N:M track.
    """

    track: str
    title: str
    granularity: str
    family: str
    levels: tuple[str, ...]
    setup: str
    level: str
    anchor: str
    margin_pp: float
    seeds: tuple[int, ...]
    ranked: tuple[Row, ...]
    unranked: tuple[Row, ...]
    holds: str | None
    one_base: bool
    examples: int
    planned: int | None = None
    prior: str = ""
    variance_prior: VariancePrior | None = None
    notes: tuple[str, ...] = ()
    release: str = ""
    pattern: str = ""

    @property
    def evidence(self) -> str:
        """no test, waiting or verdicts: what this many seeds allow to be said."""
        return evidence_level(len(self.seeds), self.planned)

    @property
    def placed(self) -> int:
        """How many have a rank: the places that the ranks are among."""
        return sum(row.rank is not None for row in self.ranked)

    @property
    def tested(self) -> int:
        """How many comparisons with the anchor were corrected for together."""
        return sum(row.verdict is not None and row.verdict.p_holm is not None for row in self.ranked)


def make_table(
    records: Sequence[Record],
    level: str,
    *,
    invalid: Mapping[str, str] | None = None,
    release: str = "",
) -> Table:
    """The standings at one level. `records` are of one track and setup; dense ones go beside every level.

    Ranked are the methods between whom and the anchor the setup verifiably holds, each on the anchor's seeds in the
    order of their numbers, up to the first that it lacks; numbers of seeds may differ. The table ends before the
    first seed on which the anchor has no result. A method that failed counts at chance there; one that broke a rule is
    shown with the reason. Nothing is imputed. `invalid` as in `make_board`.
    """
    first = records[0].outcome
    terms = terms_of(records)
    methods = results_of(records, invalid)
    anchor = field.find_anchor(methods, terms["anchor"])
    candidates = field.anchors(methods, terms["anchor"])
    seeds = field.in_order(anchor) if anchor else ()
    prior, planned = prior_of(terms), planned_of(terms)
    seeds = seeds[:planned]
    reasons = _reasons(methods, anchor, first.setup, seeds, float(terms["margin_pp"]), prior, planned)
    ranked = [c for c in methods if reasons[c.name] is None]
    on = {c.name: field.compared_on(c, seeds) for c in ranked}
    found = _stand(ranked, anchor, on, terms["margin_pp"], prior, planned) if anchor else Standings({}, {}, {})
    alike = field.alike(ranked, on)
    rows = [_row(c, on[c.name], found, flags=(alike.get(c.name),)) for c in ranked]
    others = [_row(c, c.counted, why=reason) for c in methods if (reason := reasons[c.name])]
    bases = {base.sha256 for c in ranked for seed in seeds if seed in c.ok and (base := c.ok[seed].outcome.base)}
    return Table(
        first.track, str(terms["title"]), str(terms["granularity"]), str(terms.get("family", "")),
        tuple(each["name"] for each in terms["levels"]), first.setup, level, anchor.name if anchor else terms["anchor"],
        float(terms["margin_pp"]), seeds, _in_order(rows),
        tuple(sorted(others, key=lambda row: (-(row.accuracy_percent or -1.0), row.name))),
        field.holding_setup(ranked, seeds, first.setup), len(bases) == 1 and len(seeds) > 1, _examples(anchor),
        planned, _prior_in_words(prior if planned else None), prior, _notes(anchor, candidates, seeds), release,
        str(terms.get("pattern") or ""),
    )  # fmt: skip


def _reasons(
    methods: Sequence[MethodResults], anchor: MethodResults | None, setup: str, seeds: tuple[int, ...],
    margin_pp: float, prior: VariancePrior | None, planned: int | None,
) -> dict[str, str | None]:  # fmt: skip
    """By name, why a method is not ranked; None if it is."""
    reasons = {c.name: field.why_unranked(c, anchor, setup, seeds) for c in methods}
    if anchor:
        quantum = 100.0 / _examples(anchor)
        judged = judge_matched_controls(
            methods, setup, margin_pp=margin_pp, prior=prior, quantum_percent=quantum,
            anchor_seeds=seeds, planned=planned,
        )  # fmt: skip
        for c in methods:
            if method := c.matched_to:
                alone = f"a control for {method.name}, which has no results to compare it with on these seeds"
                alone = reasons[c.name] or alone
                reasons[c.name] = matched_control_in_words(judged[c.name]) if c.name in judged else alone
    return reasons | field.same_networks(methods)


def prior_of(terms: Mapping[str, Any]) -> VariancePrior | None:
    """What a track has frozen of the variance between seeds, if it has."""
    stated = terms.get("prior")
    return VariancePrior(float(stated["df"]), float(stated["sd_pp"])) if stated else None


def planned_of(terms: Mapping[str, Any]) -> int | None:
    """How many seeds a track's one look needs; None where it is judged at any time."""
    stated = str(terms.get("judged") or ANY_TIME)
    return None if stated == ANY_TIME else parse_planned(stated)


def _prior_in_words(prior: VariancePrior | None) -> str:
    if prior is None:
        return ""
    return f"Moderated t: the track expects an sd of {prior.sd_pp:g} pp, with {prior.df:g} degrees of freedom."


def _notes(anchor: MethodResults | None, candidates: Sequence[MethodResults], seeds: Sequence[int]) -> tuple[str, ...]:
    """Which of several anchors it is; and its seeds on which nothing is compared, and why."""
    if anchor is None:
        return ()
    notes = []
    if len(candidates) > 1:
        notes.append(
            f"{len(candidates)} competitors could be the anchor: it is {anchor.name}, with most seeds, or newest."
        )
    if left_out := sorted(set(anchor.records) - set(seeds)):
        gap = len(seeds) not in anchor.ok
        why = f"the anchor has no result on seed {len(seeds)}" if gap else "they came after the planned ones"
        notes.append(f"Not counted: {seeds_in_words(left_out)}, because {why}.")
    return tuple(notes)


def _examples(c: MethodResults | None) -> int:
    accuracies = [r.outcome.accuracy for r in c.ok.values()] if c else []
    return next((a.test_examples for a in accuracies if a), 0)


def _stand(
    ranked: Sequence[MethodResults],
    anchor: MethodResults,
    on: Mapping[str, tuple[int, ...]],
    margin_pp: float,
    prior: VariancePrior | None,
    planned: int | None,
) -> Standings:
    # what failed has no images that were right or wrong: nothing is said of new images there
    whole = [c for c in ranked if all(seed in c.ok for seed in on[c.name])]
    return stand(
        {c.name: c.scores(on[c.name]) for c in ranked},
        {c.name: _correct(c, on[c.name]) for c in whole},
        anchor.name,
        quantum_percent=100.0 / _examples(anchor),
        margin_pp=margin_pp,
        prior=prior,
        planned=planned,
    )


def _in_order(rows: Sequence[Row]) -> tuple[Row, ...]:
    """By the mean difference to the anchor, each on shared seeds; where nothing is compared, by accuracy."""
    if not any(row.verdict for row in rows):
        return tuple(sorted(rows, key=lambda row: (-(row.accuracy_percent or 0.0), row.name)))
    differences = {row.name: row.verdict.comparison.difference_pp if row.verdict else 0.0 for row in rows}
    return tuple(sorted(rows, key=lambda row: (-differences[row.name], row.name)))


def _correct(c: MethodResults, seeds: Sequence[int]) -> Correctness:
    """Per-example correctness; shape (seeds, examples)."""
    accuracies = [c.ok[seed].outcome.accuracy for seed in seeds]
    return np.array([a.correctness() for a in accuracies if a])


def _row(
    c: MethodResults, seeds: tuple[int, ...], found: Standings | None = None, *,
    flags: Sequence[str | None] = (), why: str = "",
) -> Row:  # fmt: skip
    method, scores = c.any.outcome.method, c.scores(seeds)
    records = [c.records[seed] for seed in seeds]
    outcomes = [record.outcome for record in records]
    whole = all(seed in c.ok for seed in seeds)
    drops = [o.base.test_percent - o.accuracy.test_percent for o in outcomes if o.base and o.accuracy]
    costs = [o.compression for o in outcomes if o.compression]
    trainability = [
        d.trainability_percent for o in outcomes if (d := o.diagnostics) and d.trainability_percent is not None
    ]
    return Row(
        name=c.name, role=method.role, kind=method.kind, seeds=seeds, scores=tuple(scores),
        records=tuple(record.record_sha256 for record in records), source_sha256=method.source_sha256,
        settings=tuple(sorted(c.settings.items())),
        accuracy_percent=_mean(scores), sd_pp=_sd(scores) if len(scores) > 1 else None,
        interval_percent=_interval(scores, _examples(c)), drop_pp=_mean(drops) if whole else None,
        speedup_macs=_mean([x.speedup_macs for x in costs]), sparsity=_mean([x.sparsity for x in costs]),
        params=round(fmean(x.params for x in costs)) if costs else None,
        measured=measured_of(records),
        trainability_percent=_mean(trainability),
        verdict=found.verdicts.get(c.name) if found else None,
        generalises=found.generalises.get(c.name) if found else None,
        rank=found.ranks.get(c.name) if found else None, flags=(*c.flags(seeds), *filter(None, flags)),
        uncounted=tuple((s, r.record_sha256) for s, r in sorted(c.records.items()) if s not in seeds), why=why,
    )  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _sd(values: Sequence[float]) -> float:
    """As `statistics.stdev`, which takes a hundred times as long to be exact to the last bit."""
    mean = fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _interval(scores: Sequence[float], examples: int) -> tuple[float, float] | None:
    """The 95 % interval of the mean accuracy over new seeds, in percent; None for fewer than two seeds.

    As for differences, equal accuracies do not mean that there is no noise: the variance is at least that of rounding.
    """
    if len(scores) < 2:
        return None
    rounding = 100.0 / examples / math.sqrt(12) if examples else 0.0
    error = max(_sd(scores), rounding) / math.sqrt(len(scores))
    return student_interval(fmean(scores), error, len(scores) - 1, 0.95)
