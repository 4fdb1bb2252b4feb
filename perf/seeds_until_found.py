"""How many seeds it takes to find a true difference: looking after every seed, and with one planned look.

`python perf/seeds_until_found.py` prints the table of docs/statistics.md. Whoever may look at any time stops when the
answer is there; whoever plans one look runs the seeds of 80 % power. The same seed gives the same table.
"""

from __future__ import annotations

import argparse
from statistics import fmean

import numpy as np

from prunemark.leaderboard.inference.any_time import LEAST_SEEDS, log_e, path_of
from prunemark.leaderboard.inference.power import needed_seeds

ALPHA, SEED, RUNS = 0.05, 20230105, 1000
EFFECTS, FAMILIES, MOST_SEEDS = (0.5, 1.0, 2.0), (2, 16), 400


def seeds_until_found(effect: float, tests: int, runs: int, seed: int) -> float:
    """The mean number of seeds at which a true difference of `effect` sds is found, as the first of so many tests."""
    generator = np.random.default_rng([seed, round(100 * effect), tests])
    found = []
    for _ in range(runs):
        logs = log_e(path_of(generator.normal(effect, 1, MOST_SEEDS), quantum_percent=1e-6))
        there = np.flatnonzero(logs[LEAST_SEEDS - 1 :] >= np.log(tests / ALPHA))
        found.append(int(there[0]) + LEAST_SEEDS if len(there) else MOST_SEEDS)
    return fmean(found)


def table(runs: int, seed: int) -> str:
    """The Markdown table of how many seeds it takes, at any time and planned."""
    lines = ["| difference, in sd | comparisons | at any time, mean | planned, power .8 |", "| --- | --- | --- | --- |"]
    for tests in FAMILIES:
        for effect in EFFECTS:
            ever, planned = seeds_until_found(effect, tests, runs, seed), needed_seeds(1.0, effect, tests)
            lines.append(f"| {effect:g} | {tests} | {ever:.0f} | {planned} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help="sequences of a row (default %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED)
    given = parser.parse_args()
    print(table(given.runs, given.seed))


if __name__ == "__main__":
    main()
