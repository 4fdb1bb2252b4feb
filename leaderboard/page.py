"""The board as one self-contained static page: no script, no network, the same bytes for the same records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prunemark.leaderboard import words
from prunemark.leaderboard.board import Board, Table

TEMPLATE = "board.html.j2"
WIDTH, LINE_HEIGHT, LEFT, RIGHT = 640, 26, 190, 20


def render_page(board: Board) -> str:
    """The page as HTML. Names and reasons come from strangers: everything is escaped."""
    import jinja2

    folder = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    environment = jinja2.Environment(
        loader=folder, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    views = [_view(table, number) for number, table in enumerate(board.tables, 1)]
    return environment.get_template(TEMPLATE).render(
        tables=views, columns=words.COLUMNS, meanings=words.MEANINGS, refused=board.refused, records=board.records
    )


def _view(table: Table, number: int) -> dict[str, Any]:
    return {
        "id": f"table-{number}",
        "title": f"{table.track}, level {table.level}, setup {table.setup}",
        "subtitle": table.title,
        "lines": [words.line(row, table) for row in table.ranked],
        "unranked": [words.unranked_line(row) for row in table.unranked],
        "caption": words.caption(table),
        "forest": forest(table),
    }


def forest(table: Table) -> dict[str, Any] | None:
    """The geometry of a forest plot, in pixels: one interval a method, the anchor at zero, the margin shaded.

    None when nothing is compared or an interval is infinite.
    """
    rows = [row for row in table.ranked if row.verdict is not None]
    if not rows:
        return None
    spans = [(row.name, row.verdict.comparison) for row in rows if row.verdict]
    ends = [abs(end) for _, comparison in spans for end in comparison.interval_pp]
    reach = max([*ends, table.margin_pp]) * 1.05
    if reach == float("inf"):
        return None

    def x(points: float) -> float:
        return round(LEFT + (points + reach) / (2 * reach) * (WIDTH - LEFT - RIGHT), 1)

    marks = [
        {
            "name": name, "y": LINE_HEIGHT * (index + 1), "low": x(c.interval_pp[0]), "high": x(c.interval_pp[1]),
            "middle": x(c.difference_pp),
            "words": f"{name}: {c.difference_pp:+.2f} pp, "
            f"95 % interval {c.interval_pp[0]:+.2f} to {c.interval_pp[1]:+.2f}",
        }
        for index, (name, c) in enumerate(spans)
    ]  # fmt: skip
    return {
        "marks": marks, "zero": x(0.0), "margin": (x(-table.margin_pp), x(table.margin_pp)), "width": WIDTH,
        "height": LINE_HEIGHT * (len(marks) + 2), "left": LEFT, "reach": f"{reach:.1f}",
        "ends": (x(-reach), x(reach)), "bottom": LINE_HEIGHT * (len(marks) + 1),
    }  # fmt: skip
