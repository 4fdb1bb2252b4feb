"""One row of a table: a method on the seeds that it is compared on, with everything that is shown of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from prunemark.leaderboard.inference.crossed import CrossedComparison
from prunemark.leaderboard.inference.multiplicity import Verdict
from prunemark.leaderboard.inference.statistics import student_interval
from prunemark.leaderboard.standings.lanes import NOT_SAID, LaneOfRow, lane_of
from prunemark.leaderboard.standings.measured import Measured, measured_of
from prunemark.leaderboard.standings.method_results import MethodResults
from prunemark.leaderboard.standings.standings import Standings
from prunemark.leaderboard.standings.training import Epochs, epochs_of, more_epochs


@dataclass(frozen=True)
class Row:
    """One method. Accuracies in percent, differences in percentage points.

    `seeds`, `scores` (accuracy in percent) and `records` (hashes) belong together, seed by seed; `uncounted` are its
    other records, (seed, hash). `drawn` says that a board drew the seeds, with the anchor's accuracies on them in
    `anchor_scores`; False where the author of a contributed method chose them, None where they count in the order of
    their numbers. `verdict` is about the difference to the anchor on this test set (E1), `generalises`
    about new images too (E2); both are None for the anchor and for rows that are not ranked. `rank` is [low, high].
    `epochs` are those of training, and `more_epochs` how many more than the anchor's the setup gave it to prune in.
    `lane` is how much of the method's process the row rests on.
    `flags` is what a reader must know of some seeds; `why` says why a row is not ranked, "" if it is.
    """

    name: str
    role: str
    kind: str
    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    records: tuple[str, ...]
    source_sha256: str
    settings: tuple[tuple[str, bool | int | float | str], ...]
    accuracy_percent: float | None
    sd_pp: float | None
    interval_percent: tuple[float, float] | None
    drop_pp: float | None
    speedup_macs: float | None
    sparsity: float | None
    params: int | None
    measured: Measured
    trainability_percent: float | None
    epochs: Epochs
    more_epochs: float = 0.0
    verdict: Verdict | None = None
    generalises: CrossedComparison | None = None
    rank: tuple[int, int] | None = None
    flags: tuple[str, ...] = ()
    uncounted: tuple[tuple[int, str], ...] = ()
    why: str = ""
    drawn: bool | None = None
    anchor_scores: tuple[float, ...] = ()
    lane: LaneOfRow = NOT_SAID
    macs: int | None = None


def make_row(
    c: MethodResults, seeds: tuple[int, ...], found: Standings | None = None, *,
    anchor: MethodResults | None = None, flags: Sequence[str | None] = (), why: str = "",
) -> Row:  # fmt: skip
    """One method on the given seeds, with what was `found` of it in the comparison with the `anchor`."""
    method, scores = c.any.outcome.method, c.scores(seeds)
    records = [c.records[seed] for seed in seeds]
    outcomes = [record.outcome for record in records]
    whole = all(seed in c.ok for seed in seeds)
    drops = [o.base.test_percent - o.accuracy.test_percent for o in outcomes if o.base and o.accuracy]
    costs = [o.compression for o in outcomes if o.compression]
    trainability = [
        d.trainability_percent for o in outcomes if (d := o.diagnostics) and d.trainability_percent is not None
    ]
    epochs = epochs_of(records)
    theirs = epochs_of(anchor.ok[seed] for seed in seeds) if anchor else epochs
    lane = lane_of(records)
    drawn = None if c.fresh is None else bool(seeds) and set(seeds) <= set(c.fresh)
    return Row(
        name=c.name, role=method.role, kind=method.kind, seeds=seeds, scores=tuple(scores),
        records=tuple(record.record_sha256 for record in records), source_sha256=method.source_sha256,
        settings=tuple(sorted(c.settings.items())),
        accuracy_percent=_mean(scores), sd_pp=_sd(scores) if len(scores) > 1 else None,
        interval_percent=_interval(scores, examples_of(c)), drop_pp=_mean(drops) if whole else None,
        speedup_macs=_mean([x.speedup_macs for x in costs]), sparsity=_mean([x.sparsity for x in costs]),
        params=round(fmean(x.params for x in costs)) if costs else None,
        measured=measured_of(records),
        trainability_percent=_mean(trainability),
        epochs=epochs, more_epochs=more_epochs(epochs, theirs, c.any.outcome.setup),
        verdict=found.verdicts.get(c.name) if found else None,
        generalises=found.generalises.get(c.name) if found else None,
        rank=found.ranks.get(c.name) if found else None, flags=(*c.flags(seeds), *filter(None, (*flags, lane.words))),
        uncounted=tuple((s, r.record_sha256) for s, r in sorted(c.records.items()) if s not in seeds), why=why,
        drawn=drawn, anchor_scores=tuple(anchor.scores(seeds)) if anchor and drawn else (), lane=lane,
        macs=round(fmean(x.macs for x in costs)) if costs else None,
    )  # fmt: skip


def examples_of(c: MethodResults | None) -> int:
    """How many images its accuracies are on; 0 where there is no result."""
    accuracies = [r.outcome.accuracy for r in c.ok.values()] if c else []
    return next((a.test_examples for a in accuracies if a), 0)


def _mean(values: Sequence[float]) -> float | None:
    return fmean(values) if values else None


def _sd(values: Sequence[float]) -> float:
    """As `statistics.stdev`, which takes a hundred times as long to be exact to the last bit."""
    mean = fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _interval(scores: Sequence[float], examples: int) -> tuple[float, float] | None:
    """The 95 % interval of the mean accuracy over new seeds, in percent; None for fewer than two seeds.

    As for differences, equal accuracies do not mean that there is no noise: the variance is at least that of rounding.
    """
    if len(scores) < 2:
        return None
    rounding = 100.0 / examples / math.sqrt(12) if examples else 0.0
    error = max(_sd(scores), rounding) / math.sqrt(len(scores))
    return student_interval(fmean(scores), error, len(scores) - 1, 0.95)
