"""Rows with real numbers and the same names everywhere, for CSV and JSON; None where there is no number."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from prunemark.leaderboard.formats import captions
from prunemark.leaderboard.standings.measured import Measured, Timed
from prunemark.leaderboard.standings.overall import Overall, OverallRow
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table

COLUMN_OF = {"eager": "speedup_timed", "compile": "speedup_compiled", "onnx": "speedup_onnx", "2to4": "speedup_2to4"}
"""The column of each backend's speed-up, by its word."""


def plain_rows(tables: Iterable[Table]) -> list[dict[str, Any]]:
    """All rows of all tables."""
    return [plain_row(row, table) for table in tables for row in (*table.ranked, *table.unranked)]


def plain_overall_rows(overall: Iterable[Overall]) -> list[dict[str, Any]]:
    """All rows of all standings over tracks."""
    return [plain_overall_row(row, each) for each in overall for row in each.rows]


def plain_row(row: Row, table: Table) -> dict[str, Any]:
    """One method of one table. `seed_list` are the seeds behind its numbers, `conditional_on` as in the caption.

    `seeds_drawn` is true where the board drew the seeds, false where the author of a contributed method chose them, and
    None where they count in the order of their numbers.
    """
    comparison = row.verdict.comparison if row.verdict else None
    tested = row.verdict is not None and row.verdict.p_holm is not None
    low, high = comparison.interval_pp if comparison else (None, None)
    lowest, highest = row.interval_percent or (None, None)
    crossed = row.generalises
    return {
        "scope": "track", "track": table.track, "setup": table.setup, "granularity": table.granularity,
        "pattern": table.pattern or None,
        "level": table.level, "method": row.name, "role": row.role,
        "ranked": not row.why,
        "judged": f"planned: {table.planned}" if table.planned else "any-time",
        "seeds": len(row.seeds), "seed_list": list(row.seeds), "seeds_drawn": row.drawn,
        "conditional_on": captions.conditional_on(table),
        "accuracy_percent": row.accuracy_percent, "sd_pp": row.sd_pp,
        "accuracy_low_percent": _finite(lowest), "accuracy_high_percent": _finite(highest),
        "drop_pp": row.drop_pp, "speedup_macs": row.speedup_macs, "sparsity": row.sparsity, "params": row.params,
        "pruning_epochs": row.epochs.pruning, "retraining_epochs": row.epochs.retraining,
        "more_pruning_epochs": row.more_epochs,
        "lane": row.lane.lane or None, "pruning_cpu_seconds": row.lane.cpu_seconds,
        "accounted_cpu_seconds": row.lane.accounted_cpu_seconds,
        **_measured(row.measured), "trainability_percent": row.trainability_percent,
        "difference_pp": comparison.difference_pp if comparison else None,
        "difference_low_pp": _finite(low), "difference_high_pp": _finite(high),
        "effect_sd": comparison.effect if comparison and tested else None,
        "wins": comparison.wins if comparison else None, "ties": comparison.ties if comparison else None,
        "p_raw": comparison.p_two_sided if comparison and tested else None,
        "p_holm": row.verdict.p_holm if row.verdict else None,
        "p_equivalence_holm": row.verdict.p_equivalence_holm if row.verdict else None,
        "p_new_images_raw": crossed.p_two_sided if crossed and crossed.p_holm is not None else None,
        "p_new_images_holm": crossed.p_holm if crossed else None,
        "generalises": crossed.generalises if crossed and crossed.p_holm is not None else None,
        "rank_low": row.rank[0] if row.rank else None, "rank_high": row.rank[1] if row.rank else None,
        "verdict": "anchor" if row.name == table.anchor and not row.why else row.verdict and row.verdict.word,
        "evidence": row.verdict.evidence if row.verdict else table.evidence,
        "more_seeds": row.verdict.more_seeds if row.verdict else None,
        "holds": table.holds, "flags": "; ".join(row.flags) or None, "why_unranked": row.why or None,
        "not_for_ranking": table.not_for_ranking or None,
    }  # fmt: skip


def _measured(found: Measured) -> dict[str, Any]:
    """Numbers that are withheld are None; `timing_withheld` says why."""
    plain: dict[str, Any] = {"latency_ms": _unless_withheld(found.one_image, lambda one: one.latency_ms)}
    for backend, name in COLUMN_OF.items():
        timed = (found.timed or {}).get(backend)
        plain[name] = _unless_withheld(timed, lambda one: one.speedup.median)
        plain[f"{name}_low"] = _unless_withheld(timed, lambda one: one.speedup.low)
        plain[f"{name}_high"] = _unless_withheld(timed, lambda one: one.speedup.high)
    return plain | {
        "timed_on": found.conditions or None, "timing_withheld": found.withheld or None,
        "peak_memory_bytes": found.peak_memory_bytes, "model_bytes": found.model_bytes,
    }  # fmt: skip


def _unless_withheld(timed: Timed | None, number: Callable[[Timed], float]) -> float | None:
    return number(timed) if timed and not timed.withheld else None


def plain_overall_row(row: OverallRow, overall: Overall) -> dict[str, Any]:
    """One method over tracks. Margins are units of each track's own margin; differences are in points, by track.

    `conditional_on` is the whole statement of the caption: which tracks, and what the numbers rest on.
    """
    low, high = row.interval or (None, None)
    return {
        "scope": "over tracks", "setup": overall.setup, "granularity": overall.granularity,
        "pattern": overall.pattern or None, "method": row.name,
        "conditional_on": overall.statement,
        "ranked": not row.why, "tracks": row.present, "mean_margins": row.mean_margins,
        "margins_low": _finite(low), "margins_high": _finite(high), "p_raw": row.p_raw, "p_holm": row.p_holm,
        "verdict": row.verdict or None, "more_pruning_epochs": row.more_epochs,
        "p_new_families_raw": row.e4.p_raw if row.e4 else None,
        "p_new_families_holm": row.e4.p_holm if row.e4 else None,
        "differences_pp": dict(row.per_track), "flags": "; ".join(row.flags) or None, "why_unranked": row.why or None,
    }  # fmt: skip


def _finite(value: float | None) -> float | None:
    """None for infinity, which JSON cannot hold."""
    return value if value is not None and math.isfinite(value) else None
