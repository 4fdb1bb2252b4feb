"""The command line, and the composition root: the only module that knows every room of the house."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from prunemark.cli import experiments, listings, pack, results
from prunemark.cli.audit import audit
from prunemark.cli.experiments import print_standings
from prunemark.cli.export import export_model
from prunemark.cli.options import DataOption, Format, HomeOption, UriOption, console, use_data
from prunemark.contributions import examine
from prunemark.setups.errors import InputError, RuleBroken, WorkFailed, not_installed

app = typer.Typer(
    name="prunemark",
    help="A fairness-aware benchmark for neural-network pruning (arXiv:2301.05219).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(listings.show_setups, name="setups")
app.add_typer(listings.show_tracks, name="tracks")
app.add_typer(listings.show_methods, name="methods")
app.command()(audit)


@app.command()
def submit(
    method: Annotated[
        str, typer.Argument(help="path/to/file.py:Class, package.module:Class, or a name from `methods`")
    ],
    track: Annotated[str, typer.Option(help="see `prunemark tracks`")],
    setup: Annotated[str, typer.Option(help="see `prunemark setups`")] = "S3.2",
    seeds: Annotated[str, typer.Option(help="how many (5), or which (0,1,7)")] = "5",
    level: Annotated[list[str] | None, typer.Option(help="may be repeated [default: all levels of the track]")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="name=value of one of the method's settings")] = None,
    workers: Annotated[int | None, typer.Option(help="processes [default: one per core]")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    pruning_seconds: Annotated[float | None, typer.Option(help="stop a method's pruning stage after this")] = None,
    prune_at: Annotated[int | None, typer.Option(help="epoch of the dense run to prune at (see `setups`)")] = None,
    data: DataOption = None,
    home: HomeOption = None,
    tracking_uri: UriOption = None,
    contribute: Annotated[Path | None, typer.Option(help="also add the results to this board's folder")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="print the plan and stop")] = False,
    format: Format = "table",
) -> None:
    """Run a pruning method and its controls under exactly the same budget, and rank it."""
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.benchmark.run.home import home_at, open_home
    from prunemark.cli import requests

    use_data(data)
    request = requests.read(track, setup, level, seeds, device, pruning_seconds, prune_at)
    place = open_home(home_at(home))
    executor = LocalProcesses(requests.worker_count(workers, device))
    submission, trials = requests.plan(method, requests.read_settings(set_), request, place, executor)
    if dry_run:
        requests.print_plan(trials, place, format, console())
        return
    if contribute:
        examine.check_before_running(submission, trials, contribute)
    records = requests.run(request, submission, trials, place, executor, tracking_uri, console(stderr=True))
    print_standings(place.records, request.track.id, request.setup.id, [t.name for t in request.levels], format)
    _write_page(place.records, place.page)
    requests.say_where(place, tracking_uri, console(stderr=True))
    if contribute:
        examine.contribute(trials, place, contribute, console(stderr=True))
    if any(record.outcome.status != "ok" for record in records):
        raise typer.Exit(1)


def _write_page(records: Path, page: Path) -> None:
    from prunemark.leaderboard.standings import board
    from prunemark.records import load

    loaded = load.read_records(records)
    results.write_site(board.make_board(loaded), loaded, page.parent, records)


@app.command()
def check(
    method: Annotated[str, typer.Argument(help="path/to/file.py:Class, package.module:Class, or a name")],
    track: Annotated[str | None, typer.Option(help="[default: a small track of the method's granularity]")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="name=value of one of the method's settings")] = None,
    data: DataOption = None,
    format: Format = "table",
) -> None:
    """Is a submission well-formed? Runs the contract on an untrained network, in seconds."""
    from prunemark.benchmark.run import submit
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.cli import requests
    from prunemark.cli.tables import print_rows

    use_data(data)
    findings = submit.check(method, requests.read_settings(set_), track, LocalProcesses(1))
    print_rows([f.as_row() for f in findings], format, console())
    if any(f.state == "broken" for f in findings):
        raise typer.Exit(1)


@app.command()
def doctor(home: HomeOption = None, format: Format = "table") -> None:
    """Look at this installation and say what is broken and what to do."""
    from prunemark.benchmark.run import doctor as clinic
    from prunemark.benchmark.run.home import home_at
    from prunemark.cli.tables import print_rows

    findings = clinic.examine(home_at(home).root)
    print_rows([f.as_row() for f in findings], format, console())
    if any(f.state == "broken" for f in findings):
        raise typer.Exit(1)


CODES = {InputError: 2, WorkFailed: 1, RuleBroken: 3}
INTERRUPTED = 130  # what typer makes of Ctrl-C
app.command("leaderboard")(results.leaderboard)
app.command("verify")(results.verify)
app.command("invalidate")(results.invalidate)
app.command("pack")(pack.pack)
app.command("export")(export_model)
app.command("reproduce")(experiments.reproduce)
app.command("cross-validate")(experiments.cross_validate)
app.command("tune")(experiments.tune)


def main() -> None:
    """The console script. An error is a line or two and a code: 1 failed, 2 wrong input, 3 rule broken."""
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
            _complain("interrupted. What is finished is kept; the same command goes on from there", 1)
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
    print(f"prunemark: {text}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
