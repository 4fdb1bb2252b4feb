"""Over tracks: the mean difference to the anchor in margins (E3), and over dataset x network families (E4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prunemark.leaderboard.table import Table


@dataclass(frozen=True)
class OverallRow:
    """One method over tracks, in margins: 1 is an advantage over the anchor as large as the track's margin.

    `interval` is the 95 % interval of the mean; `p_holm` is adjusted for the methods that are complete. `present` is
    "3/4" tracks; a method that lacks one is not ranked, and `why` says so. `per_track` gives the differences in points,
    means over the levels.
    """

    name: str
    mean_margins: float | None
    interval: tuple[float, float] | None
    p_raw: float | None
    p_holm: float | None
    verdict: str
    present: str
    why: str
    per_track: Mapping[str, float]


@dataclass(frozen=True)
class Overall:
    """The standings of one setup and granularity over tracks.

    `statement` says what they are about (E3), or why there are none; `e4` what may be said of new families, or why
    nothing may. `families` are the distinct dataset x network families of the tracks.
    """

    setup: str
    granularity: str
    anchor: str
    tracks: tuple[str, ...]
    families: tuple[str, ...]
    rows: tuple[OverallRow, ...]
    statement: str
    e4: str


def make_overall(tables: Sequence[Table]) -> tuple[Overall, ...]:
    """One for every setup and granularity."""
    return ()
