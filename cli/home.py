"""`prunemark home`: is a home whole, what takes its space, and what can go."""

from __future__ import annotations

from typing import Annotated

import typer

from prunemark.cli.options import Format, HomeOption, console
from prunemark.setups.text import shown

home = typer.Typer(help="Look after a folder of results: verify it, see what takes its space, make room.")


@home.command()
def verify(home: HomeOption = None, format: Format = "table") -> None:
    """Check every byte of stage results, records and sources, and say what is damaged and what to do.

    Nothing is changed. Exit code 1 says that something is damaged.
    """
    from prunemark.benchmark.run.home import home_at
    from prunemark.benchmark.run.home_check import check_home
    from prunemark.cli.tables import print_rows

    kinds = check_home(home_at(home))
    rows = [{"what": kind.kind, "whole": kind.whole, "damaged": len(kind.findings)} for kind in kinds]
    print_rows(rows, format, console())
    findings = [finding for kind in kinds for finding in kind.findings]
    for found in findings:
        typer.echo(shown(f"damaged: {found.path}: {found.why}. What to do: {found.advice}", 1000), err=True)
    if findings:
        raise typer.Exit(1)


@home.command()
def du(home: HomeOption = None, format: Format = "table") -> None:
    """Show what takes the space of a home, by kind."""
    from prunemark.benchmark.run.home import home_at
    from prunemark.benchmark.run.home_parts import usage
    from prunemark.cli.tables import print_rows

    print_rows(usage(home_at(home)), format, console())


@home.command()
def gc(
    delete: Annotated[bool, typer.Option("--delete", help="remove it; without, it is only listed")] = False,
    weights: Annotated[
        bool, typer.Option("--weights", help="also the weights of trials that have a result: no export after that")
    ] = False,
    home: HomeOption = None,
    format: Format = "table",
) -> None:
    """List what can go: drafts of dead processes, what was set aside as damaged, weights that no result needs.

    Results, records, sources, data, base models and decisions stay. Nothing is removed while trials run.
    """
    from prunemark.benchmark.run.home import home_at
    from prunemark.benchmark.run.home_gc import by_kind, collect, removable, right_now
    from prunemark.cli.tables import print_rows

    place = home_at(home)
    found = removable(place, right_now(), weights=weights)
    gone = collect(place, found) if delete else found
    print_rows(by_kind(gone), format, console())
    if format == "table":
        typer.echo("Removed" if delete else "Nothing was removed: --delete does that")
