r"""Tables of a LaTeX file: tabular and its relatives, \multirow, \multicolumn, rules, comments and nested tables."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from prunemark.audit.table.grid import MAX_TABLES, NUMBER, Grid, RawCell, RawRow, make_grid
from prunemark.audit.table.latex_text import Macros, argument, defined_macros, group_end, optional_end, plain
from prunemark.setups.errors import InputError

ENVIRONMENTS = {
    "tabular": 1, "tabular*": 2, "tabularx": 2, "tabulary": 2, "longtable": 1, "supertabular": 1, "NiceTabular": 1,
    "array": 1, "xltabular": 2, "tblr": 1, "ltablex": 2,
}  # fmt: skip
"""The environments that are tables, with how many arguments stand before the cells."""

RULES = {
    "hline": 0, "toprule": 0, "midrule": 0, "bottomrule": 0, "hdashline": 0, "firsthline": 0, "lasthline": 0,
    "addlinespace": 0, "morecmidrules": 0, "cline": 1, "cmidrule": 1, "cdashline": 1, "Xhline": 1, "noalign": 1,
    "rowcolor": 1, "arrayrulecolor": 1, "specialrule": 3, "endhead": 0, "endfirsthead": 0, "endfoot": 0,
    "endlastfoot": 0, "tabucline": 1, "hhline": 1,
}  # fmt: skip
_OPEN = re.compile(r"\\begin\s*\{(" + "|".join(map(re.escape, ENVIRONMENTS)) + r")\}")
_BEGIN_OR_END = re.compile(r"\\(begin|end)\s*\{([A-Za-z*]+)\}")
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*")
_RULE = re.compile(r"\s*\\(" + "|".join(sorted(RULES, key=len, reverse=True)) + r")(?![A-Za-z])\*?")
_NEW_ROW = re.compile(r"\\\\\*?(?:\s*\[[^\]\n]*\])?|\\tabularnewline(?![A-Za-z])|\\cr(?![A-Za-z])")
_FLOAT = re.compile(r"\\(begin|end)\s*\{(?:table|wraptable|sidewaystable|longtable)\*?\}")
_CAPTION = re.compile(r"\\caption(?:of\s*\{table\})?\s*(?:\[[^\]]*\])?\s*(?=\{)")
MAX_SPAN = 500


@dataclass(frozen=True)
class _Piece:
    """The cells of one row as written, with the rules before it."""

    offset: int
    cells: tuple[str, ...]
    rules: tuple[str, ...] = ()


def read_latex(text: str, name: str) -> list[Grid]:
    """All tables of a file. Raises InputError, with the line, for one that is not closed or too large."""
    text = _COMMENT.sub(r"\1", text)
    starts = [match.end() for match in re.finditer(r"\n", text)]
    macros = defined_macros(text)
    floats = [(match.start(), match.group(1)) for match in _FLOAT.finditer(text)]
    found: list[Grid] = []
    place = 0
    while (opening := _OPEN.search(text, place)) and len(found) < MAX_TABLES:
        line = bisect_right(starts, opening.start()) + 1
        end, place = _closed(text, opening, f"{name}:{line}")
        start = opening.end()
        for _ in range(ENVIRONMENTS[opening.group(1)]):
            _, start = argument(text, optional_end(text, start))
        pieces = list(_pieces(text, start, max(start, end)))
        rows = _rows(pieces, starts, macros)
        grid = make_grid(
            _caption(text, opening.start(), place, floats, macros), rows, name, _head(pieces, rows), True
        )  # fmt: skip
        found += [grid] if grid else []
    return found


def _closed(text: str, opening: re.Match[str], where: str) -> tuple[int, int]:
    """Where the contents of the environment end, and the place after it."""
    depth = 0
    for match in _BEGIN_OR_END.finditer(text, opening.start()):
        depth += 1 if match.group(1) == "begin" else -1
        if depth == 0:
            return match.start(), match.end()
    raise InputError(f"{where}: \\begin{{{opening.group(1)}}} is not closed. Is the file complete?")


def _pieces(text: str, start: int, end: int) -> Iterator[_Piece]:
    """The rows between two places, split into cells at `&`, outside of groups and inner environments."""
    place = begin = first = start
    cells: list[str] = []
    inner = 0
    while place < end:
        letter = text[place]
        if letter == "{":
            place = min(group_end(text, place), end)
        elif letter == "&" and not inner:
            cells.append(text[begin:place])
            place = begin = place + 1
        elif letter == "\\":
            if not inner and (row := _NEW_ROW.match(text, place, end)):
                yield _piece(first, [*cells, text[begin:place]])
                cells, place = [], row.end()
                begin = first = place
            elif matched := _BEGIN_OR_END.match(text, place, end):
                inner = max(0, inner + (1 if matched.group(1) == "begin" else -1))
                place = matched.end()
            else:
                place += 2
        else:
            place += 1
    yield _piece(first, [*cells, text[begin:end]])


def _piece(offset: int, cells: list[str]) -> _Piece:
    """Rules stand before the first cell of the row that follows them."""
    first, rules = cells[0], []
    while match := _RULE.match(first):
        rules.append(match.group(1))
        place = optional_end(first, match.end())
        if first[place : place + 1] == "(":  # \cmidrule(lr){2-3}
            place = first.find(")", place) + 1 or len(first)
        for _ in range(RULES[match.group(1)]):
            _, place = argument(first, optional_end(first, place))
        first = first[optional_end(first, place) :]
    return _Piece(offset + len(cells[0]) - len(first.lstrip()), (first, *cells[1:]), tuple(rules))


def _rows(pieces: list[_Piece], starts: list[int], macros: Macros) -> list[RawRow]:
    rows = []
    for piece in _without_repeated_heads(pieces):
        cells = [_cell(cell, macros) for cell in piece.cells]
        if any(cell.text for cell in cells):
            rows.append(RawRow(bisect_right(starts, piece.offset) + 1, cells))
    return rows


def _without_repeated_heads(pieces: list[_Piece]) -> list[_Piece]:
    r"""Of a longtable: the head of its first page and the body, without what is repeated on every page."""
    marks = [(n, rule) for n, piece in enumerate(pieces) for rule in piece.rules if rule.startswith("end")]
    places = {rule: n for n, rule in marks}
    if not places:
        return pieces
    head = places.get("endfirsthead", places.get("endhead", 0))
    return [*pieces[:head], *pieces[max(places.values()) :]]


def _cell(text: str, macros: Macros) -> RawCell:
    r"""A cell without its \multicolumn and \multirow, which may stand inside each other."""
    body, columns, rows = text.strip(), 1, 1
    for _ in range(4):
        body = re.sub(r"^\\(?:cellcolor|rowcolor|columncolor)(?:\[[^\]]*\])?\{[^{}]*\}\s*", "", body)
        if match := re.match(r"\\multicolumn\s*(?=\{)", body):
            count, place = argument(body, match.end())
            _, place = argument(body, place)
            body, columns = argument(body, place)[0].strip(), _count(count)
        elif match := re.match(r"\\multirow(?:cell|thead)?\s*(?=[\[{])", body):
            count, place = argument(body, optional_end(body, match.end()))
            place = optional_end(body, place)
            if match.group(0).strip()[1:] == "multirow":
                _, place = argument(body, place)  # the width, a group or a plain *
            body, rows = argument(body, optional_end(body, place))[0].strip(), _count(count)
        else:
            break
    return RawCell(plain(body, macros), max(1, columns), rows or 1)


def _count(text: str) -> int:
    match = re.fullmatch(r"\s*(-?\d{1,4})(?:\.\d+)?\s*", text, re.ASCII)
    return max(-MAX_SPAN, min(MAX_SPAN, int(match.group(1)))) if match else 1


def _head(pieces: list[_Piece], rows: list[RawRow]) -> int | None:
    r"""How many rows stand before the first \midrule or, of numbers none, the first \hline; None where it has none."""
    before = lines = 0
    for piece in _without_repeated_heads(pieces):
        if "midrule" in piece.rules and before:
            return before
        lines = before if "hline" in piece.rules and before and not lines else lines
        before += any(cell.strip() for cell in piece.cells)
    if lines > 1 and all(_is_head(row) for row in rows[:lines]):
        return lines
    return None if len(rows) > 1 else 0


def _is_head(row: RawRow) -> bool:
    """Whether a row has no plain number in it: `90% sparsity` is over a column, 92.59 in one."""
    return not any(NUMBER.fullmatch(cell.text.strip()) for cell in row.cells)


def _caption(
    text: str, start: int, end: int, floats: list[tuple[int, str]], macros: Macros
) -> str:  # fmt: skip
    """The caption of the float that the table stands in; of a table without a float nothing."""
    before = [place for place, what in floats if place <= start and what == "begin"]
    after = [place for place, what in floats if place >= end and what == "end"]
    if not before:
        return ""
    match = _CAPTION.search(text, before[-1], after[0] if after else end)
    return plain(argument(text, match.end())[0], macros) if match else ""
