"""What a track resolves for what it costs: decided comparisons a core-hour, and core-seconds to detect one point.

Read from records of a board or a home. Every method is compared with the track's anchor, seeds in order, by evidence
that holds at any time. Core-seconds are those that the records state of pruning, retraining and evaluation, with the
processor they name; base models are shared and are left out. `--seeds 10` uses the first ten seeds only.
"""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

os.environ.setdefault("OMP_NUM_THREADS", "1")

from figures import Figure

from prunemark.leaderboard.inference.any_time import e_holm, log_e, log_e_equivalent, path_of
from prunemark.leaderboard.inference.multiplicity import holm
from prunemark.leaderboard.inference.power import needed_seeds
from prunemark.leaderboard.inference.statistics import paired_t, tost
from prunemark.leaderboard.standings.method_results import MethodResults, results_of, terms_of
from prunemark.records.load import read_records
from prunemark.records.record import Record
from prunemark.setups.track_files import find_track

SETUP, RECORDS = "S4.2", Path(__file__).parents[1] / "leaderboard" / "board" / "records"
ALPHA, FIELD = 0.05, 18  # the size of field for which the cost of one point is stated


@dataclass(frozen=True)
class Resolution:
    """Of one level: comparisons with the anchor, how many are decided, and what the trials of all took."""

    track: str
    level: str
    comparisons: int
    decided: int
    planned: int
    core_seconds: float
    trial_seconds: float
    sd_pp: float

    @property
    def decided_an_hour(self) -> float:
        """Decided comparisons a core-hour."""
        return 3600 * self.decided / self.core_seconds

    @property
    def seconds_for_one_point(self) -> float:
        """Core-seconds until a true difference of 1 pp is found with power .8, in a field of 18; two methods run."""
        seeds = needed_seeds(self.sd_pp, 1.0, FIELD - 1)
        return math.inf if seeds is None else 2 * seeds * self.trial_seconds


def resolution(records: Sequence[Record], level: str, seeds: int | None) -> Resolution:
    """What one level resolves. `records` are of one track and setup. Raises ValueError where nothing is compared."""
    terms = terms_of(records)
    methods = [m for m in results_of([r for r in records if r.outcome.level == level]) if compared(m)]
    anchor = next((m for m in methods if m.name.startswith(str(terms["anchor"])) and m.counted), None)
    scores = {m.name: in_order(m, anchor, seeds) for m in methods if anchor and m is not anchor}
    scores = {name: difference for name, difference in scores.items() if len(difference) >= 3}
    if anchor is None or not scores:
        raise ValueError(f"{records[0].outcome.track}, {level}: no method has three seeds in order with the anchor")
    accuracy = anchor.any.outcome.accuracy
    quantum = 100.0 / (accuracy.test_examples if accuracy else 1)
    used = seeds or max(map(len, scores.values()))
    trials = [r for m in methods if m is anchor or m.name in scores for seed, r in m.records.items() if seed < used]
    took = [r.observed.pruning_seconds + r.observed.retraining_seconds + r.observed.evaluation_seconds for r in trials]
    spreads = [float(path_of(d, quantum_percent=quantum).sd[-1]) for d in scores.values()]
    return Resolution(
        records[0].outcome.track, level, len(scores), decided(scores, quantum, float(terms["margin_pp"])),
        planned(scores, quantum, float(terms["margin_pp"])), sum(took), median(took), median(spreads),
    )  # fmt: skip


def compared(method: MethodResults) -> bool:
    """Methods that train from the same base; controls matched to another row are not counted."""
    return method.any.outcome.method.kind == "pruned" and method.matched_to is None


def in_order(method: MethodResults, anchor: MethodResults | None, seeds: int | None) -> list[float]:
    """The differences to the anchor in points, seed by seed from 0 to the first gap; shape (seeds,)."""
    assert anchor is not None
    both = set(method.counted) & set(anchor.counted)
    upto = next(seed for seed in range(len(both) + 1) if seed not in both)
    order = range(upto if seeds is None else min(upto, seeds))
    return [a - b for a, b in zip(method.scores(order), anchor.scores(order), strict=True)]


def decided(differences: Mapping[str, Sequence[float]], quantum_percent: float, margin_pp: float) -> int:
    """How many of the comparisons end as better, worse or equivalent, each family corrected apart."""
    paths = [path_of(d, quantum_percent=quantum_percent) for d in differences.values()]
    different = e_holm([float(log_e(path).max()) for path in paths])
    equal = e_holm([float(log_e_equivalent(path, margin_pp).max()) for path in paths])
    return sum(min(p, q) <= ALPHA for p, q in zip(different, equal, strict=True))


def planned(differences: Mapping[str, Sequence[float]], quantum_percent: float, margin_pp: float) -> int:
    """The same by one look at all these seeds: paired t-tests with Holm's correction."""
    found = [paired_t(d, [0.0] * len(d), quantum_percent=quantum_percent) for d in differences.values()]
    different = holm([comparison.p_two_sided for comparison in found])
    equal = holm([tost(comparison, margin_pp).p for comparison in found])
    return sum(min(p, q) <= ALPHA for p, q in zip(different, equal, strict=True))


def line(found: Resolution) -> str:
    """One level, on one line."""
    return (
        f"{found.track:<24} {found.level:<5} {found.decided:>3} of {found.comparisons:>2} decided "
        f"(by one planned look {found.planned}), "
        f"{found.core_seconds / 3600:6.2f} core-hours, {found.decided_an_hour:7.1f} decided an hour; "
        f"sd {found.sd_pp:.2f} pp, one point takes {found.seconds_for_one_point:,.0f} core-seconds"
    )


def rates() -> tuple[list[Figure], list[str]]:
    """Of the committed records of two tracks, all seeds."""
    found, processors, records = [], set(), read_records(RECORDS).records
    for track in ("glyphs-resnet8", "digits-resnet8"):
        wanted = (find_track(track).id, SETUP)
        read = [r for r in records if (r.outcome.track, r.outcome.setup) == wanted]
        processors |= {r.observed.hardware for r in read}
        for level in find_track(track).levels:
            got = resolution(read, level.name, None)
            what = f"{track}, {level.name}: {got.decided} of {got.comparisons} decided"
            found.append(Figure(what, got.decided_an_hour, "a core-hour"))
    return found, [f"Under {SETUP}, against the anchor. Trials ran on {', '.join(sorted(processors))}."]


def main() -> None:
    """Prints a line for each level of the tracks asked for, and the processors that the records name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=Path, default=RECORDS)
    parser.add_argument("--track", action="append", required=True, help="name@version; may be repeated")
    parser.add_argument("--setup", default=SETUP)
    parser.add_argument("--seeds", type=int, help="only the first so many")
    given = parser.parse_args()
    for track in given.track:
        wanted = (find_track(track).id, given.setup)
        records = [
            r
            for r in read_records(given.records, track if "@" in track else None).records
            if (r.outcome.track, r.outcome.setup) == wanted
        ]
        for level in (level.name for level in find_track(track).levels):
            try:
                print(line(resolution(records, level, given.seeds)))
            except ValueError as nothing:
                print(nothing)
        print(f"{track}: measured on {', '.join(sorted({r.observed.hardware for r in records}))}")


if __name__ == "__main__":
    main()
