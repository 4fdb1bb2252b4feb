"""Tables of an HTML page, with colspan and rowspan; scripts, styles and footnote marks are left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

from prunemark.audit.table.grid import MAX_TABLES, Grid, RawCell, RawRow, make_grid

SILENT = frozenset({"script", "style", "sup", "template", "svg"})
HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
MAX_COLSPAN, MAX_ROWSPAN = 60, 2_000
LONGEST = 2_000  # characters of a cell that are kept


@dataclass
class _Table:
    line: int
    caption: str
    rows: list[RawRow] = field(default_factory=list)
    cells: list[RawCell] | None = None
    row_line: int = 0
    heads: int = 0
    text: list[str] | None = None
    spans: tuple[int, int] = (1, 1)
    in_caption: bool = False
    in_head: bool = False
    all_heads: bool = True


def read_html(text: str, name: str, first_line: int = 1) -> list[Grid]:
    """All tables of a page; a table inside a cell is one of its own. Raises InputError for one that is too large."""
    parser = _Tables()
    parser.feed(text)
    parser.close()
    parser.end_all()
    found = []
    for table in sorted(parser.done, key=lambda table: table.line)[:MAX_TABLES]:
        rows = [RawRow(row.line + first_line - 1, row.cells, row.header) for row in table.rows]
        head = next((n for n, row in enumerate(rows) if not row.header), len(rows))
        grid = make_grid(table.caption, rows, name, head or None)
        found += [grid] if grid else []
    return found


class _Tables(HTMLParser):
    """Collects rows as the events come; whatever is left open is closed where its parent ends."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[_Table] = []
        self.done: list[_Table] = []
        self.silent = 0
        self.heading: list[str] = []
        self.in_heading = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self.silent += 1
        elif tag in HEADINGS:
            self.in_heading, self.heading = True, []
        elif tag == "table" and len(self.open) < 10 and len(self.done) < MAX_TABLES:
            self.open.append(_Table(self.getpos()[0], " ".join("".join(self.heading).split())))
        elif self.open:
            self._inside(self.open[-1], tag, dict(attrs))

    def _inside(self, table: _Table, tag: str, attributes: dict[str, str | None]) -> None:
        if tag == "caption":
            table.in_caption, table.caption = True, ""
        elif tag == "thead":
            table.in_head = True
        elif tag == "tr":
            _end_row(table)
            table.cells, table.row_line = [], self.getpos()[0]
        elif tag in ("td", "th"):
            _end_cell(table)
            if table.cells is None:
                table.cells, table.row_line = [], self.getpos()[0]
            table.text = []
            table.all_heads = table.all_heads and tag == "th"
            table.spans = (
                _span(attributes.get("colspan"), MAX_COLSPAN), _span(attributes.get("rowspan"), MAX_ROWSPAN),
            )  # fmt: skip
        elif tag in ("br", "p", "div", "li", "sub") and table.text is not None:
            table.text.append(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in SILENT:
            self.silent = max(0, self.silent - 1)
        elif tag in HEADINGS:
            self.in_heading = False
        elif self.open:
            table = self.open[-1]
            if tag in ("td", "th"):
                _end_cell(table)
            elif tag == "tr":
                _end_row(table)
            elif tag == "thead":
                _end_row(table)
                table.in_head = False
            elif tag == "caption":
                table.in_caption = False
            elif tag == "table":
                _end_row(table)
                self.done.append(self.open.pop())

    def handle_data(self, data: str) -> None:
        if self.silent:
            return
        if self.in_heading and not self.open:
            self.heading.append(data[:LONGEST])
        elif self.open:
            table = self.open[-1]
            if table.in_caption:
                table.caption = (table.caption + data)[:LONGEST]
            elif table.text is not None:
                table.text.append(data[:LONGEST])

    def end_all(self) -> None:
        """Closes what the page leaves open."""
        while self.open:
            _end_row(self.open[-1])
            self.done.append(self.open.pop())


def _end_cell(table: _Table) -> None:
    if table.text is not None and table.cells is not None:
        table.cells.append(RawCell(" ".join("".join(table.text).split())[:LONGEST], *table.spans))
    table.text = None


def _end_row(table: _Table) -> None:
    _end_cell(table)
    if table.cells:
        table.rows.append(RawRow(table.row_line, table.cells, table.in_head or table.all_heads))
    table.cells, table.all_heads = None, True


def _span(given: str | None, most: int) -> int:
    """A span of 0 reaches to the end, as HTML says."""
    text = (given or "1").strip()
    if not text.isascii() or not text.isdigit():
        return 1
    return min(int(text[:6]) or most, most)
