"""Two looks and no others: what they cost, and what is withheld."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from prunemark.leaderboard.inference.interim import (
    combine_interim,
    interim_in_words,
    p_equivalent_with_interim,
    p_with_interim,
    withheld,
)
from prunemark.leaderboard.inference.statistics import PairedComparison, paired_t


def compare(differences: NDArray[np.float64]) -> PairedComparison:
    return paired_t(differences, np.zeros(len(differences)), quantum_percent=0.01)


def test_two_looks() -> None:
    assert combine_interim(0.008, 0.5) == pytest.approx(0.04)
    assert combine_interim(0.5, 0.032) == pytest.approx(0.04)
    assert combine_interim(0.008) == pytest.approx(0.04)
    assert combine_interim(0.9, 0.9) == 1


def test_two_looks_keep_the_type_one_error() -> None:
    generator = np.random.default_rng(5)
    errors, uncorrected = [], []
    for differences in generator.normal(0, 0.2, (2000, 10)):
        first, second = compare(differences[:5]), compare(differences)
        errors.append(combine_interim(first.p_two_sided, second.p_two_sided) <= 0.05)
        uncorrected.append(min(first.p_two_sided, second.p_two_sided) <= 0.05)
    assert 0.03 <= np.mean(errors) <= 0.06
    assert np.mean(uncorrected) > 0.07


def test_each_side_is_counted_by_itself() -> None:
    steady = np.array([0.3, 0.1, 0.2, 0.25, 0.15, 0.3, 0.1, 0.2, 0.25, 0.15])
    first, last = compare(steady[:5]), compare(steady)
    assert p_with_interim(last, None) == last.p_two_sided
    assert p_with_interim(last, first) == pytest.approx(combine_interim(first.p_two_sided, last.p_two_sided))
    assert p_with_interim(compare(-steady), compare(-steady[:5])) == pytest.approx(p_with_interim(last, first))
    turned = compare(np.array([*steady[:5], *(-4 * steady[5:])]))
    assert turned.difference_pp < 0 and p_with_interim(turned, first) > 0.1


def test_equivalence_has_to_be_shown_on_all_seeds_too() -> None:
    assert p_equivalent_with_interim(0.03, None) == 0.03
    assert p_equivalent_with_interim(0.03, 0.004) == pytest.approx(0.03)  # alone, the first look would give .02
    assert p_equivalent_with_interim(0.04, 0.5) == pytest.approx(0.05)
    assert p_equivalent_with_interim(0.7, 0.001) == 0.7


def test_the_two_looks_are_at_five_and_ten_and_all_others_are_withheld() -> None:
    assert withheld(10, {5}) == withheld(5, ()) == withheld(8, ()) == withheld(10, ()) == ""
    assert withheld(8, {5}) == ("looked at with 5 and 8 seeds, which are not the two looks 5 and 10: no verdict")
    assert "5, 8 and 10 seeds" in withheld(10, {8, 5}) and "8 and 10 seeds" in withheld(10, {8})
    assert "5, 10 and 15 seeds" in withheld(15, {5, 10})


def test_looks_that_gave_no_verdict_or_added_no_seeds_cost_nothing() -> None:
    """Screenings of 3 and 4 seeds cannot have given a wrong verdict; the same board again is the same look."""
    assert withheld(5, {3, 4}) == withheld(8, {8}) == withheld(10, {5, 10}) == withheld(7, {8}) == ""
    assert withheld(8, {5, 8}) != ""  # shown again with as many seeds, it is still the third look


def test_ten_seeds_are_said_to_be_two_looks() -> None:
    assert interim_in_words(8) == interim_in_words(5) == ""
    assert "two looks, 5 and 10 seeds" in interim_in_words(10)


@pytest.mark.parametrize("wrong", [-0.1, 1.5, math.nan])
def test_what_is_no_probability_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="p-value must lie"):
        combine_interim(wrong)
    with pytest.raises(ValueError, match="p-value must lie"):
        combine_interim(0.5, wrong)
