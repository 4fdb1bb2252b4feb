"""The options of `prunemark audit table`. Nothing but typer is loaded before a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

NAME = ("audit", "table")


def audit_table(
    file: Annotated[Path, typer.Argument(help="a paper or page with tables: .tex, .md, .csv, .tsv or .html")],
    columns: Annotated[
        str | None, typer.Option(help="'method=1, top1=3, drop=5, macs=6'; left out, a mapping is proposed")
    ] = None,
    ours: Annotated[list[str] | None, typer.Option(help="the method whose claims are audited")] = None,
    common: Annotated[Path | None, typer.Option(help="what the protocol states for every row (.yaml)")] = None,
    table: Annotated[int | None, typer.Option(help="which table of the file, from 1")] = None,
    every: Annotated[bool, typer.Option("--every", help="every pair, not only those nearest in compression")] = False,
    format: Annotated[str, typer.Option(help="text, json, markdown, html, latex, review or checklist")] = "text",
    output: Annotated[Path | None, typer.Option(help="write to this file instead")] = None,
    documents: Annotated[Path | None, typer.Option(help="also write each comparison into this folder")] = None,
) -> None:
    """Audits every comparison that a table of results makes. The worst exit code counts: 2, 3, 4, then 0."""
    from prunemark.audit.run_table import TableOptions, run_table
    from prunemark.cli.audit import console

    options = TableOptions(file, columns, tuple(ours or ()), common, table, every, format, output, documents)
    code = run_table(options, console())
    if code:
        raise typer.Exit(code)


class Verbs(TyperGroup):
    """The verbs; `audit table` is one of two words, next to `audit`, whose arguments are files."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """The verb, and the words that are left for it. A file called `table` is `./table`."""
        if tuple(args[:2]) == NAME:
            single = typer.Typer(
                rich_markup_mode=None, add_completion=False, context_settings={"help_option_names": ["-h", "--help"]}
            )
            single.command()(audit_table)
            return " ".join(NAME), typer.main.get_command(single), args[2:]
        return super().resolve_command(ctx, args)
