"""Reading records and refusing, by name, whatever cannot be trusted.

A folder holds `<sha256>.json` files as `submit` writes them, packs of a track in a folder each (see `packs`), or
packed `*.jsonl.xz` files of any name; and `invalidations.jsonl`.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from prunemark.records.admission import Refused, admit, track_name
from prunemark.records.board_terms import is_board
from prunemark.records.fresh_seeds import FreshSeeds, read_draws
from prunemark.records.invalidations import read_invalidations
from prunemark.records.one_a_trial import one_a_trial
from prunemark.records.pack import PACKED, Line, packs_of, read_pack
from prunemark.records.record import LONGEST_RECORD, Record, load
from prunemark.records.unpack import Patience
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError, RuleBroken


@dataclass(frozen=True)
class Contents:
    """What a board is cited by: the hashes of the records that count, in order, and the ISO date of the newest record.

    The date is "" where there are no records. `draws` are those of fresh seeds, each as its line: a verdict can go when
    more are drawn.
    """

    counting: tuple[str, ...] = ()
    as_of: str = ""
    draws: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over the hashes of the records that count, in order, and over the draws of a board that has some."""
        return hashlib.sha256("".join(f"{each}\n" for each in (*self.counting, *self.draws)).encode()).hexdigest()


@dataclass(frozen=True)
class Loaded:
    """What was read: sound records, sorted by content, what was refused, and what does not count.

    `invalid` gives the reason for each record that was invalidated, by its hash: it is among `records`, to be shown.
    `other_versions` are those versions of tracks that are not ranked here, with their numbers of records. `draws` are
    the fresh seeds of a board, in order; None of what is no board, where all seeds count.
    """

    records: tuple[Record, ...]
    refused: tuple[Refused, ...] = ()
    invalid: Mapping[str, str] = field(default_factory=dict)
    other_versions: Mapping[str, int] = field(default_factory=dict)
    draws: tuple[FreshSeeds, ...] | None = None

    @property
    def contents(self) -> Contents:
        """What it is cited by."""
        counting = sorted(r.record_sha256 for r in self.records if r.record_sha256 not in self.invalid)
        as_of = max((r.observed.finished_at[:10] for r in self.records), default="")
        return Contents(tuple(counting), as_of, tuple(draw.line for draw in self.draws or ()))


def read_records(folder: Path, track: str | None = None) -> Loaded:
    """All records of a folder. Raises InputError when it is missing or holds none.

    Of several versions of one track the newest counts, or `track` where that names a version.
    """
    refused, invalid = _withdrawn(folder)
    draws = _draws(folder, refused)
    return replace(_that_count(read_sound(folder, refused), refused, invalid, track), draws=draws)


def read_together(folders: Sequence[Path], track: str | None = None) -> Loaded:
    """The records of several folders as if they were of one: a home's and a board's.

    Raises InputError when all hold nothing. All seeds count, also those that a board leaves to its fresh ones.
    """
    refused: list[Refused] = []
    invalid: dict[str, str] = {}
    found: dict[str, Record] = {}
    for folder in folders:
        wrong, withdrawn = _withdrawn(folder)
        refused += wrong
        invalid |= withdrawn
        lines = chain(_loose(folder), _packed(folder, refused))
        found |= {record.record_sha256: record for record in _sift(lines, refused)}
    if not found and not refused:
        raise InputError(f"no records in {', '.join(map(str, folders))}. Run `prunemark submit` first")
    return _that_count([found[sha256] for sha256 in sorted(found)], refused, invalid, track)


def read_tracks(folder: Path, packs: Sequence[Path]) -> Loaded | None:
    """What `read_records` reads of these packs of a folder, which have to be all that lie under some names of tracks.

    None where they hold a record of another track: what becomes of that depends on the rest. Raises InputError when
    they hold nothing.
    """
    refused, invalid = _withdrawn(folder)
    draws = _draws(folder, refused)
    found = _sift(_unpacked([(path, True) for path in packs], refused), refused)
    if not found and not refused:
        raise InputError(f"no records in these packs of {str(folder)!r}")
    names = {track_name(path.parent.name) for path in packs}
    if any(track_name(track) not in names for track in {record.outcome.track for record in found}):
        return None
    return replace(_that_count(found, refused, invalid, None), draws=draws)


def _withdrawn(folder: Path) -> tuple[list[Refused], dict[str, str]]:
    """Of the invalidations of a folder: what cannot be read of them, and the reasons by record."""
    entries, wrong = read_invalidations(folder)
    return [Refused(place, why) for place, why in wrong], {entry.record_sha256: entry.reason for entry in entries}


def _draws(folder: Path, refused: list[Refused]) -> tuple[FreshSeeds, ...] | None:
    """The fresh seeds of a board; what cannot be read of them goes to `refused`. None of what is no board."""
    if not is_board(folder):
        return None
    draws, wrong = read_draws(folder)
    refused += [Refused(place, why) for place, why in wrong]
    return draws


