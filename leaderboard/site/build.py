"""Builds the whole site: pages, figures, records and downloads, the same bytes for the same board."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

from prunemark.leaderboard.site import left_out, urls
from prunemark.leaderboard.site.compare_page import compare_page, pairs_script
from prunemark.leaderboard.site.context import SiteContext, page, site_context
from prunemark.leaderboard.site.downloads import download_files
from prunemark.leaderboard.site.leaders import first_shown
from prunemark.leaderboard.site.meaning_page import meaning_page
from prunemark.leaderboard.site.method_pages import method_page, methods_page, rows_by_method
from prunemark.leaderboard.site.overview_page import overview_page
from prunemark.leaderboard.site.record_pages import records_index_page, records_page, shard_name, write_shards
from prunemark.leaderboard.site.start_page import start_page
from prunemark.leaderboard.site.track_page import track_page
from prunemark.leaderboard.standings.board import Board
from prunemark.leaderboard.standings.parallel import WORTH_A_PROCESS, cores, in_processes
from prunemark.leaderboard.standings.release import Release
from prunemark.records.load import Loaded
from prunemark.records.source import MethodFiles
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError, WorkFailed
from prunemark.setups.text import shown

HERE = Path(__file__).parent
MARKER = "written-by-prunemark.txt"
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
) -> None:
    """Writes the site into `folder`, which appears whole or stays as it was.

    `methods` are the sources to show, by hash; `citation` is a BibTeX entry and `identifier` the name of this state of
    the board; `releases` are all that there are, from first to last. Raises InputError when the folder has other
    content, WorkFailed when the disk refuses.
    """
    context = site_context(board, loaded, methods or {}, citation, identifier, releases)
    _check_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder.parent))
        try:
            # the records are half of the work, and nothing else needs what is written of them
            work = [partial(_write, draft, files, context), partial(_write, draft, all_record_files, context)]
            if len(context.records) < WORTH_A_PROCESS or cores() < 2:
                _ = [each() for each in work]
            elif in_processes(work)[1] is None:
                work[1]()
            for part in ("assets", "vendor"):
                shutil.copytree(HERE / part, draft / part, copy_function=shutil.copyfile)
            draft.chmod(0o755)
            _replace(folder, draft)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    except OSError as problem:
        raise WorkFailed(
            f"cannot write the site to {folder}: {problem.strerror or problem}.\nNothing half-written was kept"
        ) from problem


def files(context: SiteContext) -> Iterator[tuple[str, str]]:
    """Every file that is written, by name, but for those of `all_record_files`: pages and downloads."""
    yield urls.INDEX, overview_page(context)
    yield urls.MEANING, meaning_page(context)
    yield urls.START, start_page(context)
    yield urls.COMPARE, compare_page(context, *first_shown(context))
    yield urls.METHODS, methods_page(context)
    yield urls.RECORDS, records_index_page(context)
    for name, rows in rows_by_method(context).items():
        yield context.urls.method(name), method_page(context, name, rows)
    for track, setups in context.by_track.items():
        yield context.urls.entrance(track), entrance_page(context, track)
        for setup in setups:
            yield context.urls.track(track, setup), track_page(context, track, setup)
            yield context.urls.pairs(track, setup), pairs_script(context, track, setup)
    yield from download_files(context)
    yield "left-out.txt", left_out.as_text(context.board)
    yield MARKER, MARKER_TEXT


def entrance_page(context: SiteContext, track: str) -> str:
    """A page that leads on to the first page of a track, for links that name no setup."""
    to, here = context.urls.track(track), context.urls.entrance(track)
    return page(context, "entrance", here, to=to, track=track)


def all_record_files(context: SiteContext) -> Iterator[tuple[str, str]]:
    """The pages and shards of the records of all tracks."""
    for track in context.by_track:
        yield from record_files(context, track)


def _write(draft: Path, made: Callable[[SiteContext], Iterator[tuple[str, str]]], context: SiteContext) -> bool:
    for name, text in made(context):
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        (draft / name).write_text(text, encoding="utf-8", newline="\n")
    return True


def record_files(context: SiteContext, track: str) -> Iterator[tuple[str, str]]:
    """The page of a track's records and their shards."""
    shards = []
    for number, (hashes, text) in enumerate(write_shards(context.records_by_track[track], context.methods)):
        shards.append(hashes)
        yield f"{context.urls.shards(track)}/{shard_name(number)}", text
    yield context.urls.records(track), records_page(context, track, shards)


def _check_replaceable(folder: Path) -> None:
    """Only a folder that this module wrote, which has its marker, or an empty one is replaced."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder} is not a folder. Give one that is new, empty, or an earlier site")
    if not folder.is_dir() or _is_ours(folder / MARKER):
        return
    if foreign := min((path.name for path in folder.iterdir()), default=""):
        raise InputError(
            f"{folder} has other content ({shown(foreign)}), which a site would replace.\n"
            "Give a folder that is new, empty, or an earlier site"
        )


def _is_ours(marker: Path) -> bool:
    try:
        return read_bounded(marker, 2 * len(MARKER_TEXT)).decode() == MARKER_TEXT
    except (InputError, UnicodeDecodeError):
        return False


def _replace(folder: Path, draft: Path) -> None:
    """Puts the draft in the place of the folder; an earlier one is kept until the new one stands there."""
    if not folder.exists():
        draft.rename(folder)
        return
    aside = Path(tempfile.mkdtemp(prefix=".old-", dir=folder.parent))
    folder.rename(aside / folder.name)
    try:
        draft.rename(folder)
    except OSError:
        (aside / folder.name).rename(folder)
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
