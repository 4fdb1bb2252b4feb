"""Leaves: not reported never equals not reported, n/a equals n/a, a conflict decides what all choices decide."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prunemark.setups.values import (
    NOT_APPLICABLE,
    NOT_REPORTED,
    Between,
    Conflict,
    NotReported,
    State,
    compare,
    known,
)

fixed = settings(derandomize=True, deadline=None, database=None)
numbers = st.integers(-3, 3).map(float)
ranges = st.tuples(numbers, numbers | st.just(math.inf)).map(lambda ends: Between(min(ends), max(ends)))
plain_leaves = st.one_of(
    numbers, ranges, st.just(NOT_REPORTED), st.just(NOT_APPLICABLE), st.sampled_from("AB").map(NotReported)
)
leaves = plain_leaves | st.lists(plain_leaves, min_size=1, max_size=3).map(lambda c: Conflict(tuple(c)))


def equal(a: object, b: object) -> bool:
    return a == b


@pytest.mark.parametrize(
    ("a", "b", "state"),
    [
        (1.0, 1.0, "holds"),
        (1.0, 2.0, "refuted"),
        (NOT_REPORTED, NOT_REPORTED, "undecidable"),  # never equal to itself
        (NOT_REPORTED, 1.0, "undecidable"),
        (NotReported("B"), NotReported("B"), "holds"),  # same_as: B
        (NotReported("B"), NotReported("C"), "undecidable"),
        (NotReported("B"), NOT_REPORTED, "undecidable"),
        (NOT_APPLICABLE, NOT_APPLICABLE, "holds"),
        (NOT_APPLICABLE, 1.0, "refuted"),  # structural
        (NOT_APPLICABLE, Between(0, 1), "refuted"),
        (NOT_APPLICABLE, NOT_REPORTED, "undecidable"),
        (Between(1), 0.0, "refuted"),  # {min: 1} against none at all
        (Between(1), 1.0, "undecidable"),
        (Between(20, 30), 31.0, "refuted"),
        (Between(20, 30), Between(30, 40), "undecidable"),
        (Between(20, 30), Between(31), "refuted"),
        (Between(20, 30), "a word", "undecidable"),
        (Conflict((1.0, 2.0)), 3.0, "refuted"),
        (Conflict((1.0, 2.0)), 2.0, "undecidable"),
        (Conflict((1.0, 1.0)), 1.0, "holds"),
        (Conflict((1.0, 2.0)), Conflict((1.0, 2.0)), "undecidable"),
        (Conflict((1.0, 2.0)), Conflict((3.0, 4.0)), "refuted"),
        (Conflict((1.0, 2.0)), NOT_REPORTED, "undecidable"),
        (Conflict((NOT_APPLICABLE, 2.0)), 3.0, "refuted"),
        (Conflict(()), 3.0, "undecidable"),
    ],
)
def test_two_leaves(a: Any, b: Any, state: str) -> None:
    assert compare(a, b, equal) == compare(b, a, equal) == state


@fixed
@given(leaves, leaves)
def test_comparing_is_symmetric_and_never_raises(a: Any, b: Any) -> None:
    assert compare(a, b, equal) is compare(b, a, equal)


def possible(leaf: Any) -> set[Any]:
    """Every value the leaf may stand for, on a small grid; n/a is a value of its own."""
    grid = {-3.0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0}
    if isinstance(leaf, Conflict):
        return set().union(*map(possible, leaf.choices))
    if isinstance(leaf, NotReported):
        return grid | {NOT_APPLICABLE}
    if isinstance(leaf, Between):
        return {value for value in grid if leaf.low <= value <= leaf.high}
    return {leaf}


@fixed
@given(leaves, leaves)
def test_what_is_decided_is_true_of_everything_the_leaves_may_mean(a: Any, b: Any) -> None:
    """Independent of the rules: by enumeration of the values that each side can have."""
    state = compare(a, b, equal)
    if state is State.REFUTED:
        assert not possible(a) & possible(b)
    if state is State.HOLDS and not isinstance(a, NotReported):
        assert possible(a) == possible(b) and len(possible(a)) == 1
    if not possible(a) & possible(b):
        assert state is State.REFUTED


def test_known_is_the_one_value_there_is() -> None:
    assert known(0.0) == 0.0 and known("") == ""
    for leaf in (NOT_REPORTED, NotReported("B"), NOT_APPLICABLE, Between(1, 1), Conflict((1, 1))):
        assert known(leaf) is None


def test_leaves_in_words() -> None:
    words = [str(leaf) for leaf in (NotReported("B"), NOT_APPLICABLE, Between(1), Between(20, 30), Conflict((1, 2)))]
    assert words == ["not reported", "n/a", "at least 1", "20 to 30", "1 or 2"]


def test_what_a_comparison_may_rest_on() -> None:
    assert {state for state in State if state.satisfied} == {"holds", "holds_a_fortiori"}
