"""The option --isolation of every command that runs submitted code, and what is said where there is little."""

from __future__ import annotations

from typing import Annotated

import typer

from prunemark.cli.options import console

IsolationOption = Annotated[
    str,
    typer.Option(
        "--isolation", help="of submitted code: process, landlock or container [default: landlock where it is there]"
    ),
]

ONLY_A_PROCESS = (
    "isolation: process. Submitted code can read and write what you can, use the network and start programs: run only\n"
    "what you trust. A public board refuses such results; `prunemark doctor` says what this machine has"
)


def settled(asked: str) -> str:
    """The isolation that the trials of a command get, said on stderr where it is separation only.

    Raises InputError for a word that is none, and for an isolation that this machine does not have.
    """
    from prunemark.benchmark.sandbox.confinement import isolation_of

    found = isolation_of(asked)
    if found == "process":
        console(stderr=True).print(ONLY_A_PROCESS, soft_wrap=True, markup=False)
    return found
