"""A stranger's text where it is shown: on one line, without what a terminal, a page or a spreadsheet would act on.

Names, summaries and reasons come from records, tracks and documents that anybody can write. Line breaks, terminal
escapes, marks that turn the direction of writing, letters without a width and lone surrogates become "?".
"""

from __future__ import annotations

import unicodedata

LONGEST_NAME = 80
LONGEST = 500
"""Characters of a name and of any other text that are shown: what follows is cut off, and an ellipsis says so."""

MOST_OF_A_TEXT = 20_000
"""Characters of a caption, a source or an error, which have names of strangers in them."""

INVISIBLE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {
    chr(code) for code in (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))
}
"""Letters and marks that Unicode calls printable and that leave nothing, or only a gap, to be seen."""
MOST_MARKS = 3
"""Combining marks on one letter that are shown: a pile of them is drawn over the lines above."""
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet take a cell for a formula."""


def shown(text: object, longest: int = LONGEST) -> str:
    """A text on one line, cut and cleaned; what was printable and short enough is as it was. Never raises."""
    given = str(text)
    line = given[: longest + 1]
    if not (line.isascii() and line.isprintable()):
        line = "".join(" " if letter in "\n\t\r" else letter for letter in line)
        line = _visible(line, "")
    return line if len(line) <= longest else f"{line[: longest - 1]}\u2026"


def shown_lines(text: object, longest: int = MOST_OF_A_TEXT) -> str:
    """The same of a text of several lines, which stay: a source, a trace, an error in words."""
    given = str(text)
    line = given[: longest + 1]
    if not line.isascii() or not line.replace("\n", "").isprintable():
        line = _visible(line.replace("\r\n", "\n"), "\n\t")
    return line if len(line) <= longest else f"{line[: longest - 1]}\u2026"


def _visible(text: str, kept: str) -> str:
    if all(letter in kept or _is_plain(letter) for letter in set(text)):
        return text
    letters, marks = [], 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if letter in kept:
            letters.append(letter)
        elif unicodedata.category(letter) == "Zs":
            letters.append(" ")
        else:
            letters.append(letter if is_seen(letter) and marks <= MOST_MARKS else "?")
    return "".join(letters)


def _is_plain(letter: str) -> bool:
    return letter == " " or (is_seen(letter) and not letter.isspace() and not unicodedata.combining(letter))


def is_seen(letter: str) -> bool:
    """Whether a reader sees it, as a letter, a sign or a space."""
    return (letter.isprintable() or unicodedata.category(letter) == "Zs") and letter not in INVISIBLE


def shown_cell(value: object) -> object:
    """A value as a cell of a CSV file. A text that a spreadsheet would compute gets an apostrophe before it."""
    if not isinstance(value, str):
        return value
    cell = shown(value, MOST_OF_A_TEXT)
    return f"'{cell}" if cell.lstrip().startswith(FORMULA) and not _is_number(cell) else cell


def _is_number(text: str) -> bool:
    try:
        return len(text) < LONGEST_NAME and float(text) is not None
    except ValueError:
        return False


def escaped_json(text: str) -> str:
    r"""JSON whose letters a terminal can take: what is not printable is written as \uXXXX, and reads back the same."""
    if text.isascii():
        return text
    return "".join(
        letter if letter == "\n" or (letter.isprintable() and letter not in INVISIBLE) else _escape(letter)
        for letter in text
    )


def _escape(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def as_given(value: object, longest: int = LONGEST_NAME) -> str:
    """A value as an error repeats it: what was given, on one line, cut. Never raises."""
    try:
        return shown(repr(value[: longest + 1] if isinstance(value, str | list | tuple) else value), longest)
    except (ValueError, RecursionError, MemoryError):  # a number of thousands of digits is never written out
        return f"a {type(value).__name__} that is too long to be shown"
