"""The simulations in short: no rate is further from what it may be than so few runs explain."""

import importlib.util
import sys
from pathlib import Path

import pytest


def script(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parents[2] / "perf" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # its dataclasses look their module up
    spec.loader.exec_module(module)
    return module


simulations, until_found = script("simulations"), script("seeds_until_found")


@pytest.mark.parametrize("runs", [40, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", simulations.CASES, ids=lambda case: case.name)
def test_errors_are_as_rare_as_they_should_be(case, runs):
    for seeds in case.seeds:
        rate = simulations.simulate(case, seeds, runs=runs, seed=1)
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
    case = simulations.CASES[0]
    one, same, other = (simulations.simulate(case, 5, runs=100, seed=seed) for seed in (1, 1, 2))
    assert one == same and one.error != other.error


@pytest.mark.parametrize(("effect", "tests", "about"), [(0.5, 2, 52), (1.0, 2, 16), (1.0, 16, 23), (2.0, 16, 10.2)])
def test_looking_always_costs_about_as_many_seeds_as_a_plan(effect, tests, about):
    """The numbers are of another simulation, of 40,000 paths."""
    found = until_found.seeds_until_found(effect, tests, runs=300, seed=1)
    assert found == pytest.approx(about, rel=0.15)
    assert found < 1.6 * until_found.needed_seeds(1.0, effect, tests)
