"""Over tracks: every method's mean difference to the anchor in margins (E3), for each setup and kind of pruning.

A method counts on a track when it is ranked at every level of it; one that lacks a track is partial and not ranked.
Kinds are filters, single weights and each N:M pattern: a method for single weights cannot run on a track of a pattern,
and would be partial for ever.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from prunemark.leaderboard.inference import families
from prunemark.leaderboard.inference.any_time import LEAST_SEEDS
from prunemark.leaderboard.inference.evidence import Evidence, evidence
from prunemark.leaderboard.inference.families import OverFamilies
from prunemark.leaderboard.inference.multiplicity import Verdict, judge, seeds_in_words
from prunemark.leaderboard.standings.rows import Row
from prunemark.leaderboard.standings.table import Table
from prunemark.leaderboard.standings.tracks import MethodOverTracks, TrackTables, methods_over_tracks, track_tables
from prunemark.leaderboard.standings.training import NOT_THE_CRITERION


@dataclass(frozen=True)
class OverallRow:
    """One method over tracks, in margins: 1 is an advantage over the anchor as large as the track's margin.

    `interval` is the 95 % interval of the mean, `p_holm` adjusted for the methods that are complete; both hold at any
    number of seeds. `present` is "3/4" tracks; a method that lacks one has no mean and is not ranked, and
    `why` says what it lacks. `per_track` gives the differences in points, means over the levels. `e4` is about new
    families, None where they are too few. `more_epochs` says that it pruned for longer than the anchor on some track.
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
    more_epochs: bool = False


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
    planned: bool = False

    @property
    def kind(self) -> str:
        """filter, weight, or the pattern."""
        return self.pattern or self.granularity


@dataclass(frozen=True)
class _Tested:
    """A method over tracks: its differences in points by track, what it lacks, and the evidence of its mean."""

    method: MethodOverTracks
    per_track: Mapping[str, float]
    lacks: str
    mean: Evidence | None
    screened: str


def make_overall(tables: Sequence[Table]) -> tuple[Overall, ...]:
    """One for every setup and kind of pruning, in the order of the tables."""
    groups: dict[tuple[str, str, str, bool], dict[str, list[Table]]] = {}
    for table in tables:
        kind = (table.setup, table.granularity, table.pattern, table.planned is not None)
        groups.setdefault(kind, {}).setdefault(table.track, []).append(table)
    return tuple(_overall(*place, [track_tables(each) for each in group.values()]) for place, group in groups.items())


def _overall(setup: str, granularity: str, pattern: str, planned: bool, found: Sequence[TrackTables]) -> Overall:
    tracks = [track for track in found if track.complete]
    left_out = [track.id for track in found if not track.complete and track.tables]
    unfit = [track.not_for_ranking for track in found if track.others]
    kinds = [track.family for track in tracks]
    anchors = dict.fromkeys(track.anchor for track in (tracks or found))
    tested = [_test(method, tracks) for method in methods_over_tracks(tracks)] if len(tracks) > 1 else []
    over = _over_families(tested, tracks)
    rows = _rows(tested, len(tracks), over)
    return Overall(
        setup, granularity, pattern, " or ".join(anchors),
        tuple(track.id for track in tracks), tuple(sorted(set(kinds))), rows, _statement(tracks, left_out, unfit, rows),
        families.in_words(over, kinds) if len(tracks) > 1 else "", planned,
    )  # fmt: skip


def _test(method: MethodOverTracks, tracks: Sequence[TrackTables]) -> _Tested:
    lacks = "; ".join(filter(None, (method.lacking(track) for track in tracks)))
    rows = {track.id: tuple(method.rows[track.id].values()) for track in tracks if not method.lacking(track)}
    per_track = {t.id: float(t.differences(rows[t.id]).mean()) for t in tracks if t.id in rows and t.shared(rows[t.id])}
    if lacks:
        return _Tested(method, per_track, lacks, None, "")
    seeds = min(track.shared(rows[track.id]) for track in tracks)
    if waits := [t.id for t in tracks if t.planned and t.shared(rows[t.id]) < t.planned]:
        return _Tested(method, per_track, "", None, f"waits for all planned seeds of {', '.join(waits)}")
    if seeds < LEAST_SEEDS:
        return _Tested(method, per_track, "", None, f"no test ({seeds_in_words(seeds)})")
    return _Tested(method, per_track, "", _mean(tracks, rows, seeds), "")


