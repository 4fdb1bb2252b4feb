"""Whether a submission may go by its name: nobody is to take it for another method."""

from __future__ import annotations

from prunemark.benchmark.submission.locate import MethodSource, locate
from prunemark.records.card import known_methods
from prunemark.records.controls import REFERENCES
from prunemark.records.names import check_plain, imitated
from prunemark.setups.errors import InputError


def check_name(name: str, source: MethodSource) -> None:
    """Raises InputError for a name that looks like that of a shipped method with other code, or of a reference."""
    check_plain(name)
    if other := imitated(name, (reference.name for reference in REFERENCES.values())):
        raise InputError(f"{_reads(name, other)}, a reference that runs with every method.\nRename the class")
    other = imitated(name, known_methods())
    if other and locate(other)[1].code_sha256 != source.code_sha256:
        raise InputError(f"{_reads(name, other)}, which ships with Prunemark with other code.\nRename the class")


def _reads(name: str, other: str) -> str:
    return f"{name!r} is the name of {other}" if name == other else f"{name!r} reads like {other!r}"
