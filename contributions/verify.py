"""Is a board what it claims to be? Every file of its folder against its name, and every file against the others.

Nothing is executed, and whether the numbers are true is not covered: running a trial again is what shows that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prunemark.leaderboard.standings import release as releases
from prunemark.leaderboard.standings.frozen_records import records_of
from prunemark.records.board_terms import read_terms
from prunemark.records.decision import Decided, add_decisions, disagreement
from prunemark.records.fresh_seeds import read_draws
from prunemark.records.imposed import contradiction
from prunemark.records.invalidations import FILE, read_invalidations
from prunemark.records.pack import PACKED, SHA256, packs_of, read_pack
from prunemark.records.record import LONGEST_RECORD, Record, load_exactly
from prunemark.records.source import examine_methods
from prunemark.records.unpack import Patience
from prunemark.setups.bounded_files import read_bounded
from prunemark.setups.errors import InputError, RuleBroken

PARTS = ("records", "invalidations", "methods", "decisions", "releases", "fresh seeds")
SECONDS = len("2026-01-01T00:00:00")  # all of these times are UTC


@dataclass(frozen=True)
class Defect:
    """One thing that is not sound: what it is called, and why. `tampered` if somebody changed what may not change."""

    name: str
    why: str
    tampered: bool


@dataclass
class Examined:
    """One part of a board: how many of its things are sound, and what is found about the others."""

    part: str
    sound: int = 0
    findings: list[Defect] = field(default_factory=list)

    def refuse(self, name: str, problem: Exception | str, tampered: bool = False) -> None:
        """Notes what is wrong, in one line."""
        why = str(problem).splitlines()[0].removeprefix(f"{name} ")
        self.findings.append(Defect(name, why, tampered or isinstance(problem, RuleBroken)))


def examine_board(folder: Path) -> list[Examined]:
    """Every part of a board's folder.

    Raises InputError when the folder holds neither `records` nor records.
    """
    if not (folder / "records").is_dir():
        examined = [Examined("records"), Examined("invalidations")]
        records = _records(folder, examined[0])
        _invalidations(folder, records, examined[1])
        if not records and not examined[0].findings:
            raise InputError(f"no records in {str(folder)!r}. Give a record, a pack, or the folder of a board")
        return examined
    examined = [Examined(part) for part in PARTS]
    records = _records(folder / "records", examined[0])
    _invalidations(folder / "records", records, examined[1])
    _methods(folder / "methods", records, examined[2])
    _decisions(folder / "decisions", records, examined[3])
    _releases(folder / releases.FOLDER, records, examined[4])
    _fresh_seeds(folder, records, examined[5])
    return examined


def examine_pack(path: Path) -> Examined:
    """One pack of records. Raises as `read_pack` does."""
    examined = Examined("records")
    for record in _read(path, examined):
        examined.sound += record is not None
    return examined


def _records(folder: Path, examined: Examined) -> dict[str, Record]:
    found: dict[str, Record] = {}
    loose = [path for path in sorted(folder.glob("*.json")) if not path.name.startswith(".")]
    for path in [*loose, *sorted(folder.glob(f"*{PACKED}")), *packs_of(folder)]:
        track = "" if path.parent == folder else path.parent.name
        try:
            for record in _read(path, examined, track):
                if track and record.record_sha256 in found:
                    examined.refuse(path.name, f"holds record {record.record_sha256} a second time")
                else:
                    found[record.record_sha256] = record
        except (InputError, RuleBroken) as problem:
            examined.refuse(path.name, problem)
    examined.sound = len(found)
    return found


def _read(path: Path, examined: Examined, track: str = "") -> Iterator[Record]:
    """The sound records of a file; what is not sound is noted. `track` is that of the folder, "" for any."""
    if path.suffix == ".json":
        record = load_exactly(read_bounded(path, LONGEST_RECORD, path.name), path.name, path.stem)
        if why := contradiction(record.outcome):
            examined.refuse(path.name, why, tampered=True)
        yield record
        return
    by_content = bool(track) or SHA256.fullmatch(path.name.removesuffix(PACKED)) is not None
    patience = Patience()
    for line in read_pack(path, named=by_content):
        if patience.ended(line.place):
            continue
        try:
            record = load_exactly(line.text, line.place, line.sha256)
        except (InputError, RuleBroken) as problem:
            patience.unsound(line.place, len(line.text))
            examined.refuse(line.place, problem)
            continue
        if track and record.outcome.track != track:
            examined.refuse(line.place, f"is of {record.outcome.track}, and lies in the folder of {track}")
        if why := contradiction(record.outcome):
            examined.refuse(line.place, why, tampered=True)
        yield record
    for pack, words in patience.rest():
        examined.refuse(pack, words)


def _invalidations(folder: Path, records: Mapping[str, Record], examined: Examined) -> None:
    entries, wrong = read_invalidations(folder)
    for place, why in wrong:
        examined.refuse(place, why)
    for entry in entries:
        if entry.record_sha256 in records:
            examined.sound += 1
        else:
            examined.refuse(FILE, f"invalidates record {entry.record_sha256}, which is not there")


def _methods(folder: Path, records: Mapping[str, Record], examined: Examined) -> None:
    methods, wrong = examine_methods(folder)
    examined.sound = len(methods)
    for name, why in wrong:
        examined.refuse(name, why, tampered="was edited" in why)
    run = {(r.outcome.method.name, r.outcome.method.source_sha256) for r in records.values()}
    for name, sha256 in sorted(run):
        if sha256 and sha256 not in methods:
            examined.refuse(f"{sha256}.json", f"is missing: the source of {name}")


def _decisions(folder: Path, records: Mapping[str, Record], examined: Examined) -> None:
    found: dict[str, Decided] = {}
    for path in packs_of(folder):
        try:
            add_decisions(found, path)
        except (InputError, RuleBroken) as problem:
            examined.refuse(path.name, problem)
    for sha256, decided in found.items():
        compression = records[sha256].outcome.compression if sha256 in records else None
        if compression is None:
            examined.refuse(f"decision of {sha256}", "is that of no record here that pruned anything")
        elif why := disagreement(compression, decided):
            examined.refuse(f"decision of {sha256}", f"is not that of its record: {why}", tampered=True)
        else:
            examined.sound += 1
    if folder.is_dir():
        for sha256, record in records.items():
            if sha256 not in found and record.outcome.method.kind == "pruned" and record.outcome.compression:
                examined.refuse(
                    f"decision of {sha256}",
                    f"is missing: `submit --contribute` brings what {record.outcome.method.name} pruned",
                )


def _fresh_seeds(folder: Path, records: Mapping[str, Record], examined: Examined) -> None:
    """Every draw is of a source that is there, and nothing ran on its seeds before."""
    draws, wrong = read_draws(folder / "records")
    for place, why in wrong:
        examined.refuse(place, why, tampered=True)
    for draw in draws:
        drawn = f"draw of {draw.at} for {draw.method}"
        if not (folder / "methods" / f"{draw.source_sha256}.json").is_file():
            examined.refuse(drawn, "is of a source that is not in methods/: nobody has registered it")
        early = [
            sha256
            for sha256, record in records.items()
            if (o := record.outcome).track == draw.track and o.seed in draw.seeds
            if record.observed.finished_at[:SECONDS] < draw.at[:SECONDS]
        ]
        if early:
            examined.refuse(drawn, f"comes after results on its seeds: record {early[0]} was there before", True)
        examined.sound += not early
    try:
        read_terms(folder)
    except InputError as problem:
        examined.refuse("terms", problem)


def _releases(folder: Path, records: Mapping[str, Record], examined: Examined) -> None:
    names = {path.stem for path in folder.glob("*.json")}
    for path in sorted(folder.glob("*.json")):
        try:
            release = releases.read_release(path)
            wanted = records_of(release, folder.parent / "records")
        except (InputError, RuleBroken) as problem:
            examined.refuse(path.name, problem)
            continue
        missing = sorted(wanted - records.keys())
        if missing:
            examined.refuse(path.name, f"rests on {len(missing)} records that are not sound here: {missing[0]}", True)
        elif release.previous not in (None, *names):
            examined.refuse(path.name, f"follows release {release.previous}, which is not here", True)
        else:
            examined.sound += 1
