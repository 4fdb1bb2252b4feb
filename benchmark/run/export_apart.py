"""Exporting where the network may be code of the track's author: that runs in a confined worker, and not here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prunemark.benchmark.run.drive import Event
from prunemark.benchmark.run.executor import LocalProcesses
from prunemark.benchmark.run.export import describe, export
from prunemark.benchmark.run.jobs import WORKER, Job, confined_to
from prunemark.benchmark.trial.own_code import kept_by_name
from prunemark.benchmark.trial.store import Store
from prunemark.records.record import Record
from prunemark.setups.errors import InputError


def export_apart(record: Record, store: Store, out: Path, forms: Sequence[str]) -> list[Path]:
    """As `export`, in a worker that may run the network's code where that is of the track's author."""
    network = kept_by_name(store, describe(record)["network"])
    if network is None:
        raise InputError(f"the store {store.root} does not have the code of this record's network. Give another --home")
    confined = confined_to(network, "cpu", store.root, out.absolute())
    if confined is None:
        return export(record, store, out, forms)
    out.mkdir(parents=True, exist_ok=True)  # a rule of the sandbox is for a folder that is there
    written: list[Any] = []

    def listen(event: Event) -> None:
        if event.kind == "done":
            written.extend(event.value)

    arguments = (record, store.root, out.absolute(), tuple(forms))
    LocalProcesses(1).run([Job("export", f"{WORKER}:export_job", arguments, confined=confined)], listen)
    return [Path(str(path)) for path in written]
