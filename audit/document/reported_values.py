"""Reading one reported value: a number or a word, silence, `n/a`, a range, a conflict, and how good the evidence is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from prunemark.audit.document.quantities import half_a_unit, printed_decimals, read_number
from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError, unknown_name
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
_REMARKS = ("evidence", "note", "notes", "source")
_SILENT = {
    "", "~", "null", "none reported", "not_reported", "nan", "?", "-", "--", "\u2013", "\u2014", "unknown", "unclear",
    "unspecified", "undisclosed", "unstated", "nr", "n.r.",
    *(f"not {said}" for said in ("reported", "stated", "specified", "given", "mentioned", "disclosed", "known")),
}  # fmt: skip
NOT_APPLICABLE_WORDS = {"n/a", "not applicable", "not_applicable"}

Convert = Callable[[Node], Any]


@dataclass(frozen=True)
class ReportedValue:
    """What one entry says of one thing.

    `root` names the value it comes from, so that two values declared to be the same have one root;
    `decimals` is how many a printed number has, when it is one number, and `half` is half of its last digit, in the
    unit of the value: what rounds to the number lies so far around it. `first` is the LR that a schedule starts from,
    known even where its length is not.
    """

    value: Leaf[Any] = NOT_REPORTED
    root: str = ""
    provenance: Provenance = "stated"
    decimals: int | None = None
    where: str = ""
    first: float | None = None
    half: float | None = None

    @cached_property
    def stated(self) -> bool:
        """Whether the source says it: a default of published code states nothing."""
        return self.value != NOT_REPORTED and self.provenance != "code_default"

    @property
    def printed(self) -> Leaf[Any]:
        """The interval of what rounds to the printed number; another value as it is."""
        if self.half is None or not isinstance(self.value, float):
            return self.value
        return Between(max(0.0, self.value - self.half), self.value + self.half)


def read_value(node: Node | None, root: str, convert: Convert, provenance: Provenance = "stated") -> ReportedValue:
    """Reads a value whose `same_as` was followed already. Raises InputError with the place and the forms."""
    if node is None:
        return ReportedValue(root=root, provenance=provenance)
    if node.kind == "mapping" and "value" in node.entries:
        graded = read_provenance(node.entries["evidence"]) if "evidence" in node.entries else provenance
        _only(node, {"value", *_REMARKS})
        return read_value(node.entries["value"], root, convert, graded)
    value = _value(node, convert)
    if node.kind != "scalar" or not isinstance(value, float):
        return ReportedValue(value, root, provenance, where=node.where)
    half = half_a_unit(node.text, value)
    return ReportedValue(value, root, provenance, printed_decimals(node.text), node.where, half=half)


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
            return Between(_end(Node("scalar", node.where, plain.lstrip(">=≥").strip()), convert))
        return convert(node)
    forms = {"min", "range", "conflict"} & set(node.entries) if "kind" not in node.entries else set()
    if node.kind == "mapping" and len(forms) == 1:
        (form,) = forms
        _only(node, {form, *_REMARKS})
        inner = node.entries[form]
        if form == "conflict":
            return _conflict(inner, convert)
        return Between(_end(inner, convert)) if form == "min" else _range(inner, convert)
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


def _range(node: Node, convert: Convert) -> Leaf[Any]:
    if node.kind != "sequence" or len(node.items) != 2:
        raise InputError(f"{node.where}: a range has two ends, as in {{range: [20, 30]}}")
    low, high = (_end(item, convert) for item in node.items)
    if low > high:
        raise InputError(f"{node.where}: a range goes from the lower to the higher end; given {low:g} to {high:g}")
    return low if low == high else Between(low, high)


def _end(node: Node, convert: Convert) -> float:
    """An end of a range, in the unit of its field. Raises InputError for what is no number."""
    value = convert(node)
    return value if isinstance(value, float) else read_number(node)


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
