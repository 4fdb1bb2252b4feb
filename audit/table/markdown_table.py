"""Tables of a Markdown page: pipes, with the heading above; and HTML and LaTeX tables that stand in between."""

from __future__ import annotations

import html
import re

from prunemark.audit.table.grid import MAX_TABLES, Grid, RawCell, RawRow, make_grid
from prunemark.audit.table.html_table import read_html
from prunemark.audit.table.latex_table import read_latex

_DELIMITER = re.compile(r"\s*\|?\s*:?-{1,200}:?\s*(?:\|\s*:?-{1,200}:?\s*){0,100}\|?\s*")
_FENCE = re.compile(r"\s{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_CAPTION = re.compile(r"[\s*_]*Tab(?:le|\.)\s*[\dIVX]{1,5}[\s*_]*[.:]", re.IGNORECASE)
_PIPE = re.compile(r"(?<!\\)\|")
_MARKS = (
    (re.compile(r"\[\[?\^?\d{1,3}\]?\]\([^)]*\)"), ""),
    (re.compile(r"!\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"\[\[?([^\[\]]*)\]?\]\([^)]*\)"), r"\1"),
    (re.compile(r"<sup>[^<]*</sup>", re.IGNORECASE), ""),
    (re.compile(r"<(?:br\s*/?|sub)>", re.IGNORECASE), " "),
    (re.compile(r"</?[A-Za-z][^<>]*>"), ""),
    (re.compile(r"\\([\\`*_{}\[\]()#+.!|<>~-])"), r"\1"),
    (re.compile(r"(?<!\w)_{1,2}(?=\S)([^_]+)(?<=\S)_{1,2}(?!\w)"), r"\1"),
)


def read_markdown(text: str, name: str) -> list[Grid]:
    """All tables of a page in their order. Raises InputError for one that is too large."""
    lines = _without_code(text.split("\n"))
    found = [grid for grid in (_at(lines, number, name) for number in range(1, len(lines))) if grid]
    found += _with_headings(read_html("\n".join(lines), name), lines)
    found += read_latex("\n".join(lines), name) if "\\begin{tab" in text else []
    return sorted(found, key=lambda grid: grid.line)[:MAX_TABLES]


def _without_code(lines: list[str]) -> list[str]:
    """The lines with those of fenced blocks blank, so that numbers of lines stay."""
    kept, fence = [], ""
    for line in lines:
        match = _FENCE.match(line)
        if match and not fence:
            fence = match.group(1)[:3]
            kept.append("")
        elif match and match.group(1).startswith(fence):
            fence = ""
            kept.append("")
        else:
            kept.append("" if fence else line.rstrip("\r"))
    return kept


def _at(lines: list[str], number: int, name: str) -> Grid | None:
    """The table whose delimiter row stands in this line, counted from 0."""
    head, delimiter = lines[number - 1], lines[number]
    if "|" not in head or "-" not in delimiter or not _DELIMITER.fullmatch(delimiter):
        return None
    if len(_split(head)) != len(_split(delimiter)):
        return None
    rows = [RawRow(number, _cells(head), True)]
    for place in range(number + 1, len(lines)):
        if not lines[place].strip() or "|" not in lines[place]:
            break
        rows.append(RawRow(place + 1, _cells(lines[place])[: len(rows[0].cells)]))
    return make_grid(_heading(lines, number - 1), rows, name, 1)


def _split(line: str) -> list[str]:
    line = line.strip()
    line = line[1:] if line.startswith("|") else line
    line = line[:-1] if line.endswith("|") and not line.endswith("\\|") else line
    return _PIPE.split(line)


def _cells(line: str) -> list[RawCell]:
    return [RawCell(plain(cell)) for cell in _split(line)]


def plain(text: str) -> str:
    """A cell without emphasis, links, code marks, footnotes and tags."""
    text = text[:2_000].replace("**", "").replace("~~", "").replace("`", "").replace("$", "")
    text = text.replace("\\pm", "±").replace("\\times", "×").replace("\\downarrow", "↓").replace("\\uparrow", "↑")
    text = re.sub(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}", r"\1", text).replace("\\Delta", "Δ")
    for pattern, seen in _MARKS:
        text = pattern.sub(seen, text)
    return " ".join(html.unescape(text).replace("*", "").split())


def _heading(lines: list[str], number: int) -> str:
    """The caption right above a table (`Table 3: ...`), else the last heading above it."""
    above = next((line for line in reversed(lines[max(0, number - 3) : number]) if line.strip()), "")
    if _CAPTION.match(above):
        return plain(above[:500])
    for place in range(number - 1, max(-1, number - 400), -1):
        if match := _HEADING.match(lines[place]):
            return plain(match.group(1))
    return ""


def _with_headings(grids: list[Grid], lines: list[str]) -> list[Grid]:
    found = []
    for grid in grids:
        caption = grid.caption or _heading(lines, grid.line)
        found.append(Grid(caption, grid.line, grid.header, grid.rows))
    return found
