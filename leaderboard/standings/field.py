"""Who is compared with whom: the methods of one table, what counts, and whether the setup verifiably holds.

A method that broke a rule is disqualified; see `method_results` for one that failed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count, takewhile

from prunemark.leaderboard.standings.method_results import (
    DISQUALIFIED,
    FAILED,
    MethodResults,
    by_reason,
    seeds_in_words,
)
from prunemark.setups.assessment import admits_scratch, established, holds, violations
from prunemark.setups.comparison import HARNESS_SETUPS, chain, listed_where
from prunemark.setups.values import State

AUTHORS_CHOICE = "on seeds of its author's choice: no verdict and no rank before the board has run it on fresh ones"


def same_networks(methods: Sequence[MethodResults]) -> dict[str, str]:
    """By name, the controls that are another one's networks, weight for weight on every seed; and why, in words.

    They say nothing of their own, and would only enlarge the families. A control that somebody submitted as a method of
    their own, on at least its seeds, takes its place. Of controls the one that has the level's own layer ratios stands,
    or else the first by name.
    """
    found: dict[str, str] = {}
    is_control = {c.name: c.any.outcome.method.role in ("control", "reference") for c in methods}
    standing = [c for c in methods if not is_control[c.name]]
    controls = [c for c in methods if is_control[c.name] and c.ok]
    for c in sorted(controls, key=lambda c: (c.matched_to is not None, c.name)):
        if other := next((o for o in standing if _repeats(c, o, is_control[o.name])), None):
            found[c.name] = f"the same networks as {other.name}, on every seed"
        else:
            standing.append(c)
    return found


def _repeats(control: MethodResults, other: MethodResults, among_controls: bool) -> bool:
    """Whether the other has the control's name and networks; among controls, and no seed more."""
    if control.any.outcome.method.name != other.any.outcome.method.name:
        return False
    mine, theirs = (
        {seed: (r.outcome.status, r.outcome.weights_sha256) for seed, r in c.records.items()} for c in (control, other)
    )
    return mine == theirs if among_controls else mine.items() <= theirs.items()


def alike(ranked: Sequence[MethodResults], on: Mapping[str, Sequence[int]]) -> dict[str, str]:
    """By name, the methods that made another one's networks on all seeds they are compared on; and that, in words.

    Unlike controls they are ranked, each by itself. But two rows with the same numbers are not two findings.
    """
    first: dict[tuple[tuple[int, str], ...], str] = {}
    found: dict[str, str] = {}
    for c in sorted(ranked, key=lambda c: c.name):
        networks = tuple((seed, c.ok[seed].outcome.weights_sha256 or "") for seed in on[c.name] if seed in c.ok)
        if networks and len(networks) == len(on[c.name]) and all(sha256 for _, sha256 in networks):
            other = first.setdefault(networks, c.name)
            if other != c.name:
                found[c.name] = f"the same networks as {other}, on every seed"
    return found


def find_anchor(methods: Sequence[MethodResults], name: str) -> MethodResults | None:
    """The track's anchor: the method of this name with results, rather that which ran as the anchor.

    Of several, as after a change of its code, the one with most seeds, and then the one that ran last.
    """
    found = anchors(methods, name)
    last = {c.name: max(r.observed.finished_at for r in c.ok.values()) for c in found}
    return max(found, key=lambda c: (len(c.ok), last[c.name], c.name), default=None)


def anchors(methods: Sequence[MethodResults], name: str) -> list[MethodResults]:
    """All that could be the anchor: with its name and results, and if any ran as the anchor, only those."""
    found = [c for c in methods if c.any.outcome.method.name == name and c.ok]
    return [c for c in found if any(r.outcome.method.role == "anchor" for r in c.records.values())] or found


def why_unranked(c: MethodResults, anchor: MethodResults | None, setup: str, seeds: Sequence[int]) -> str | None:
    """Why a method is not ranked on the anchor's seeds, in words; None if it is."""
    if c is anchor:
        return None
    if c.any.outcome.method.kind == "dense":
        return "the unpruned network, retrained without a pruning stage: for reference"
    if broken := c.disqualified:
        (status, evidence), on = next(iter(by_reason(broken).items()))
        failure = broken[on[0]].outcome.failure
        rule = f" ({failure.rule})" if failure else ""
        return f"disqualified on {seeds_in_words(on)}: {DISQUALIFIED[status]}{rule}: {evidence}"
    if not c.counted:
        if c.failed:
            (status, evidence), _ = next(iter(by_reason(c.failed).items()))
            return f"{FAILED[status]}: {evidence}"
        return "; ".join(dict.fromkeys(f"invalidated: {why}" for why in c.invalid.values())) or "no result"
    if anchor is None:
        return "the anchor has no result here, so nothing is compared"
    if why := why_not_confirmed(c, anchor):
        return why
    shared = [seed for seed in seeds if seed in c.ok]
    if shared and (found := objection(anchor, c, setup, shared)):
        return found
    if seeds and not compared_on(c, seeds):
        return f"no result on seed {seeds[0]}: seeds count in the order of their numbers, without a gap"
    return None


