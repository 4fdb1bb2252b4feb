"""The captions of tables: what their statements rest on, printed with every form of them."""

from __future__ import annotations

from collections.abc import Sequence

from prunemark.leaderboard.formats import labels, times
from prunemark.leaderboard.inference.multiplicity import seeds_in_words
from prunemark.leaderboard.standings import lanes
from prunemark.leaderboard.standings.overall import Overall
from prunemark.leaderboard.standings.table import Table


def caption(table: Table, *, timed: bool = True) -> str:
    """What the statements of a table rest on; printed with every form of it, `timed` or without measured times."""
    return " ".join(parts_of(table, timed=timed))


def shared(captions: Sequence[Sequence[str]]) -> list[str]:
    """The parts that all of these captions have, in the order of the first: to be printed once."""
    return [part for part in captions[0] if all(part in other for other in captions)] if captions else []


def parts_of(table: Table, *, timed: bool = True) -> list[str]:
    """The caption in parts, each of one or more whole sentences."""
    seeds = ", ".join(map(str, table.seeds)) or "none"
    holds = (
        f"{table.holds} verifiably holds among the {'rows' if table.not_for_ranking else 'ranked rows'}"
        if table.holds
        else "no setup is verified"
    )
    if table.not_for_ranking:
        parts = [
            f"{table.track}, level {table.level}, run under {table.setup}; {holds}.",
            f"Not for ranking, because {table.not_for_ranking}: no verdicts, no ranks, not in means over tracks.",
            f"Seeds {seeds}. Anchor {table.anchor}.",
            *([f"Trained in {table.execution}."] if table.execution else ()),
            *(times.readings(table) if timed else ()),
            *_lanes(table),
            *table.notes,
        ]
        return parts
    said = "differences, p and ranks" if table.placed else "differences and p"
    parts = [
        f"{table.track}, level {table.level}, run under {table.setup}; {holds}.",
        f"Seeds {seeds}, paired.",
        *_fresh(table),
        f"Conditional on {conditional_on(table)}: {said} are about new seeds (E1).",
        f"Margin {table.margin_pp:g} pp; anchor {table.anchor}.",
        *_families(table),
        _judged(table),
        *filter(None, (table.prior,)),
        *_more_epochs(table),
        *_shown_earlier(table),
        *_readings(table, timed),
        *_lanes(table),
        *table.notes,
    ]
    return parts


def _judged(table: Table) -> str:
    """By which rule, and how many seeds the rows have where they differ."""
    if table.planned:
        return f"Judged in one look, at {seeds_in_words(table.planned)}: paired t with Holm."
    counts = sorted({len(row.seeds) for row in table.ranked}) or [0]
    differ = f" Rows have {counts[0]} to {counts[-1]} seeds, each compared on those it has." if len(counts) > 1 else ""
    return f"Judged at any time: p and intervals hold at every number of seeds (e-Holm).{differ}"


def _fresh(table: Table) -> list[str]:
    """Which rows count on other seeds than the others, and on which."""
    return [
        f"{row.name} is paired with {table.anchor} on fresh seeds, drawn after its code was registered: "
        f"{', '.join(map(str, row.seeds))}."
        for row in table.ranked
        if row.drawn
    ]


def _more_epochs(table: Table) -> list[str]:
    """Which rows trained for longer in their pruning stage, and what their verdicts and the ranks are worth then."""
    names = [row.name for row in table.ranked if row.more_epochs]
    if not names:
        return []
    ranks = ", and ranks and bold rest on them too" if table.placed else ""
    return [f"With more pruning epochs than {table.anchor}, so not about the criterion{ranks}: {', '.join(names)}."]


def _shown_earlier(table: Table) -> list[str]:
    """Which differences were shown with fewer seeds, though the interval of all seeds contains 0 by now."""
    shown = [row for row in table.ranked if row.verdict and row.verdict.word in ("better", "worse")]
    names = [row.name for row in shown if row.verdict and _contains_zero(row.verdict.comparison.interval_pp)]
    if not names:
        return []
    return [f"Shown with fewer seeds, which counts at any time, and the interval is wider now: {', '.join(names)}."]


def _contains_zero(interval: tuple[float, float]) -> bool:
    return interval[0] <= 0 <= interval[1]


def _readings(table: Table, timed: bool) -> list[str]:
    """What a reader may not take from the columns."""
    parts = ["Intervals are of one comparison each, not adjusted for the field."] if table.tested else []
    return parts + times.readings(table) if timed else parts


def _lanes(table: Table) -> list[str]:
    return [lanes.IN_WORDS] if labels.says_lanes(table) else []


def conditional_on(table: Table) -> str:
    """What the differences, p and ranks of a table hold for, and for nothing else."""
    base = " and on one base model, which all seeds share" if table.one_base else ""
    return f"this test set{base}" + (f" and on training in {table.execution}" if table.execution else "")


def _families(table: Table) -> list[str]:
    """How many tests were corrected for together, and in whose field."""
    family = table.tested
    if not family:
        return []
    crossed = sum(row.generalises is not None and row.generalises.p_holm is not None for row in table.ranked)
    release = f" of release {table.release}" if table.release else ""
    count = f"{family} comparison{'s' if family > 1 else ''} with the anchor"
    said, by = "p and ranks" if table.placed else "p", "Holm" if table.planned else "e-Holm"
    parts = [f"{said} by {by}, in the field{release} of {len(table.ranked)}: {count}."]
    if crossed:
        parts.append(
            f"New images: crossed t over seeds and {table.examples} images (E2), valid at this number of seeds, "
            f"Holm over {crossed}."
        )
    return parts


def overall_caption(overall: Overall) -> str:
    """What standings over tracks rest on, and what is said of new families."""
    anchor = f" Anchor {overall.anchor}." if overall.rows else ""
    return f"Run under {overall.setup}, {overall.kind} pruning. {overall.statement}{anchor} {overall.e4}".strip()


def what_is_pruned(overall: Overall) -> str:
    """filters, weights, or weights by a pattern."""
    return f"{overall.granularity}s{f' by {overall.pattern}' if overall.pattern else ''}"
