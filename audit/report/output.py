"""Where a report goes: to the screen, or to a file that no report of ours would lose."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from prunemark.audit.report import badge
from prunemark.audit.report.answer import LEGEND
from prunemark.audit.table import documents
from prunemark.setups.bounded_files import open_plain
from prunemark.setups.errors import InputError

REPORTS = (
    LEGEND,
    '"ceiling": ',
    '"comparisons": ',
    "% prunemark audit: ",
    "(Checked with Prunemark ",
    "(NeurIPS 1; REFORMS 1)",
    f'aria-label="{badge.LABEL}: ',
    f'"label": "{badge.LABEL}"',
    documents.HEAD,
    "| network | dataset | comparison |",
    "<title>Audit</title>",
    "<title>Published ",
    "| row | dataset |",
    '"row": ',
    '"where": ',
    "| where |",
)
"""What only a report has: a file without one of these is not written over."""
LOOKED_AT = 2**16  # bytes


def write(text: str, output: Path | None) -> None:
    """To the screen, or to the file that is named. Raises InputError for one that no audit wrote."""
    if output is None:
        sys.stdout.write(text)
    else:
        save(text, output)


def save(text: str, path: Path) -> None:
    """To a file. Raises InputError where another one lies, or where nothing can be written."""
    if os.path.lexists(path) and not _is_ours(path, text):
        raise InputError(f"{str(path)!r} is a file that no audit wrote. It stays: give --output another name")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as problem:
        raise InputError(f"cannot write {str(path)!r}: {problem.strerror}") from None


def _is_ours(path: Path, text: str) -> bool:
    """Whether a report lies there, which the next one may replace, or the same text. A filled-in document does not."""
    with open_plain(path) as file:
        found = file.read(LOOKED_AT).decode("utf-8", "replace")
    return not found or found == text[: len(found)] or any(mark in found for mark in REPORTS)
