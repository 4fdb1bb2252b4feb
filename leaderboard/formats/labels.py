"""What a board says in words: columns, captions and the statements that every table must carry."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from prunemark.leaderboard.formats import times
from prunemark.leaderboard.inference.multiplicity import interval_in_words, seeds_in_words
from prunemark.leaderboard.standings.levels import COLLAPSED
from prunemark.leaderboard.standings.overall import Overall, OverallRow
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.leaderboard.standings.training import more_in_words

COLUMNS = {
    "method": "Method",
    "accuracy": "Accuracy %",
    "drop": "Drop pp",
    "compression": "Speed-up",
    "epochs": "Epochs",
    "lane": "Lane",
    **times.COLUMNS,
    "difference": "To anchor pp [95 % CI]",
    "p": "p (any time)",
    "rank": "Rank",
    "verdict": "Verdict",
    "new_images": "New images",
}
# What a row that is not ranked has too.
NUMBERS = ("accuracy", "drop", "compression", "epochs", "lane", *times.COLUMNS)
MEANINGS = {
    "Accuracy %": "of the final model on the test split, last epoch: mean and standard deviation over the seeds",
    "Drop pp": "accuracy of the base model minus accuracy of the final model, mean over the seeds",
    "Speed-up": "MACs of the dense network over MACs of the pruned one; on weight tracks the sparsity instead",
    "Sparsity": "the share of the weights that the track allows to prune which are zero; of the dense network, 1.00x",
    "Epochs": "of training in the pruning stage + in retraining, as executed; a mean over the seeds",
    "Lane": "what the harness took from the method's process: decision is only which filters or weights stay, harness "
    "also that it asked for training, which the harness carried out, own the weights that the method's own code made",
    **times.MEANINGS,
    "To anchor pp [95 % CI]": "mean difference to the anchor over the seeds that both have, with an interval that "
    "holds at any number of seeds; few seeds exclude no difference: [any]. It is not adjusted for other comparisons: "
    "if it excludes 0 and p is not significant, p decides",
    "p (any time)": "how often so strong evidence of a difference would ever come by chance if there were none, "
    "however often one looks, adjusted for all methods that are compared with the anchor here (e-Holm)",
    "New images": "whether a difference to the anchor is shown for new seeds and new images at once, by the crossed t",
    "Rank": "the places that the evidence allows, by Holm over all ordered pairs; bold means that none is shown better",
    "better / worse": "the adjusted p is at most .05",
    "equivalent": "the difference is shown to lie inside the track's margin (two one-sided tests)",
    "better, with 30 more epochs": "shown, of a method that trained for 30 epochs more in its pruning stage than the "
    "anchor, where the setup leaves them free. It is not counted as a verdict about the criterion",
    "collapsed on k of n seeds": "so many runs end below twice the accuracy of chance. No mean difference is tested",
    "not for ranking": "a level at which a layer keeps fewer than 4 filters, or more than 5 % of the runs end below "
    "twice chance. It is shown, without verdicts, ranks and means over tracks",
    "undetermined": "neither is shown. It does not mean equal. About so many more seeds are expected to show one or "
    "the other, by the differences so far",
}


def columns(table: Table) -> dict[str, str]:
    """Heads of a table by key: sparsity for speed-up where weights are pruned, and no column that nobody has."""
    heads = dict(COLUMNS)
    if table.granularity == "weight":
        heads["compression"] = "Sparsity"
    for key in times.unknown(table):
        del heads[key]
    if not says_lanes(table):
        del heads["lane"]
    if not _ranks(table):
        del heads["rank"]
    if table.planned:
        heads["p"] = PLANNED_P
    return heads


def says_lanes(table: Table) -> bool:
    """Whether more than a decision was taken from any row's process. Records before 2026-12 do not say."""
    return any(row.lane.lane not in ("", "decision") for row in (*table.ranked, *table.unranked))


PLANNED_P = "p (Holm)"
OVERALL_COLUMNS = {
    "method": "Method",
    "tracks": "Tracks",
    "margins": "Margins [95 % CI]",
    "p": "p (any time)",
    "verdict": "Verdict",
}
"""Followed by the difference on every track, in points."""


@dataclass(frozen=True)
class Line:
    """One row of a table as text, column by column, and whether it belongs to the top set."""

    cells: dict[str, str]
    top: bool


def line(row: Row, table: Table) -> Line:
    """A ranked row as text, in the columns of its table."""
    verdict = row.verdict
    anchor = row.name == table.anchor
    cells = _measured(row) | {
        "difference": "anchor" if anchor else _difference(row),
        "p": "" if anchor or verdict is None or verdict.p_holm is None else p_value(verdict.p_holm),
        "rank": f"{row.rank[0]}-{row.rank[1]}" if row.rank else "",
        "verdict": "" if anchor else verdict_words(row, table),
        "new_images": "" if anchor else new_images(row),
    }
    return Line({key: cells[key] for key in columns(table)}, in_top_set(row, table))