def _mean(tracks: Sequence[TrackTables], rows: Mapping[str, tuple[Row, ...]], seeds: int) -> Evidence:
    """The mean over tracks in margins, seed by seed: a sequence whose evidence holds at any number of seeds.

    Seed s of one track has nothing to do with seed s of another, so any pairing of tracks is as good as this one.
    """
    margins = [t.differences(rows[t.id])[:seeds] / t.margin_pp for t in tracks]
    quantum = math.sqrt(math.fsum((t.quantum_percent / t.margin_pp) ** 2 for t in tracks)) / len(tracks)
    mean = np.mean(margins, axis=0)
    planned = min((t.planned for t in tracks if t.planned), default=None)
    return evidence(mean, np.zeros(seeds), quantum_percent=quantum, margin_pp=1.0, planned=planned)


def _rows(tested: Sequence[_Tested], tracks: int, over: dict[str, OverFamilies] | None) -> tuple[OverallRow, ...]:
    verdicts = judge({each.method.name: each.mean for each in tested if each.mean}, margin_pp=1.0)
    rows = []
    for each in tested:
        name, present = each.method.name, f"{len(each.per_track)}/{tracks}"
        verdict = verdicts.get(name)
        found = verdict.comparison if verdict else None
        row = OverallRow(
            name, found.difference_pp if found else None, found.interval_pp if found else None,
            found.p_two_sided if found else None, verdict.p_holm if verdict else None,
            each.screened or (_word(verdict, each.method.more_epochs) if verdict else ""), present,
            f"partial {present}: lacks {each.lacks}" if each.lacks else "", each.per_track,
            each.method.flags, over.get(name) if over else None, each.method.more_epochs,
        )  # fmt: skip
        rows.append(row)
    return tuple(sorted(rows, key=lambda row: (bool(row.why), -(row.mean_margins or 0.0), row.name)))


def _word(verdict: Verdict, more_epochs: bool) -> str:
    within = " (within margin)" if verdict.within_margin and verdict.word in ("better", "worse") else ""
    return f"{verdict.word}{within}{', with more epochs' if more_epochs and verdict.word != 'undetermined' else ''}"


def _over_families(tested: Sequence[_Tested], tracks: Sequence[TrackTables]) -> dict[str, OverFamilies] | None:
    """E4 where the families suffice for it and a method is complete on them."""
    family_of = {track.id: track.family for track in tracks}
    whole = [each for each in tested if each.mean]
    if not whole or families.refusal(list(family_of.values())):
        return None
    margins = {track.id: track.margin_pp for track in tracks}
    means = {
        each.method.name: families.family_means(
            {track: difference / margins[track] for track, difference in each.per_track.items()}, family_of
        )
        for each in whole
    }
    quantum = max(track.quantum_percent / track.margin_pp for track in tracks)
    return families.over_families(means, quantum)


def _seeds(track: TrackTables) -> str:
    """With how many seeds a track counts."""
    return f"{track.id} {len(track.seeds)}"


def _statement(
    tracks: Sequence[TrackTables], left_out: Sequence[str], unfit: Sequence[str], rows: Sequence[OverallRow]
) -> str:
    """What the rows rest on; of a single track, that nothing is over tracks."""
    missing = f" Left out, because the anchor lacks a level or seeds there: {', '.join(left_out)}." if left_out else ""
    missing += f" Levels that are not for ranking: {'; '.join(unfit)}." if unfit else ""
    names = ", ".join(track.id for track in tracks)
    if len(tracks) < 2:
        return f"Nothing is said over tracks: there is {f'one, {names}' if tracks else 'none'}.{missing}"
    tested = sum(row.p_holm is not None for row in rows)
    methods = f"{tested} method{'s' * (tested != 1)}"
    one_base = [track.id for track in tracks if all(table.one_base for table in track.tables)]
    release = tracks[0].tables[0].release
    parts = [
        f"About these {len(tracks)} tracks and new seeds (E3), not about others: {names}.",
        "Means over tracks of the difference to the anchor, over all levels for ranking, in margins of each track.",
        f"Holm over {methods}{f', in the field of release {release}' if release else ''}." if tested else "",
        f"Conditional on one base model on {', '.join(one_base)}." if one_base else "",
        "Judged in one look on each track, on the seeds that all of them planned."
        if tracks[0].planned
        else "Judged at any time, each method on the seeds that it has on every track.",
        f"Seeds: {'; '.join(_seeds(track) for track in tracks)}.",
        NOT_THE_CRITERION if any(row.more_epochs for row in rows) else "",
    ]
    return " ".join(filter(None, parts)) + missing
