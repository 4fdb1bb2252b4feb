"""What a method's class declares, found out where submitted code may run: in a process of its own."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import asdict
from pathlib import Path

from prunemark.benchmark.sandbox.barriers import harness_hidden, put_up_barriers
from prunemark.benchmark.sandbox.child import Limits, run_in_child
from prunemark.benchmark.submission.locate import MethodDescription, MethodSource, describe

DESCRIPTION = "description.json"
DESCRIBE_SECONDS = 60.0


def describe_in_child(source: MethodSource, name: str) -> MethodDescription:
    """What a method's class declares, found out in a child process. Raises ChildFailed."""
    scratch = Path(tempfile.mkdtemp(prefix="prunemark-"))
    try:
        run_in_child(_describe, source, name, scratch, scratch=scratch, limits=Limits(DESCRIBE_SECONDS))
        return MethodDescription.from_dict(json.loads((scratch / DESCRIPTION).read_text()))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _describe(source: MethodSource, name: str, out: Path) -> None:
    """Writes what a method's class declares. Executes the method's file: for child processes only.

    What a submission may not do while it prunes it may not do here either.
    """
    put_up_barriers()
    with harness_hidden():
        described = describe(source, name)
    (out / DESCRIPTION).write_text(json.dumps(asdict(described), allow_nan=False))
