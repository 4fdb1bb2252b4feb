"""The records of a release, found in a board's folder: exactly those that counted when it was frozen."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from prunemark.leaderboard.standings.release import Release
from prunemark.records.fresh_seeds import read_draws
from prunemark.records.load import Contents, Loaded, names_elsewhere, read_sound
from prunemark.records.pack import PACKED, packs_of, read_pack
from prunemark.setups.errors import InputError, RuleBroken


def packs_held(folder: Path) -> dict[str, frozenset[str]]:
    """The hashes of the records in each readable pack of a `records` folder, by the pack's name."""
    found: dict[str, frozenset[str]] = {}
    for path in packs_of(folder):
        try:
            found[path.name.removesuffix(PACKED)] = frozenset(line.sha256 for line in read_pack(path))
        except (InputError, RuleBroken):
            continue
    return found


def records_of(release: Release, folder: Path) -> frozenset[str]:
    """The hashes of the records that count in a release, which its packs in a `records` folder name.

    Raises RuleBroken when a pack is missing or is not as it was, or when others would count than did.
    """
    if release.contents is None:
        return frozenset(release.records)
    there = {path.name.removesuffix(PACKED): path for path in packs_of(folder)}
    found = set(release.records)
    lost = []
    for name in release.packs:
        try:
            found |= {line.sha256 for line in read_pack(there[name])}
        except (KeyError, InputError, RuleBroken):
            lost.append(f"the pack {name}")
    if lost:
        raise _missing(release, lost, "packs")
    found -= set(release.without)
    draws = tuple(draw.line for draw in read_draws(folder)[0][: release.draws or 0])
    if Contents(tuple(sorted(found)), draws=draws).digest != release.contents:
        raise RuleBroken(f"release {release.id}: its packs hold other records than counted, or seeds were drawn anew")
    return frozenset(found)


def read_frozen(release: Release, folder: Path, track: str | None = None) -> Loaded:
    """Exactly the records of a release, from a `records` folder. Nothing that was added since plays a part.

    With `track`, the id of one, those of that track: the others only have to be there, which is much faster. Raises
    RuleBroken when one of them is missing, or has changed.
    """
    wanted = records_of(release, folder)
    sound = [record for record in read_sound(folder, [], track) if record.record_sha256 in wanted]
    there = {record.record_sha256 for record in sound} | (names_elsewhere(folder, track) if track else set())
    records = tuple(record for record in sound if track in (None, record.outcome.track))
    if missing := wanted - there:
        raise _missing(release, missing, "records")
    return Loaded(records, draws=None if release.draws is None else read_draws(folder)[0][: release.draws])


def _missing(release: Release, names: Iterable[str], what: str) -> RuleBroken:
    lost = sorted(names)
    shown = ", ".join(name[: 21 if what == "packs" else 12] for name in lost[:3]) + (", ..." if len(lost) > 3 else "")
    return RuleBroken(f"release {release.id} rests on {len(lost)} {what} that are missing or were changed: {shown}")