def read_sound(folder: Path, refused: list[Refused], track: str | None = None) -> list[Record]:
    """All sound records of a folder, each once, whether they count or not; what is not sound goes to `refused`.

    With `track`, the id of one, packs that lie under other tracks are not opened. Raises InputError when the folder is
    missing or holds nothing.
    """
    if not folder.is_dir():
        raise InputError(f"no folder {str(folder)!r}. Records lie in the folder `records` of --home")
    found = _sift(chain(_loose(folder), _packed(folder, refused, track)), refused)
    if not found and not refused:
        of = f" of {track}" if track else ""
        raise InputError(f"no records{of} in {str(folder)!r}. Run `prunemark submit` first")
    return found


def read_counting(folder: Path) -> list[Record]:
    """The records that count, of every version of every track: one a trial, of those that are not withdrawn.

    Raises InputError when the folder is missing or holds nothing.
    """
    withdrawn = {entry.record_sha256 for entry in read_invalidations(folder)[0]}
    sound = [record for record in read_sound(folder, []) if record.record_sha256 not in withdrawn]
    return one_a_trial(sound, [], {})


def names_elsewhere(folder: Path, track: str) -> set[str]:
    """The hashes of all records that the packs of a folder name, sound or not, but for those under this track."""
    packs = [(path, True) for path in packs_of(folder) if path.parent.name != track]
    return {line.sha256 for line in _unpacked(packs, [])}


def record_names(folder: Path) -> set[str]:
    """The hashes of all records that a folder names, sound or not."""
    return {line.sha256 for line in chain(_loose(folder), _packed(folder, []))}


def read_texts(
    named: Iterable[tuple[str, str, str | bytes]], invalid: Mapping[str, str] | None = None, track: str | None = None
) -> Loaded:
    """Records from elsewhere: (name, hash it should have, JSON text)."""
    refused: list[Refused] = []
    return _that_count(_sift(named, refused), refused, invalid or {}, track)


def loose_records_of(folder: Path) -> list[Path]:
    """All records that lie in a file of their own, in the order of their names."""
    return [path for path in sorted(folder.glob("*.json")) if not path.name.startswith(".")]


def flat_packs_of(folder: Path) -> list[Path]:
    """All packs that lie in no track's folder, in the order of their names."""
    return sorted(folder.glob(f"*{PACKED}"))


def _loose(folder: Path) -> Iterator[Line]:
    for path in loose_records_of(folder):
        try:
            text = read_bounded(path, LONGEST_RECORD)
        except InputError:
            text = b""
        yield Line(path.name, path.stem, text)


def _packed(folder: Path, refused: list[Refused], track: str | None = None) -> Iterator[Line]:
    flat = [(path, False) for path in flat_packs_of(folder)]
    named = [(path, True) for path in packs_of(folder) if track in (None, path.parent.name)]
    return _unpacked(flat + named, refused)


def _unpacked(packs: Sequence[tuple[Path, bool]], refused: list[Refused]) -> Iterator[Line]:
    """The lines of packs, some of them named by content; what cannot be unpacked is refused.

    The next pack is unpacked meanwhile.
    """
    with ThreadPoolExecutor(1) as pool:
        waiting = [pool.submit(read_pack, path, named=named) for path, named in packs[:2]]
        for index, (path, _) in enumerate(packs):
            try:
                yield from waiting.pop(0).result()
            except (InputError, RuleBroken) as problem:
                refused.append(_unreadable(path.name, problem))
            if index + 2 < len(packs):
                following, named = packs[index + 2]
                waiting.append(pool.submit(read_pack, following, named=named))


def _sift(named: Iterable[tuple[str, str, str | bytes]], refused: list[Refused]) -> list[Record]:
    """The sound records, each once, sorted by content."""
    sound: dict[str, Record] = {}
    patience = Patience()
    with _collecting_no_garbage():
        for name, sha256, text in named:
            if patience.ended(name):
                continue
            why = Refused(name, "is here twice") if sha256 in sound else None
            if why is None:
                try:
                    sound[sha256] = _read(text, name, sha256)
                    continue
                except (InputError, RuleBroken) as problem:
                    why = _unreadable(name, problem)
                    patience.unsound(name, len(text))
            if patience.names(name):
                refused.append(why)
    refused += [Refused(pack, words) for pack, words in patience.rest()]
    return [sound[sha256] for sha256 in sorted(sound)]


def _read(text: str | bytes, name: str, sha256: str) -> Record:
    """Raises InputError or RuleBroken, in words that follow the name."""
    if not text:
        raise InputError(f"{name} is not a packed record, or larger than one may be")
    return load(text, name, sha256)


def _unreadable(name: str, problem: Exception) -> Refused:
    return Refused(name, str(problem).splitlines()[0].removeprefix(f"{name} "))


@contextlib.contextmanager
def _collecting_no_garbage() -> Iterator[None]:
    """Records have no cycles: looking for some among millions of new objects takes longer than reading them."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()  # and back: what was read now counts as old, and is not looked through as if it were new
        gc.unfreeze()
        if was:
            gc.enable()


def _that_count(
    records: Sequence[Record], refused: list[Refused], invalid: Mapping[str, str], track: str | None
) -> Loaded:
    found = admit(records, track)
    refused += found.refused
    kept = one_a_trial(found.admitted, refused, invalid)
    present = {record.record_sha256 for record in kept}
    return Loaded(
        tuple(kept),
        tuple(sorted(refused, key=lambda r: r.name)),
        {sha256: reason for sha256, reason in sorted(invalid.items()) if sha256 in present},
        found.other_versions,
    )
