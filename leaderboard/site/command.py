"""The command that reproduces a record, and what has to be known to give it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from prunemark.records.controls import REFERENCES
from prunemark.records.outcome import Outcome
from prunemark.records.record import Record
from prunemark.records.source import MethodFiles
from prunemark.setups.comparison import HARNESS_SETUPS


@dataclass(frozen=True)
class Command:
    """A line for a shell, and what else has to be known; the note is "" where the line says everything."""

    line: str
    note: str = ""


def reproduce(record: Record, methods: Mapping[str, MethodFiles]) -> Command:
    """How to run a record's trial again. `methods` has the sources published with the board, by their hash.

    Where the record does not say enough, the note says what to fill in.
    """
    outcome, method = record.outcome, record.outcome.method
    setup = HARNESS_SETUPS[outcome.setup]
    alone = method.role in ("submission", "anchor")
    named, note = submitted(outcome, methods) if alone else _beside(outcome)
    if setup.tuned:
        words = ["prunemark", "tune", named, "--configurations", str(len(outcome.tuning))]
    else:
        words = ["prunemark", "submit", named, "--setup", outcome.setup]
    words += ["--track", outcome.track]
    words += ["--level", outcome.level] if method.kind != "dense" else []
    words += ["--seeds", f"{outcome.seed},"]
    if method.role == "submission":
        words += [word for name, value in sorted(method.settings.items()) for word in ("--set", f"{name}={value}")]
    if setup.own_pruning_epoch and outcome.base and method.kind == "pruned" and method.role != "anchor":
        words += ["--prune-at", str(outcome.base.pretraining.epochs)]
    words += [] if record.observed.device.startswith("cpu") else ["--device", "cuda"]
    words += ["--devices-per-trial", str(record.observed.processes)] if record.observed.processes > 1 else []
    return Command(" ".join(map(shlex.quote, words)), note)


def submitted(outcome: Outcome, methods: Mapping[str, MethodFiles]) -> tuple[str, str]:
    """A method as the command line names it: a file and its class, or the name that it is registered by."""
    method = outcome.method
    if method.role == "anchor":
        return method.name, ""
    source = methods.get(method.source_sha256)
    declared = re.compile(rf"^class {re.escape(method.name)}\b", re.MULTILINE)
    for path, text in source.files if source else ():
        if declared.search(text):
            return f"{path}:{method.name}", f"{path} is on the page of the method, as it ran."
    if source or not method.name.isidentifier():
        return method.name, ""
    return method.name, f"Unless `prunemark methods` lists it, give its file: path/to/file.py:{method.name}"


def _beside(outcome: Outcome) -> tuple[str, str]:
    """A control or reference runs with a submission: the one whose layer ratios it has, or else the anchor."""
    anchor = str(outcome.track_terms["anchor"])
    reference = REFERENCES[outcome.method.kind].runs if outcome.method.kind in REFERENCES else ""
    if (named := outcome.method.matched_to) and named.source_sha256_start:
        note = f"It ran with {named.text} and has its layer ratios: submit that with these settings."
        return named.name, f"{reference} {note}".strip()
    if outcome.method.kind == "dense":
        return anchor, reference
    note = (
        "The record does not name the submission that it ran with. Any one that keeps the same number in each layer "
        "gives the same result; a method with uniform layer ratios, such as L1-norm for filters, does."
    )
    return anchor, f"{reference or 'A control runs with every submission.'} {note}"
