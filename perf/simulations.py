"""How often the leaderboard's own code errs where the truth is known: made-up results, thousands of times.

`python perf/simulations.py` prints the table of docs/statistics.md: the share of simulations in which something
false was said, at an alpha of .05. A "mistake" is what the board does not do. The same seed gives the same table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from prunemark.leaderboard.inference.crossed import across_tracks, correctness_difference, crossed_t
from prunemark.leaderboard.inference.families import family_means, over_families
from prunemark.leaderboard.inference.interim import p_with_interim
from prunemark.leaderboard.inference.multiplicity import Verdict, against_anchor, holm
from prunemark.leaderboard.inference.ranks import rank_intervals
from prunemark.leaderboard.inference.statistics import PairedComparison, VariancePrior, paired_t, tost
from prunemark.leaderboard.standings.standings import generalising, stand

ALPHA, SEED, RUNS = 0.05, 20230105, 4000
IMAGES, QUANTUM, SD, MARGIN = 300, 0.01, 0.1, 0.3  # accuracies are of 10,000 images; sd and margin in points
FIELD = [f"m{index}" for index in range(6)]
Correct = NDArray[np.bool_]
Comparisons = Mapping[str, PairedComparison]
Test = Callable[[Comparisons], float]
Simulation = Callable[[np.random.Generator, int], bool]
"""(generator, seeds) -> whether something false is said in one made-up field."""


@dataclass(frozen=True)
class Case:
    """One row of the table. `low` and `high` bound what the error may truly be; a mistake has no upper bound."""

    name: str
    simulate: Simulation
    seeds: tuple[int, ...] = (3, 5, 10)
    low: float = 0.0
    high: float = ALPHA
    runs: float = 1.0  # times those of a typical row

    @property
    def bounds(self) -> str:
        """What the error may be, in words."""
        if self.high == 1:
            return f"over {self.low:g}"
        if not self.low:
            return f"up to {self.high:g}"
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Rate:
    """How often a case erred with so many seeds."""

    case: Case
    seeds: int
    error: float
    runs: int

    @property
    def as_it_should_be(self) -> bool:
        """Whether the error lies within the case's bounds, up to three standard errors of the simulation."""
        below, above = (3 * sqrt(rate * (1 - rate) / self.runs) for rate in (self.case.low, self.case.high))
        return self.case.low - below <= self.error <= self.case.high + above


def field(generator: np.random.Generator, seeds: int, means: Sequence[float]) -> dict[str, list[float]]:
    """Accuracies in percent of methods that share their base models, in steps of one in 10,000 images."""
    shared, own = generator.normal(93, 0.2, seeds), generator.normal(0, SD, (len(means), seeds))
    return dict(zip(FIELD, np.round(shared + own + np.array(means)[:, None], 2).tolist(), strict=False))


def pair(generator: np.random.Generator, seeds: int, difference_pp: float = 0.0, scale: float = 1.0) -> list[float]:
    """The differences between two methods on every seed."""
    a, b = scale * generator.normal(0, SD, (2, seeds))
    differences: list[float] = np.round(a - b + difference_pp, 2).tolist()
    return differences


def compare(differences: Sequence[float], prior: VariancePrior | None = None) -> PairedComparison:
    """The paired t of these differences."""
    return paired_t(differences, np.zeros(len(differences)), quantum_percent=QUANTUM, prior=prior)


def paired(generator: np.random.Generator, seeds: int) -> bool:
    """Two equal methods, Student's paired t."""
    return compare(pair(generator, seeds)).p_two_sided <= ALPHA


def moderated(generator: np.random.Generator, seeds: int) -> bool:
    """Two equal methods, the moderated t with a prior as tracks calibrate it: 1.25 times the sd of a difference."""
    return compare(pair(generator, seeds), VariancePrior(df=4, sd_pp=1.25 * SD * sqrt(2))).p_two_sided <= ALPHA


def equivalence(generator: np.random.Generator, seeds: int) -> bool:
    """Two methods that differ by exactly the margin, said to be equivalent."""
    return tost(compare(pair(generator, seeds, MARGIN)), MARGIN).p <= ALPHA


def two_looks(generator: np.random.Generator, seeds: int) -> bool:
    """Two equal methods, tested at 5 seeds and at 10, with what that costs."""
    differences = pair(generator, seeds)
    return p_with_interim(compare(differences), compare(differences[:5])) <= ALPHA


