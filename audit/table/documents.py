"""A comparison of a table as a document in YAML, to be completed by a reader and audited again."""

from __future__ import annotations

import json
import re

from prunemark.audit.document.yaml_nodes import Node

HEAD = "# written by: prunemark audit table\n"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./+-]*", re.ASCII)
_WORDS = frozenset({"null", "true", "false", "yes", "no", "on", "off", "nan"})


def as_yaml(document: Node) -> str:
    """The document as text, which reads back as the same values."""
    return HEAD + "\n".join(_block(document, 0)) + "\n"


def _block(node: Node, depth: int) -> list[str]:
    lines = []
    for key, value in node.entries.items():
        start = f"{'  ' * depth}{_scalar(key)}:"
        if value.kind == "mapping" and value.entries and depth < 2:
            lines += [start, *_block(value, depth + 1)]
        else:
            lines.append(f"{start} {_flow(value)}")
    return lines


def _flow(node: Node) -> str:
    if node.kind == "mapping":
        return "{" + ", ".join(f"{_scalar(key)}: {_flow(value)}" for key, value in node.entries.items()) + "}"
    if node.kind == "sequence":
        return "[" + ", ".join(_flow(item) for item in node.items) + "]"
    return json.dumps(node.text) if node.quoted else _scalar(node.text)


def _scalar(text: str) -> str:
    """As it is where YAML takes it so; else in quotation marks, in which JSON and YAML agree."""
    plain = _PLAIN.fullmatch(text) and (text.lower() not in _WORDS)
    return text if plain or not text else json.dumps(text)
