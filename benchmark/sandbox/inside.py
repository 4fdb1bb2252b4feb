"""A child's own part: what it does around the work that it is given, and the files that it leaves."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prunemark.benchmark.sandbox import container
from prunemark.benchmark.sandbox.confinement import Confinement, enter
from prunemark.benchmark.sandbox.explain import explained
from prunemark.setups.processes import die_with_parent

ERROR_FILE, LOG_FILE, DONE_FILE = "error.json", "output.log", "done"


def child(
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    scratch: Path,
    parent: int,
    token: str,
    confinement: Confinement | None,
    keep: tuple[int, ...],
    begun: int,
) -> None:
    """The body of a forked child. `begun` is where a container says that it has begun."""
    os.setsid()
    die_with_parent(parent)
    try:
        os.chdir(scratch)
    except OSError:  # it was taken away with a run that has just ended, and nobody listens any more
        os._exit(1)
    with open(os.devnull) as nothing, open(LOG_FILE, "w", encoding="utf-8") as log:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    part = (work, arguments, scratch, token, confinement, keep)
    if confinement is not None and confinement.isolation == "container":
        container.exec_in(_carry_out, part, confinement, scratch, keep, begun)
    _carry_out(*part)


def _carry_out(
    work: Callable[..., None],
    arguments: tuple[Any, ...],
    scratch: Path,
    token: str,
    confinement: Confinement | None,
    keep: tuple[int, ...],
) -> None:
    """The child's own part, in whatever process that is by now."""
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    try:
        if confinement is not None:
            enter(confinement, scratch, keep)
        work(*arguments)
        (scratch / DONE_FILE).write_text(token)
    except BaseException as problem:
        (scratch / ERROR_FILE).write_text(
            json.dumps(explained(problem, confined=confinement is not None)), encoding="utf-8"
        )
    finally:
        sys.stdout.flush()
