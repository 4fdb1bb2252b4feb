"""One table: the standings of one track, setup and level, ranked by what the evidence separates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as field_
from typing import Any

import numpy as np

from prunemark.leaderboard.inference.multiplicity import evidence_level
from prunemark.leaderboard.inference.ranks import Pair
from prunemark.leaderboard.inference.statistics import VariancePrior
from prunemark.leaderboard.standings import field, given
from prunemark.leaderboard.standings.levels import NOT_RANKED, collapsed_anchor, collapsed_in_words
from prunemark.leaderboard.standings.matched_controls import judge_matched_controls, matched_control_in_words
from prunemark.leaderboard.standings.method_results import MethodResults, results_of, seeds_in_words, terms_of
from prunemark.leaderboard.standings.rows import Row, examples_of, make_row
from prunemark.leaderboard.standings.standings import AnchorApart, Correctness, Standings, stand
from prunemark.records.fresh_seeds import FreshSeeds
from prunemark.records.record import Record
from prunemark.setups import execution
from prunemark.setups.track import ANY_TIME, parse_planned


@dataclass(frozen=True)
class Table:
    """The standings of one track, setup and level, with what its statements rest on.

    `levels` are all levels of the track, `family` its dataset x network family. `planned` is the number of seeds of its
    one look, None where it is judged at any time. `prior` and `notes` are sentences for the caption, `release` is whose
    field it is; each is "" (or empty) where there is nothing to say. `variance_prior` is the prior that the
    tests used, `pattern` that of an N:M track. `not_for_ranking` is why the level ranks nothing: all rows are then
    among the `unranked`. It is "" where the level is for ranking. `pairs` has the adjusted p of "the first is better"
    by ordered pair of ranked rows. `execution` are the track's terms of execution, where it states any.
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
    not_for_ranking: str = ""
    most_seeds: int | None = None
    pairs: Mapping[Pair, float] = field_(default_factory=dict)
    execution: str = ""

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
    not_for_ranking: str = "",
    draws: Sequence[FreshSeeds] | None = None,
) -> Table:
    """The standings at one level. `records` are of one track and setup; dense ones go beside every level.

    Ranked are the methods between whom and the anchor the setup verifiably holds, each on the anchor's seeds in the
    order of their numbers, up to the first that it lacks; numbers of seeds may differ. The table ends before the
    first seed on which the anchor has no result. A method that failed counts at chance there; one that broke a rule is
    shown with the reason, and so is one that collapsed on a seed. Nothing is imputed. `invalid` as in `make_board`;
    `not_for_ranking` is why the level ranks nothing (`levels_not_for_ranking`), as it does where the anchor collapsed.
    On a board, with its `draws`, contributed methods are ranked on fresh seeds alone, in drawn order, when the method
    and the anchor have a result on all of them.
    """
    first = records[0].outcome
    terms = terms_of(records)
    methods = results_of(records, invalid, draws)
    anchor = field.find_anchor(methods, terms["anchor"])
    candidates = field.anchors(methods, terms["anchor"])
    seeds = field.in_order(anchor) if anchor else ()
    prior, planned = prior_of(terms), planned_of(terms)
    seeds = seeds[:planned]
    unfit = not_for_ranking or collapsed_anchor(anchor, seeds)
    own = {c.name: field.own_seeds(c, anchor, seeds, planned) for c in methods} if anchor else {}
    reasons = _reasons(methods, anchor, first.setup, own, float(terms["margin_pp"]), prior, planned, bool(unfit))
    comparable = [c for c in methods if reasons[c.name] is None]
    ranked = [] if unfit else comparable
    on = {c.name: field.compared_on(c, own[c.name]) for c in ranked}
    found = (
        _stand(ranked, anchor, on, terms["margin_pp"], prior, planned) if ranked and anchor else Standings({}, {}, {})
    )
    alike = field.alike(ranked, on)
    rows = [
        make_row(
            c, on[c.name], found, anchor=anchor,
            flags=(field.confirmed_in_words(c, on[c.name]), field.gap(c, on[c.name], seeds), alike.get(c.name)),
        )
        for c in ranked
    ]  # fmt: skip
    others = [make_row(c, c.shown, why=reasons[c.name] or NOT_RANKED) for c in methods if c.name not in on]
    bases = {
        base.sha256 for c in comparable for seed in own[c.name] if seed in c.ok and (base := c.ok[seed].outcome.base)
    }
    return Table(
        first.track, str(terms["title"]), str(terms["granularity"]), str(terms.get("family", "")),
        tuple(each["name"] for each in terms["levels"]), first.setup, level, anchor.name if anchor else terms["anchor"],
        float(terms["margin_pp"]), seeds, _in_order(rows),
        tuple(sorted(others, key=lambda row: (-(row.accuracy_percent or -1.0), row.name))),
        field.holding_setup(comparable, seeds, first.setup),
        len(bases) == 1 and (len(seeds) > 1 or given.is_one(terms)), examples_of(anchor), planned,
        _prior_in_words(prior if planned else None), prior,
        (*given.notes(terms), *_notes(anchor, candidates, seeds, draws or ())), release,
        str(terms.get("pattern") or ""), unfit, given.most_seeds(terms), found.pairs,
        execution.in_words(terms),
    )  # fmt: skip


