"""A reproduced table of the paper as Markdown, in the paper's layout."""

from __future__ import annotations

from statistics import fmean

from prunemark.leaderboard.formats.markdown import interval, markdown_table
from prunemark.leaderboard.standings.reproduction import Cell, Reproduction, row_id

MEANING = (
    "Every row is compared with its reference at every ratio: paired t-tests over the seeds, adjusted by Holm over all "
    "cells of the table. confirmed: significant (p at most .05), with the paper's sign; opposite: significant, with "
    "the other sign; equivalent: not significant, and within the track's margin of {margin:g} pp by two one-sided "
    "tests; open: neither. The paper's differences are of its printed means and can be noise themselves"
)


def reproduction_markdown(table: Reproduction) -> str:
    """The table in the paper's layout: measured mean ± sd, with the paper's number in brackets; then every cell."""
    ratios = [f"{level} ({s:.2f}x)" for level, s in zip(table.levels, table.speedups, strict=True)]
    ta = any(cell.paper_ta_percent is not None for cell in table.cells.values())
    head = ["row", "setup", *ratios] + (["trainability, validation"] if ta else [])
    lines = []
    for row in table.grid.rows:
        cells = [table.cells[row_id(row), level] for level in table.levels]
        lines.append([row.name, row.setup, *map(_cell_text, cells)] + ([_ta_text(cells[0])] if ta else []))
    findings = [
        [f.row, f.reference, f.level, f"{f.paper_difference_pp:+.2f}", interval(f), f.word, f"{f.p:.3g}",
         f"{f.p_equivalence:.3g}"]
        for f in table.findings
    ]  # fmt: skip
    return (
        f"# {table.grid.title}\n\nTest accuracy in percent on {table.track}, mean ± sd over seeds "
        f"{', '.join(map(str, table.seeds))}; in brackets the paper's ({table.grid.paper_setting}). "
        f"Rows are in the paper's epochs, scaled to the track.\n\n{markdown_table(head, lines)}\n"
        + "".join(f"{line}.\n\n" for line in remarks(table))
        + f"## Findings\n\n{table.summary}.\n\n{MEANING.format(margin=table.margin_pp)}.\n\n"
        + markdown_table(
            ["row", "against", "ratio", "paper pp", "difference pp [95 % CI]", "verdict", "p", "p equivalent"], findings
        )
    )


def remarks(table: Reproduction) -> list[str]:
    """What has to be known to read the table, and which setups hold in it: sentences without their full stops."""
    return [*filter(None, (_about_trainability(table), table.grid.note, _quoted(table))), *table.verified]


def _about_trainability(table: Reproduction) -> str:
    """That the paper's trainability accuracy is another quantity, where its own numbers show it."""
    for row in table.grid.rows:
        if row.paper_ta_percent is not None and row.paper_ta_percent > row.paper_percent[0]:
            return (
                f"The paper's trainability accuracy exceeds its final accuracy ({row.paper_ta_percent:.2f} against "
                f"{row.paper_percent[0]:.2f} for {row.name}), so it is another quantity than the one next to it, which "
                "is the mean validation accuracy over the first LR stage. Only compare numbers of one kind"
            )
    return ""


def _quoted(table: Reproduction) -> str:
    quoted = ", ".join(f"{name} {percent:.2f} ({speedup:.2f}x)" for name, speedup, percent in table.grid.published)
    return f"Quoted from the paper and not run here: {quoted}" if quoted else ""


def _cell_text(cell: Cell) -> str:
    sd = f" ± {cell.sd:.2f}" if cell.sd is not None else ""
    return f"{cell.mean:.2f}{sd} [{cell.paper_percent:.2f}]"


def _ta_text(cell: Cell) -> str:
    mine = f"{fmean(cell.trainability):.2f}" if cell.trainability else ""
    return mine + (f" [{cell.paper_ta_percent:.2f}]" if cell.paper_ta_percent is not None else "")
