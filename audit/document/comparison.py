"""The comparison document, `prunemark-comparison/1`: claims, the entries they are about, and crossed results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from prunemark.audit.document.claims import Claim, Protocol, entry_name, read_claims, read_protocol
from prunemark.audit.document.entry import Entry, read_entry, read_reported
from prunemark.audit.document.fields import INNER_KEYS, REMARKS, REPORTED_VALUES
from prunemark.audit.document.reported_values import ReportedValue
from prunemark.audit.document.same_as import EntryNodes
from prunemark.audit.document.unknown_fields import only_known
from prunemark.audit.document.yaml_nodes import Node, parse, read_file
from prunemark.setups.errors import InputError

SCHEMA = "prunemark-comparison/1"
MAX_ENTRIES = 500
DOCUMENT_KEYS = ("schema", "claim", "claims", "protocol", "entries", "cross", "title", *REMARKS)
CROSS_KEYS = ("method", "retraining", "result", *REMARKS)


@dataclass(frozen=True)
class CrossedResult:
    """One method retrained by the other one's recipe."""

    method: str
    retraining: str
    result: Mapping[str, ReportedValue]


@dataclass(frozen=True)
class Comparison:
    """A document, read. `claims` has all claims, of which `claim` is the first."""

    claims: tuple[Claim, ...]
    entries: Mapping[str, Entry]
    cross: tuple[CrossedResult, ...] = ()
    protocol: Protocol | None = None

    @property
    def claim(self) -> Claim:
        """The first claim, which mostly is the only one."""
        return self.claims[0]

    def each(self) -> tuple[Comparison, ...]:
        """One comparison for each claim."""
        return tuple(replace(self, claims=(claim,)) for claim in self.claims)


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
    only_known(root, "a document", DOCUMENT_KEYS)
    entries = _entries(root)
    claims = read_claims(root, entries)
    protocol = read_protocol(root.entries.get("protocol"))
    nodes = EntryNodes(entries)
    read_entries = {name: read_entry(name, nodes) for name in entries}
    return Comparison(claims, read_entries, _cross(root.entries.get("cross"), entries), protocol)


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


def _cross(node: Node | None, entries: Mapping[str, Node]) -> tuple[CrossedResult, ...]:
    if node is None or (node.kind == "scalar" and not node.text.strip()):
        return ()
    if node.kind != "sequence":
        raise InputError(f"{node.where}: cross is a list, as in [{{method: A, retraining: B, result: {{top1: 75.5}}}}]")
    return tuple(_crossed(item, entries) for item in node.items)


def _crossed(item: Node, entries: Mapping[str, Node]) -> CrossedResult:
    result = item.entries.get("result")
    if item.kind != "mapping" or result is None or result.kind != "mapping":
        raise InputError(f"{item.where}: a crossed result has method, retraining and result")
    only_known(item, "a crossed result", CROSS_KEYS)
    only_known(result, "result", INNER_KEYS["result"])
    method, recipe = (entry_name(item, key, entries) for key in ("method", "retraining"))
    if method == recipe:
        raise InputError(f"{item.where}: {method} retrained by its own recipe is its entry; cross it with another one")
    fields = [name for name in REPORTED_VALUES if name.startswith("result.")]
    return CrossedResult(method, recipe, read_reported(EntryNodes({"cross": item}), "cross", fields))
