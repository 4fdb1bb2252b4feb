"""What all pages are made of: the board, its records by hash, and how they are called and drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from prunemark.leaderboard.formats.citation import standing
from prunemark.leaderboard.site.rendering import render
from prunemark.leaderboard.site.same_runs import same_runs
from prunemark.leaderboard.site.style import Style, assign
from prunemark.leaderboard.site.urls import (
    COMPARE,
    DOCUMENTS,
    FORM,
    INDEX,
    LITERATURE,
    MEANING,
    METHODS,
    PARQUET,
    RECORDS,
    REPRODUCTIONS,
    START,
    Urls,
    make_urls,
)
from prunemark.leaderboard.standings.board import Board
from prunemark.leaderboard.standings.release import Release, before
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.records.load import Loaded
from prunemark.records.record import Record
from prunemark.records.source import MethodFiles
from prunemark.setups.comparison import HARNESS_SETUPS

FIRST_SHOWN = ("S3.2", "S4.2")
"""The setup that a track opens with: the least that the founding paper recommends, or else the last there is."""

AUDIT = f"{START}#audit"
HEADER = (
    (INDEX, "Leaders"),
    (METHODS, "Methods"),
    (COMPARE, "A or B?"),
    (RECORDS, "Records"),
    (MEANING, "What it means"),
    (f"{START}#submit", "Submit a method"),
    (AUDIT, "Audit a paper"),
)
"""The links at the head of every page: (address, text). Those of `stated_links` follow."""
DOCS = "Documents"
FURTHER = ((REPRODUCTIONS, "Reproductions"), (LITERATURE, "Literature"), (DOCUMENTS, DOCS))
"""Those of what not every site has."""
STATED = {"repository": "Repository", "documentation": DOCS}
"""Names of addresses in `pyproject.toml`, in small letters, and the texts of their links."""


@dataclass(frozen=True)
class SiteContext:
    """A board and everything that its pages show. `records` and `methods` by hash; `styles` by name of a row.

    `standing` says in a sentence which release the board is, if any; `releases` are those up to it, first to last;
    `added` names files that lie next to the pages: the form of the audit, and the literature.
    `packs` is the folder of the records, where they lie in packs.
    """

    board: Board
    records: Mapping[str, Record]
    methods: Mapping[str, MethodFiles]
    urls: Urls
    styles: Mapping[str, Style]
    citation: str
    identifier: str
    standing: str
    releases: Sequence[Release]
    added: Set[str] = frozenset()
    packs: Path | None = None

    @cached_property
    def by_track(self) -> dict[str, dict[str, list[Table]]]:
        """The tables by track and setup, setups in the order of the rulebook, levels in that of the track."""
        found: dict[str, dict[str, list[Table]]] = {}
        for table in self.board.tables:
            found.setdefault(table.track, {}).setdefault(table.setup, []).append(table)
        return found

    @cached_property
    def setups(self) -> list[str]:
        """The setups that have tables, in the order of the rulebook."""
        there = {table.setup for table in self.board.tables}
        return [setup for setup in HARNESS_SETUPS if setup in there]

    @cached_property
    def records_by_track(self) -> dict[str, dict[str, Record]]:
        """All records of each track by hash, in order."""
        found: dict[str, dict[str, Record]] = {track: {} for track in self.by_track}
        for sha256, record in sorted(self.records.items()):
            found[record.outcome.track][sha256] = record
        return found

    @cached_property
    def same_runs(self) -> dict[str, list[str]]:
        """The setups of each track that are the very same runs, such as "S1 = S2"."""
        return {
            track: same_runs(self.by_track[track], found.values()) for track, found in self.records_by_track.items()
        }

    @cached_property
    def records_by_method(self) -> dict[str, dict[str, Record]]:
        """All records of each method by hash, methods by name."""
        found: dict[str, dict[str, Record]] = {}
        for sha256, record in sorted(self.records.items(), key=lambda item: (item[1].outcome.method.name, item[0])):
            found.setdefault(record.outcome.method.name, {})[sha256] = record
        return found

    def method_of(self, row: Row) -> str | None:
        """The name that the records of a row give; the row's own may have settings behind it."""
        hashes = (*row.records, *(sha256 for _, sha256 in row.uncounted))
        return next((self.records[h].outcome.method.name for h in hashes if h in self.records), None)


def page(context: SiteContext, template: str, here: str, **values: Any) -> str:
    """A page as HTML: what its template needs, and what stands on every page. `here` is the page's own address."""
    return render(
        template,
        here=here,
        header=header_links(context.added),
        identifier=context.identifier,
        count=context.board.records,
        parquet=PARQUET in context.added,
        **values,
    )


def header_links(added: Set[str]) -> list[tuple[str, str]]:
    """The links at the head of every page: (address, text). `added` names what a site has besides its own pages."""
    links = [(FORM if FORM in added and address == AUDIT else address, text) for address, text in HEADER]
    links += [(address, text) for address, text in FURTHER if address in added]
    return [*links, *((address, text) for address, text in stated_links() if DOCUMENTS not in added or text != DOCS)]


@cache
def stated_links() -> tuple[tuple[str, str], ...]:
    """Where the package says that its repository and documents are, (address, text); () where it does not say."""
    try:
        stated = metadata.metadata("prunemark").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return ()
    found = {name.strip().lower(): address.strip() for name, _, address in (each.partition(",") for each in stated)}
    return tuple((found[name], text) for name, text in STATED.items() if name in found)


def site_context(
    board: Board,
    loaded: Loaded,
    methods: Mapping[str, MethodFiles],
    citation: str,
    identifier: str,
    releases: Sequence[Release] = (),
) -> SiteContext:
    """Names and styles for everything on the board. Records of tracks and setups that the board does not show are left
    out.

    So are releases after the one that the board is: its pages stay what they were.
    """
    shown = {(table.track, table.setup) for table in board.tables}
    records = {r.record_sha256: r for r in loaded.records if (r.outcome.track, r.outcome.setup) in shown}
    urls = make_urls(
        {track: _opening({setup for where, setup in shown if where == track}) for track, _ in shown},
        (setup for _, setup in shown),
        (table.level for table in board.tables),
        (record.outcome.method.name for record in records.values()),
    )
    until = [*before(board.release, releases), *(each for each in releases if each.id == board.release)]
    said = standing(board.release, board.contents, until)
    return SiteContext(board, records, methods, urls, assign(board.tables), citation, identifier, said, until)


def _opening(setups: Set[str]) -> str:
    return next((setup for setup in FIRST_SHOWN if setup in setups), [s for s in HARNESS_SETUPS if s in setups][-1])
