"""How much each side is compressed, and whether it is as much: by MACs and by weights, on what rounds to the print.

A printed number is the interval of what rounds to it, and a number that follows from others is computed on their
intervals. Two numbers printed alike are equal: a target that both were pruned to. Where a source states one quantity
in more than one way, what it says together counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.reported_values import ReportedValue
from prunemark.setups.assessment import combine
from prunemark.setups.factors import COMPRESSION_TOLERANCE, FactorFinding, show
from prunemark.setups.values import (
    NOT_REPORTED,
    Between,
    Conflict,
    Leaf,
    NotApplicable,
    NotReported,
    State,
    compare,
)

Range = tuple[float, float]
FIELDS = {
    "MACs": ("speedup", "macs_kept", "macs_kept_millions"),
    "weights": ("sparsity", "params_kept", "params_kept_millions"),
}


@dataclass(frozen=True)
class Measured:
    """One quantity of one side: dense over kept. `printed` are its numbers by field; `text` is for people.

    `kept` is what is kept in millions, for networks of which nobody states how much they had.
    """

    ratio: Leaf[float]
    printed: dict[str, Leaf[float]]
    text: str
    kept: Leaf[float] = NOT_REPORTED


@lru_cache(maxsize=64)
def compression_finding(winner: Entry, loser: Entry, same: frozenset[str]) -> FactorFinding:
    """Whether both are compressed alike, by every quantity that both state; a fortiori where the winner is more so.

    The last ones are kept: a pair is looked at for whether it can be compared, and then audited.
    """
    found = []
    sides = [(measures(winner)[quantity], measures(loser)[quantity]) for quantity in FIELDS]
    for (a, b), fields in zip(sides, FIELDS.values(), strict=True):
        if any(field in same for field in fields):
            found.append((State.HOLDS, "not reported, but declared to be the same on both sides", a, b))
        elif NOT_REPORTED not in (a.ratio, b.ratio):
            found.append((*_compared(a, b), a, b))
        elif _only_kept(a, fields[-1]) and _only_kept(b, fields[-1]):  # of one network, whatever its size
            found.append((*_compared(_per_kept(a, fields[-1]), _per_kept(b, fields[-1])), a, b))
    if not found:
        return _nothing_in_common(*(next((m for m in side if m.text), side[0]) for side in zip(*sides, strict=True)))
    state = combine(each for each, *_ in found)
    _, why, a, b = next(each for each in found if each[0] is state)
    return FactorFinding("compression", state, why, a.text, b.text)


def one_sided(winner: Entry, loser: Entry) -> tuple[str, ...]:
    """The sides that do not say how much is left of the MACs, or of the weights, where the other one does.

    Also those that say what is left in millions and not of how many, unless both print the same.
    """
    for quantity, fields in FIELDS.items() if "dense" not in (winner.kind, loser.kind) else ():
        a, b = measures(winner)[quantity], measures(loser)[quantity]
        if NOT_REPORTED not in (a.ratio, b.ratio) or not (a.printed or b.printed):
            continue
        same = a.printed and _equal(a.printed.get(fields[-1], NOT_REPORTED), b.printed.get(fields[-1]))
        if not same:
            return tuple(e.name for e, one in ((winner, a), (loser, b)) if one.ratio == NOT_REPORTED)
    return ()


def at_a_glance(winner: Entry, loser: Entry) -> State | None:
    """The state of `compression_finding` where it can be seen at once, which is ten times as fast; None elsewhere.

    REFUTED: the winner is compressed less by some measure. UNDECIDABLE: they have no measure in common.
    """
    one, other = measures(winner), measures(loser)
    common = False
    for quantity, fields in FIELDS.items():
        a, b = one[quantity], other[quantity]
        common = common or NOT_REPORTED not in (a.ratio, b.ratio)
        common = common or (_only_kept(a, fields[-1]) and _only_kept(b, fields[-1]))
        if (
            type(a.ratio) is Between and type(b.ratio) is Between
            and a.ratio.high < b.ratio.low * (1 - COMPRESSION_TOLERANCE)
            and not any(_equal(value, b.printed.get(field)) for field, value in a.printed.items())
        ):  # fmt: skip
            return State.REFUTED
    return None if common else State.UNDECIDABLE


def _compared(a: Measured, b: Measured) -> tuple[State, str]:
    if any(_equal(value, b.printed.get(field)) for field, value in a.printed.items()):
        return State.HOLDS, "equal (within 2 %)"
    state = compare(a.ratio, b.ratio, _within)
    if state is State.HOLDS:
        return state, "equal (within 2 %)"
    lows, highs = _ends(a.ratio), _ends(b.ratio)
    if lows and highs and min(lows) > max(highs):
        return State.HOLDS_A_FORTIORI, f"{a.text} against {b.text}: the claimed winner is compressed more"
    if state is State.UNDECIDABLE:
        return state, f"{a.text} against {b.text}: whether it is within 2 % is left open by the printed digits"
    return state, f"{a.text} against {b.text} (needed: within 2 %)"


def _only_kept(a: Measured, field: str) -> bool:
    return isinstance(a.printed.get(field), float)


def _per_kept(a: Measured, field: str) -> Measured:
    return replace(a, ratio=_ratio(a.kept, _inverse), printed={field: a.printed[field]})


def _equal(a: Leaf[float], b: Leaf[float] | None) -> bool:
    return isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-9)


def _within(a: float, b: float) -> bool:
    return abs(a - b) <= COMPRESSION_TOLERANCE * max(abs(a), abs(b))


def _nothing_in_common(a: Measured, b: Measured) -> FactorFinding:
    silent = [side for side, one in (("left", a), ("right", b)) if not one.text]
    why = f"not reported on the {' and '.join(silent)}" if silent else "one side states its MACs, the other its weights"
    texts = (one.text or show(NOT_REPORTED) for one in (a, b))
    return FactorFinding("compression", State.UNDECIDABLE, why, *texts)


def _ends(value: Leaf[float]) -> list[float]:
    if isinstance(value, Conflict):
        return [end for choice in value.choices for end in (_ends(choice) or [math.nan])]
    if isinstance(value, Between):
        return [value.low, value.high]
    return [value] if isinstance(value, float) else []


@lru_cache(maxsize=4096)
def measures(entry: Entry) -> dict[str, Measured]:
    """Both quantities of an entry."""
    whole: Leaf[float] = 1.0 if entry.kind == "dense" else NOT_REPORTED
    macs, params = entry["network.dense_macs_millions"], entry["network.dense_params_millions"]
    by_macs = [
        _leaf(entry["speedup"], lambda r: r),
        ratio_of_share(entry["macs_kept"]),
        over(macs, entry["macs_kept_millions"]),
    ]
    by_weights = [
        _leaf(entry["sparsity"], lambda r: _inverse((1 - r[1], 1 - r[0]))),
        _kept_parameters(entry["params_kept"], params),
        over(params, entry["params_kept_millions"]),
    ]
    return {
        "MACs": _measured(entry, "MACs", by_macs, whole),
        "weights": _measured(entry, "weights", by_weights, NOT_REPORTED),
    }


def _measured(entry: Entry, quantity: str, ways: list[Leaf[float]], otherwise: Leaf[float]) -> Measured:
    stated = [way for way in ways if way != NOT_REPORTED]
    printed = {field: entry[field].value for field in FIELDS[quantity] if entry[field].stated}
    if quantity == "weights" and "sparsity" not in printed and isinstance(kept := printed.get("params_kept"), float):
        printed |= {"sparsity": 1 - kept} if kept <= 1 else {}
    kept_millions = entry[FIELDS[quantity][-1]].printed
    texts = [_text(field, value) for field, value in printed.items()]
    if not stated:
        return Measured(
            otherwise, printed, texts[0] if texts else ("" if otherwise == NOT_REPORTED else "1"), kept_millions
        )
    return Measured(_together(stated), printed, texts[0] if texts else "", kept_millions)


def _text(field: str, value: Leaf[float]) -> str:
    words = {"macs_kept": "of the MACs", "macs_kept_millions": "M MACs kept", "sparsity": "sparsity",
             "params_kept": "of the parameters", "params_kept_millions": "M parameters kept"}  # fmt: skip
    return f"{show(value)} {words[field]}" if field in words else show(value)


def _together(ways: list[Leaf[float]]) -> Leaf[float]:
    """What all ways of stating it leave possible; the first, where two overlap only within the record's tolerance."""
    ranges = [(w.low, w.high) for w in ways if isinstance(w, Between)]
    if len(ranges) < len(ways) or len(ranges) == 1:
        return ways[0]
    low, high = max(low for low, _ in ranges), min(high for _, high in ranges)
    return Between(low, high) if low <= high else ways[0]


