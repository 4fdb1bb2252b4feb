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
from prunemark.audit.judgement.noise import Arm, Gap, OwnRepeats, Position, gap, make_arm
from prunemark.setups.values import State


@dataclass(frozen=True)
class CrossFinding:
    """Where the gap lies under each recipe, all arms that were run, and by how much, in words."""

    positions: tuple[Position, ...]
    arms: tuple[Arm, ...]
    why: str
    highest: str

    @property
    def outcome(self) -> Literal["wins", "loses", "depends"]:
        """Whether the claimed winner is above under every recipe, below under every one, or neither."""
        found = set(self.positions)
        return "wins" if found == {"above"} else "loses" if found == {"below"} else "depends"


def judge_crossed(
    comparison: Comparison, pair: AssessedPair, arms: tuple[Arm, Arm], own: OwnRepeats | None, threshold: float
) -> CrossFinding | None:
    """What the crossed results say; None unless there is one of each method. `arms` are (winner, loser)."""
    a = _result(comparison, pair.winner.name, pair.loser.name)
    b = _result(comparison, pair.loser.name, pair.winner.name)
    if a is None or b is None or pair.metric is None:
        return None
    names = (pair.winner["dataset"].value, pair.winner["network.name"].value, own, pair.metric)
    crossed = (
        make_arm(result.result, None, *names, selection=entry["result.selection"].value)
        for entry, result in ((pair.winner, a), (pair.loser, b))
    )
    all_four = (*arms, *crossed)
    winner, loser, winner_crossed, loser_crossed = all_four
    own_and_crossed = (("their own recipe", winner, loser), ("the crossed recipe", winner_crossed, loser_crossed))
    recipe_by_recipe = (
        (f"the recipe of {pair.winner.name}", winner, loser_crossed),
        (f"the recipe of {pair.loser.name}", winner_crossed, loser),
    )
    states = {pair.findings[f].state for f in ("retraining_epochs", "retraining_lr")}
    matches: tuple[tuple[str, Arm, Arm], ...]
    if states == {State.HOLDS}:
        matches = own_and_crossed
    elif State.REFUTED in states:
        matches = recipe_by_recipe
    else:  # whether they share a recipe is not said: the claim has to hold either way
        matches = (*recipe_by_recipe, *own_and_crossed)
    gaps = tuple((recipe, gap(left, right, by_drop=False)) for recipe, left, right in matches)
    words = "; ".join(f"under {recipe} {_span(found, pair.metric.unit)}" for recipe, found in gaps)
    positions: tuple[Position, ...] = tuple(found.position(threshold) for _, found in gaps)
    return CrossFinding(positions, all_four, words, _highest(pair, all_four))


def _result(comparison: Comparison, method: str, recipe: str) -> CrossedResult | None:
    return next((c for c in comparison.cross if (c.method, c.retraining) == (method, recipe)), None)


def _span(found: Gap, unit: str) -> str:
    main = found.main
    if main is None:
        return "not decided (an accuracy or the noise is unknown)"
    return f"{main.points:+.2f} {unit} ({main.low:+.2f} to {main.high:+.2f})"


def _highest(pair: AssessedPair, arms: Sequence[Arm]) -> str:
    a, b = pair.winner.name, pair.loser.name
    names = (f"{a} as in its entry", f"{b} as in its entry", f"{a} retrained as {b}", f"{b} retrained as {a}")
    reached = [(arm.score, name) for arm, name in zip(arms, names, strict=True) if arm.score is not None]
    if not reached:
        return ""
    best = max(reached)
    sign, unit = (pair.metric.sign, pair.metric.unit) if pair.metric else (1.0, "points")
    return f"The highest was reached by {best[1]}: {sign * best[0]:g} {'%' if unit == 'points' else unit}"
