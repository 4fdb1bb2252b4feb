"""Whether a level can rank methods: enough filters stay in every layer, and runs end above chance.

Below that a table says who was lucky. Such a level is shown with the reason, without verdicts and ranks.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from prunemark.leaderboard.standings.method_results import MethodResults, terms_of
from prunemark.records.outcome import Compression
from prunemark.records.record import Record
from prunemark.setups.track import WITH_FILTERS

FEWEST_FILTERS = 4
MOST_COLLAPSED = 0.05
"""The largest share of the runs at a level that may end collapsed."""
COLLAPSED = "collapsed on"
NOT_RANKED = "the level is not for ranking"
TIMES_CHANCE = 2.0
"""A run has collapsed when its test accuracy is below so many times that of chance."""


def levels_not_for_ranking(records: Sequence[Record], invalid: Collection[str] = ()) -> dict[str, str]:
    """By name, the levels that are not for ranking, and why. `records` are of one track, under all of its setups.

    The setups of a track share its levels, so their runs are counted together. `invalid` are hashes of records that do
    not count. Trials that failed did not end, so they are not among the runs.
    """
    ended: dict[str, list[Record]] = {}
    terms = terms_of(records)
    for record in records:
        o = record.outcome
        counts = not invalid or record.record_sha256 not in invalid  # a hash takes time
        if o.status == "ok" and o.accuracy and o.method.kind != "dense" and counts:
            ended.setdefault(o.level, []).append(record)
    found = {
        level: [_few_filters(runs, terms["anchor"]), _many_collapsed(runs, terms.get("classes"))]
        for level, runs in ended.items()
    }
    return {level: "; ".join(filter(None, why)) for level, why in found.items() if any(why)}


def collapsed_on(c: MethodResults, seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds on which a method ended below twice chance. Trials that failed are not among them: they have no end.

    Accuracies with such runs among them are two groups, and their mean describes neither.
    """
    limit = TIMES_CHANCE * (c.chance_percent or 0.0)
    return tuple(seed for seed in seeds if seed in c.ok and c.scores([seed])[0] < limit)


def collapsed_in_words(c: MethodResults, seeds: Sequence[int]) -> str:
    """What a row says in place of a mean difference; "" where no run collapsed."""
    if not (collapsed := collapsed_on(c, seeds)):
        return ""
    return f"{COLLAPSED} {len(collapsed)} of {len(seeds)} seeds (below twice chance): no mean difference is tested"


def collapsed_anchor(anchor: MethodResults | None, seeds: Sequence[int]) -> str:
    """Why nothing is compared with an anchor that collapsed; "" where it did not."""
    if anchor is None or not (collapsed := collapsed_on(anchor, seeds)):
        return ""
    return f"the anchor, {anchor.name}, collapsed on {len(collapsed)} of {len(seeds)} seeds (below twice chance)"


def _few_filters(runs: Sequence[Record], anchor: str) -> str:
    """Of the anchor, or of others if that is not pruned uniformly: what a method chooses is not the level's fault."""
    costs = [
        (r.outcome.method.name == anchor, c)
        for r in runs
        if r.outcome.track_terms["granularity"] in WITH_FILTERS and (c := r.outcome.compression) and c.kept
    ]
    uniform = [(mine, c) for mine, c in costs if c.allocation == "uniform"]
    chosen = [c for mine, c in uniform if mine] or [c for _, c in uniform] or [c for mine, c in costs if mine]
    if not chosen:
        return ""
    fewest, layer, cost = min(((*_fewest(c), c) for c in chosen), key=lambda found: found[:2])
    if fewest >= FEWEST_FILTERS:
        return ""
    return (
        f"{layer} keeps {fewest} of {cost.total[layer]} filters ({cost.allocation} allocation), and "
        f"{FEWEST_FILTERS} are needed in every layer"
    )


def _fewest(cost: Compression) -> tuple[int, str]:
    return min((kept, layer) for layer, kept in cost.kept.items())


def _many_collapsed(runs: Sequence[Record], classes: int | None) -> str:
    if not classes:
        return ""
    limit = TIMES_CHANCE * 100.0 / classes
    collapsed = sum(a.test_percent < limit for r in runs if (a := r.outcome.accuracy))
    if collapsed <= MOST_COLLAPSED * len(runs):
        return ""
    return f"{collapsed:,} of {len(runs):,} runs end below {limit:.3g} %, twice chance, and {MOST_COLLAPSED:.0%} may"