def why_not_confirmed(c: MethodResults, anchor: MethodResults) -> str:
    """Why there is no verdict about a method whose seeds are drawn, in words; "" where there may be one.

    Every seed that was drawn has to have its result: one that was left out could be the one that nobody liked.
    """
    if c.fresh is None:
        return ""
    if not c.fresh:
        return AUTHORS_CHOICE
    if lacking := [seed for seed in c.fresh if seed not in c.counted or seed not in anchor.ok]:
        return f"not confirmed yet: no result on {len(lacking)} of {len(c.fresh)} fresh seeds ({lacking[0]})"
    return ""


def own_seeds(c: MethodResults, anchor: MethodResults, seeds: Sequence[int], planned: int | None) -> tuple[int, ...]:
    """The seeds that a method is compared on if it has them: the table's `seeds`, or those that were drawn for it."""
    if c.fresh is None:
        return tuple(seeds)
    return () if why_not_confirmed(c, anchor) else c.fresh[:planned]


def confirmed_in_words(c: MethodResults, seeds: Sequence[int]) -> str | None:
    """confirmed on 5 fresh seeds; None for a method whose seeds nobody drew."""
    return None if c.fresh is None else f"confirmed on {len(seeds)} fresh seed{'s' * (len(seeds) != 1)}"


def compared_on(c: MethodResults, seeds: Sequence[int]) -> tuple[int, ...]:
    """The seeds on which a method is compared with the anchor: of its `seeds`, those up to the first that it lacks.

    In the order of their numbers and without a gap: which seeds count must not be chosen after their results are seen.
    """
    return tuple(takewhile(lambda seed: seed in c.counted, seeds))


def gap(c: MethodResults, on: Sequence[int], seeds: Sequence[int]) -> str | None:
    """Which seed a method lacks although it has later ones, which do not count then, in words.

    `on` are its seeds that count, of the anchor's `seeds`.
    """
    later = [seed for seed in c.counted if seed > len(on)]
    if not later or c.fresh is not None or len(on) == len(seeds):
        return None
    return f"no result on seed {seeds[len(on)]}: {seeds_in_words(later)} do not count"


def in_order(c: MethodResults) -> tuple[int, ...]:
    """The seeds of an anchor on which a table rests: 0, 1, 2, ... up to the first on which it has no result."""
    return tuple(takewhile(lambda seed: seed in c.ok, count()))


def objection(anchor: MethodResults, other: MethodResults, setup: str, seeds: Sequence[int]) -> str | None:
    """Why the setup does not hold between the anchor and a method on these seeds, in words; None if it does.

    Judged by what was executed, seed by seed.
    """
    for seed in seeds:
        pair = [anchor.pipelines[seed], other.pipelines[seed]]
        if found := violations(pair, HARNESS_SETUPS[setup]):
            if all(finding.state is State.NOT_APPLICABLE for finding in found):
                where = listed_where(admits_scratch)
                return f"scratch training has no base model and no pruning stage: it is compared under {where}"
            reasons = "; ".join(f"{finding.factor.replace('_', ' ')}: {finding.why}" for finding in found)
            return f"{setup} does not hold with {anchor.name} ({reasons})"
    return None


def holding_setup(ranked: Sequence[MethodResults], seeds: Sequence[int], setup: str) -> str | None:
    """The highest setup that verifiably holds among all ranked methods, on every seed that they finished.

    A confirmed method is looked at on its fresh seeds, with the anchor. Of S1 < S2 < ... < S4.2; but the one they ran
    under, where that lies beside this order and is more than was found.
    """
    row, run = chain(), HARNESS_SETUPS[setup]
    every = dict.fromkeys((*seeds, *(seed for c in ranked for seed in c.fresh or ())))
    pools = [
        [c.pipelines[seed] for c in ranked if seed in c.pipelines and (c.fresh is None or seed in c.fresh)]
        for seed in every
    ]
    fields = [pipelines for pipelines in pools if len(pipelines) > 1]
    found = [established(pipelines) for pipelines in fields]
    if not found or None in found:
        return None
    highest = min((id for id in found if id), key=row.index)
    beside = setup not in row and run.implies(HARNESS_SETUPS[highest])
    return setup if beside and all(holds(pipelines, run) for pipelines in fields) else highest
