"""The commands that list what there is: setups, tracks, methods. They load nothing heavy."""

from __future__ import annotations

from typing import Annotated

import typer

from prunemark.cli.check_track import check_track
from prunemark.cli.measure_track import measure_track
from prunemark.cli.new_track import new_track
from prunemark.cli.options import Format, console

TomlOption = Annotated[bool, typer.Option("--toml", help="print the track's file, to copy for a track of yours")]

show_setups = typer.Typer(help="The comparison setups: what must be equal.", invoke_without_command=True)
show_tracks = typer.Typer(help="The tracks: what is competed on.", invoke_without_command=True)
show_methods = typer.Typer(help="The methods that ship with Prunemark.", invoke_without_command=True)


@show_setups.callback()
def list_setups(context: typer.Context, format: Format = "table") -> None:
    """List the comparison setups."""
    if context.invoked_subcommand is None:
        from prunemark.cli import catalogue, tables

        tables.print_rows(catalogue.setups(), format, console())


@show_setups.command("show")
def show_setup(id: str, format: Format = "table") -> None:
    """Show one setup with its factors."""
    from prunemark.cli import catalogue, tables

    tables.print_facts(catalogue.setup(id), format, console())


@show_tracks.callback()
def list_tracks(context: typer.Context, format: Format = "table") -> None:
    """List the tracks."""
    if context.invoked_subcommand is None:
        from prunemark.cli import catalogue, tables

        tables.print_rows(catalogue.tracks(), format, console())


@show_tracks.command("show")
def show_track(name: str, format: Format = "table", toml: TomlOption = False) -> None:
    """Show one track with everything it fixes. NAME may be file.toml."""
    if toml:
        from prunemark.setups.track_files import text_of

        typer.echo(text_of(name), nl=False)
        return
    from prunemark.cli import catalogue, tables

    tables.print_facts(catalogue.track(name), format, console())


show_tracks.command("new")(new_track)
show_tracks.command("check")(check_track)
show_tracks.command("measure")(measure_track)


@show_methods.callback()
def list_methods(context: typer.Context, format: Format = "table") -> None:
    """List the methods."""
    if context.invoked_subcommand is None:
        from prunemark.cli import catalogue, tables
        from prunemark.records.card import peer_cards

        rows = catalogue.methods()
        if format == "table":  # the other formats have the whole card
            rows = [{column: row[column] for column in ("name", "family", "year", "what")} for row in rows]
        tables.print_rows(rows, format, console())
        if format == "table":
            peers = ", ".join(name.replace(".", ":", 1) for name in peer_cards())
            typer.echo(f"Other libraries' criteria run by their names too: {peers}", err=True)


@show_methods.command("show")
def show_method(name: str, format: Format = "table") -> None:
    """Show one method: what it is, its settings, its own recipe. NAME may be file.py:Class."""
    from prunemark.cli import catalogue, tables

    tables.print_facts(catalogue.method(name), format, console())
