"""How often the leaderboard's own code errs where the truth is known: made-up results, thousands of times.

`python perf/simulations.py` prints the table of docs/statistics.md: the share of simulations in which something
false was said, at an alpha of .05. What holds at any time is looked at after every seed: "ever" counts a false
statement at any of these looks. A "mistake" is what the board does not do. The same seed gives the same table.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from prunemark.leaderboard.inference.any_time import log_e, path_of
from prunemark.leaderboard.inference.crossed import correctness_difference, crossed_t
from prunemark.leaderboard.inference.evidence import evidence
from prunemark.leaderboard.inference.families import family_means, over_families
from prunemark.leaderboard.inference.multiplicity import Verdict
from prunemark.leaderboard.inference.ranks import rank_intervals
from prunemark.leaderboard.inference.statistics import PairedComparison, VariancePrior, paired_t, tost
from prunemark.leaderboard.standings.standings import generalising, stand

ALPHA, SEED, RUNS = 0.05, 20230105, 400
IMAGES, QUANTUM, SD, MARGIN = 300, 0.01, 0.1, 0.3  # accuracies are of 10,000 images; sd and margin in points
PRIOR = VariancePrior(df=4, sd_pp=1.25 * SD * sqrt(2))  # as tracks calibrate it: 1.25 times the sd of a difference
FIELD = [f"m{index}" for index in range(6)]
Correct = NDArray[np.bool_]
Differences = Mapping[str, Sequence[float]]
Test = Callable[[Differences], float]
Draw = Callable[[np.random.Generator, tuple[int, int]], NDArray[np.float64]]
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


def planned(test: Callable[[list[float]], float], difference_pp: float = 0.0) -> Simulation:
    """Two methods that differ by so much, by the p of one test when all seeds are there."""
    return lambda generator, seeds: test(pair(generator, seeds, difference_pp)) <= ALPHA


def peeking(generator: np.random.Generator, seeds: int) -> bool:
    """Two equal methods, the paired t after every seed from 3 on until something is found."""
    differences = pair(generator, seeds)
    return any(compare(differences[:count]).p_two_sided <= ALPHA for count in range(3, seeds + 1))


def anchor_family(shift: float, wrong: Callable[[Verdict], bool], *, planned: bool = False) -> Simulation:
    """Five methods that are `shift` above the anchor: of one of them, something `wrong` is said.

    At the last number of seeds alone: a verdict stays, so one that was ever false there is false now.
    """

    def simulation(generator: np.random.Generator, seeds: int) -> bool:
        scores = field(generator, seeds, [0.0] + [shift] * 5)
        look = seeds if planned else None
        found = stand(scores, {}, "m0", quantum_percent=QUANTUM, margin_pp=MARGIN, planned=look)
        return any(wrong(verdict) for verdict in found.verdicts.values())

    return simulation


def equals(draw: Draw, step: float = QUANTUM) -> Simulation:
    """Five methods as good as the anchor, whose accuracies are `draw`n and come in steps: one is said to differ."""

    def simulation(generator: np.random.Generator, seeds: int) -> bool:
        rows = (np.round((93 + draw(generator, (6, seeds))) / step) * step).tolist()
        found = stand(dict(zip(FIELD, rows, strict=True)), {}, "m0", quantum_percent=step, margin_pp=MARGIN)
        return any(differs(verdict) for verdict in found.verdicts.values())

    return simulation


def unequal_seeds(generator: np.random.Generator, seeds: int) -> bool:
    """Five methods as good as the anchor, each of which got seeds until its own result looked good, or to the end."""
    scores = field(generator, seeds, [0.0] * 6)
    for name in FIELD[1:]:
        so_far = log_e(path_of(np.subtract(scores[name], scores["m0"]), quantum_percent=QUANTUM))
        scores[name] = scores[name][: 3 + int(so_far[2:].argmax())]
    found = stand(scores, {}, "m0", quantum_percent=QUANTUM, margin_pp=MARGIN)
    return any(differs(verdict) for verdict in found.verdicts.values())


def chosen_seeds(generator: np.random.Generator, seeds: int) -> bool:
    """Two equal methods; each seed is run twice, and the run that looks better is the one that is handed in."""
    differences = np.maximum(pair(generator, seeds), pair(generator, seeds))
    found = evidence(differences, np.zeros(seeds), quantum_percent=QUANTUM, margin_pp=MARGIN)
    return found.comparison.p_two_sided <= ALPHA


def ranks(means: Sequence[float]) -> Simulation:
    """An interval that misses a place of its method. Of equal methods every order is true: all places count."""
    true = [(1 + sum(o > mean for o in means), sum(o >= mean for o in means)) for mean in means]

    def simulation(generator: np.random.Generator, seeds: int) -> bool:
        found = rank_intervals(field(generator, seeds, means), QUANTUM).values()
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


def by_paired(a: Correct, b: Correct) -> float:
    """The paired t over seeds."""
    return paired_t(100 * a.mean(axis=1), 100 * b.mean(axis=1), quantum_percent=100 / IMAGES).p_two_sided


def by_pooled(a: Correct, b: Correct) -> float:
    """McNemar's exact test (Psychometrika 1947) with all seeds in one pot."""
    only_a, only_b = int((a & ~b).sum()), int((b & ~a).sum())
    return float(binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def new_images_family(generator: np.random.Generator, seeds: int) -> bool:
    """Six methods that are equal on all images there are: one said to generalise."""
    found = generalising(results(generator, seeds, 6), "m0")
    return any(comparison.generalises for comparison in found.values())


def over_tracks(effects: Callable[[np.random.Generator], Sequence[float]], test: Test) -> Simulation:
    """A method whose true differences on the tracks are `effects`, in margins, and none on average; by one test."""

    def simulation(generator: np.random.Generator, seeds: int) -> bool:
        differences = {
            f"t{index:02d}": pair(generator, seeds, effect * MARGIN, scale=1 + index % 2)
            for index, effect in enumerate(effects(generator))
        }
        return test(differences) <= ALPHA

    return simulation


def of_families(generator: np.random.Generator) -> Sequence[float]:
    """Six tracks of each of five families, which differ more than tracks do; no difference over all families."""
    between, within = generator.normal(0, 1, (5, 1)), generator.normal(0, 0.65, (5, 6))
    return [float(value) for value in (between + within).ravel()]


def by_e3(differences: Differences) -> float:
    """The mean over these tracks, seed by seed, at any time."""
    mean = np.mean([*differences.values()], axis=0) / MARGIN
    quantum = QUANTUM / MARGIN / sqrt(len(differences))
    return evidence(mean, np.zeros(len(mean)), quantum_percent=quantum, margin_pp=1.0).comparison.p_two_sided


def by_e4(differences: Differences) -> float:
    """Over families of six tracks."""
    family_of = {track: f"f{index // 6}" for index, track in enumerate(differences)}
    means = family_means({track: fmean(values) / MARGIN for track, values in differences.items()}, family_of)
    return over_families({"it": means}, QUANTUM)["it"].p_raw


def by_tracks_as_families(differences: Differences) -> float:
    """Over tracks, as if each were a family of its own."""
    return compare([fmean(values) for values in differences.values()]).p_two_sided


def differs(verdict: Verdict) -> bool:
    """Said of a method that is as good as the anchor."""
    return verdict.word in ("better", "worse")


EVER = (5, 10, 30)
CASES = (
    Case("paired t (E1), planned", planned(lambda d: compare(d).p_two_sided), low=ALPHA, runs=2.5),
    Case("moderated t, prior as calibrated, planned", planned(lambda d: compare(d, PRIOR).p_two_sided)),
    Case("equivalence at the margin (TOST), planned", planned(lambda d: tost(compare(d), MARGIN).p, MARGIN), low=0.02),
    Case("anchor family of 5, Holm, planned", anchor_family(0.0, differs, planned=True)),
    Case("anchor family of 5, ever", anchor_family(0.0, differs), EVER),
    Case("family of 5 equivalences at the margin, ever",
         anchor_family(MARGIN, lambda verdict: verdict.within_margin), EVER),
    Case("the same family with heavy tails (t, 3 df), ever",
         equals(lambda generator, shape: SD * generator.standard_t(3, shape) / sqrt(3)), EVER),
    Case("the same family on 500 images, in steps of 2 sd, ever",
         equals(lambda generator, shape: generator.normal(0, SD, shape), step=0.2), EVER),
    Case("each method stopped when it looked best", unequal_seeds, EVER),
    Case("ranks of 6 equal methods, ever", ranks([0.0] * 6), EVER, runs=0.5),
    Case("ranks of 6 methods, some equal, ever", ranks([0.0, 0.0, 0.1, 0.3, 0.3, 0.5]), EVER, runs=0.5),
    Case("crossed t (E2)", new_images(lambda *both: crossed_t(correctness_difference(*both)).p_two_sided),
         low=0.03, high=0.07),
    Case("family of 5 crossed t, Holm", new_images_family, (5, 10), high=0.06),
    Case("mean over 3 tracks (E3), ever", over_tracks(lambda _: (1.0, -0.5, -0.5), by_e3), EVER),
    Case("5 families of 6 tracks (E4)", over_tracks(of_families, by_e4), (3, 5), low=0.03, high=0.06, runs=0.25),
    Case("mistake: the paired t for new images", new_images(by_paired), low=0.12, high=1.0),
    Case("mistake: McNemar, all seeds pooled", new_images(by_pooled), low=0.12, high=1.0),
    Case("mistake: a t-test after every seed from 3 on", peeking, (10, 30), low=0.12, high=1.0),
    Case("mistake: of two runs of a seed the better one", chosen_seeds, (10, 30), low=0.1, high=1.0),
    Case("mistake: tracks taken for families", over_tracks(of_families, by_tracks_as_families), (3, 5),
         low=0.3, high=1.0, runs=0.25),
    Case("mistake: an E3 p shown as E4", over_tracks(of_families, by_e3), (5, 10), low=0.25, high=1.0, runs=0.25),
)  # fmt: skip

COLUMNS = (3, 5, 10, 30)


def simulate(case: Case, seeds: int, runs: int, seed: int) -> Rate:
    """One cell of the table, with a generator of its own."""
    count = round(case.runs * runs)
    generator = np.random.default_rng([seed, CASES.index(case), seeds])
    return Rate(case, seeds, sum(case.simulate(generator, seeds) for _ in range(count)) / count, count)


def table(runs: int, seed: int) -> tuple[list[Rate], str]:
    """All cells, and the Markdown table of them; a rate that is not as it should be is marked."""
    rates = [simulate(case, seeds, runs, seed) for case in CASES for seeds in case.seeds]
    cells = {(rate.case, rate.seeds): f"{rate.error:.3f}{'' if rate.as_it_should_be else ' (!)'}" for rate in rates}
    heads = " | ".join(f"{seeds} seeds" for seeds in COLUMNS)
    lines = [f"| what is said falsely | {heads} | may be |", f"| --- |{' --- |' * len(COLUMNS)} --- |"]
    for case in CASES:
        shares = " | ".join(cells.get((case, seeds), "") for seeds in COLUMNS)
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
