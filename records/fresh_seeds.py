"""Fresh seeds: those that a board drew for a method after its code was registered. Only they decide about it there.

One integer per seed, found offline by test accuracy, wins a point and more, and no run shows it. So the seeds of a
method that somebody contributes are not its author's choice. `records/fresh-seeds.jsonl` has one line a draw, written
before anything runs on it: {"at": ISO time, "levels": [...], "method": "...", "seeds": [...], "settings": {...},
"setup": "...", "source_sha256": "...", "track": "..."}. Lines are only added. All seeds of a row count, in the order
in which they were drawn.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from prunemark.records.card import known_methods
from prunemark.records.identity import own_settings
from prunemark.records.matched_to import MatchedTo, Settings
from prunemark.records.outcome import Outcome
from prunemark.records.pack import SHA256
from prunemark.records.record import canonical_json
from prunemark.records.writer import append_line
from prunemark.setups.errors import InputError

FILE = "fresh-seeds.jsonl"
LOWEST, HIGHEST = 1_000, 999_999_999
"""Nobody runs these by habit, and `submit --seeds` takes each of them."""
MOST = 100
"""Seeds that one draw has at most."""
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?\+00:00")


@dataclass(frozen=True)
class FreshSeeds:
    """One draw: for which row, at which levels, when (UTC), and the seeds in the order in which they were drawn.

    The settings are part of the row: with one setting left open, its value could be found once the seeds are known.
    """

    at: str
    levels: tuple[str, ...]
    method: str
    seeds: tuple[int, ...]
    settings: Settings
    setup: str
    source_sha256: str
    track: str

    @property
    def line(self) -> str:
        """It as a line of the file."""
        return canonical_json(asdict(self))

    def is_for(self, outcome: Outcome) -> bool:
        """Whether it was drawn for the row of this trial at the trial's level, or for the row that it is matched to."""
        if (self.track, self.setup) != (outcome.track, outcome.setup) or outcome.level not in self.levels:
            return False
        if matched := MatchedTo.among(own_settings(outcome)):
            return matched.names(self.method, self.source_sha256, self.settings)
        method = outcome.method
        mine = (self.method, self.source_sha256, canonical_json(self.settings))
        return mine == (method.name, method.source_sha256, canonical_json(method.settings))


def needs_fresh_seeds(outcome: Outcome) -> bool:
    """Whether a trial is of a method that does not ship with Prunemark, or of a control that is matched to one."""
    if matched := MatchedTo.among(own_settings(outcome)):
        return matched.name not in known_methods()
    return outcome.method.kind == "pruned" and outcome.method.name not in known_methods()


def drawn_for(outcome: Outcome, draws: Iterable[FreshSeeds]) -> tuple[int, ...]:
    """All seeds that were drawn for the row of a trial, in order."""
    return tuple(seed for draw in draws if draw.is_for(outcome) for seed in draw.seeds)


def draw_seeds(number: int, taken: Collection[int], randomness: random.Random) -> tuple[int, ...]:
    """So many seeds that nobody has run, in drawn order. `randomness` is the operating system's, or a test's."""
    if not 1 <= number <= MOST:
        raise InputError(f"one draw has 1 to {MOST} seeds; asked for {number}")
    found: dict[int, None] = {}
    while len(found) < number:
        seed = randomness.randint(LOWEST, HIGHEST)
        if seed not in taken:
            found[seed] = None
    return tuple(found)


def add_draw(records: Path, draw: FreshSeeds) -> None:
    """Appends one draw to a board's `records` folder. Raises WorkFailed when the disk refuses."""
    append_line(records / FILE, draw.line)


def read_draws(records: Path) -> tuple[tuple[FreshSeeds, ...], tuple[tuple[str, str], ...]]:
    """The draws of a `records` folder, in order, and (place, why) for every line that is none. No file: no lines."""
    path = records / FILE
    if not path.is_file():
        return (), ()
    found: list[FreshSeeds] = []
    wrong: list[tuple[str, str]] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), 1):
        place = f"{FILE}, line {number}"
        try:
            draw = _read(line) if line.strip() else None
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            wrong.append((place, "is not a draw of seeds"))
            continue
        if draw and (why := "; ".join(_against(draw, found))):
            wrong.append((place, why))
        elif draw:
            found.append(draw)
    return tuple(found), tuple(wrong)


def _read(line: bytes) -> FreshSeeds:
    """Raises one of the errors that `read_draws` words, for a line that is no draw."""
    data = json.loads(line)
    names = {field.name for field in fields(FreshSeeds)}
    texts = [data[name] for name in ("at", "method", "setup", "source_sha256", "track")] + data["levels"]
    settings = data["settings"]
    sound = (
        data.keys() == names
        and all(isinstance(text, str) for text in texts)
        and TIME.fullmatch(data["at"])
        and SHA256.fullmatch(data["source_sha256"])
        and data["levels"]
        and 1 <= len(data["seeds"]) <= MOST
        and all(type(seed) is int and LOWEST <= seed <= HIGHEST for seed in data["seeds"])
        and all(isinstance(value, bool | int | float | str) for value in settings.values())
    )
    draw = FreshSeeds(**(data | {"levels": tuple(data["levels"]), "seeds": tuple(data["seeds"])}))
    if not sound or draw.line.encode() != line:
        raise ValueError(line)
    return draw


def _against(draw: FreshSeeds, before: Iterable[FreshSeeds]) -> Iterator[str]:
    """What a draw has against those before it: it goes back in time, or has a seed of its track a second time.

    What one command draws at one time may be for several rows: all of them were registered before.
    """
    earlier = [other for other in before if other.track == draw.track]
    if any(other.at > draw.at for other in earlier):
        yield "is older than a line before it"
    apart = [other for other in earlier if other.at != draw.at or _same_row(draw, other)]
    if len(set(draw.seeds)) < len(draw.seeds) or any(set(other.seeds) & set(draw.seeds) for other in apart):
        yield "has a seed a second time"


def _same_row(a: FreshSeeds, b: FreshSeeds) -> bool:
    mine, theirs = ((d.setup, d.method, d.source_sha256, canonical_json(d.settings)) for d in (a, b))
    return mine == theirs and bool(set(a.levels) & set(b.levels))