def _leaf(value: ReportedValue, ratio: Callable[[Range], Range]) -> Leaf[float]:
    """The ratio that follows from a value, on its interval; choice by choice for a conflict."""
    return _ratio(value.printed, ratio) if value.stated else NOT_REPORTED


def _ratio(leaf: Leaf[float], ratio: Callable[[Range], Range]) -> Leaf[float]:
    if isinstance(leaf, Conflict):
        choices = tuple(_ratio(choice, ratio) for choice in leaf.choices)
        return Conflict(choices)  # type: ignore[arg-type]
    if isinstance(leaf, NotReported | NotApplicable):
        return leaf
    low, high = (leaf.low, leaf.high) if isinstance(leaf, Between) else (leaf, leaf)
    return Between(*ratio((low, high)))


def _inverse(kept: Range) -> Range:
    low, high = (1 / part if part > 0 else math.inf for part in (kept[1], kept[0]))
    return low, high


def ratio_of_share(kept: ReportedValue) -> Leaf[float]:
    """The speed-up of a network that keeps a share of its MACs, on what rounds to it."""
    return _leaf(kept, _inverse)


def over(dense: ReportedValue, kept: ReportedValue) -> Leaf[float]:
    """Dense over kept, on what rounds to both; not reported unless both are one number."""
    whole, part = dense.printed, kept.printed
    if not (dense.stated and kept.stated and isinstance(whole, Between) and isinstance(part, Between)):
        return NOT_REPORTED
    low, high = whole.low / part.high, whole.high / part.low if part.low > 0 else math.inf
    return Between(low, high)


def _kept_parameters(kept: ReportedValue, dense: ReportedValue) -> Leaf[float]:
    """Up to 1 a share; above, a percentage, or millions where the dense network has as many: both are possible."""
    value, printed = kept.value, kept.printed
    if not kept.stated or not isinstance(value, float) or not isinstance(printed, Between):
        return NOT_REPORTED if not isinstance(value, NotApplicable) else value
    if value <= 1:
        return Between(*_inverse((printed.low, printed.high)))
    readings: list[Leaf[float]] = []
    if value <= 100:
        readings.append(Between(*_inverse((printed.low / 100, printed.high / 100))))
    if isinstance(dense.value, float) and dense.stated and value <= dense.value:
        readings.append(over(dense, kept))
    if not readings:
        return NOT_REPORTED
    return readings[0] if len(readings) == 1 else Conflict(tuple(readings))  # type: ignore[arg-type]