def in_top_set(row: Row, table: Table) -> bool:
    """Whether no method is shown to be better: not by ranks, and not by verdicts, whose family is smaller."""
    verdicts = {other.verdict.word for other in table.ranked if other.verdict}
    beaten = "better" in verdicts if row.name == table.anchor else row.verdict and row.verdict.word == "worse"
    return bool(row.rank and row.rank[0] == 1 and not beaten)


def unranked_line(row: Row, table: Table) -> dict[str, str]:
    """A row that is not ranked: its numbers, and why."""
    cells = _measured(row) | {"why": row.why}
    heads = columns(table)
    return {key: cell for key, cell in cells.items() if key in heads or key == "why"}


def unranked_word(row: Row) -> str:
    """What stands in place of the difference to the anchor: collapsed on 2 of 20 seeds, or not ranked."""
    return row.why.partition(" (")[0] if row.why.startswith(COLLAPSED) else "not ranked"


def unranked_head(table: Table) -> list[str]:
    """The heads that go with `unranked_line`."""
    heads = columns(table)
    return ["Not ranked", *(heads[key] for key in NUMBERS if key in heads), "Why"]


def verdict_words(row: Row, table: Table) -> str:
    """The verdict, or why there is none."""
    if row.verdict is None:
        return f"no test ({seeds_in_words(len(row.seeds))})"
    verdict = row.verdict
    if verdict.evidence != "verdicts":
        more = f", of {table.planned} planned" if table.planned else ""
        return f"no test ({seeds_in_words(len(row.seeds))}{more})"
    if verdict.word == "undetermined":
        more = (
            ""
            if verdict.more_seeds is None
            else f" (about {seeds_in_words(verdict.more_seeds).replace(' ', ' more ')})"
        )
        return f"undetermined{more}"
    within = " (within margin)" if verdict.within_margin and verdict.word != "equivalent" else ""
    more = more_in_words(row.more_epochs)
    return f"{verdict.word}{within}{more and f', {more}'}"


def new_images(row: Row) -> str:
    """Whether the difference is shown to hold for new images too (E2), by its own test and no other."""
    comparison = row.generalises
    if comparison is None or comparison.p_holm is None:
        return ""
    word = "generalises" if comparison.generalises else "not shown"
    return f"{word} (p {p_value(comparison.p_holm)})"


def _ranks(table: Table) -> bool:
    return table.placed > 0


def flag_lines(rows: Iterable[Row | OverallRow]) -> list[str]:
    """What a reader must know about single rows, one sentence each."""
    return [f"{row.name}: {flag}" for row in rows for flag in row.flags]


def overall_head(overall: Overall) -> list[str]:
    """The columns of standings over tracks."""
    heads = OVERALL_COLUMNS | ({"p": PLANNED_P} if overall.planned else {})
    return [*heads.values(), *(f"{track} pp" for track in overall.tracks)]


def overall_line(row: OverallRow, overall: Overall) -> list[str]:
    """One method over tracks as text, column by column."""
    low, high = row.interval or (math.inf, math.inf)
    mean = "" if row.mean_margins is None else f"{row.mean_margins:+.2f} {interval_in_words((low, high))}"
    differences = [row.per_track.get(track) for track in overall.tracks]
    return [
        row.name,
        row.present,
        mean,
        "" if row.p_holm is None else p_value(row.p_holm),
        row.why or row.verdict,
        *("" if difference is None else f"{difference:+.2f}" for difference in differences),
    ]


def other_version(id: str, records: int) -> str:
    """That a track has records of a version which is not ranked here, and how it is."""
    return (
        f"{records:,} record{'s' * (records != 1)} of {id}, which is not the version ranked here: --track {id} ranks it"
    )


def number(value: float | None, digits: int) -> str:
    """A number, or nothing."""
    return "" if value is None or not math.isfinite(value) else f"{value:.{digits}f}"


def p_value(p: float) -> str:
    """A p-value with three significant digits."""
    return "<.001" if p < 0.001 else f"{p:.3g}"


def _measured(row: Row) -> dict[str, str]:
    """The columns that every row has, ranked or not."""
    return {
        "method": row.name,
        "accuracy": _accuracy(row),
        "drop": number(row.drop_pp, 2),
        "compression": _compression(row),
        "epochs": row.epochs.words,
        "lane": row.lane.lane,
    } | times.cells(row.measured)


def _accuracy(row: Row) -> str:
    return number(row.accuracy_percent, 2) + (f" ± {row.sd_pp:.2f}" if row.sd_pp is not None else "")


def _compression(row: Row) -> str:
    if row.sparsity:
        return f"{100 * row.sparsity:.1f} % zero"
    return f"{row.speedup_macs:.2f}x" if row.speedup_macs is not None else ""


def _difference(row: Row) -> str:
    if row.verdict is None:
        return ""
    comparison = row.verdict.comparison
    return f"{signed(comparison.difference_pp)} {interval_in_words(comparison.interval_pp)}"


def signed(value: float) -> str:
    """A difference with two digits and its sign; what rounds to nothing has no minus."""
    return f"{value:+.2f}".replace("-0.00", "+0.00")
