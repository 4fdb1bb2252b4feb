"""Crossed recipes: A retrained as B, and B as A (arXiv:2301.05219, cross-validating recipes).

Under each recipe one method meets the other. Where both entries already share one recipe, the crossed
results are the two methods under a second one, and are compared with each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from prunemark.audit.document.comparison import Comparison, Crossed
from prunemark.audit.judgement.noise import Arm, Gap, gap
from prunemark.audit.judgement.pair import Pair
from prunemark.setups.values import State


@dataclass(frozen=True)
class CrossFinding:
    """Who wins under both recipes, and by how much under each, in words."""

    outcome: Literal["wins", "loses", "depends"]
    why: str


def judge(
    comparison: Comparison, pair: Pair, own: tuple[Arm, Arm], arm_of: Callable[[Crossed], Arm]
) -> CrossFinding | None:
    """What the crossed results say; None unless there is one of each method. `own` are (winner, loser)."""
    a = _result(comparison, pair.winner.name, pair.loser.name)
    b = _result(comparison, pair.loser.name, pair.winner.name)
    if a is None or b is None:
        return None
    arms = (own[0], own[1], arm_of(a), arm_of(b))
    if _share_a_recipe(pair):
        matches = (("their own recipe", arms[0], arms[1]), ("the crossed recipe", arms[2], arms[3]))
    else:
        matches = (
            (f"the recipe of {pair.winner.name}", arms[0], arms[3]),
            (f"the recipe of {pair.loser.name}", arms[2], arms[1]),
        )
    gaps = tuple((recipe, gap(left, right, by_drop=False)) for recipe, left, right in matches)
    positions = {found.position() for _, found in gaps}
    words = "; ".join(f"under {recipe} {_span(found)}" for recipe, found in gaps)
    if positions == {"above"}:
        return CrossFinding("wins", f"{pair.winner.name} wins under both recipes: {words}")
    if positions == {"below"}:
        return CrossFinding("loses", f"{pair.winner.name} loses under both recipes: {words}")
    return CrossFinding("depends", f"no consistent winner beyond noise: {words}. {_highest(pair, arms)}")


def _result(comparison: Comparison, method: str, recipe: str) -> Crossed | None:
    return next((c for c in comparison.cross if (c.method, c.retraining) == (method, recipe)), None)


def _share_a_recipe(pair: Pair) -> bool:
    return all(pair.findings[f].state is State.HOLDS for f in ("retraining_epochs", "retraining_lr"))


def _span(found: Gap) -> str:
    main = found.main
    if main is None:
        return "not decided (an accuracy or the noise is unknown)"
    return f"{main.points:+.2f} points ({main.low:+.2f} to {main.high:+.2f})"


def _highest(pair: Pair, arms: tuple[Arm, Arm, Arm, Arm]) -> str:
    a, b = pair.winner.name, pair.loser.name
    names = (f"{a} as in its entry", f"{b} as in its entry", f"{a} retrained as {b}", f"{b} retrained as {a}")
    reached = [(arm.top1, name) for arm, name in zip(arms, names, strict=True) if arm.top1 is not None]
    if not reached:
        return ""
    best = max(reached)
    return f"The highest was reached by {best[1]}: {best[0]:g} %"
