"""`prunemark doctor`: what is broken in this installation."""

from __future__ import annotations

import typer

from prunemark.cli.options import Format, HomeOption, console


def doctor(home: HomeOption = None, format: Format = "table") -> None:
    """Look at this installation and say what is broken and what to do."""
    from prunemark.benchmark.run import doctor as clinic
    from prunemark.benchmark.run.home import home_at
    from prunemark.cli.tables import print_rows

    findings = clinic.examine(home_at(home).root)
    print_rows([f.as_row() for f in findings], format, console())
    if any(f.state == "broken" for f in findings):
        raise typer.Exit(1)
