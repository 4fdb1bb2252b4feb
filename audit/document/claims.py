"""What a document claims and under which shared protocol: who beats whom, in which metric, credited to what."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from prunemark.audit.document.fields import DETAILS, REMARKS
from prunemark.audit.document.metrics import MEASURED, METRICS, READ_AS
from prunemark.audit.document.quantities import Quantity
from prunemark.audit.document.reported_values import read_value, word
from prunemark.audit.document.unknown_fields import only_known
from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError, unknown_name

ClaimKind = Literal["better", "at_least_as_good"]
Credit = Literal["pruning", "base", "retraining", "pipeline"]
CLAIM_KEYS = ("winner", "loser", "kind", "credited_to", "metric", "margin", *REMARKS)
PROTOCOL_KEYS = ("shared", "locator", "except", *REMARKS)
EXCEPTIONS = tuple(dict.fromkeys((*DETAILS, "network", *MEASURED)))
"""What a shared protocol states as equal, and may except."""
MAX_CLAIMS = 200
_MARGIN = Quantity(
    "a margin in units of the metric, above 0, as in 0.3,", 0, 1e6, above=True, units={"points": 1, "ms": 1}
)


@dataclass(frozen=True)
class Claim:
    """Who is said to beat whom, in which metric, and what it is credited to.

    `metric` None is the one that both sides report; `margin` is in units of the metric.
    """

    winner: str
    loser: str
    kind: ClaimKind = "better"
    credited_to: Credit = "pruning"
    margin: float | None = None
    metric: str | None = None


@dataclass(frozen=True)
class Protocol:
    """That both arms ran under one stated protocol, where that is said, and what differed all the same."""

    locator: str
    excepted: frozenset[str] = frozenset()

    def declares(self, name: str) -> bool:
        """Whether it states this detail, `measured` field, or the network as equal."""
        return name in EXCEPTIONS and name not in self.excepted


def read_claims(root: Node, entries: Mapping[str, Node]) -> tuple[Claim, ...]:
    """The claims of a document, one or a list. Raises InputError with the place of what is wrong."""
    node = root.entries.get("claim", root.entries.get("claims"))
    if "claim" in root.entries and "claims" in root.entries:
        raise InputError(f"{root.where}: claim and claims: write all claims as one list")
    if node is not None and node.kind == "sequence" and 0 < len(node.items) <= MAX_CLAIMS:
        return tuple(_claim(item, item, entries) for item in node.items)
    return (_claim(node, root, entries),)


def _claim(node: Node | None, root: Node, entries: Mapping[str, Node]) -> Claim:
    if node is None or node.kind != "mapping":
        raise InputError(
            f"{(node or root).where}: a claim is wanted, as in claim: {{winner: A, loser: B, kind: better}}, "
            f"or a list of at most {MAX_CLAIMS}"
        )
    only_known(node, "a claim", CLAIM_KEYS)
    winner, loser = (entry_name(node, key, entries) for key in ("winner", "loser"))
    if winner == loser:
        raise InputError(f"{node.where}: the winner and the loser are one entry, {winner!r}")
    kind = _one_of(node, "kind", get_args(ClaimKind), "better")
    credit = _one_of(node, "credited_to", get_args(Credit), "pruning")
    metric = _one_of(node, "metric", (*METRICS, *READ_AS), "")
    margin = _margin(node)
    if kind == "at_least_as_good" and margin is None:
        raise InputError(f"{node.where}: `at_least_as_good` needs `margin`, in units of the metric, as in margin: 0.3")
    return Claim(winner, loser, kind, credit, margin, READ_AS.get(metric, metric) or None)  # type: ignore[arg-type]


def _margin(claim: Node) -> float | None:
    node = claim.entries.get("margin")
    if node is None:
        return None
    value = read_value(node, "margin", _MARGIN).value
    if not isinstance(value, float):
        raise InputError(f"{node.where}: the margin is one number in units of the metric, as in 0.3")
    return value


def entry_name(node: Node, key: str, entries: Mapping[str, Node]) -> str:
    """The entry that a claim or a crossed result names. Raises InputError with those that there are."""
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
    value = re.sub(r"[\s-]+", "_", given.text.strip().lower())
    if given.kind != "scalar" or value not in valid:
        problem = unknown_name(key, given.text.strip()[:60], valid)
        raise InputError(f"{given.where}: {problem.args[0]}")
    return value


def read_protocol(node: Node | None) -> Protocol | None:
    """The shared protocol; None where there is none. Raises InputError for one that nobody can look up."""
    if node is None or (node.kind == "scalar" and node.text.strip().lower() in ("", "null", "~")):
        return None
    how = 'protocol: {shared: true, locator: "Section 4.1"}'
    if node.kind != "mapping":
        raise InputError(f"{node.where}: protocol: where is that said? Write {how}")
    only_known(node, "protocol", PROTOCOL_KEYS)
    shared = node.entries.get("shared")
    said = word(shared).lower() if shared is not None else ""
    if said not in ("true", "yes", "false", "no"):
        raise InputError(f"{node.where}: protocol: shared is true or false, as in {how}; given {said[:40]!r}")
    if said in ("false", "no"):
        return None
    locator = word(node.entries["locator"]) if "locator" in node.entries else ""
    if not locator or locator.lower() in ("null", "~", "none", "n/a"):
        raise InputError(f"{node.where}: protocol is shared: where is that said? Give its locator, as in {how}")
    return Protocol(locator, frozenset(_excepted(node.entries.get("except"))))


def _excepted(node: Node | None) -> list[str]:
    if node is None:
        return []
    found = []
    for item in node.items if node.kind == "sequence" else (node,):
        name = item.text.strip().partition(".")[2] or item.text.strip()
        if item.kind != "scalar" or (name and name not in EXCEPTIONS):
            problem = unknown_name("detail in except", item.text[:60], EXCEPTIONS)
            raise InputError(f"{item.where}: {problem.args[0]}")
        found.append(name)
    return found