def peeking(generator: np.random.Generator, seeds: int) -> bool:
    """Two equal methods, tested after every seed from 3 on until something is found."""
    differences = pair(generator, seeds)
    return any(compare(differences[:count]).p_two_sided <= ALPHA for count in range(3, seeds + 1))


def anchor_family(shift: float, wrong: Callable[[Verdict], bool]) -> Simulation:
    """Five methods that are `shift` above the anchor: of one of them, something `wrong` is said."""

    def simulation(generator: np.random.Generator, seeds: int) -> bool:
        scores = field(generator, seeds, [0.0] + [shift] * 5)
        if seeds < 5:  # of so few the board says nothing: this is what its p-values would do
            tests = against_anchor(scores, "m0", quantum_percent=QUANTUM)
            return min(holm([test.p_two_sided for test in tests.values()])) <= ALPHA
        found = stand(scores, {}, "m0", quantum_percent=QUANTUM, margin_pp=MARGIN)
        return any(wrong(verdict) for verdict in found.verdicts.values())

    return simulation


def first_looks(generator: np.random.Generator, seeds: int) -> bool:
    """Five methods as good as the anchor, two with five seeds first and then all ten: one is said to differ, ever."""
    scores = field(generator, seeds, [0.0] * 6)
    early = {name: values[:5] if name in ("m4", "m5") else values for name, values in scores.items()}
    states = [stand(each, {}, "m0", quantum_percent=QUANTUM, margin_pp=MARGIN) for each in (early, scores)]
    return any(verdict.word in ("better", "worse") for found in states for verdict in found.verdicts.values())


def ranks(means: Sequence[float]) -> Simulation:
    """An interval that misses a place of its method. Of equal methods every order is true: all places count."""
    true = [(1 + sum(o > mean for o in means), sum(o >= mean for o in means)) for mean in means]

    def simulation(generator: np.random.Generator, seeds: int) -> bool:
        found = rank_intervals(field(generator, seeds, means), QUANTUM, interim=seeds == 10).values()
        return any(rank[0] > low or rank[1] < high for rank, (low, high) in zip(found, true, strict=True))

    return simulation


def results(generator: np.random.Generator, seeds: int, methods: int) -> dict[str, Correct]:
    """Correctness of methods that are equal on all images there are, not on those drawn; shape (seeds, images)."""
    hard, liking = generator.normal(1, 1, IMAGES), generator.normal(0, 1.0, (methods, 1, IMAGES))
    luck = generator.normal(0, 0.02, (methods, seeds, 1)) + generator.normal(0, 0.7, (methods, seeds, IMAGES))
    return dict(zip(FIELD, hard + liking + luck > 0, strict=False))


def new_images(test: Callable[[Correct, Correct], float]) -> Simulation:
    """Two methods that are equal on all images there are, by the p of one test of a difference."""
    return lambda generator, seeds: test(*results(generator, seeds, 2).values()) <= ALPHA


def by_crossed(a: Correct, b: Correct) -> float:
    """The crossed t."""
    return crossed_t(correctness_difference(a, b)).p_two_sided


def by_paired(a: Correct, b: Correct) -> float:
    """The paired t over seeds."""
    return paired_t(100 * a.mean(axis=1), 100 * b.mean(axis=1), quantum_percent=100 / IMAGES).p_two_sided


def by_pooled(a: Correct, b: Correct) -> float:
    """McNemar's exact test (Psychometrika 1947) with all seeds in one pot."""
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def new_images_family(generator: np.random.Generator, seeds: int) -> bool:
    """Six methods that are equal on all images there are: one said to generalise."""
    found = generalising(results(generator, seeds, 6), "m0", interim=seeds == 10)
    return any(comparison.generalises for comparison in found.values())


def over_tracks(effects: Callable[[np.random.Generator], Sequence[float]], test: Test) -> Simulation:
    """A method whose true differences on the tracks are `effects`, in margins, and none on average; by one test."""

    def simulation(generator: np.random.Generator, seeds: int) -> bool:
        differences = [
            pair(generator, seeds, effect * MARGIN, scale=1 + index % 2)
            for index, effect in enumerate(effects(generator))
        ]
        return test({f"t{index:02d}": compare(each) for index, each in enumerate(differences)}) <= ALPHA

    return simulation


def of_families(generator: np.random.Generator) -> Sequence[float]:
    """Six tracks of each of five families, which differ more than tracks do; no difference over all families."""
    between, within = generator.normal(0, 1, (5, 1)), generator.normal(0, 0.65, (5, 6))
    return [float(value) for value in (between + within).ravel()]


