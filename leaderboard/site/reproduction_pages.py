"""The founding paper's tables run again: each with the paper's numbers next to ours, and a verdict on every cell."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from prunemark.leaderboard.formats.markdown import interval
from prunemark.leaderboard.formats.reproduction import MEANING, remarks
from prunemark.leaderboard.site import urls
from prunemark.leaderboard.site.context import SiteContext, page
from prunemark.leaderboard.standings.reproduction import Cell, Reproduction, reproduce, row_id
from prunemark.records.pack import PACKED, read_pack
from prunemark.records.record import load
from prunemark.setups.errors import InputError, RuleBroken
from prunemark.setups.paper_tables import GRIDS, Grid

FOLDER = "reproductions"
"""Of a board: the packed records of each table, by its name."""
WORDS = {"confirmed": "better", "opposite": "worse", "equivalent": "equivalent", "open": "undetermined"}
"""How each verdict looks: as those of tables do."""
Found = Mapping[str, Reproduction]


def read_reproductions(folder: Path) -> dict[str, Reproduction]:
    """The tables whose records lie in a folder, by name. What is damaged or not whole is left out."""
    found: dict[str, Reproduction] = {}
    for id, grid in GRIDS.items():
        path = folder / f"{id}{PACKED}"
        if path.is_file():
            with contextlib.suppress(InputError, RuleBroken, ValueError):
                lines = read_pack(path, named=False)
                found[id] = reproduce(grid, [load(line.text, line.place, line.sha256) for line in lines])
    return found


def address(id: str) -> str:
    """The page of a table."""
    return f"reproduction_{id}.html"


def reproduction_files(context: SiteContext, found: Found) -> Iterator[tuple[str, str]]:
    """The list of tables and a page for each; nothing where none was run."""
    if found:
        yield urls.REPRODUCTIONS, page(
            context, "reproductions", urls.REPRODUCTIONS,
            tables=[_listed(grid, found.get(id)) for id, grid in GRIDS.items()], said=counted(found),
        )  # fmt: skip
        for id, grid in GRIDS.items():
            yield address(id), page(context, "reproduction", urls.REPRODUCTIONS, **_view(grid, found.get(id)))


def counted(found: Found) -> str:
    """All cells of all tables in one sentence."""
    findings = [each for table in found.values() for each in table.findings]
    counts = {word: sum(each.word == word for each in findings) for word in WORDS}
    return (
        f"Of {len(findings)} differences in {len(found)} tables, {sum(each.same_sign for each in findings)} have the "
        f"paper's sign here. After correction within each table {counts['confirmed']} are confirmed, "
        f"{counts['opposite']} are significant with the other sign, {counts['equivalent']} are equivalent and "
        f"{counts['open']} are open."
    )


def _listed(grid: Grid, table: Reproduction | None) -> dict[str, Any]:
    counts = {word: table.count(word) for word in WORDS} if table else {}  # type: ignore[arg-type]
    return {
        "title": grid.title, "page": address(grid.id), "track": table.track if table else "",
        "seeds": len(table.seeds) if table else "", "counts": counts,
        "signs": f"{sum(f.same_sign for f in table.findings)} of {len(table.findings)}" if table else "",
    }  # fmt: skip


def _view(grid: Grid, table: Reproduction | None) -> dict[str, Any]:
    track = table.track.partition("@")[0] if table else "digits-resnet8"
    levels = table.levels if table else tuple(f"{100 * ratio:g}%" for ratio in grid.ratios)
    return {
        "title": grid.title, "setting": grid.paper_setting, "table": table, "levels": levels,
        "command": f"prunemark reproduce {grid.id} --track {track} --seeds {len(table.seeds) if table else 5}",
        "said": table.summary if table else "", "remarks": remarks(table) if table else [],
        "meaning": MEANING.format(margin=table.margin_pp) if table else "",
        "rows": [
            (row.name, row.setup, [
                (_ours(table.cells[row_id(row), level]) if table else "", f"{row.paper_percent[index]:.2f}")
                for index, level in enumerate(levels)
            ])
            for row in grid.rows
        ],
        "findings": [
            {
                "row": each.row, "reference": each.reference, "level": each.level,
                "paper": f"{each.paper_difference_pp:+.2f}", "ours": interval(each), "word": WORDS[each.word],
                "said": each.word, "sign": "same" if each.same_sign else "other", "p": f"{each.p:.3g}",
            }
            for each in (table.findings if table else ())
        ],
    }  # fmt: skip


def _ours(cell: Cell) -> str:
    return f"{cell.mean:.2f}" + (f" ± {cell.sd:.2f}" if cell.sd is not None else "")
