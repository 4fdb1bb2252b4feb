"""Every record with everything in it: one searchable page a track, and the records themselves in shards.

A page opened from a folder may not fetch data, but it may load scripts: a shard is a script that hands over some
records, and is loaded when one of them is opened.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from prunemark.leaderboard.site import left_out, urls
from prunemark.leaderboard.site.command import reproduce
from prunemark.leaderboard.site.context import SiteContext, page
from prunemark.records.pack import PACKED, read_pack
from prunemark.records.record import Record, canonical_json, dump
from prunemark.records.source import MethodFiles
from prunemark.setups.errors import InputError, RuleBroken

SHARD_CHARACTERS = 250_000
Shards = list[list[str]]
"""The hashes in each shard, in order."""


def write_shards(
    records: Mapping[str, Record], methods: Mapping[str, MethodFiles], texts: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[list[str], str]]:
    """Shards of at most about 250,000 characters (or one record): the hashes in each, and its text.

    `texts` are those of records that need not be written out again. Each entry is
    `"<sha256>":{"command":...,"note":...,"record":<the record's own canonical JSON>}`.
    """
    hashes: list[str] = []
    entries: list[str] = []
    size = 0
    for sha256, record in records.items():
        command = reproduce(record, methods)
        told = canonical_json({"command": command.line, "note": command.note})
        entry = f'"{sha256}":{told[:-1]},"record":{texts.get(sha256) or dump(record)}}}'
        if entries and size + len(entry) > SHARD_CHARACTERS:
            yield hashes, _shard(entries)
            hashes, entries, size = [], [], 0
        hashes.append(sha256)
        entries.append(entry)
        size += len(entry)
    if entries:
        yield hashes, _shard(entries)


def texts_of(packs: Path | None, track: str) -> dict[str, str]:
    """The records of a track as they stand in its packs, by hash: slicing them is faster than writing them out again.

    They were verified when they were read, or else are not among those that are shown.
    """
    found: dict[str, str] = {}
    for path in sorted((packs / track).glob(f"*{PACKED}")) if packs else ():
        with contextlib.suppress(InputError, RuleBroken):
            found |= {line.sha256: line.text.decode() for line in read_pack(path)}
    return found


def _shard(entries: list[str]) -> str:
    return "prunemarkRecords({\n" + ",\n".join(entries) + "\n});\n"


def shard_name(number: int) -> str:
    """The file of a shard, within its track's folder."""
    return f"{number:03d}.js"


def records_page(context: SiteContext, track: str, shards: Shards) -> str:
    """The page of one track: a table of all its records, and room for one of them."""
    index = index_of(context.records_by_track[track], shards)
    return page(
        context,
        "records",
        context.urls.records(track),
        track=track,
        track_page=context.urls.track(track),
        index=index | {"folder": context.urls.shards(track), "pages": method_pages(context, index["methods"])},
        invalid={sha256[: urls.SHA_SHOWN]: why for sha256, why in context.board.invalid.items()},
        superseded=superseded(context, track),
        number=len(index["rows"]),
    )


def superseded(context: SiteContext, track: str) -> dict[str, str]:
    """The records that newer ones of the same trial took the place of: their first 12 characters, and the newer one's.

    A chain of them leads to the one that is shown. Those that ended on another track or nowhere are left out.
    """
    followed = {
        refused.name[: urls.SHA_SHOWN]: refused.newer[: urls.SHA_SHOWN]
        for refused in context.board.refused
        if refused.newer
    }
    shown = {sha256[: urls.SHA_SHOWN] for sha256 in context.records_by_track[track]}
    newest = {}
    for old in followed:
        last = old
        while last in followed:
            last = followed[last]
        if last in shown:
            newest[old] = last
    return newest


def method_pages(context: SiteContext, names: list[str]) -> list[str]:
    """The pages of methods, in the same order."""
    return [context.urls.method(name) for name in names]


def index_of(records: Mapping[str, Record], shards: Shards) -> dict[str, Any]:
    """A line a record, as small as it gets: words that repeat are numbers into lists.

    Rows are [hash (its first 12 characters), method, setup, level, seed, status, test accuracy in percent, shard].
    """
    where = {sha256: number for number, hashes in enumerate(shards) for sha256 in hashes}
    lists: dict[str, dict[str, int]] = {"methods": {}, "setups": {}, "levels": {}, "statuses": {}}

    def number(kind: str, word: str) -> int:
        return lists[kind].setdefault(word, len(lists[kind]))

    rows = []
    for sha256, record in sorted(records.items(), key=_in_order):
        o = record.outcome
        accuracy = round(o.accuracy.test_percent, 2) if o.accuracy else None
        rows.append(
            [sha256[: urls.SHA_SHOWN], number("methods", o.method.name), number("setups", o.setup),
             number("levels", o.level), o.seed, number("statuses", o.status), accuracy, where[sha256]]
        )  # fmt: skip
    return {"rows": rows} | {kind: list(words) for kind, words in lists.items()}


def _in_order(item: tuple[str, Record]) -> tuple[str, str, str, int, str]:
    o = item[1].outcome
    return (o.method.name, o.setup, o.level, o.seed, item[0])


def records_index_page(context: SiteContext) -> str:
    """The list of the tracks' record pages."""
    return page(
        context,
        "records_index",
        urls.RECORDS,
        tracks=[
            (track, context.urls.records(track), len(records)) for track, records in context.records_by_track.items()
        ],
        other_versions=left_out.other_versions(context.board),
    )
