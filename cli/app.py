"""The command line: one verb a file, and here only which there are and what code an error ends with."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from prunemark.cli import listings
from prunemark.cli.audit import audit
from prunemark.cli.audit_table import Verbs
from prunemark.cli.base import base
from prunemark.cli.check import check
from prunemark.cli.confirm import confirm
from prunemark.cli.cross_validate import cross_validate
from prunemark.cli.doctor import doctor
from prunemark.cli.export import export_model
from prunemark.cli.fill import fill
from prunemark.cli.home import home
from prunemark.cli.invalidate import invalidate
from prunemark.cli.leaderboard import leaderboard
from prunemark.cli.mlflow import mirror
from prunemark.cli.pack import pack
from prunemark.cli.reproduce import reproduce
from prunemark.cli.status import status
from prunemark.cli.submit import submit
from prunemark.cli.time import time
from prunemark.cli.tune import tune
from prunemark.cli.verify import verify
from prunemark.setups.errors import InputError, RuleBroken, WorkFailed, not_installed
from prunemark.setups.text import shown_lines

CODES = {InputError: 2, WorkFailed: 1, RuleBroken: 3}
INTERRUPTED = 130  # what typer makes of Ctrl-C

app = typer.Typer(
    name="prunemark",
    cls=Verbs,
    help="A fairness-aware benchmark for neural-network pruning (arXiv:2301.05219).",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(listings.show_setups, name="setups")
app.add_typer(listings.show_tracks, name="tracks")
app.add_typer(listings.show_methods, name="methods")
app.add_typer(mirror, name="mlflow")
app.add_typer(home, name="home", no_args_is_help=True)
app.add_typer(base, name="base", no_args_is_help=True)
app.command()(audit)
app.command()(submit)
app.command()(check)
app.command()(doctor)
app.command()(leaderboard)
app.command()(fill)
app.command()(status)
app.command()(verify)
app.command()(confirm)
app.command()(invalidate)
app.command()(pack)
app.command("export")(export_model)
app.command()(reproduce)
app.command("cross-validate")(cross_validate)
app.command()(tune)
app.command()(time)


def _print_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"prunemark {version('prunemark')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="print the version and stop")
    ] = False,
) -> None:
    """What can be asked of the program itself."""


def main() -> None:
    """What `program` runs. An error is a line or two and a code: 1 failed, 2 wrong input, 3 rule broken."""
    debug = "--debug" in sys.argv
    sys.argv = [argument for argument in sys.argv if argument != "--debug"]
    try:
        app()
    except (InputError, WorkFailed, RuleBroken) as problem:
        if debug:
            raise
        code = next(code for kind, code in CODES.items() if isinstance(problem, kind))
        _complain(str(problem.args[0]), code)
    except SystemExit as ended:
        if ended.code == INTERRUPTED:
            raise KeyboardInterrupt from None  # `program` ends with it
        raise
    except BrokenPipeError:  # `prunemark ... | head`
        os._exit(0)
    except PermissionError as problem:  # any path that the user named can be one that another may read
        if debug:
            raise
        _complain(
            f"{problem.filename or problem} cannot be read or written by you. Choose another place, or ask for it", 1
        )
    except Exception as problem:
        if debug:
            raise
        if isinstance(problem, ModuleNotFoundError) and (needs := not_installed(problem)):
            _complain(str(needs.args[0]), CODES[InputError])
        _complain(
            f"a fault in Prunemark: {type(problem).__name__}: {problem}\nRun it again with --debug and report it",
            1,
        )


def _complain(text: str, code: int) -> None:
    print(f"prunemark: {shown_lines(text)}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
