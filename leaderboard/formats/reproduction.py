"""A reproduced table of the paper as Markdown, in the paper's layout."""

from __future__ import annotations

from statistics import fmean

from prunemark.leaderboard.formats.markdown import interval, markdown_table
from prunemark.leaderboard.standings.reproduction import Cell, Reproduction, row_id

MEANING = (
    "held: a one-sided paired t-test over the seeds says so (p at most .05 after Holm over all findings of the table); "
    "did not hold: the test says the opposite; not decided: neither"
)


def reproduction_markdown(table: Reproduction) -> str:
    """The table in the paper's layout: measured mean ± sd, with the paper's number in brackets."""
    ratios = [f"{level} ({s:.2f}x)" for level, s in zip(table.levels, table.speedups, strict=True)]
    ta = any(cell.paper_ta_percent is not None for cell in table.cells.values())
    head = ["row", "setup", *ratios] + (["trainability, validation"] if ta else [])
    lines = []
    for row in table.grid.rows:
        cells = [table.cells[row_id(row), level] for level in table.levels]
        lines.append([row.name, row.setup, *map(_cell_text, cells)] + ([_ta_text(cells[0])] if ta else []))
    found = [[f.claim, f.word, interval(f), f"{f.p:.3g}"] for f in table.findings]
    return (
        f"# {table.grid.title}\n\nTest accuracy in percent on {table.track}, mean ± sd over seeds "
        f"{', '.join(map(str, table.seeds))}; in brackets the paper's ({table.grid.paper_setting}). "
        f"Rows are in the paper's epochs, scaled to the track.\n\n{markdown_table(head, lines)}\n"
        + "".join(f"{line}.\n\n" for line in table.verified)
        + f"## Findings\n\n{MEANING}. 'As far as' means not worse by the track's margin of {table.margin_pp:g} pp.\n\n"
        + markdown_table(["finding", "here", "difference pp [95 % CI]", "p"], found)
    )


def _cell_text(cell: Cell) -> str:
    sd = f" ± {cell.sd:.2f}" if cell.sd is not None else ""
    return f"{cell.mean:.2f}{sd} [{cell.paper_percent:.2f}]"


def _ta_text(cell: Cell) -> str:
    mine = f"{fmean(cell.trainability):.2f}" if cell.trainability else ""
    return mine + (f" [{cell.paper_ta_percent:.2f}]" if cell.paper_ta_percent is not None else "")
