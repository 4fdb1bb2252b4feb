"""How many seeds more: expected from a few differences, against the number that it then took."""

import math

import numpy as np
import pytest

from prunemark.leaderboard.inference.any_time import log_e, log_e_equivalent, path_of
from prunemark.leaderboard.inference.expected import MOST, further_seeds

MARGIN, QUANTUM = 1.0, 0.01


def expected(d, tests=1):
    level = math.log(tests / 0.05)
    return further_seeds(path_of(d, quantum_percent=QUANTUM), MARGIN, log_different=level, log_equivalent=level)


def took(d, tests):
    """After how many seeds the whole sequence was decided."""
    path = path_of(d, quantum_percent=QUANTUM)
    level = math.log(tests / 0.05)
    decided = (np.maximum.accumulate(log_e(path)) >= level) | (log_e_equivalent(path, MARGIN) >= level)
    decided[:2] = False
    return int(np.flatnonzero(decided)[0]) + 1 if decided.any() else len(d)


@pytest.mark.parametrize(("seen", "tests"), [(5, 2), (5, 17), (10, 17)])
def test_on_average_it_takes_about_as_long_as_expected(seen, tests):
    """Over true differences of 0 to 3 margins, of the comparisons that are still open."""
    generator = np.random.default_rng(11)
    expectations, further = [], []
    for _ in range(250):
        mean, sd = generator.choice([0.0, 0.0, 0.2, 0.5, 1.0, 1.5, 2.0, 3.0]), generator.uniform(0.4, 1.5)
        d = generator.normal(mean, sd, MOST)
        if (needed := took(d, tests)) > seen:
            expectations.append(expected(d[:seen], tests))
            further.append(needed - seen)
    assert len(further) > 100
    assert 0.7 < np.mean(expectations) / np.mean(further) < 1.4
    error = np.abs(np.log(expectations) - np.log(further))
    assert np.median(error) < math.log(2)


def test_a_larger_family_and_a_mean_at_half_the_margin_take_longer():
    d = [0.4, 0.7, -0.2, 0.3, 0.6, 0.1]
    assert 1 <= expected(d) < expected(d, tests=17) < MOST
    assert expected([x + 3 for x in d], tests=17) < expected(d, tests=17)


def test_what_nobody_waits_for_is_cut():
    assert 100 < expected([30.0, -30.0, 25.0, -20.0, 10.0], tests=100) <= MOST


def test_two_seeds_tell_nothing():
    with pytest.raises(ValueError, match="2 seeds"):
        expected([0.1, 0.2])
