"""What a method's class declares, found out where submitted code may run: in a process of its own."""

from __future__ import annotations

import json
from dataclasses import Field, asdict, fields
from pathlib import Path
from typing import Any

from prunemark.benchmark.sandbox.barriers import harness_hidden, put_up_barriers
from prunemark.benchmark.sandbox.child import ChildFailed, Limits, run_in_child
from prunemark.benchmark.sandbox.confinement import Confinement, isolation_of
from prunemark.benchmark.sandbox.machine import trouble
from prunemark.benchmark.sandbox.received import NotReadable, bytes_of
from prunemark.benchmark.sandbox.scratch import scratch_folder
from prunemark.benchmark.submission.as_run import laid_out, original_places
from prunemark.benchmark.submission.description import MethodDescription, SettingDescription, check_described
from prunemark.benchmark.submission.load import load_class
from prunemark.benchmark.submission.locate import MethodSource
from prunemark.records.about import About
from prunemark.setups.data_classes import recipes_of
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.setting_values import check_default, kind_of, text_of

DESCRIPTION, SUBMITTED = "description.json", "submitted"
DESCRIBE_SECONDS = 60.0
LARGEST = 2**18  # bytes of a description
GRANULARITIES = ("filter", "weight", "N:M")
MOST_OF_A_DOCSTRING = 20_000  # characters that its first sentence is looked for in


def describe_in_child(source: MethodSource, name: str, isolation: str = "") -> MethodDescription:
    """What a method's class declares, found out in a child process. Raises ChildFailed, and WorkFailed
    where the machine cannot do the work.

    `isolation` is as in `Trial`. Raises InputError for one that this machine does not have.
    """
    with scratch_folder() as scratch:
        placed = laid_out(source, scratch / SUBMITTED, with_words=True)
        limits, confinement = Limits(DESCRIBE_SECONDS), Confinement(isolation_of(isolation))
        try:
            run_in_child(
                _describe, placed.source, name, scratch, scratch=scratch, limits=limits, confinement=confinement
            )
        except ChildFailed as failure:
            failure.trace = original_places(failure.trace, placed.originals)
            if failure.doubtful and (why := trouble((scratch,), 0, 0)):
                raise WorkFailed(f"{name} was not looked at: {why}. ({failure.evidence})") from None
            raise
        return _believed(scratch)


def _believed(scratch: Path) -> MethodDescription:
    """What the process left, as a description; it may have been written by the submission itself."""
    from pydantic import TypeAdapter, ValidationError

    try:
        said = bytes_of(scratch, DESCRIPTION, LARGEST)
        return check_described(TypeAdapter(MethodDescription).validate_json(said, strict=True))
    except (NotReadable, ValidationError, InputError, TypeError, ValueError) as problem:
        first = str(problem).splitlines()[0][:200] if str(problem) else type(problem).__name__
        raise ChildFailed("failed", "contract", f"what it declares cannot be read: {first}") from None


def _describe(source: MethodSource, name: str, out: Path) -> None:
    """Writes what a method's class declares. Executes the method's file: for child processes only.

    What a submission may not do while it prunes it may not do here either.
    """
    put_up_barriers()
    with harness_hidden():
        described = describe(source, name)
    (out / DESCRIPTION).write_text(json.dumps(asdict(described), allow_nan=False))


def _setting(field: Field[Any]) -> SettingDescription:
    default: Any = check_default(field.default)
    kind = kind_of(default)
    meaning, allowed = (field.metadata.get(name, "") for name in ("meaning", "allowed"))
    return SettingDescription(text_of(default, kind) if kind else default, meaning, allowed, kind)


def describe(source: MethodSource, name: str) -> MethodDescription:
    """What the class declares. Executes the method's file: only child processes call this."""
    found = load_class(source)
    settings = {
        f.name: _setting(f) for f in fields(found) if f.init and isinstance(f.default, bool | int | float | str | tuple)
    }
    summary = str(found.__doc__ or "")[:MOST_OF_A_DOCSTRING].strip().split("\n\n")[0].replace("\n", " ")
    try:
        retraining, pretraining = recipes_of(found.retraining), recipes_of(found.pretraining)
    except InputError as problem:
        raise TypeError(f"retraining or pretraining of {source.class_name}: {problem}") from None
    if not isinstance(found.about, About | None):
        raise TypeError(f"about of {source.class_name} is About(...) or None; got {found.about!r}")
    if isinstance(found.prune_at, bool) or not isinstance(found.prune_at, int | float | None):
        raise TypeError(
            f"prune_at of {source.class_name} is a number of epochs, a share below 1 or None; got {found.prune_at!r}"
        )
    share = found.pruning_share
    if share is not None and (isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1):
        raise TypeError(f"pruning_share of {source.class_name} is a number from 0 to 1 or None; got {share!r}")
    granularity = found.granularity  # looked at once: a class may say something else the next time
    if granularity not in GRANULARITIES:
        raise TypeError(f"granularity of {source.class_name} is one of {', '.join(GRANULARITIES)}; got {granularity!r}")
    described = MethodDescription(
        name,
        granularity,
        settings,
        retraining,
        pretraining,
        found.prune_at,
        " ".join(summary.split()),
        share,
    )
    return check_described(described)
