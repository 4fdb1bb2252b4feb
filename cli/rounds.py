"""Running until all is decided or the budget is spent, round by round: each is planned on what the last one showed.

A round takes the best value first, for about a minute of work, so that starting processes is paid for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from prunemark.setups.errors import InputError

if TYPE_CHECKING:
    from prunemark.leaderboard.standings.plan import Plan, Prospect

ROUND_SECONDS = 60.0
MAX_SEEDS = 60
FEW = 8
"""Comparisons that are named one by one."""


@dataclass(frozen=True)
class Limits:
    """What may be spent: seeds of a comparison in all, and hours on the wall, None without a limit."""

    max_seeds: int = MAX_SEEDS
    hours: float | None = None


@dataclass
class Rounds:
    """One run. `look` reads what is there, `run` runs trials, `say` prints a line; `clock` gives seconds.

    `workers` trials run at once. `stuck` are the open comparisons that more seeds did not move.
    """

    look: Callable[[], Plan]
    run: Callable[[Sequence[Prospect]], None]
    say: Callable[[str], None]
    clock: Callable[[], float]
    workers: int
    limits: Limits
    began: float
    stuck: set[tuple[str, ...]] = field(default_factory=set)
    _expected_seconds: float = 0.0
    _taken_seconds: float = 0.0

    def to_the_end(self) -> Plan:
        """Runs rounds while anything open fits the limits; what is open then is in the plan that is returned."""
        plan, number = self.look(), 0
        while chosen := self._choose(plan):
            number += 1
            self.say(in_words(f"round {number}", plan, self._minutes(plan), self.stuck))
            before = {p.open.key: p.open.compared for p in chosen}
            at = self.clock()
            self.run(chosen)
            if all(p.core_seconds is not None for p in chosen):
                self._taken_seconds += self.clock() - at
                self._expected_seconds += sum(p.core_seconds or 0.0 for p in chosen) / self.workers
            plan = self.look()
            self.stuck |= {o.key for p in plan.prospects if (o := p.open).compared <= before.get(o.key, -1)}
        self.say(in_words("end", plan, self._minutes(plan), self.stuck))
        return plan

    def _choose(self, plan: Plan) -> list[Prospect]:
        """Parts of the best prospects, for about a minute here, and no longer than is left."""
        left = None if self.limits.hours is None else self.limits.hours * 3600 - (self.clock() - self.began)
        chosen: list[Prospect] = []
        expected = 0.0
        for prospect in plan.prospects:
            if expected >= ROUND_SECONDS or (left is not None and expected >= left):
                break
            part = self._within(prospect.part(), None if left is None else left - expected)
            if part and prospect.open.key not in self.stuck:
                chosen.append(part)
                expected += self._seconds_here(part) or ROUND_SECONDS
        return chosen

    def _within(self, part: Prospect, left: float | None) -> Prospect | None:
        """As many of its seeds as the limits allow; None where they allow none."""
        number = sum(seed < self.limits.max_seeds for seed in part.seeds)
        seconds = self._seconds_here(part)
        if left is not None and seconds:
            number = min(number, int(left / seconds * len(part.seeds)))
        return part.first(number) if number > 0 else None

    def _seconds_here(self, prospect: Prospect) -> float | None:
        """On the wall of this machine, judged by how long the rounds before took; None where nothing was timed."""
        if prospect.core_seconds is None:
            return None
        slower = self._taken_seconds / self._expected_seconds if self._expected_seconds else 1.0
        return prospect.core_seconds / self.workers * slower

    def _minutes(self, plan: Plan) -> dict[tuple[str, ...], float | None]:
        seconds = {p.open.key: self._seconds_here(p) for p in plan.prospects}
        return {key: None if value is None else value / 60 for key, value in seconds.items()}


def in_words(
    when: str, plan: Plan, minutes: dict[tuple[str, ...], float | None], stuck: Collection[tuple[str, ...]]
) -> str:
    """How many comparisons are decided, and what the rest is expected to cost; of a few, which they are."""
    going = [p for p in plan.prospects if p.open.key not in stuck]
    total = plan.comparisons
    said = f"{when}: {len(plan.decided)} of {total} comparisons decided"
    if going:
        seeds = sum(len(p.seeds) for p in going)
        said += f"; for the rest about {seeds} more seeds, {_time([minutes[p.open.key] for p in going])}"
    if stuck:
        said += f"; more seeds do not move {len(stuck)}"
    if total > FEW:
        return said
    decided = [
        f"  {row.name} {table.level}: {verdict.word}, {verdict.comparison.difference_pp:+.2f} pp with "
        f"{verdict.comparison.seeds} seeds"
        for table, row in (*plan.decided, *plan.over)
        if (verdict := row.verdict)
    ]
    left = [
        f"  {p.open.row.name} {p.open.table.level}: open with {p.open.compared} seeds, "
        + (f"about {len(p.seeds)} more, {_time([minutes[p.open.key]])}" if p in going else "which more do not change")
        for p in plan.prospects
    ]
    return "\n".join([said, *decided, *left])


def _time(minutes: Sequence[float | None]) -> str:
    known = [value for value in minutes if value is not None]
    return f"{sum(known):.1f} minutes here" if len(known) == len(minutes) else "of unknown time"


def read_limits(max_seeds: int | None, hours: float | None) -> Limits:
    """Raises InputError for what is no limit."""
    if max_seeds is not None and not 3 <= max_seeds <= 1000:
        raise InputError(f"--max-seeds is a number from 3 to 1000; given {max_seeds}")
    if hours is not None and not 0 < hours < 1e5:
        raise InputError(f"--hours is a number above 0; given {hours:g}")
    return Limits(MAX_SEEDS if max_seeds is None else max_seeds, hours)
