"""The comparison document, `prunemark-comparison/1`: a claim, the entries it is about, and crossed results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from prunemark.audit.document.entry import REPORTED_VALUES, Entry, read_entry
from prunemark.audit.document.reported_values import ReportedValue, number, read_value
from prunemark.audit.document.same_as import EntryNodes
from prunemark.audit.document.yaml_nodes import Node, parse, read_file
from prunemark.setups.errors import InputError, unknown_name

SCHEMA = "prunemark-comparison/1"
ClaimKind = Literal["better", "at_least_as_good"]
Credit = Literal["pruning", "base", "retraining", "pipeline"]
MAX_ENTRIES = 500
_RESULT = {name: convert for name, convert in REPORTED_VALUES.items() if name.startswith("result.")}


@dataclass(frozen=True)
class Claim:
    """Who is said to beat whom, and what it is credited to. `margin_pp` is in points."""

    winner: str
    loser: str
    kind: ClaimKind = "better"
    credited_to: Credit = "pruning"
    margin_pp: float | None = None


@dataclass(frozen=True)
class CrossedResult:
    """One method retrained by the other one's recipe."""

    method: str
    retraining: str
    result: Mapping[str, ReportedValue]


@dataclass(frozen=True)
class Comparison:
    """A document, read."""

    claim: Claim
    entries: Mapping[str, Entry]
    cross: tuple[CrossedResult, ...] = ()
    ignored: tuple[str, ...] = ()


def load(path: Path) -> Comparison:
    """Reads a document from a file. Raises InputError with the place of what is wrong."""
    return read(parse(read_file(path), str(path)))


def loads(text: str | bytes, name: str = "document") -> Comparison:
    """Reads a document from text. Raises InputError with the place of what is wrong."""
    return read(parse(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text, name))


def read(root: Node) -> Comparison:
    """A document from its YAML nodes. Raises InputError with the place of what is wrong."""
    if root.kind != "mapping":
        raise InputError(
            f"{root.where}: a comparison document is a mapping of schema, claim and entries, not a {root.kind}.\n"
            "`prunemark audit --template` writes one"
        )
    _check_schema(root)
    entries = _entries(root)
    claim = _claim(root, entries)
    nodes = EntryNodes(entries)
    read_entries = {name: read_entry(name, nodes) for name in entries}
    cross = _cross(root.entries.get("cross"), entries)
    known = {"schema", "claim", "entries", "cross", "title", "notes", "note", "why"}
    return Comparison(claim, read_entries, cross, tuple(key[:60] for key in root.entries if key not in known)[:20])


def _check_schema(root: Node) -> None:
    given = root.entries.get("schema")
    if given is None:
        raise InputError(f"{root.where}: the first line of a document is `schema: {SCHEMA}`")
    if given.text.strip() != SCHEMA:
        raise InputError(f"{given.where}: schema {given.text[:60]!r}; this version reads {SCHEMA!r}")


def _entries(root: Node) -> dict[str, Node]:
    node = root.entries.get("entries")
    if node is None or node.kind != "mapping" or len(node.entries) < 2:
        where = (node or root).where
        raise InputError(f"{where}: `entries` names two or more pipelines, as in entries: {{A: {{...}}, B: {{...}}}}")
    if len(node.entries) > MAX_ENTRIES:
        raise InputError(f"{node.where}: {len(node.entries)} entries; at most {MAX_ENTRIES} are read")
    return dict(node.entries)


def _claim(root: Node, entries: Mapping[str, Node]) -> Claim:
    node = root.entries.get("claim")
    if node is None or node.kind != "mapping":
        raise InputError(
            f"{(node or root).where}: a claim is wanted, as in claim: {{winner: A, loser: B, kind: better}}"
        )
    winner, loser = (_entry_name(node, key, entries) for key in ("winner", "loser"))
    if winner == loser:
        raise InputError(f"{node.where}: the winner and the loser are one entry, {winner!r}")
    kind = _one_of(node, "kind", get_args(ClaimKind), "better")
    credit = _one_of(node, "credited_to", get_args(Credit), "pruning")
    margin = _margin(node)
    if kind == "at_least_as_good" and margin is None:
        raise InputError(f"{node.where}: `at_least_as_good` needs `margin`, in points, as in margin: 0.3")
    return Claim(winner, loser, kind, credit, margin)  # type: ignore[arg-type]


def _margin(claim: Node) -> float | None:
    node = claim.entries.get("margin")
    if node is None:
        return None
    read_margin = number(0, 100, what="a margin in points, above 0, as in 0.3", above=True)
    value = read_value(node, "margin", read_margin).value
    if not isinstance(value, float):
        raise InputError(f"{node.where}: the margin is one number of points, as in 0.3")
    return value


def _entry_name(node: Node, key: str, entries: Mapping[str, Node]) -> str:
    given = node.entries.get(key)
    if given is None:
        raise InputError(f"{node.where}: the claim needs `{key}`, the name of an entry: {', '.join(entries)[:200]}")
    if given.kind != "scalar" or given.text not in entries:
        problem = unknown_name("entry", given.text[:60], entries)
        raise InputError(f"{given.where}: {key}: {problem.args[0]}")
    return given.text


def _one_of(node: Node, key: str, valid: tuple[str, ...], default: str) -> str:
    given = node.entries.get(key)
    if given is None or (given.kind == "scalar" and not given.text.strip()):
        return default
    value = given.text.strip()
    if given.kind != "scalar" or value not in valid:
        problem = unknown_name(key, value[:60], valid)
        raise InputError(f"{given.where}: {problem.args[0]}")
    return value


def _cross(node: Node | None, entries: Mapping[str, Node]) -> tuple[CrossedResult, ...]:
    if node is None or (node.kind == "scalar" and not node.text.strip()):
        return ()
    if node.kind != "sequence":
        raise InputError(f"{node.where}: cross is a list, as in [{{method: A, retraining: B, result: {{top1: 75.5}}}}]")
    found = []
    for item in node.items:
        if item.kind != "mapping" or "result" not in item.entries:
            raise InputError(f"{item.where}: a crossed result has method, retraining and result")
        method, recipe = (_entry_name(item, key, entries) for key in ("method", "retraining"))
        nodes = EntryNodes({"cross": item})
        result = {}
        for name, convert in _RESULT.items():
            place = nodes.find("cross", name.split("."))
            result[name] = read_value(place.node, f"cross.{method}.{recipe}.{name}", convert, place.provenance)
        found.append(CrossedResult(method, recipe, result))
    return tuple(found)
