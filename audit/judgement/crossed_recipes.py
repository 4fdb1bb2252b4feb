"""Crossed recipes: A retrained as B, and B as A (arXiv:2301.05219, cross-validating recipes).

Under each recipe one method meets the other. Where both entries already share one recipe, the crossed
results are the two methods under a second one, and are compared with each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from prunemark.audit.document.comparison import Comparison, CrossedResult
from prunemark.audit.judgement.assessed_pair import AssessedPair
from prunemark.audit.judgement.noise import Arm, Gap, OwnRepeats, gap, make_arm
from prunemark.setups.values import State


@dataclass(frozen=True)
class CrossFinding:
    """Who wins under both recipes, and by how much under each, in words."""

    outcome: Literal["wins", "loses", "depends"]
    why: str


def judge_crossed(
    comparison: Comparison, pair: AssessedPair, arms: tuple[Arm, Arm], own: OwnRepeats | None
) -> CrossFinding | None:
    """What the crossed results say; None unless there is one of each method. `arms` are (winner, loser)."""
    a = _result(comparison, pair.winner.name, pair.loser.name)
    b = _result(comparison, pair.loser.name, pair.winner.name)
    if a is None or b is None:
        return None
    of = (pair.winner["dataset"].value, pair.winner["network.name"].value, own)
    all_four = (*arms, *(make_arm(c.result, None, *of) for c in (a, b)))
    winner, loser, winner_crossed, loser_crossed = all_four
    if all(pair.findings[f].state is State.HOLDS for f in ("retraining_epochs", "retraining_lr")):
        matches = (("their own recipe", winner, loser), ("the crossed recipe", winner_crossed, loser_crossed))
    else:
        matches = (
            (f"the recipe of {pair.winner.name}", winner, loser_crossed),
            (f"the recipe of {pair.loser.name}", winner_crossed, loser),
        )
    gaps = tuple((recipe, gap(left, right, by_drop=False)) for recipe, left, right in matches)
    positions = {found.position() for _, found in gaps}
    words = "; ".join(f"under {recipe} {_span(found)}" for recipe, found in gaps)
    if positions == {"above"}:
        return CrossFinding("wins", f"{pair.winner.name} wins under both recipes: {words}")
    if positions == {"below"}:
        return CrossFinding("loses", f"{pair.winner.name} loses under both recipes: {words}")
    return CrossFinding("depends", f"no consistent winner beyond noise: {words}. {_highest(pair, all_four)}")


def _result(comparison: Comparison, method: str, recipe: str) -> CrossedResult | None:
    return next((c for c in comparison.cross if (c.method, c.retraining) == (method, recipe)), None)


def _span(found: Gap) -> str:
    main = found.main
    if main is None:
        return "not decided (an accuracy or the noise is unknown)"
    return f"{main.points:+.2f} points ({main.low:+.2f} to {main.high:+.2f})"


def _highest(pair: AssessedPair, arms: Sequence[Arm]) -> str:
    a, b = pair.winner.name, pair.loser.name
    names = (f"{a} as in its entry", f"{b} as in its entry", f"{a} retrained as {b}", f"{b} retrained as {a}")
    reached = [(arm.top1, name) for arm, name in zip(arms, names, strict=True) if arm.top1 is not None]
    if not reached:
        return ""
    best = max(reached)
    return f"The highest was reached by {best[1]}: {best[0]:g} %"
