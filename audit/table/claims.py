"""Every "ours is better than X" of a table, audited: a comparison document a claim, judged as any document is."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from prunemark.audit.document.comparison import SCHEMA, read
from prunemark.audit.document.yaml_nodes import Node, node_of
from prunemark.audit.judgement.audit_claim import Audit, audit_comparison
from prunemark.audit.table.common import Common, merged
from prunemark.audit.table.rows import Rows, TableRow
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.factors import plain_name
from prunemark.setups.text import shown

MAX_COMPARISONS = 2_000


@dataclass(frozen=True)
class Judged:
    """One comparison of a table: the two rows, what was found, and the document that was judged."""

    winner: TableRow
    loser: TableRow
    audit: Audit
    document: Node


@dataclass(frozen=True)
class TableAudit:
    """All comparisons of a table; `problems` are rows and pairs that could not be read, `more` pairs left out."""

    name: str
    caption: str
    judged: tuple[Judged, ...]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    more: int = 0
    audits: list[Audit] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "audits", [one.audit for one in self.judged])


def audit_table(
    rows: Rows, ours: Sequence[str], common: Common, name: str, caption: str = "", every: bool = False
) -> TableAudit:
    """Audits the claim that `ours` is better than each other method of its group.

    Of several rows of ours that one is taken whose compression is nearest, unless `every` pair is wanted. Raises
    InputError for a method that the table lacks, and where nothing can be compared.
    """
    mine = [row for row in rows.rows if _is_one_of(row, _matching(rows.rows, ours)) and not row.dense]
    chosen, more = _pairs(rows.rows, mine, every)
    if not chosen:
        raise InputError(
            f"{shown(name)}: no other method stands in the group (dataset and network) of {shown(', '.join(ours))}"
        )
    judged, problems = [], list(rows.problems)
    for winner, loser in chosen:
        document = make_document(winner, loser, common, name)
        try:
            judged.append(Judged(winner, loser, audit_comparison(read(document)), document))
        except InputError as problem:
            problems.append(str(problem.args[0]))
    if not judged:
        raise InputError(problems[-1])
    return TableAudit(name, caption, tuple(judged), tuple(dict.fromkeys(problems)), rows.notes, more)


def _matching(rows: Sequence[TableRow], ours: Sequence[str]) -> set[str]:
    """The methods that the given names mean: the equal one, else those that begin so."""
    methods = {_plain(row.method): row.method for row in rows if not row.dense}
    if not methods:
        raise InputError("no row of the table has a method and a result. Check --columns")
    found: set[str] = set()
    for name in ours:
        wanted = _plain(name)
        exact = {method for method in methods if method == wanted}
        begins = {method for method in methods if wanted and method.startswith(wanted)}
        if not exact and not begins:
            raise unknown_name("method of the table", name, set(methods.values()))
        found |= exact or begins
    return found


def _plain(method: str) -> str:
    return plain_name(re.sub(r"\((?:ours?|this work|proposed)\)", "", method, flags=re.IGNORECASE).strip(" \\*†‡"))


def _is_one_of(row: TableRow, methods: set[str]) -> bool:
    return _plain(row.method) in methods


def _pairs(
    rows: Sequence[TableRow], mine: Sequence[TableRow], every: bool
) -> tuple[list[tuple[TableRow, TableRow]], int]:  # fmt: skip
    own = {id(row) for row in mine}
    chosen: list[tuple[TableRow, TableRow]] = []
    more = 0
    for other in rows:
        if other.dense or id(other) in own:
            continue
        against = [row for row in mine if row.group == other.group]
        if every or len(against) < 2 or other.cost is None or any(row.cost is None for row in against):
            taken = against
        else:
            taken = [min(against, key=lambda row: _distance(row, other))]
        more += len(against) - len(taken)
        chosen += [(row, other) for row in taken]
        if len(chosen) > MAX_COMPARISONS:
            raise InputError(f"more than {MAX_COMPARISONS:,} comparisons: name one method with --ours")
    return chosen, more


def _distance(row: TableRow, other: TableRow) -> tuple[bool, float]:
    """How far two rows are apart: first another pattern (2:4), then the compression."""
    patterns = (row.stated.get("granularity"), other.stated.get("granularity"))
    return patterns[0] != patterns[1], abs(math.log((row.cost or 1) / (other.cost or 1)))


def make_document(winner: TableRow, loser: TableRow, common: Common, name: str) -> Node:
    """The comparison document of two rows: what the protocol states, and over it what the table prints."""
    names = (winner.method, loser.method)
    if plain_name(names[0]) == plain_name(names[1]):
        names = (f"{names[0]}, line {winner.line}", f"{names[1]}, line {loser.line}")
    claim: dict[str, Node] = {
        "winner": node_of(names[0], f"{name}:{winner.line}"), "loser": node_of(names[1], f"{name}:{loser.line}"),
    }  # fmt: skip
    entries = {
        key: _entry(row, common, name) for key, row in zip(names, (winner, loser), strict=True)
    }  # fmt: skip
    root = {
        "schema": node_of(SCHEMA, name),
        "claim": Node("mapping", f"{name}:{winner.line}", entries={**claim, **common.claim}),
        **({"protocol": common.protocol} if common.protocol else {}),
        "entries": Node("mapping", name, entries=entries),
    }
    return Node("mapping", name, entries=root)


def _entry(row: TableRow, common: Common, name: str) -> Node:
    where = f"{name}:{row.line}"
    stated = node_of({"method": row.method, "source": {"locator": where}, **row.stated}, where)
    below = common.of(row.method)
    whole = merged(below, stated)
    if "stages" in below.entries and "stages" in stated.entries:
        stages = _stages(below.entries["stages"], stated.entries["stages"])
        whole = Node("mapping", where, entries={**whole.entries, "stages": stages})
    return whole


def _stages(below: Node, above: Node) -> Node:
    """The stages of the protocol, each with what the table prints of it."""
    printed = {stage.entries["stage"].text: stage for stage in above.items}
    if below.kind != "sequence":
        return above
    found = []
    for stage in below.items:
        role = stage.entries["stage"].text if stage.kind == "mapping" and "stage" in stage.entries else ""
        found.append(merged(stage, printed.pop(role)) if role in printed else stage)
    return Node("sequence", below.where, items=[*found, *printed.values()])
