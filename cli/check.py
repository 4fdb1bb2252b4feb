"""`prunemark check`: is a submission well-formed?"""

from __future__ import annotations

from typing import Annotated

import typer

from prunemark.cli.isolation import IsolationOption, settled
from prunemark.cli.options import DataOption, Format, console, use_data


def check(
    method: Annotated[str, typer.Argument(help="path/to/file.py:Class, package.module:Class, or a name")],
    track: Annotated[str | None, typer.Option(help="[default: a small track of the method's granularity]")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="name=value of one of the method's settings")] = None,
    isolation: IsolationOption = "",
    data: DataOption = None,
    format: Format = "table",
) -> None:
    """Is a submission well-formed? Runs the contract on an untrained network, in seconds."""
    from prunemark.benchmark.run import submit
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.cli import requests
    from prunemark.cli.tables import print_rows

    use_data(data)
    findings = submit.check(method, requests.read_settings(set_), track, LocalProcesses(1), settled(isolation))
    print_rows([f.as_row() for f in findings], format, console())
    if any(f.state == "broken" for f in findings):
        raise typer.Exit(1)