def by_e3(comparisons: Comparisons) -> float:
    """The mean over these tracks."""
    return across_tracks(comparisons, dict.fromkeys(comparisons, MARGIN)).p_two_sided


def by_e4(comparisons: Comparisons) -> float:
    """Over families of six tracks."""
    family_of = {track: f"f{index // 6}" for index, track in enumerate(comparisons)}
    means = family_means({track: c.difference_pp / MARGIN for track, c in comparisons.items()}, family_of)
    return over_families({"it": means}, QUANTUM)["it"].p_raw


def by_tracks_as_families(comparisons: Comparisons) -> float:
    """Over tracks, as if each were a family of its own."""
    return compare([comparison.difference_pp for comparison in comparisons.values()]).p_two_sided


CASES = (
    Case("paired t (E1)", paired, low=ALPHA, runs=2.5),
    Case("moderated t, prior as calibrated", moderated),
    Case("equivalence at the margin (TOST)", equivalence, low=0.02),
    Case("two looks, at 5 and 10 seeds", two_looks, (10,), low=0.02),
    Case("anchor family of 5, Holm; 10 seeds: two looks",
         anchor_family(0.0, lambda verdict: verdict.word in ("better", "worse"))),
    Case("family of 5 equivalences, Holm; 10 seeds: two looks",
         anchor_family(MARGIN, lambda verdict: verdict.within_margin), (5, 10)),
    Case("ranks of 6 equal methods; 10 seeds: two looks", ranks([0.0] * 6)),
    Case("ranks of 6 methods, some equal", ranks([0.0, 0.0, 0.1, 0.3, 0.3, 0.5])),
    Case("crossed t (E2)", new_images(by_crossed), low=0.03, high=0.07),
    Case("family of 5 crossed t, Holm; 10 seeds: two looks", new_images_family, (5, 10), high=0.06),
    Case("mean over 3 tracks (E3)", over_tracks(lambda _: (1.0, -0.5, -0.5), by_e3), high=0.06),
    Case("5 families of 6 tracks (E4)", over_tracks(of_families, by_e4), (3, 5), low=0.03, high=0.06, runs=0.25),
    Case("mistake: the paired t for new images", new_images(by_paired), low=0.12, high=1.0),
    Case("mistake: McNemar, all seeds pooled", new_images(by_pooled), low=0.12, high=1.0),
    Case("mistake: a test after every seed from 3 to 10", peeking, (10,), low=0.12, high=1.0),
    Case("mistake: tracks taken for families", over_tracks(of_families, by_tracks_as_families), (3, 5),
         low=0.3, high=1.0, runs=0.25),
    Case("mistake: an E3 p shown as E4", over_tracks(of_families, by_e3), (3, 5), low=0.3, high=1.0, runs=0.25),
    Case("anchor family of 5, two at their first look and then at both: ever", first_looks, (10,)),
)  # fmt: skip


def simulate(case: Case, seeds: int, runs: int, seed: int) -> Rate:
    """One cell of the table, with a generator of its own."""
    count = round(case.runs * runs)
    generator = np.random.default_rng([seed, CASES.index(case), seeds])
    return Rate(case, seeds, sum(case.simulate(generator, seeds) for _ in range(count)) / count, count)


def table(runs: int, seed: int) -> tuple[list[Rate], str]:
    """All cells, and the Markdown table of them; a rate that is not as it should be is marked."""
    rates = [simulate(case, seeds, runs, seed) for case in CASES for seeds in case.seeds]
    cells = {(rate.case, rate.seeds): f"{rate.error:.3f}{'' if rate.as_it_should_be else ' (!)'}" for rate in rates}
    lines = ["| what is said falsely | 3 seeds | 5 seeds | 10 seeds | may be |", "| --- | --- | --- | --- | --- |"]
    for case in CASES:
        shares = " | ".join(cells.get((case, seeds), "") for seeds in (3, 5, 10))
        lines.append(f"| {case.name} | {shares} | {case.bounds} |")
    return rates, "\n".join(lines) + "\n"


def main() -> None:
    """Prints the table; exit code 1 if a rate is not as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="boards of a typical row (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    begin = time.perf_counter()
    rates, text = table(given.runs, given.seed)
    print(text)
    print(f"seed {given.seed}, {given.runs} runs of a typical row, {time.perf_counter() - begin:.0f} s")
    raise SystemExit(not all(rate.as_it_should_be for rate in rates))


if __name__ == "__main__":
    main()
