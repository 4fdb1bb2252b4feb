"""What a reviewer should look at twice in the numbers of both sides: remarks, which decide nothing."""

from __future__ import annotations

from prunemark.audit.document.entry import Entry
from prunemark.audit.judgement.odd_numbers import odd_numbers
from prunemark.audit.literature.repeats import far_from_repeats


def remarks(winner: Entry, loser: Entry) -> tuple[str, ...]:
    """All remarks on both entries, each once."""
    return tuple(
        dict.fromkeys(odd for entry in (winner, loser) for odd in (*odd_numbers(entry), *far_from_repeats(entry)))
    )
