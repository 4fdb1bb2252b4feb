"""Over tracks: every method's mean difference to the anchor in margins (E3), for each setup and kind of pruning.

A method counts on a track when it is ranked at every level of it; one that lacks a track is partial and not ranked.
Kinds are filters, single weights and each N:M pattern: a method for single weights cannot run on a track of a pattern,
and would be partial for ever.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from prunemark.leaderboard.inference import families
from prunemark.leaderboard.inference.crossed import AcrossTracks, across_tracks
from prunemark.leaderboard.inference.families import OverFamilies
from prunemark.leaderboard.inference.interim import INTERIM_SEEDS, p_equivalent_with_interim, p_with_interim
from prunemark.leaderboard.inference.multiplicity import SCREENING_SEEDS, VERDICT_SEEDS, holm, seeds_in_words
from prunemark.leaderboard.inference.statistics import PairedComparison
from prunemark.leaderboard.standings.table import Table
from prunemark.leaderboard.standings.tracks import MethodOverTracks, TrackTables, methods_over_tracks, track_tables

ALPHA = 0.05


@dataclass(frozen=True)
class OverallRow:
    """One method over tracks, in margins: 1 is an advantage over the anchor as large as the track's margin.

    `interval` is the 95 % interval of the mean; `p_holm` is adjusted for the methods that are complete, and for two
    looks if there were two. `present` is "3/4" tracks; a method that lacks one has no mean and is not ranked, and
    `why` says what it lacks. `per_track` gives the differences in points, means over the levels. `e4` is about new
    families, None where they are too few.
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
    flags: tuple[str, ...] = ()
    e4: OverFamilies | None = None


@dataclass(frozen=True)
class Overall:
    """The standings of one setup and kind of pruning over tracks; `pattern` is that of N:M tracks, else "".

    `statement` says what they are about (E3), or why there are none; `e4` what may be said of new families, or why
    nothing may. `families` are the distinct dataset x network families of the tracks.
    """

    setup: str
    granularity: str
    pattern: str
    anchor: str
    tracks: tuple[str, ...]
    families: tuple[str, ...]
    rows: tuple[OverallRow, ...]
    statement: str
    e4: str

    @property
    def kind(self) -> str:
        """filter, weight, or the pattern."""
        return self.pattern or self.granularity


@dataclass(frozen=True)
class _Tested:
    """A method over tracks: at the last interim look, at the first one if there were two, and why it has no verdict."""

    method: MethodOverTracks
    per_track: Mapping[str, PairedComparison]
    lacks: str
    last: AcrossTracks | None
    first: AcrossTracks | None
    screened: str


def make_overall(tables: Sequence[Table]) -> tuple[Overall, ...]:
    """One for every setup and kind of pruning, in the order of the tables."""
    groups: dict[tuple[str, str, str], dict[str, list[Table]]] = {}
    for table in tables:
        kind = (table.setup, table.granularity, table.pattern)
        groups.setdefault(kind, {}).setdefault(table.track, []).append(table)
    return tuple(_overall(*place, [track_tables(each) for each in group.values()]) for place, group in groups.items())


def _overall(setup: str, granularity: str, pattern: str, found: Sequence[TrackTables]) -> Overall:
    tracks = [track for track in found if track.complete]
    left_out = [track.id for track in found if not track.complete]
    kinds = [track.family for track in tracks]
    anchors = dict.fromkeys(track.tables[0].anchor for track in (tracks or found))
    tested = [_test(method, tracks) for method in methods_over_tracks(tracks)] if len(tracks) > 1 else []
    over = _over_families(tested, tracks)
    rows = _rows(tested, len(tracks), over)
    return Overall(
        setup, granularity, pattern, " or ".join(anchors),
        tuple(track.id for track in tracks), tuple(sorted(set(kinds))), rows, _statement(tracks, left_out, rows),
        families.in_words(over, kinds) if len(tracks) > 1 else "",
    )  # fmt: skip


def _test(method: MethodOverTracks, tracks: Sequence[TrackTables]) -> _Tested:
    lacks = "; ".join(filter(None, (method.lacking(track) for track in tracks)))
    per_track = {t.id: t.compare(method.rows[t.id].values()) for t in tracks if not method.lacking(t)}
    margins = {track.id: track.margin_pp for track in tracks}
    if lacks:
        return _Tested(method, per_track, lacks, None, None, "")
    first = None
    if any(track.has_interim for track in tracks):
        # of a track with other numbers of seeds, all of them: both interim looks are sound, whatever they share
        early = {t.id: t.compare(method.rows[t.id].values(), INTERIM_SEEDS if t.has_interim else None) for t in tracks}
        first = across_tracks(early, margins)
    return _Tested(method, per_track, "", across_tracks(per_track, margins), first, _screened(method, tracks))


