"""Reading one reported value: a number or a word, silence, `n/a`, a range, a conflict, and how good the evidence is."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.text import as_given
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Between, Conflict, Leaf

Provenance = Literal["stated", "log", "code_default", "inferred"]
PROVENANCE: dict[str, str] = {
    "stated": "the paper says so",
    "log": "a log or record of the run says so",
    "code_default": "the published code would do so by default; what was run may have been something else",
    "inferred": "worked out from other things that are stated",
}
FORMS = "a value, n/a, {min: 1}, {range: [20, 30]}, {conflict: [x, y]}, {same_as: B} or {value: x, evidence: log}"
MAX_CHOICES = 20
_SILENT = {"", "~", "null", "none reported", "not reported", "not_reported", "nan", "?"}
NOT_APPLICABLE_WORDS = {"n/a", "not applicable", "not_applicable"}
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)

LEAST, MOST, LONGEST_NUMBER = 1e-15, 1e15, 60
"""Numbers between these, and 0, are read: the squares of squares of others leave what a computer can hold."""

Convert = Callable[[Node], Any]


@dataclass(frozen=True)
class ReportedValue:
    """What one entry says of one thing.

    `root` names the value it comes from, so that two values declared to be the same have one root;
    `decimals` is how many a printed number has, when it is one number; `first` is the LR that a schedule
    starts from, known even where its length is not.
    """

    value: Leaf[Any] = NOT_REPORTED
    root: str = ""
    provenance: Provenance = "stated"
    decimals: int | None = None
    where: str = ""
    first: float | None = None


def read_value(node: Node | None, root: str, convert: Convert, provenance: Provenance = "stated") -> ReportedValue:
    """Reads a value whose `same_as` was followed already. Raises InputError with the place and the forms."""
    if node is None:
        return ReportedValue(root=root, provenance=provenance)
    if node.kind == "mapping" and "value" in node.entries:
        graded = read_provenance(node.entries["evidence"]) if "evidence" in node.entries else provenance
        _only(node, {"value", "evidence", "note", "source"})
        return read_value(node.entries["value"], root, convert, graded)
    value = _value(node, convert)
    decimals = printed_decimals(node.text) if node.kind == "scalar" and isinstance(value, float) else None
    return ReportedValue(value, root, provenance, decimals, node.where)


def is_silent(node: Node) -> bool:
    """Whether a scalar says nothing, or that the question does not apply."""
    return node.kind == "scalar" and node.text.strip().lower() in _SILENT | NOT_APPLICABLE_WORDS


def _value(node: Node, convert: Convert) -> Leaf[Any]:
    if node.kind == "scalar":
        plain = node.text.strip().lower()
        if plain in NOT_APPLICABLE_WORDS:
            return NOT_APPLICABLE
        if plain in _SILENT and (not node.quoted or plain != "null"):
            return NOT_REPORTED
        if plain.startswith((">=", "≥")):  # as tables print it
            return Between(read_number(Node("scalar", node.where, plain.lstrip(">=≥").strip())))
        return convert(node)
    forms = {"min", "range", "conflict"} & set(node.entries)
    if node.kind == "mapping" and len(forms) == 1:
        (form,) = forms
        _only(node, {form, "evidence", "note", "source"})
        inner = node.entries[form]
        if form == "conflict":
            return _conflict(inner, convert)
        return Between(read_number(inner)) if form == "min" else _range(inner)
    return convert(node)


def _conflict(node: Node, convert: Convert) -> Leaf[Any]:
    if node.kind != "sequence" or len(node.items) < 2:
        raise InputError(f"{node.where}: a conflict lists what two or more sources say, as in {{conflict: [90, 100]}}")
    if len(node.items) > MAX_CHOICES:
        raise InputError(f"{node.where}: a conflict of {len(node.items)} sources; at most {MAX_CHOICES} are read")
    choices = []
    for item in node.items:
        if item.kind == "mapping" and "conflict" in item.entries:
            raise InputError(f"{item.where}: a conflict cannot hold another one; list all choices in one")
        choices.append(_value(item, convert))
    return Conflict(tuple(choices))


def _range(node: Node) -> Leaf[Any]:
    if node.kind != "sequence" or len(node.items) != 2:
        raise InputError(f"{node.where}: a range has two ends, as in {{range: [20, 30]}}")
    low, high = (read_number(item) for item in node.items)
    if low > high:
        raise InputError(f"{node.where}: a range goes from the lower to the higher end; given {low:g} to {high:g}")
    return low if low == high else Between(low, high)


def _only(node: Node, known: set[str]) -> None:
    strange = sorted(set(node.entries) - known)
    if strange:
        raise InputError(f"{node.where}: {strange[0][:60]!r} does not belong here. A value is {FORMS}")


def read_provenance(node: Node) -> Provenance:
    """A grade of evidence. Raises InputError with the valid ones."""
    grade = node.text.strip().lower().replace("-", "_").replace(" ", "_")
    if node.kind != "scalar" or grade not in PROVENANCE:
        problem = unknown_name("grade of evidence", node.text[:60], PROVENANCE)
        raise InputError(f"{node.where}: {problem.args[0]}")
    return grade  # type: ignore[return-value]


def read_number(node: Node) -> float:
    """A number of a usual size, also where YAML saw a string (`5e-3`). Raises InputError with the place."""
    text = node.text.strip()
    if node.kind == "scalar" and len(text) <= LONGEST_NUMBER and _NUMBER.fullmatch(text):
        value = float(text)
        if not value or LEAST <= abs(value) <= MOST:
            return value
    given = as_given(text) if node.kind == "scalar" else f"a {node.kind}"
    raise InputError(f"{node.where}: a number is wanted, as in 90 or 5e-3; given {given}. A value is {FORMS}")


def number(
    low: float = -math.inf, high: float = math.inf, what: str = "a number", above: bool = False
) -> Callable[[Node], float]:
    """A reader of numbers from `low` to `high` (or above `low`), which says what is wanted otherwise."""

    def read(node: Node) -> float:
        value = read_number(node)
        if not low <= value <= high or (above and value <= low):
            raise InputError(f"{node.where}: {what} is wanted; given {node.text.strip()[:40]}")
        return value

    return read


def number_or_none(node: Node) -> float:
    """A number that is not negative; `none` is 0, as for a recipe without label smoothing."""
    if node.kind == "scalar" and node.text.strip().lower() in ("none", "no", "off", "false"):
        return 0.0
    return number(0, what="a number that is not negative, or none")(node)


def times(node: Node) -> float:
    """A ratio above 0, as 2.31 or 2.31x."""
    plain = replace(node, text=node.text.strip().removesuffix("x").removesuffix("×").strip())
    return number(0, above=True, what="dense MACs over pruned MACs, above 0, as in 2.31")(plain)


def percent(node: Node) -> float:
    """An accuracy in percent. Raises InputError for what looks like a fraction: 0.7524 is 75.24 %."""
    text = node.text.strip().removesuffix("%").strip()
    value = read_number(replace(node, text=text))
    if not 0 <= value <= 100:
        raise InputError(f"{node.where}: an accuracy in percent lies between 0 and 100; given {text[:40]}")
    if 0 < value <= 1 and not node.text.strip().endswith("%"):
        raise InputError(
            f"{node.where}: {text[:40]} looks like a fraction. Accuracies are in percent: "
            f"write {value * 100:g} (or {value:g}% if it is that low)"
        )
    return value


def share(node: Node) -> float:
    """A share from 0 to 1, from a fraction or a percentage. Raises InputError for 1, which may be either."""
    text = node.text.strip()
    is_percent = text.endswith("%")
    value = read_number(replace(node, text=text.removesuffix("%").strip()))
    if value == 1 and not is_percent:
        raise InputError(f"{node.where}: 1 may mean all of it or one percent. Write 100% or 1% (or a fraction, 0.01)")
    found = value / 100 if is_percent or value > 1 else value
    if not 0 <= found <= 1:
        raise InputError(f"{node.where}: a share lies between 0 and 1, or 0% and 100%; given {text[:40]}")
    return found


def word(node: Node) -> str:
    """A text on one line. Raises InputError for a list or a mapping."""
    if node.kind != "scalar":
        raise InputError(f"{node.where}: a word or a number is wanted, not a {node.kind}. A value is {FORMS}")
    return " ".join(node.text.split())[:500]


def bounds(value: Leaf[Any]) -> tuple[float, float] | None:
    """The lowest and the highest number that is reported; None where a source gives no number."""
    if isinstance(value, Conflict):
        found = [bounds(choice) for choice in value.choices]
        ends = [end for end in found if end is not None]
        return (min(low for low, _ in ends), max(high for _, high in ends)) if len(ends) == len(found) else None
    if isinstance(value, Between):
        return value.low, value.high
    return (float(value), float(value)) if isinstance(value, int | float) else None


def printed_decimals(text: str) -> int:
    """How many decimals a number was printed with: '75.20' has 2, '5e-3' has 3."""
    mantissa, _, exponent = text.strip().rstrip("%xX×").strip().lower().partition("e")
    return max(0, len(mantissa.partition(".")[2]) - int(exponent or 0))
