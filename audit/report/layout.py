"""The report as plain lines of at most 80 columns: what a terminal shows, and an e-mail can hold."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from prunemark.audit.report.answer import LEGEND, Answer

WIDTH, NARROWEST = 80, 40  # columns
_NAME = 19  # columns of a factor's name


def lines(found: Answer, width: int = WIDTH) -> list[str]:
    """All lines, top to bottom: verdict, reasons, questions, experiment, factors, remarks."""
    width = max(NARROWEST, min(width, WIDTH))
    made = [found.word, *wrapped(found.sentence, width), *wrapped(f"Claim: {found.whole_claim}", width), ""]
    made += _block("Why", found.reasons, width, numbered=True)
    made += _block("Ask the authors for", found.ask, width)
    made += _experiment(found.experiment, width)
    made += _block("Numbers that look odd", found.remarks, width)
    made += [*wrapped(f"Fairness: {found.interval}", width), *wrapped(found.setups, width), *wrapped(LEGEND, width)]
    for line in found.factors:
        made += wrapped(f"{line.mark} {line.name:<{_NAME - 2}} {line.words}", width, " " * (_NAME + 1))
    made += [line for note in found.notes for line in wrapped(f"Note: {note}", width, "      ")]
    return made


def _experiment(steps: Sequence[str], width: int) -> list[str]:
    if not steps:
        return []
    first, *others = steps
    return [
        *_block("The smallest experiment that settles it", (first,), width),
        *(_block("After that", others, width) if others else []),
    ]


def _block(title: str, parts: Sequence[str], width: int, numbered: bool = False) -> list[str]:
    if not parts:
        return []
    made = [title]
    for number, part in enumerate(parts, 1):
        made += wrapped(f"  {f'{number}.' if numbered else '-'} {part}", width, "     " if numbered else "    ")
    return [*made, ""]


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of at most `width` columns; letters that take two columns are counted so."""
    return [piece for line in textwrap.wrap(text, width, subsequent_indent=indent, break_on_hyphens=False)
            for piece in _cut(line, width, indent)] or [""]  # fmt: skip


def _cut(line: str, width: int, indent: str) -> Iterator[str]:
    """A line whose letters are wider than one column, in pieces."""
    from rich.cells import cell_len

    while cell_len(line) > width:
        place = len(line)
        while cell_len(line[:place]) > width:
            place -= 1
        yield line[:place]
        line = indent + line[place:]
    yield line
