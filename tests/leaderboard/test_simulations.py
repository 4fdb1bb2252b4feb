"""The simulations in short: no rate is further from what it may be than so few runs explain."""

import importlib.util
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[2] / "perf" / "simulations.py"
SPEC = importlib.util.spec_from_file_location("simulations", FILE)
simulations = importlib.util.module_from_spec(SPEC)
sys.modules["simulations"] = simulations  # its dataclasses look their module up
SPEC.loader.exec_module(simulations)


@pytest.mark.parametrize("case", simulations.CASES, ids=lambda case: case.name)
def test_errors_are_as_rare_as_they_should_be(case):
    for seeds in case.seeds:
        rate = simulations.simulate(case, seeds, runs=200, seed=1)
        assert rate.as_it_should_be, f"{seeds} seeds: {rate.error:.3f} in {rate.runs} runs, may be {case.bounds}"


def test_a_rate_that_is_not_is_noticed():
    paired, mistake = simulations.CASES[0], [c for c in simulations.CASES if c.name.startswith("mistake")][-1]
    assert not simulations.Rate(paired, 5, 0.08, 1500).as_it_should_be
    assert not simulations.Rate(paired, 5, 0.02, 1500).as_it_should_be
    assert not simulations.Rate(mistake, 5, 0.05, 75).as_it_should_be


def test_what_is_called_a_mistake_would_not_pass_for_sound():
    """The same bounds tell the board's own tests from those that it does not use."""
    for case in simulations.CASES:
        if case.name.startswith("mistake"):
            rate = simulations.simulate(case, case.seeds[-1], runs=300, seed=1)
            sound = simulations.Case(case.name, case.simulate, case.seeds, high=0.07)
            assert not simulations.Rate(sound, rate.seeds, rate.error, rate.runs).as_it_should_be


def test_the_same_seed_gives_the_same_table():
    case = simulations.CASES[3]
    one, same, other = (simulations.simulate(case, 5, runs=100, seed=seed) for seed in (1, 1, 2))
    assert one == same and one.error != other.error
