"""The details that no setup holds equal: whether they are, and whom a difference favours.

A shared protocol states as equal what the two sides do not state as different; an exception takes it out.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from prunemark.audit.document.claims import Protocol
from prunemark.audit.document.detail_words import NONE, may_be_one, meant, richer
from prunemark.audit.document.entry import Entry
from prunemark.audit.document.fields import DETAIL_FIELDS
from prunemark.audit.document.metrics import Metric
from prunemark.audit.document.reported_values import ReportedValue
from prunemark.audit.judgement.selection import more_inflated, open_k, with_its_k
from prunemark.setups.factors import show
from prunemark.setups.values import NOT_REPORTED, Conflict, Leaf, NotApplicable, NotReported, State, compare, known

GRANULARITIES = {"layer": 0, "filter": 1, "block": 2, "weight": 4}
"""From coarse to fine; an N:M pattern lies between block and weight. A finer one removes what matters least."""
_N_OF_M = re.compile(r"\d{1,4}:\d{1,4}", re.ASCII)
_N_OF_M_RANK = 3


@dataclass(frozen=True)
class Detail:
    """One detail between two sides. `favours` is an entry, or None where nobody knows.

    `silent` are the entries that do not state it, where that leaves it open; none where both state it and it is open.
    """

    name: str
    state: State
    favours: str | None
    why: str
    silent: tuple[str, ...] = ()


def details(
    winner: Entry, loser: Entry, same: frozenset[str], protocol: Protocol | None, metric: Metric
) -> dict[str, Detail]:
    """The seven details by name; without the granularity for a claim about speed, where it is no advantage."""
    names = [name for name in DETAIL_FIELDS if not (metric.speed and name == "granularity")]
    return {name: _detail(name, DETAIL_FIELDS[name], (winner, loser), same, protocol) for name in names}


def measured_fields(
    winner: Entry, loser: Entry, same: frozenset[str], protocol: Protocol | None, metric: Metric
) -> dict[str, Detail]:
    """How the metric was measured: what has to be equal for the two numbers to be comparable at all."""
    return {name: _detail(name, f"measured.{name}", (winner, loser), same, protocol) for name in metric.measured}


def _detail(
    name: str, field: str, sides: tuple[Entry, Entry], same: frozenset[str], protocol: Protocol | None
) -> Detail:
    (a, x), (b, y) = (_declared(e[field]) if field in same else _read(name, field, e) for e in sides)
    state = compare(x, y, _equal)
    why = f"{show(a)} against {show(b)}"
    if state is State.REFUTED and _open(name, x, y):
        state, why = State.UNDECIDABLE, f"{why}: is this the same?"
    if state is State.HOLDS:
        return Detail(name, state, None, why)
    if state is State.REFUTED:
        return Detail(name, state, _whom(name, sides, x, y), why)
    if protocol is not None and protocol.declares(name):
        return Detail(name, State.HOLDS, None, f"equal by the shared protocol ({protocol.locator})")
    silent = tuple(e.name for e, leaf in zip(sides, (a, b), strict=True) if isinstance(leaf, NotReported))
    return Detail(name, state, None, why, silent)


def _open(name: str, a: Leaf[Any], b: Leaf[Any]) -> bool:
    """Whether two texts may be one thing: the best of k without the k, or one that only says more."""
    x, y = known(a), known(b)
    if not isinstance(x, str) or not isinstance(y, str):
        return False
    return open_k(x, y) if name == "selection" else may_be_one(name, x, y)


def _declared(found: ReportedValue) -> tuple[Leaf[Any], Leaf[Any]]:
    """The token of a value that is declared to be the other side's."""
    return NotReported(found.root), NotReported(found.root)


@lru_cache(maxsize=16384)
def _read(name: str, field: str, entry: Entry) -> tuple[Leaf[Any], Leaf[Any]]:
    """What an entry states of a detail, as it stands and as it is compared."""
    leaf = stated(entry[field])
    return leaf, _as(_reader(name, entry), leaf)


def stated(found: ReportedValue) -> Leaf[Any]:
    """A value; not reported where only a default of published code has it."""
    return found.value if found.stated or isinstance(found.value, NotApplicable) else NOT_REPORTED


def _reader(name: str, entry: Entry) -> Callable[[Any], Any]:
    """How a value of this detail is read to be compared."""
    if name == "selection":
        return lambda value: with_its_k(value, entry)
    return lambda value: value if isinstance(value, float) else meant(name, str(value))


def _as(read: Callable[[Any], Any], leaf: Leaf[Any]) -> Leaf[Any]:
    if isinstance(leaf, Conflict):
        choices: tuple[Any, ...] = tuple(_as(read, choice) for choice in leaf.choices)
        return Conflict(choices)
    one = known(leaf)
    return leaf if one is None else read(one)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9)
    return bool(a == b)


def _granularity_rank(text: str) -> int | None:
    if _N_OF_M.fullmatch(text):
        return _N_OF_M_RANK
    return GRANULARITIES.get("block" if text.endswith("block") else text)


def _whom(name: str, sides: tuple[Entry, Entry], a: Leaf[Any], b: Leaf[Any]) -> str | None:
    """The side with a teacher, smoothing, the richer augmentation, more selection, the finer granularity.

    Of batch size and weight decay nobody knows.
    """
    x, y = known(a), known(b)
    if x is None or y is None:
        return None
    more: bool | None = None
    if name == "label_smoothing" and 0 in (x, y):
        more = x > y
    elif name == "selection":
        more = more_inflated(x, y)
    elif name == "granularity":
        more = _more(_granularity_rank(x), _granularity_rank(y))
    elif name == "distillation" and NONE in (x, y):
        more = y == NONE
    elif name == "augmentation":
        more = richer(x, y)
    return None if more is None else sides[0].name if more else sides[1].name


def _more(a: int | None, b: int | None) -> bool | None:
    return None if a is None or b is None or a == b else a > b
