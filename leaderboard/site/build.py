"""Builds the whole site: pages, figures, records and downloads, the same bytes for the same board."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prunemark.leaderboard.site import left_out, urls
from prunemark.leaderboard.site.compare_page import compare_page, pairs_script
from prunemark.leaderboard.site.context import SiteContext, page, site_context
from prunemark.leaderboard.site.downloads import BOARD, badges, board_files, table_files
from prunemark.leaderboard.site.folder import write_folder
from prunemark.leaderboard.site.leaders import first_shown
from prunemark.leaderboard.site.meaning_page import meaning_page
from prunemark.leaderboard.site.method_pages import method_page, methods_page, rows_by_method
from prunemark.leaderboard.site.overview_page import overview_page
from prunemark.leaderboard.site.record_pages import records_index_page, records_page, shard_name, texts_of, write_shards
from prunemark.leaderboard.site.reproduction_pages import Found, reproduction_files
from prunemark.leaderboard.site.start_page import start_page
from prunemark.leaderboard.site.track_page import track_page
from prunemark.leaderboard.standings.board import Board
from prunemark.leaderboard.standings.parallel import WORTH_A_PROCESS, cores
from prunemark.leaderboard.standings.release import Release
from prunemark.leaderboard.standings.reproduction import Reproduction
from prunemark.records.load import Loaded
from prunemark.records.published import FOLDER, INDEX, index_of
from prunemark.records.source import MethodFiles

PARTS = ("assets", "vendor")
MARKER_TEXT = "`prunemark leaderboard` wrote this folder and replaces it as a whole. Do not keep your files in it.\n"


def build_site(
    board: Board,
    loaded: Loaded,
    folder: Path,
    *,
    methods: Mapping[str, MethodFiles] | None = None,
    citation: str = "",
    identifier: str = "",
    releases: Sequence[Release] = (),
    further: Iterable[tuple[str, str | bytes]] = (),
    published: Mapping[str, Path] | None = None,
    packs: Path | None = None,
    reproductions: Mapping[str, Reproduction] = MappingProxyType({}),
    documents: bool = False,
) -> None:
    """Writes the site into `folder`, which appears whole or stays as it was.

    `methods` are the sources to show, by hash; `citation` is a BibTeX entry and `identifier` the name of this state of
    the board; `releases` are all that there are, from first to last; `further` are the files of the form of the audit
    and of the literature, if the site has them; `published` are the board's own files, by name in its folder, which are
    put into the folder `board` with their index; `packs` is the folder with the packs of the records; `reproductions`
    are the paper's tables that were run; `documents` says that the documents will lie in `docs`. Raises InputError
    when the folder has other content, WorkFailed when the disk refuses.
    """
    added = dict(further)
    context = site_context(board, loaded, methods or {}, citation, identifier, releases)
    linked = {*added, *([urls.REPRODUCTIONS] if reproductions else []), *([urls.DOCUMENTS] if documents else [])}
    context = replace(context, added=frozenset(linked), packs=packs)
    if published:
        added[f"{FOLDER}/{INDEX}"] = index_of(published, identifier)
    copies = {f"{FOLDER}/{name}": path for name, path in (published or {}).items()}
    first, *apart = shares(context, reproductions, cores() if len(context.records) >= WORTH_A_PROCESS else 1)
    write_folder(chain(first, added.items()), folder, MARKER_TEXT, PARTS, apart, copies)


Work = Callable[[], Iterable[tuple[str, str | bytes]]]


def shares(context: SiteContext, reproductions: Found, count: int) -> list[Iterator[tuple[str, str | bytes]]]:
    """Every file that is written, by name, in so many shares that take about as long to make."""
    context.same_runs  # noqa: B018  # here, and not in each process anew
    parts: list[tuple[int, list[Work]]] = [(0, []) for _ in range(count)]
    for cost, work in sorted(units(context, reproductions), key=lambda unit: -unit[0]):
        index = min(range(count), key=lambda each: parts[each][0])
        parts[index] = (parts[index][0] + cost, [*parts[index][1], work])
    return [chain.from_iterable(work() for work in part) for _, part in parts]


def units(context: SiteContext, reproductions: Found) -> Iterator[tuple[int, Work]]:
    """The site in pieces of work, each with what it costs: about so many records written out."""
    yield 100, partial(single_pages, context)
    yield 100, partial(reproduction_files, context, reproductions)
    for name, rows in rows_by_method(context).items():
        yield 2 * len(rows), partial(_one, context.urls.method(name), method_page, context, name, rows)
    for track, setups in context.by_track.items():
        yield 1, partial(_one, context.urls.entrance(track), entrance_page, context, track)
        yield len(context.records_by_track[track]), partial(record_files, context, track)
        for setup, tables in setups.items():
            size = sum(len(table.ranked) + len(table.unranked) for table in tables)
            yield 9 * size, partial(_one, context.urls.track(track, setup), track_page, context, track, setup)
            yield 3 * size, partial(_one, context.urls.pairs(track, setup), pairs_script, context, track, setup)
            yield 2 * size, partial(table_files, context, tables)
    for name, form in BOARD.items():
        yield sum(len(table.ranked) for table in context.board.tables), partial(board_files, context, name, form)


def _one(name: str, page_of: Callable[..., str], *given: Any) -> Iterator[tuple[str, str]]:
    yield name, page_of(*given)


def single_pages(context: SiteContext) -> Iterator[tuple[str, str]]:
    """The pages of which there is one."""
    yield urls.INDEX, overview_page(context)
    yield urls.MEANING, meaning_page(context)
    yield urls.START, start_page(context)
    yield urls.COMPARE, compare_page(context, *first_shown(context))
    yield urls.METHODS, methods_page(context)
    yield urls.RECORDS, records_index_page(context)
    yield from badges(context)
    yield "left-out.txt", left_out.as_text(context.board)


def entrance_page(context: SiteContext, track: str) -> str:
    """A page that leads on to the first page of a track, for links that name no setup."""
    to, here = context.urls.track(track), context.urls.entrance(track)
    return page(context, "entrance", here, to=to, track=track)


def record_files(context: SiteContext, track: str) -> Iterator[tuple[str, str]]:
    """The page of a track's records and their shards."""
    shards = []
    texts = texts_of(context.packs, track)
    for number, (hashes, text) in enumerate(write_shards(context.records_by_track[track], context.methods, texts)):
        shards.append(hashes)
        yield f"{context.urls.shards(track)}/{shard_name(number)}", text
    yield context.urls.records(track), records_page(context, track, shards)
