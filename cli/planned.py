"""`leaderboard --plan`: what decides most an hour, as a listing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from prunemark.leaderboard.standings.plan import Plan


def rows_of(plan: Plan) -> list[dict[str, Any]]:
    """The open comparisons, best value first. Minutes are of one core; "" where nothing like it has been timed."""
    return [
        {
            "track": p.open.table.track, "setup": p.open.table.setup, "level": p.open.table.level,
            "method": p.open.row.name, "compared_seeds": p.open.compared, "next_seeds": _in_words(p.seeds),
            "expected_seeds": len(p.seeds),
            "expected_minutes": _rounded(None if p.core_seconds is None else p.core_seconds / 60),
            "decisions_per_hour": _rounded(p.decisions_per_hour),
        }
        for p in plan.prospects
    ]  # fmt: skip


def summary(plan: Plan) -> str:
    """How much is decided, and what the rest is expected to take."""
    open_count = len(plan.prospects)
    said = f"{len(plan.decided)} of {plan.comparisons} comparisons decided"
    if not open_count:
        return f"{said}: nothing to run"
    hours = "" if plan.core_seconds is None else f" and {plan.core_seconds / 3600:.1f} hours of one core"
    seeds = sum(len(p.seeds) for p in plan.prospects)
    return (
        f"{said}; {open_count} are open and expected to take {seeds} seeds{hours}.\n"
        "Expected from the differences so far and the seconds in the records. `prunemark fill --hours H` runs them"
    )


def _in_words(seeds: Sequence[int]) -> str:
    """10-16; or 1, 4, 5 where there are gaps."""
    whole = list(seeds) == list(range(seeds[0], seeds[-1] + 1))
    return f"{seeds[0]}-{seeds[-1]}" if whole and len(seeds) > 1 else ", ".join(map(str, seeds))


def _rounded(value: float | None) -> float | str:
    return "" if value is None else float(f"{value:.3g}")
