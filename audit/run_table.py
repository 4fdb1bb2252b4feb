"""`prunemark audit table FILE`: reads a table of results, audits what it compares, and says how it ended."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prunemark.audit.report import table_report
from prunemark.audit.report.output import save, write
from prunemark.audit.table.claims import TableAudit, audit_table
from prunemark.audit.table.columns import listed, ours, propose, read_columns
from prunemark.audit.table.common import Common, load_common
from prunemark.audit.table.documents import as_yaml
from prunemark.audit.table.grid import Grid
from prunemark.audit.table.read import choose, load_tables
from prunemark.audit.table.rows import read_rows
from prunemark.setups.errors import InputError, unknown_name

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("text", *table_report.RENDERERS)
WORST_FIRST = (2, 3, 4, 0)


@dataclass(frozen=True)
class TableOptions:
    """What was asked for on the command line."""

    file: Path
    columns: str | None = None
    ours: tuple[str, ...] = ()
    common: Path | None = None
    table: int | None = None
    every: bool = False
    format: str = "text"
    output: Path | None = None
    documents: Path | None = None


def run_table(options: TableOptions, console: Console) -> int:
    """Does what was asked for; gives the exit code. Raises InputError for what cannot be done."""
    if options.format not in FORMATS:
        raise unknown_name("format of a table's audit", options.format, FORMATS)
    name = str(options.file)
    grid = choose(load_tables(options.file), options.table, name)
    if options.columns is None:
        return _propose(grid, options, console)
    columns = read_columns(options.columns, grid, name)
    common = load_common(options.common) if options.common else Common()
    rows = read_rows(grid, columns, common, name)
    if not options.ours:
        methods = ", ".join(dict.fromkeys(row.method for row in rows.rows))
        raise InputError(f"--ours says whose claims are audited. Methods of the table: {methods[:600] or 'none'}")
    if not rows.rows:
        raise InputError(rows.problems[0] if rows.problems else f"no row has a result. {listed(grid, name)}")
    found = audit_table(rows, options.ours, common, name, grid.caption, options.every)
    _show(found, options, console)
    if options.documents:
        _write_documents(found, options.documents, console)
    codes = {one.audit.verdict.exit_code for one in found.judged} | ({2} if found.problems else set())
    return next(code for code in WORST_FIRST if code in codes or code == 0)


def _propose(grid: Grid, options: TableOptions, console: Console) -> int:
    """Nothing is judged by columns that nobody has looked at."""
    from rich.text import Text

    columns = propose(grid)
    if "method" not in columns:
        raise InputError(f"no column of {options.file} looks like one of methods. {listed(grid, str(options.file))}")
    parts = ["prunemark audit table", shlex.quote(str(options.file))]
    parts += [f"--table {options.table}"] if options.table else []
    parts += [f"--ours {shlex.quote(name)}" for name in options.ours] or [f"--ours {shlex.quote(ours(grid, columns))}"]
    parts += [f"--common {shlex.quote(str(options.common))}"] if options.common else []
    for line in table_report.proposal(grid, columns, str(options.file), " ".join(parts)):
        console.print(Text(line), soft_wrap=True)
    return 0


def _show(found: TableAudit, options: TableOptions, console: Console) -> None:
    if options.format == "text" and options.output is None:
        table_report.print_table(found, console)
    else:
        render = table_report.RENDERERS.get(options.format, table_report.as_markdown)
        write(render(found), options.output)


def _write_documents(found: TableAudit, folder: Path, console: Console) -> None:
    """Each comparison as a document to complete, under a name that no other file has."""
    for number, one in enumerate(found.judged, 1):
        save(as_yaml(one.document), folder / f"comparison-{number:03d}.yaml")
    console.print(f"{len(found.judged)} documents: {folder}", markup=False, soft_wrap=True)
