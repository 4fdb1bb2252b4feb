"""What the protocol of a paper states for every row of a table, and for some methods: `--common protocol.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prunemark.audit.document.fields import ENTRY_KEYS, REMARKS
from prunemark.audit.document.yaml_nodes import Node, parse, read_file
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.factors import plain_name

ENTRY_FIELDS = frozenset(ENTRY_KEYS) - {"method", "title", *REMARKS}
OWN_FIELDS = frozenset({"schema", "protocol", "claim", "methods", "notes", "note", "title"})
CLAIM_FIELDS = frozenset({"kind", "credited_to", "margin", "metric"})


@dataclass(frozen=True)
class Common:
    """Fields of an entry that hold for every row; those of one method, which come before; the claim and protocol."""

    entry: Node = field(default_factory=lambda: Node("mapping", ""))
    methods: Mapping[str, Node] = field(default_factory=dict)
    claim: Mapping[str, Node] = field(default_factory=dict)
    protocol: Node | None = None

    def of(self, method: str) -> Node:
        """What is stated for the rows of this method."""
        own = self.methods.get(plain_name(method))
        return merged(self.entry, own) if own else self.entry


def load_common(path: Path) -> Common:
    """Reads the file. Raises InputError, with the place, for a field that no entry has."""
    return read_common(parse(read_file(path), str(path)))


def read_common(root: Node) -> Common:
    """The same of nodes. Raises InputError."""
    _mapping(root, "the fields of an entry that hold for every row, as in dataset: ImageNet")
    for key, node in root.entries.items():
        if key not in ENTRY_FIELDS | OWN_FIELDS:
            problem = unknown_name("field", key[:60], ENTRY_FIELDS | OWN_FIELDS)
            raise InputError(f"{node.where}: {problem.args[0]}")
    methods = root.entries.get("methods")
    claim = root.entries.get("claim")
    by_method = {}
    for name, node in (_mapping(methods, "names of methods, each with its fields").entries if methods else {}).items():
        _mapping(node, "fields of an entry, as in {source: {quoted: true}}")
        _only(node, ENTRY_FIELDS)
        by_method[plain_name(name)] = node
    if claim is not None:
        _only(_mapping(claim, "kind, margin, credited_to or metric; the winner is --ours"), CLAIM_FIELDS)
    entry = Node("mapping", root.where, entries={k: v for k, v in root.entries.items() if k in ENTRY_FIELDS})
    return Common(entry, by_method, claim.entries if claim else {}, root.entries.get("protocol"))


def _mapping(node: Node, what: str) -> Node:
    if node.kind != "mapping":
        raise InputError(f"{node.where}: a mapping is wanted here: {what}")
    return node


def _only(node: Node, known: frozenset[str]) -> None:
    for key, value in node.entries.items():
        if key not in known:
            problem = unknown_name("field", key[:60], known)
            raise InputError(f"{value.where}: {problem.args[0]}")


def merged(below: Node, above: Node) -> Node:
    """Two mappings as one; where both have a value, that of `above` counts."""
    if below.kind != "mapping" or above.kind != "mapping":
        return above
    if {"same_as", "value", "conflict", "min", "range"} & {*below.entries, *above.entries}:
        return above
    entries = dict(below.entries)
    for key, value in above.entries.items():
        entries[key] = merged(entries[key], value) if key in entries else value
    return Node("mapping", above.where or below.where, entries=entries)


def text_of(node: Node, *path: str) -> str:
    """The plain text at a path; nothing where there is none."""
    for key in path:
        if node.kind == "scalar" and key == "name":  # network: ResNet-50
            break
        if node.kind != "mapping" or key not in node.entries:
            return ""
        node = node.entries[key]
    return node.text.strip() if node.kind == "scalar" else ""
