"""The setups: Table 2 of arXiv:2301.05219 recomputed from factor sets."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.setups.comparison import HARNESS_SETUPS, SETUPS, ComparisonSetup, chain, find_setup
from prunemark.setups.errors import InputError
from prunemark.setups.factors import FACTORS

fixed = settings(derandomize=True, deadline=None, database=None)

# Table 2, row by row: what each setup adds to the one above it
TABLE_2 = [
    ("S1", {"dataset", "network", "compression"}),
    ("S2", {"base_model"}),
    ("S3.1", {"retraining_epochs"}),
    ("S3.2", {"retraining_lr"}),
    ("S4.1", {"pruning_epochs"}),
    ("S4.2", {"pruning_lr"}),
]


def test_the_chain_is_the_rows_of_table_2() -> None:
    assert chain() == tuple(id for id, _ in TABLE_2)
    held: set[str] = set()
    for id, added in TABLE_2:
        assert not added & held
        held |= added
        assert SETUPS[id].factors == held


def test_the_setups_beside_the_chain() -> None:
    s1 = SETUPS["S1"].factors
    assert SETUPS["S1-acc"].factors - s1 == {"base_accuracy"}
    assert SETUPS["SX-A"].factors - s1 == {"total_epochs", "final_lr"}
    assert SETUPS["SX-B"].factors - s1 == {"total_flops", "final_lr"}
    assert len(SETUPS) == 9
    for setup in SETUPS.values():
        assert setup.factors <= set(FACTORS) and setup.title and setup.when_run
        assert setup.implies(SETUPS["S1"]) and setup.implies(setup)
    assert SETUPS["S4.2"].implies(SETUPS["S2"]) and not SETUPS["S2"].implies(SETUPS["S4.2"])
    assert not SETUPS["S4.2"].implies(SETUPS["SX-A"]) and not SETUPS["SX-A"].implies(SETUPS["S2"])


factor_sets = st.lists(st.frozensets(st.sampled_from("abcdef")), min_size=0, max_size=7)


@fixed
@given(factor_sets)
def test_a_chain_is_the_longest_row_of_growing_sets(sets: list[frozenset[str]]) -> None:
    """Against a search of all orders that are subsets of one another."""
    setups = {str(n): ComparisonSetup(str(n), factors, "", "") for n, factors in enumerate(sets)}
    if not setups:
        return
    found = [setups[id].factors for id in chain(setups)]
    assert all(small < large for small, large in itertools.pairwise(found))

    def longest(above: frozenset[str] | None) -> int:
        return max((1 + longest(s) for s in set(sets) if above is None or above < s), default=0)

    assert len(found) == longest(None)
    assert chain(dict(reversed(setups.items()))) == chain(setups)


def test_a_setup_comes_before_those_that_imply_it() -> None:
    """Whatever place its literal has: tables and listings are in this order."""
    assert HARNESS_SETUPS.keys() > SETUPS.keys()
    for low, high in itertools.combinations(HARNESS_SETUPS.values(), 2):
        assert not low.factors > high.factors and low.whole_pipeline <= high.whole_pipeline


def test_setups_are_found_in_any_case_and_unknown_ones_named() -> None:
    assert find_setup("s3.2") is SETUPS["S3.2"] and find_setup("SX-a").id == "SX-A"
    with pytest.raises(InputError) as problem:
        find_setup("S32")
    assert str(problem.value).splitlines() == [
        "unknown setup 'S32'. Did you mean 'S3.2'?",
        f"Valid: {', '.join(sorted(HARNESS_SETUPS))}",
    ]
    with pytest.raises(InputError, match="unknown setup ''"):
        find_setup("")
