"""`75.24 ± 0.2` in one cell, as tables print it: the value, and a spread of which nobody says what it is."""

from __future__ import annotations

import re
from dataclasses import replace

from prunemark.audit.document.yaml_nodes import Node

_SIGN = re.compile(r"\s*(?:±|\+/-|\+-|\\pm)\s*")


def is_plus_minus(node: Node | None) -> bool:
    """Whether a value carries its spread with it."""
    plain = _plain(node)
    return plain is not None and plain.kind == "scalar" and len(_SIGN.split(plain.text, maxsplit=1)) == 2


def split_plus_minus(node: Node) -> tuple[Node, Node]:
    """(the value, the spread) of a value that carries its spread, as nodes of one place."""
    plain = _plain(node) or node
    parts = _SIGN.split(plain.text.strip().removesuffix(")"), maxsplit=1)
    value, spread = (replace(plain, text=part.removesuffix("(").strip()) for part in parts)
    if plain is node:
        return value, spread
    return replace(node, entries={**node.entries, "value": value}), spread


def _plain(node: Node | None) -> Node | None:
    if node is not None and node.kind == "mapping":
        return node.entries.get("value")
    return node
