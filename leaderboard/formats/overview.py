"""A board on one page: who leads each track, how much is settled, and how to get all tables. A few kilobytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prunemark.leaderboard.formats import labels
from prunemark.leaderboard.formats.found import DECIDED, STRICT, counts_of, found_in_words, leading
from prunemark.leaderboard.formats.markdown import HEADING, markdown_table, pipe
from prunemark.leaderboard.standings.board import Board
from prunemark.leaderboard.standings.table import Table
from prunemark.setups.comparison import HARNESS_SETUPS

MOST_NAMES = 5
HOW = """## All tables

`prunemark leaderboard --records FOLDER --output site` builds a site of the records in a folder, with every table,
figure and record, and files to download. Without `--output` it prints the tables: `--track`, `--setup` and `--level`
choose, `--format markdown`, `csv`, `json` or `latex` is for other programs.
"""


def as_overview(board: Board, identifier: str = "") -> str:
    """The page as Markdown. `identifier` names this state of the board."""
    by_track: dict[str, dict[str, list[Table]]] = {}
    for table in board.tables:
        by_track.setdefault(table.track, {}).setdefault(table.setup, []).append(table)
    parts = [HEADING.format(records=board.records)]
    parts += [f"Identifier: `{identifier}`\n"] if identifier else []
    parts += [f"{pipe(said)}\n" for said in (found_in_words(board.tables),) if said]
    parts += ["## Who leads\n", "Methods that no other is shown to beat, under the strictest setup that was run.\n"]
    head = ("Track", "Level", "Setup", "Leaders", "Better", "Equivalent", "Worse", "Open")
    parts.append(markdown_table(head, [_lead(setups) for setups in by_track.values()]))
    setups = [setup for setup in HARNESS_SETUPS if any(setup in found for found in by_track.values())]
    parts += ["## What is settled\n", "Comparisons with the anchor that are decided, of those made; all levels.\n"]
    parts.append(markdown_table(("Track", *setups), [_settled(*each, setups) for each in by_track.items()]))
    return "\n".join([*parts, HOW])


def _lead(by_setup: Mapping[str, Sequence[Table]]) -> list[str]:
    """One track: who leads, at the level where most is settled."""
    setup = next((setup for setup in STRICT if setup in by_setup), list(by_setup)[-1])
    table = leading(by_setup[setup])
    first = [row.name for row in table.ranked if not table.placed or labels.in_top_set(row, table)]
    counts, names = counts_of([table]), first or ["nothing is ranked"]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    counted = [str(counts[word]) for word in ("better", "equivalent", "worse", "undetermined")]
    return [*map(pipe, (table.track, table.level, setup, ", ".join(names[:MOST_NAMES]) + more)), *counted]


def _settled(track: str, by_setup: Mapping[str, Sequence[Table]], setups: Sequence[str]) -> list[str]:
    cells = []
    for setup in setups:
        counts = counts_of(by_setup.get(setup, ()))
        decided = sum(counts[word] for word in (*DECIDED, "longer"))
        cells.append(f"{decided} of {counts.total()}" if counts else "")
    return [pipe(track), *cells]
