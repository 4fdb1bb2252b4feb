"""The options of `prunemark audit`. Nothing but typer is loaded before a command runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

WIDE_ENOUGH = 140  # columns, when nobody is looking


def audit(
    files: Annotated[list[Path] | None, typer.Argument(help="comparison documents (.yaml), or tables (.csv)")] = None,
    claim: Annotated[list[str] | None, typer.Option(help="'WINNER>LOSER', methods or row ids of a table")] = None,
    all_pairs: Annotated[bool, typer.Option("--all-pairs", help="every pair of one dataset and network")] = False,
    format: Annotated[
        str, typer.Option(help="text, json, markdown, html, latex, review, checklist, badge or shields")
    ] = "text",
    output: Annotated[Path | None, typer.Option(help="write to this file instead")] = None,
    published: Annotated[bool, typer.Option("--published", help="the literature that ships with Prunemark")] = False,
    report: Annotated[
        bool, typer.Option("--report", help="with --published: write pages, into --output FOLDER or PAGE.html")
    ] = False,
    repository: Annotated[str | None, typer.Option(help="with --report: where corrections of a number go")] = None,
    errors: Annotated[
        bool, typer.Option("--errors", help="with --published: records that contradict themselves")
    ] = False,
    network: Annotated[str | None, typer.Option(help="with --published: only this network")] = None,
    dataset: Annotated[str | None, typer.Option(help="with --published: only this dataset")] = None,
    method: Annotated[str | None, typer.Option(help="with --published: only methods of this name")] = None,
    runs: Annotated[str | None, typer.Option(help="a folder of records, or an MLflow experiment")] = None,
    mapping: Annotated[Path | None, typer.Option(help="with --runs: which logged parameter is what")] = None,
    tracking_uri: Annotated[str | None, typer.Option("--tracking-uri", help="MLflow, for --runs")] = None,
    repeats: Annotated[Path | None, typer.Option(help="a folder of records whose seeds give the noise")] = None,
    template: Annotated[bool, typer.Option("--template", help="write a commented document to fill in")] = False,
    from_row: Annotated[str | None, typer.Option("--from-row", help="with --template: a published row")] = None,
    schema: Annotated[bool, typer.Option("--schema", help="write the JSON Schema of the document")] = False,
    explain: Annotated[
        str | None, typer.Option(metavar="FACTOR", help="what a factor is, and how it is decided")
    ] = None,
    form: Annotated[Path | None, typer.Option(help="write the form for a browser into this folder")] = None,
) -> None:
    """Was a published comparison fair? Exit code 0 supported, 3 not, 4 undecided. `audit table FILE` reads a table."""
    if form is not None:
        from prunemark.cli.form import write_form

        typer.echo(write_form(form).absolute().as_uri())
        return
    from prunemark.audit.run import Options, run

    options = Options(
        tuple(files or ()), tuple(claim or ()), all_pairs, format, output, published, report, errors, network, dataset,
        method, runs, mapping, tracking_uri, repeats, template, from_row, schema, explain,
    )  # fmt: skip
    if published and report and output is not None and output.suffix != ".html":
        from prunemark.audit.literature.results import select
        from prunemark.audit.run import no_collecting
        from prunemark.cli.literature import write_literature

        with no_collecting():
            write_literature(select(network, dataset, method), output, repository)
        typer.echo(f"Literature: {(output / 'index.html').absolute().as_uri()}")
        return
    code = run(options, console())
    if code:
        raise typer.Exit(code)


def console() -> Console:
    """What a report is printed on; wide where nobody is looking."""
    from rich.console import Console

    made = Console(highlight=False)
    return made if made.is_terminal else Console(highlight=False, width=max(made.width, WIDE_ENOUGH))
