"""One entry of a comparison: a pipeline as a source describes it, value by value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, get_args

from prunemark.audit.document.fields import REPEAT, REPORTED_VALUES, SYNONYMS
from prunemark.audit.document.lr_schedules import read_lr
from prunemark.audit.document.metrics import READ_AS, RESULT_NAMES
from prunemark.audit.document.plus_minus import is_plus_minus, split_plus_minus
from prunemark.audit.document.quantities import EPOCHS
from prunemark.audit.document.reported_values import ReportedValue, is_silent, read_value, word
from prunemark.audit.document.same_as import EntryNodes, ResolvedNode
from prunemark.audit.document.sizes import check_sizes
from prunemark.audit.document.stages import STAGE_ROLES, ReportedStage, joined_by_role
from prunemark.audit.document.unknown_fields import check_entry
from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.pipeline import PipelineKind
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED, Between, Leaf, mapped

PIPELINE_KINDS = get_args(PipelineKind)
SPARSE_KINDS = ("sparse_training", "dense_to_sparse")
"""Kinds that train a sparse network from the first epoch on: they have neither a base nor a retraining stage."""
_OTHERS = {meant: tuple(other for other, to in SYNONYMS.items() if to == meant) for meant in set(SYNONYMS.values())}
_KIND_WORDS = {
    "from_scratch": "scratch", "trained_from_scratch": "scratch", "scratch_training": "scratch",
    "training_from_scratch": "scratch", "unpruned": "dense", "sparse_to_sparse": "sparse_training",
    "dynamic_sparse_training": "sparse_training", "pruning": "pruned", "pruned_after_training": "pruned",
    "pruning_after_training": "pruned", "gradual_pruning": "dense_to_sparse",
    **dict.fromkeys((f"{a}_at_{b}" for a in ("pruning", "pruned") for b in (
        "init", "initialization", "initialisation")), "pruned_at_init"),
}  # fmt: skip
_OF_BASE = ("base.id", "base.source", "base.top1")
_SELDOM = ("base", "result", "measured")
"""Parts of which most fields are seldom there: those are looked for only where the part has them."""


@dataclass(frozen=True, eq=False)
class Entry:
    """What one source says of one pipeline.

    `reported` has what was found of `REPORTED_VALUES`, and `epochs` and `lr` of the three stages (`retraining.lr`);
    `cycle_epochs` are the pruning epochs spent in the retraining of earlier cycles.
    """

    name: str
    method: str
    kind: PipelineKind
    reported: Mapping[str, ReportedValue]
    cycle_epochs: float = 0.0
    quoted: bool = False
    method_owned: frozenset[str] = frozenset()
    tuning: str = ""
    source: str = ""
    contradictions: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> ReportedValue:
        return self.reported.get(name) or _silent(f"{self.name}.{name}")


@lru_cache(maxsize=2**16)
def _silent(root: str) -> ReportedValue:
    """What an entry says of what it does not mention."""
    return ReportedValue(root=root)


def read_entry(name: str, nodes: EntryNodes) -> Entry:
    """Reads one entry. Raises InputError with the place of what cannot be read."""
    node = nodes.entries[name]
    if node.kind != "mapping":
        raise InputError(f"{node.where}: entry {name!r} is a mapping of method, kind, dataset and so on")
    check_entry(name, node)
    kind = _kind(name, node)
    contradictions: list[str] = []
    reported = read_reported(nodes, name, _fields(node))
    check_sizes(reported)
    listed = [_stage(nodes, name, role, key, contradictions) for role, key in nodes.stages(name)]
    stages = joined_by_role(listed, kind, name, nodes.find(name, ("stages",)).root)
    of_stages = {f"{role}.{what}": getattr(stage, what) for role, stage in stages.items() for what in ("epochs", "lr")}
    source = node.entries.get("source")
    return Entry(
        name=name,
        method=_method(node, name),
        kind=kind,
        reported=_for_kind(reported, kind, name) | of_stages,
        cycle_epochs=stages["pruning"].cycle_epochs,
        quoted=_quoted(source),
        method_owned=_owned(node),
        tuning=_tuning(node.entries.get("tuning")),
        source=_cited(source),
        contradictions=tuple(contradictions),
    )


def _fields(node: Node) -> list[str]:
    """The fields worth looking for: all, but of some parts only those that are written."""
    written: dict[str, frozenset[str] | None] = {}
    for part in _SELDOM:
        inner = node.entries.get(part)
        whole = inner is not None and (inner.kind != "mapping" or "same_as" in inner.entries)
        written[part] = None if whole else frozenset(inner.entries if inner else ())
    found = []
    for field in REPORTED_VALUES:
        part, _, rest = field.partition(".")
        if part not in written or (keys := written[part]) is None or rest in keys:
            found.append(field)
    return found


def _kind(name: str, node: Node) -> PipelineKind:
    given = node.entries.get("kind")
    if given is None:
        return "pruned"
    kind = given.text.strip().lower().replace("-", "_").replace(" ", "_")
    kind = _KIND_WORDS.get(kind, kind)
    if given.kind != "scalar" or kind not in PIPELINE_KINDS:
        problem = unknown_name("kind of entry", given.text[:60], PIPELINE_KINDS)
        raise InputError(f"{given.where}: {name}: {problem.args[0]}")
    return kind  # type: ignore[return-value]


def _method(node: Node, name: str) -> str:
    given = node.entries.get("method")
    if given is None or not word(given):
        raise InputError(
            f"{node.where}: {name}: an entry needs `method`, the name of the method, as in method: L1-norm"
        )
    return word(given)


def read_reported(nodes: EntryNodes, name: str, fields: Iterable[str]) -> dict[str, ReportedValue]:
    """These fields of one entry. Raises InputError, with the place and the field, for what cannot be read."""
    found: dict[str, ReportedValue] = {}
    for field in fields:
        place = _place(nodes, name, field)
        if field.removeprefix("result.") in RESULT_NAMES and place.node is not None and is_plus_minus(place.node):
            value, spread = split_plus_minus(place.node)
            others = [f"{field}{tail}" for tail in ("_sd", "_plus_minus")]
            if twice := next((other for other in others if nodes.find(name, other.split(".")).node), None):
                raise InputError(
                    f"{spread.where}: {field} carries its spread, and {twice} gives another: keep one of them"
                )
            found[f"{field}_plus_minus"] = _value(replace(place, node=spread), f"{field}_plus_minus")
            place = replace(place, node=value)
        elif field.startswith("base.") and place.node is not None and is_plus_minus(place.node):
            place = replace(place, node=split_plus_minus(place.node)[0])  # of a base only the accuracy is compared
        if field not in found:
            found[field] = _value(place, field)
    return found | _read_as(found)


def _value(place: ResolvedNode, field: str) -> ReportedValue:
    return _of_field(field, lambda: read_value(place.node, place.root, REPORTED_VALUES[field], place.provenance))


def _of_field(field: str, read: Callable[[], ReportedValue]) -> ReportedValue:
    """The value, with its field in the error where it cannot be read."""
    try:
        return read()
    except InputError as problem:
        where, _, rest = str(problem.args[0]).partition(": ")
        raise InputError(f"{where}: {field}: {rest}") from None


def _read_as(found: Mapping[str, ReportedValue]) -> dict[str, ReportedValue]:
    """What another field is read as: an error of 24.76 is a top1 of 75.24."""
    made = {}
    for raw, meant in READ_AS.items():
        for part, tail in (("base", ""), *(("result", t) for t in ("", "_sd", "_plus_minus", "_drop_printed"))):
            given, there = found.get(f"{part}.{raw}{tail}"), found.get(f"{part}.{meant}{tail}")
            if given is not None and (there is None or there.value == NOT_REPORTED):
                made[f"{part}.{meant}{tail}"] = given if tail else replace(given, value=_rest(given.value))
    return made


def _rest(error: Leaf[Any]) -> Leaf[Any]:
    if isinstance(error, Between):
        return Between(100 - error.high, 100 - error.low)
    return mapped(error, lambda value: 100 - value)


def _place(nodes: EntryNodes, name: str, field: str) -> ResolvedNode:
    for spelling in (field, *_OTHERS.get(field, ())):
        found = nodes.find(name, spelling.split("."))
        if found.node is not None:
            return found
    part, _, inner = field.partition(".")
    whole = nodes.find(name, (part,)) if inner else None
    if whole is not None and whole.node is not None and whole.node.kind != "mapping" and not is_silent(whole.node):
        return _short(whole, part, inner)
    return nodes.find(name, field.split("."))


def _short(whole: ResolvedNode, part: str, inner: str) -> ResolvedNode:
    """`network: ResNet-50` is short for its name; any other part has to be a mapping, or it would be lost."""
    if whole.node is None or part != "network" or whole.node.kind != "scalar":
        where = whole.node.where if whole.node else ""
        raise InputError(f"{where}: {part} is a mapping, as in {part}: {{{inner}: ...}}")
    return replace(whole, node=whole.node if inner == "name" else None, root=f"{whole.root}.{inner}")


def _stage(nodes: EntryNodes, name: str, role: str, key: str, contradictions: list[str]) -> ReportedStage:
    whole = nodes.find(name, ("stages", key)).node
    repeat = 1
    if whole is not None and "repeat" in whole.entries:
        repeat = round(REPEAT(whole.entries["repeat"]))
    of = nodes.find(name, ("stages", key, "epochs"))
    epochs = _of_field(f"{role}.epochs", lambda: read_value(of.node, of.root, EPOCHS, of.provenance))
    at = nodes.find(name, ("stages", key, "lr"))
    stage = f"{name}, {role}"
    lr = _of_field(f"{role}.lr", lambda: read_lr(at.node, epochs, at.root, at.provenance, contradictions, stage))
    return ReportedStage(STAGE_ROLES[role], epochs, lr, repeat)


def _for_kind(reported: dict[str, ReportedValue], kind: PipelineKind, entry: str) -> dict[str, ReportedValue]:
    """What follows from the kind: scratch and sparse training have no base, pruning at init a random one."""
    if kind == "scratch" or kind in SPARSE_KINDS:
        return reported | {name: ReportedValue(NOT_APPLICABLE, f"{entry}.{name}") for name in _OF_BASE}
    if kind == "pruned_at_init":
        none = {name: ReportedValue(NOT_APPLICABLE, f"{entry}.{name}") for name in _OF_BASE}
        return reported | none | {"base.id": ReportedValue("random initialisation", f"{entry}.base.id", "inferred")}
    return reported


def _quoted(source: Node | None) -> bool:
    if source is None or source.kind != "mapping" or "quoted" not in source.entries:
        return False
    node = source.entries["quoted"]
    answer = node.text.strip().lower()
    if answer not in ("true", "false", "yes", "no", "", "null"):
        raise InputError(f"{node.where}: quoted is true (copied from another paper) or false; given {answer[:40]!r}")
    return answer in ("true", "yes")


def _owned(node: Node) -> frozenset[str]:
    owned = node.entries.get("method_owned")
    if owned is None:
        return frozenset()
    items = owned.items if owned.kind == "sequence" else (owned,)
    return frozenset(word(item).partition(".")[2] or word(item) for item in items)


def _tuning(node: Node | None) -> str:
    if node is None:
        return ""
    if node.kind == "mapping":
        return ", ".join(f"{key} {value.text[:60]}" for key, value in node.entries.items())
    return node.text[:200]


def _cited(source: Node | None) -> str:
    if source is None:
        return ""
    if source.kind == "mapping":
        return ", ".join(source.entries[k].text[:120] for k in ("paper", "locator") if k in source.entries)
    return source.text[:200]
