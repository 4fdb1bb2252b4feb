"""A reported value, or the reason there is none: the leaves of every pipeline description.

Not reported never equals not reported; `n/a` equals `n/a`, vacuously; a conflict between sources decides
only what every choice decides alike.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, TypeVar, Union

T = TypeVar("T")
U = TypeVar("U")


class State(StrEnum):
    """What can be said of a factor, or of a setup, between two pipelines."""

    HOLDS = "holds"
    HOLDS_A_FORTIORI = "holds_a_fortiori"
    UNDECIDABLE = "undecidable"
    REFUTED = "refuted"
    NOT_APPLICABLE = "not_applicable"

    __hash__ = str.__hash__  # an enum's own is a function in Python, and states are looked up millions of times

    @property
    def satisfied(self) -> bool:
        """Whether the comparison may rest on it."""
        return self in (State.HOLDS, State.HOLDS_A_FORTIORI)


@dataclass(frozen=True)
class NotReported:
    """The source does not say. Two leaves with one `token` were declared to be the same."""

    token: str | None = None

    def __str__(self) -> str:
        return "not reported"


@dataclass(frozen=True)
class NotApplicable:
    """The question has no meaning for this kind of method (scratch training has no base model)."""

    def __str__(self) -> str:
        return "n/a"


@dataclass(frozen=True)
class Between:
    """A number known only to lie in [low, high]; `high` is infinite for 'at least'."""

    low: float
    high: float = math.inf

    def __str__(self) -> str:
        return f"at least {self.low:g}" if math.isinf(self.high) else f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Conflict(Generic[T]):
    """Sources disagree; each choice is what one of them says."""

    choices: tuple[T, ...]

    def __str__(self) -> str:
        return " or ".join(dict.fromkeys(map(str, self.choices)))


Leaf = Union[T, NotReported, NotApplicable, Between, "Conflict[T]"]
NOT_REPORTED = NotReported()
NOT_APPLICABLE = NotApplicable()


_NO_ONE_VALUE = (NotReported, NotApplicable, Between, Conflict)  # made once: `known` is asked millions of times


def known(leaf: Leaf[T]) -> T | None:
    """The value if there is exactly one, else None."""
    return None if isinstance(leaf, _NO_ONE_VALUE) else leaf


def mapped(leaf: Leaf[T], function: Callable[[T], U]) -> Leaf[U]:
    """The function of a known value, or of each choice of a conflict; what is not known stays as it is.

    Of a range, the function of both ends: it has to be one that never decreases.
    """
    if isinstance(leaf, Conflict):
        choices = tuple(mapped(choice, function) for choice in leaf.choices)
        return Conflict(choices)  # type: ignore[arg-type]
    if isinstance(leaf, Between):
        return Between(*(float(function(end)) for end in (leaf.low, leaf.high)))  # type: ignore[arg-type]
    return leaf if isinstance(leaf, NotReported | NotApplicable) else function(leaf)


def compare(a: Leaf[T], b: Leaf[T], equal: Callable[[T, T], bool]) -> State:
    """Compares two leaves, given how two known values are compared. Never raises."""
    if not (isinstance(a, _NO_ONE_VALUE) or isinstance(b, _NO_ONE_VALUE)):
        return State.HOLDS if equal(a, b) else State.REFUTED
    if isinstance(a, Conflict):
        return _agreed([compare(choice, b, equal) for choice in a.choices])
    if isinstance(b, Conflict):
        return _agreed([compare(a, choice, equal) for choice in b.choices])
    if isinstance(a, NotApplicable) or isinstance(b, NotApplicable):
        return _about_not_applicable(a, b)
    if isinstance(a, NotReported) or isinstance(b, NotReported):
        declared_same = a == b and isinstance(a, NotReported) and a.token is not None
        return State.HOLDS if declared_same else State.UNDECIDABLE
    return _about_ranges(a, b, equal)


def _agreed(states: list[State]) -> State:
    return states[0] if len(set(states)) == 1 else State.UNDECIDABLE


def _about_not_applicable(a: Leaf[Any], b: Leaf[Any]) -> State:
    if isinstance(a, NotApplicable) and isinstance(b, NotApplicable):
        return State.HOLDS
    silent = isinstance(a, NotReported) or isinstance(b, NotReported)
    return State.UNDECIDABLE if silent else State.REFUTED


def _about_ranges(a: Leaf[Any], b: Leaf[Any], equal: Callable[[Any, Any], bool]) -> State:
    """What every number in the ranges decides alike: equal even at the ends furthest apart, or not even at the nearest.

    Equality within a tolerance is meant; a range of what is no number leaves it open.
    """
    (a_low, a_high), (b_low, b_high) = _bounds(a), _bounds(b)
    furthest = ((a_low, b_high), (a_high, b_low))
    try:
        if all(math.isfinite(x) and math.isfinite(y) and equal(x, y) for x, y in furthest):
            return State.HOLDS
        if a_low <= b_high and b_low <= a_high:
            return State.UNDECIDABLE
        nearest = (a_high, b_low) if a_high < b_low else (a_low, b_high)
        return State.UNDECIDABLE if equal(*nearest) else State.REFUTED
    except (TypeError, AttributeError):  # compared as names
        return State.UNDECIDABLE


def _bounds(leaf: Leaf[Any]) -> tuple[float, float]:
    if isinstance(leaf, Between):
        return leaf.low, leaf.high
    if isinstance(leaf, int | float):
        return float(leaf), float(leaf)
    return -math.inf, math.inf  # a schedule or a name against a range of numbers: nothing is refuted by that
