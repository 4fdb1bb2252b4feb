"""`prunemark time`: how much faster pruned networks are, from a quiet pass of its own; also after `submit`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prunemark.cli.options import Format, console
from prunemark.setups.errors import InputError, unknown_name

if TYPE_CHECKING:
    from rich.console import Console

    from prunemark.benchmark.run.drive import Executor
    from prunemark.benchmark.run.home import Home
    from prunemark.benchmark.run.timing import Taken, Task
    from prunemark.records.record import Record
    from prunemark.records.timing import Timing

UNDECIDED = 4
SECONDS_AFTER_SUBMIT = 10.0


def time(
    places: Annotated[list[Path], typer.Argument(help="records, or folders of them: a home, a board, its records")],
    track: Annotated[str | None, typer.Option(help="only this track")] = None,
    setup: Annotated[str | None, typer.Option(help="only this setup")] = None,
    level: Annotated[list[str] | None, typer.Option(help="only this level; may be repeated")] = None,
    backend: Annotated[
        list[str] | None,
        typer.Option("--backend", help="eager, compile, onnx or 2to4; may be repeated [default: all]"),
    ] = None,
    batch: Annotated[list[int] | None, typer.Option("--batch", help="images [default: 1 and 64; 256 on a GPU]")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda")] = "cpu",
    again: Annotated[bool, typer.Option("--again", help="measure anew what is timed already")] = False,
    format: Format = "table",
) -> None:
    """Time the networks of records: dense and pruned in turns, in a pass of its own while nothing else of ours runs."""
    from prunemark.benchmark.run import timing
    from prunemark.benchmark.run.executor import LocalProcesses
    from prunemark.benchmark.run.quiet import alone
    from prunemark.benchmark.trial.store import Store
    from prunemark.cli import boards, requests
    from prunemark.cli.tables import print_rows
    from prunemark.records.timing import BACKENDS, read_timings, timings_folder

    for word in backend or ():
        if word not in BACKENDS:
            raise unknown_name("backend", word, BACKENDS)
    if batch and min(batch) < 1:
        raise InputError(f"--batch is at least 1; given {min(batch)}")
    requests.check_device(device)
    only = boards.only(track, setup, level)
    rows: list[dict[str, Any]] = []
    for folder, records in _records(places).items():
        chosen = [record for record in records if _is_asked_for(record, only)]
        found, target = timing.architectures_of(chosen), timings_folder(folder)
        if not found:
            raise InputError(f"no record in {folder} that is asked for has a final model to time")
        known = {each.key: each for each in read_timings(target)[0]}
        batches = tuple(dict.fromkeys(batch or timing.usual_batches(device)))
        asked = dict.fromkeys(backend or BACKENDS)
        tasks = timing.plan(found, list(asked), batches, device, known.values(), again=again)
        with alone(target.parent):
            store = Store(target.parent / "store")
            made = timing.execute(tasks, device, LocalProcesses(1), store=store)
            taken = list(_shown(made, tasks, target, console(stderr=True)))
        if backend and (missing := next((each for each in taken if each.unavailable), None)):
            raise InputError(f"--backend {missing.task.backend}: {missing.unavailable}")
        known |= {each.key: each for one in taken for each in one.timings}
        there = [each for of in found for each in known.values() if each.architecture == of.architecture]
        where = {of.architecture.key: of for of in found}
        rows += [_row(each, where[each.architecture.key].where, where[each.architecture.key].records) for each in there]
        _say_unavailable(taken, console(stderr=True))
    print_rows(rows, format, console())
    if any(row["withheld"] for row in rows):
        raise typer.Exit(UNDECIDED)


def after_submit(records: Sequence[Record], home: Home, device: str, executor: Executor, console: Console) -> None:
    """Times what was submitted on PyTorch itself, for some seconds at most; what is left is for `prunemark time`."""
    from prunemark.benchmark.run import timing
    from prunemark.benchmark.run.quiet import alone
    from prunemark.records.timing import read_timings, timings_folder
    from prunemark.setups.errors import WorkFailed

    target = timings_folder(home.records)
    found = timing.architectures_of(records)
    known = read_timings(target)[0]
    tasks = timing.plan(found, ["eager"], timing.usual_batches(device), device, known)
    if not tasks:
        return
    try:
        with alone(home.root):
            console.print(f"timing {len(tasks)} architectures, with nothing else of this home running")
            made = timing.execute(tasks, device, executor, store=home.store, most_seconds=SECONDS_AFTER_SUBMIT)
            taken = list(_shown(made, tasks, target, None))
    except WorkFailed as problem:  # the results stand without it
        console.print(f"not timed: {str(problem).splitlines()[0]}", soft_wrap=True)
        return
    if len(taken) < len(tasks):
        console.print(f"{len(tasks) - len(taken)} architectures are not timed yet: prunemark time {home.root}")


def _records(places: Iterable[Path]) -> dict[Path, list[Record]]:
    """The records of each place, by the folder that they lie in."""
    from prunemark.records.folders import records_folder
    from prunemark.records.load import read_counting
    from prunemark.records.record import load_file

    found: dict[Path, list[Record]] = {}
    for place in places:
        if place.is_dir():
            folder = records_folder(place)
            found[folder.absolute()] = list(read_counting(folder))
        else:
            found.setdefault(place.parent.absolute(), []).append(load_file(place))
    return found


def _is_asked_for(record: Record, only: Any) -> bool:
    o = record.outcome
    levels = only.levels or [o.level]
    return o.track == (only.track or o.track) and o.setup == (only.setup or o.setup) and o.level in levels


def _shown(taken: Iterable[Taken], tasks: Sequence[Task], target: Path, console: Console | None) -> Iterator[Taken]:
    """Writes timings as they come, and says how far it is."""
    from prunemark.records.timing import BACKENDS, write_timing

    for number, one in enumerate(taken, 1):
        for timing in one.timings:
            write_timing(timing, target)
        if console:
            console.print(f"{number} of {len(tasks)}: {one.task.of.where}, {BACKENDS[one.task.backend]}")
        yield one


def _row(timing: Timing, where: str, records: int) -> dict[str, Any]:
    """One timing as the verb prints it, and as it is in JSON and CSV. What is withheld has no speed-up."""
    from prunemark.records.speed import as_text, speed_of
    from prunemark.records.timing import BACKENDS

    speed, kept = speed_of(timing.blocks), timing.architecture.filters_kept
    return {
        "where": where, "filters_kept": "/".join(map(str, kept.values())) or "all", "records": records,
        "backend": BACKENDS[timing.backend], "images": timing.batch_size, "dense_ms": f"{speed.dense_ms:.4g}",
        "pruned_ms": f"{speed.pruned_ms:.4g}", "speedup": "withheld" if speed.withheld else as_text(speed.speedup),
        "dense_against_itself": as_text(speed.against_itself), "withheld": speed.withheld,
    }  # fmt: skip


def _say_unavailable(taken: Sequence[Taken], console: Console) -> None:
    from prunemark.records.timing import BACKENDS

    for backend, why in dict.fromkeys((one.task.backend, one.unavailable) for one in taken if one.unavailable):
        console.print(f"{BACKENDS[backend]} is withheld: {why}", soft_wrap=True)
