"""A field that the reader does not know is an error that names its place and the nearest known field.

A slip of spelling would otherwise be silence: `distilation: ResNet-101` once read as no teacher at all.
"""

from __future__ import annotations

from collections.abc import Iterable

from prunemark.audit.document.fields import (
    CONFOUNDERS,
    ENTRY_KEYS,
    GRADABLE,
    INNER_KEYS,
    PARTS,
    SOURCE_KEYS,
    STAGE_KEYS,
    TUNING_KEYS,
)
from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError, unknown_name


def only_known(node: Node | None, what: str, known: Iterable[str]) -> None:
    """Raises InputError for the first key of a mapping that is not among the known ones."""
    if node is None or node.kind != "mapping":
        return
    allowed = tuple(known)
    for key, value in node.entries.items():
        if key in allowed:
            continue
        problem = unknown_name(f"field of {what}", key[:60], allowed)
        hint = ""
        if key.isdigit() and value.kind == "scalar" and not value.text:
            hint = f". Is it the rest of a decimal comma? In braces write a point: 75.{key[:9]}"
        raise InputError(f"{value.where}: {problem.args[0]}{hint}")


def check_entry(name: str, node: Node) -> None:
    """Raises InputError for a field that no entry, part, stage or source has, wherever it stands."""
    only_known(node, f"the entry {name}", ENTRY_KEYS)
    for part in PARTS:
        only_known(node.entries.get(part), part, INNER_KEYS[part])
    only_known(node.entries.get("source"), "source", SOURCE_KEYS)
    only_known(node.entries.get("tuning"), "tuning", TUNING_KEYS)
    _graded(node, GRADABLE)
    for part in PARTS:
        if part in node.entries:
            _graded(node.entries[part], INNER_KEYS[part])
    stages = node.entries.get("stages")
    for stage in stages.items if stages is not None else ():
        only_known(stage, "a stage", STAGE_KEYS)
        _graded(stage, ("epochs", "lr"))
    _owned(node.entries.get("method_owned"))


def _owned(owned: Node | None) -> None:
    for item in owned.items if owned is not None and owned.kind == "sequence" else (owned,) if owned else ():
        plain = item.text.partition(".")[2] or item.text
        if item.kind != "scalar" or plain.strip() not in CONFOUNDERS:
            problem = unknown_name("confounder in method_owned", item.text[:60], CONFOUNDERS)
            raise InputError(f"{item.where}: {problem.args[0]}")


def _graded(node: Node, known: Iterable[str]) -> None:
    """`evidence: {retraining.lr: log}` names the fields that it grades, with a point or an underscore."""
    if node.kind == "mapping" and (grades := node.entries.get("evidence")) is not None:
        allowed = tuple(known)
        only_known(grades, "evidence", (*allowed, *(name.replace(".", "_") for name in allowed)))