def _reasons(
    methods: Sequence[MethodResults], anchor: MethodResults | None, setup: str, own: Mapping[str, tuple[int, ...]],
    margin_pp: float, prior: VariancePrior | None, planned: int | None, unfit: bool,
) -> dict[str, str | None]:  # fmt: skip
    """By name, why a method is not ranked on its `own` seeds; None if it is.

    Of a level that is `unfit` no control is compared either.
    """
    reasons = {c.name: field.why_unranked(c, anchor, setup, own.get(c.name, ())) for c in methods}
    if anchor is None:
        return reasons | field.same_networks(methods)
    collapsed = {c.name: collapsed_in_words(c, field.compared_on(c, own[c.name])) for c in methods}
    judged = judge_matched_controls(
        [] if unfit else [c for c in methods if not collapsed[c.name]], setup, margin_pp=margin_pp, prior=prior,
        quantum_percent=100.0 / examples_of(anchor), seeds_of=own, planned=planned,
    )  # fmt: skip
    for c in methods:
        why = reasons[c.name] or collapsed[c.name] or None
        if method := c.matched_to:
            lacks = "" if unfit else ", which has no results to compare it with on these seeds"
            why = matched_control_in_words(judged[c.name]) if c.name in judged else why
            why = why or f"a control for {method.name}{lacks}"
        reasons[c.name] = why
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


def _notes(
    anchor: MethodResults | None, candidates: Sequence[MethodResults], seeds: Sequence[int], draws: Sequence[FreshSeeds]
) -> tuple[str, ...]:
    """Which of several anchors it is; and its seeds on which nothing is compared, and why.

    What it has on fresh seeds is compared with the methods that these were drawn for.
    """
    if anchor is None:
        return ()
    notes = []
    if len(candidates) > 1:
        notes.append(
            f"{len(candidates)} competitors could be the anchor: it is {anchor.name}, with most seeds, or newest."
        )
    fresh = {seed for draw in draws for seed in draw.seeds}
    if left_out := sorted(set(anchor.records) - set(seeds) - fresh):
        gap = len(seeds) not in anchor.ok
        why = f"the anchor has no result on seed {len(seeds)}" if gap else "they came after the planned ones"
        notes.append(f"Not counted: {seeds_in_words(left_out)}, because {why}.")
    return tuple(notes)


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
    apart = {
        c.name: AnchorApart(anchor.scores(on[c.name]), _correct(anchor, on[c.name]))
        for c in ranked
        if c.fresh is not None
    }
    return stand(
        {c.name: c.scores(on[c.name]) for c in ranked},
        {c.name: _correct(c, on[c.name]) for c in whole},
        anchor.name,
        quantum_percent=100.0 / examples_of(anchor),
        margin_pp=margin_pp,
        prior=prior,
        planned=planned,
        apart=apart,
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