def _screened(method: MethodOverTracks, tracks: Sequence[TrackTables]) -> str:
    """Why there is no verdict, in words; "" if there may be one."""
    fewest = min(len(track.seeds) for track in tracks)
    if fewest < SCREENING_SEEDS:
        return f"no test ({seeds_in_words(fewest)})"
    verdicts = [row.verdict for levels in method.rows.values() for row in levels.values() if row.verdict]
    peeked = any(verdict.evidence == "screening" for verdict in verdicts)
    return "screening only" if fewest < VERDICT_SEEDS or peeked else ""


def _rows(tested: Sequence[_Tested], tracks: int, over: dict[str, OverFamilies] | None) -> tuple[OverallRow, ...]:
    judged = {each.method.name: (each.last, each.first) for each in tested if each.last and not each.screened}
    different = holm([p_with_interim(*both) for both in judged.values()])
    equal = holm(
        [
            p_equivalent_with_interim(last.p_equivalent, first.p_equivalent if first else None)
            for last, first in judged.values()
        ]
    )
    p_values = dict(zip(judged, zip(different, equal, strict=True), strict=True))
    rows = []
    for each in tested:
        name, last, present = each.method.name, each.last, f"{len(each.per_track)}/{tracks}"
        p, p_equal = p_values.get(name, (None, None))
        row = OverallRow(
            name, last.mean_margins if last else None, last.interval if last else None,
            last.p_two_sided if last and p is not None else None, p, each.screened or _word(last, p, p_equal), present,
            f"partial {present}: lacks {each.lacks}" if each.lacks else "",
            {track: comparison.difference_pp for track, comparison in each.per_track.items()},
            each.method.flags, over.get(name) if over else None,
        )  # fmt: skip
        rows.append(row)
    return tuple(sorted(rows, key=lambda row: (bool(row.why), -(row.mean_margins or 0.0), row.name)))


def _word(last: AcrossTracks | None, p: float | None, p_equal: float | None) -> str:
    if last is None or p is None or p_equal is None:
        return ""
    if p <= ALPHA:
        word = "better" if last.mean_margins > 0 else "worse"
        return f"{word} (within margin)" if p_equal <= ALPHA else word
    return "equivalent" if p_equal <= ALPHA else "undetermined"


def _over_families(tested: Sequence[_Tested], tracks: Sequence[TrackTables]) -> dict[str, OverFamilies] | None:
    """E4 where the families suffice for it and a method is complete on them."""
    family_of = {track.id: track.family for track in tracks}
    whole = [each for each in tested if each.last and not each.screened]
    if not whole or families.refusal(list(family_of.values())):
        return None
    margins = {track.id: track.margin_pp for track in tracks}
    means = {
        each.method.name: families.family_means(
            {track: c.difference_pp / margins[track] for track, c in each.per_track.items()}, family_of
        )
        for each in whole
    }
    quantum = max(track.quantum_percent / track.margin_pp for track in tracks)
    return families.over_families(means, quantum)


def _seeds(track: TrackTables) -> str:
    """With how many seeds a track counts, and whether it is judged at two interim looks."""
    return f"{track.id} {len(track.seeds)}{' (two looks)' if track.has_interim else ''}"


def _statement(tracks: Sequence[TrackTables], left_out: Sequence[str], rows: Sequence[OverallRow]) -> str:
    """What the rows rest on; of a single track, that nothing is over tracks."""
    missing = f" Left out, because the anchor lacks a level or seeds there: {', '.join(left_out)}." if left_out else ""
    names = ", ".join(track.id for track in tracks)
    if len(tracks) < 2:
        return f"Nothing is said over tracks: there is {f'one, {names}' if tracks else 'none'}.{missing}"
    tested = sum(row.p_holm is not None for row in rows)
    methods = f"{tested} method{'s' * (tested != 1)}"
    one_base = [track.id for track in tracks if all(table.one_base for table in track.tables)]
    release = tracks[0].tables[0].release
    parts = [
        f"About these {len(tracks)} tracks and new seeds (E3), not about others: {names}.",
        "Means over tracks of the difference to the anchor, over all levels, in units of each track's margin.",
        f"Holm over {methods}{f', in the field of release {release}' if release else ''}." if tested else "",
        f"Conditional on one base model on {', '.join(one_base)}." if one_base else "",
        f"Seeds: {'; '.join(_seeds(track) for track in tracks)}.",
    ]
    return " ".join(filter(None, parts)) + missing
