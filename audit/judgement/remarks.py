"""Stub."""

from prunemark.audit.document.entry import Entry


def remarks(*entries: Entry) -> tuple[str, ...]:
    return ()
