"""One entry of a comparison: a pipeline as a source describes it, leaf by leaf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from prunemark.audit.document.reported_values import (
    Reported,
    is_silent,
    number,
    number_or_none,
    percent,
    read_leaf,
    share,
    times,
    word,
)
from prunemark.audit.document.schedules import read_lr
from prunemark.audit.document.scope import Found, Scope
from prunemark.audit.document.stages import MAX_REPEAT, ROLES, ReportedStage, Slot, sorted_into_slots
from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.pipeline import PipelineKind
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED

KINDS = get_args(PipelineKind)
NUMBER = number(0, what="a number that is not negative")
POSITIVE = number(0, above=True, what="a number above 0")
COUNT = number(1, 1e6, what="a number of runs, at least 1")

LEAVES: dict[str, Callable[[Node], Any]] = {
    "dataset": word,
    "network.name": word,
    "network.dense_macs_millions": POSITIVE,
    "network.dense_params_millions": POSITIVE,
    "granularity": word,
    "speedup": times,
    "params_kept": POSITIVE,
    "params_kept_millions": POSITIVE,
    "sparsity": share,
    "macs_kept_millions": POSITIVE,
    "macs_kept": share,
    "flops_convention": word,
    "base.id": word,
    "base.source": word,
    "base.top1": percent,
    "recipe.batch_size": POSITIVE,
    "recipe.weight_decay": number_or_none,
    "recipe.label_smoothing": number_or_none,
    "recipe.distillation": word,
    "recipe.augmentation": word,
    "result.top1": percent,
    "result.top1_sd": NUMBER,
    "result.top1_plus_minus": NUMBER,
    "result.runs": COUNT,
    "result.selection": word,
    "result.top1_drop_printed": number(-100, 100, what="a drop in points, from -100 to 100"),
}
"""Every leaf of an entry outside its stages, and how it is read."""

SYNONYMS = {
    "pruned_macs_millions": "macs_kept_millions",
    "pruned_params_millions": "params_kept_millions",
    "network.macs_kept_millions": "macs_kept_millions",
    "network.pruned_macs_millions": "macs_kept_millions",
    "network.pruned_params_millions": "params_kept_millions",
    "network.params_kept_millions": "params_kept_millions",
    "network.flops_convention": "flops_convention",
}
BESIDE = {"method", "kind", "source", "stages", "method_owned", "tuning", "evidence", "notes", "note", "title"}
STAGE = {"stage", "epochs", "lr", "repeat", "same_as"}
REMARKS = {"evidence", "note", "notes"}
_PARTS = ("network", "base", "recipe", "result")


@dataclass(frozen=True, eq=False)
class Entry:
    """What one source says of one pipeline. `faults` are contradictions within it; `ignored` was not read."""

    name: str
    method: str
    kind: PipelineKind
    leaves: Mapping[str, Reported]
    slots: Mapping[str, Slot]
    quoted: bool = False
    method_owned: frozenset[str] = frozenset()
    tuning: str = ""
    source: str = ""
    faults: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    where: str = field(default="")


def read_entry(name: str, scope: Scope) -> Entry:
    """Reads one entry. Raises InputError with the place of what cannot be read."""
    node = scope.entries[name]
    if node.kind != "mapping":
        raise InputError(f"{node.where}: entry {name!r} is a mapping of method, kind, dataset and so on")
    kind = _kind(name, node)
    faults: list[str] = []
    leaves = {leaf: _leaf(scope, name, leaf, convert) for leaf, convert in LEAVES.items()}
    stages = [_stage(scope, name, role, key, faults) for role, key in scope.stages(name)]
    source = node.entries.get("source")
    return Entry(
        name=name,
        method=_plain_text(node, "method", name),
        kind=kind,
        leaves=_for_kind(leaves, kind, name),
        slots=sorted_into_slots(stages, kind, name, scope.find(name, ("stages",)).root),
        quoted=_quoted(source),
        method_owned=_owned(node),
        tuning=_tuning(node.entries.get("tuning")),
        source=_cited(source),
        faults=tuple(faults),
        ignored=_ignored(node),
        where=node.where,
    )


def _kind(name: str, node: Node) -> PipelineKind:
    given = node.entries.get("kind")
    if given is None:
        return "pruned"
    kind = given.text.strip().lower().replace("-", "_").replace(" ", "_")
    if given.kind != "scalar" or kind not in KINDS:
        problem = unknown_name("kind of entry", given.text[:60], KINDS)
        raise InputError(f"{given.where}: {name}: {problem.args[0]}")
    return kind  # type: ignore[return-value]


def _plain_text(node: Node, key: str, default: str) -> str:
    return word(node.entries[key]) if key in node.entries else default


def _leaf(scope: Scope, name: str, leaf: str, convert: Callable[[Node], Any]) -> Reported:
    spellings = [leaf, *(other for other, meant in SYNONYMS.items() if meant == leaf)]
    for spelling in spellings:
        found = scope.find(name, spelling.split("."))
        if found.node is not None:
            return read_leaf(found.node, found.root, convert, found.evidence)
    part, _, inner = leaf.partition(".")
    whole = scope.find(name, (part,)) if inner else None
    if whole is not None and whole.node is not None and whole.node.kind != "mapping" and not is_silent(whole.node):
        return _short(whole, leaf, convert)
    found = scope.find(name, leaf.split("."))
    return Reported(root=found.root, evidence=found.evidence)


def _short(whole: Found, leaf: str, convert: Callable[[Node], Any]) -> Reported:
    """`network: ResNet-50` is short for its name; any other part has to be a mapping, or it would be lost."""
    part, _, inner = leaf.partition(".")
    if whole.node is None or part != "network" or whole.node.kind != "scalar":
        where = whole.node.where if whole.node else ""
        raise InputError(f"{where}: {part} is a mapping, as in {part}: {{{inner}: ...}}")
    root = f"{whole.root}.{inner}"
    return read_leaf(whole.node, root, convert, whole.evidence) if inner == "name" else Reported(root=root)


def _stage(scope: Scope, name: str, role: str, key: str, faults: list[str]) -> ReportedStage:
    whole = scope.find(name, ("stages", key)).node
    repeat = 1
    if whole is not None and "repeat" in whole.entries:
        times = number(1, MAX_REPEAT, what=f"a whole number of cycles, 1 to {MAX_REPEAT}")(whole.entries["repeat"])
        repeat = round(times)
    found = scope.find(name, ("stages", key, "epochs"))
    epochs = read_leaf(found.node, found.root, NUMBER, found.evidence)
    found = scope.find(name, ("stages", key, "lr"))
    lr = read_lr(found.node, epochs, found.root, found.evidence, faults, f"{name}, {role}")
    return ReportedStage(ROLES[role], epochs, lr, repeat)


def _for_kind(leaves: dict[str, Reported], kind: PipelineKind, name: str) -> dict[str, Reported]:
    """What follows from the kind: scratch and sparse training have no base, pruning at init a random one."""
    if kind in ("scratch", "sparse_training"):
        silent = [leaf for leaf in ("base.id", "base.source", "base.top1") if leaves[leaf].value == NOT_REPORTED]
        return leaves | {leaf: Reported(NOT_APPLICABLE, f"{name}.{leaf}") for leaf in silent}
    if kind == "pruned_at_init" and leaves["base.id"].value == NOT_REPORTED:
        return leaves | {"base.id": Reported("random initialisation", f"{name}.base.id", "inferred")}
    return leaves


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


def _ignored(node: Node) -> tuple[str, ...]:
    """Fields that nobody reads: shown, so that a slip of spelling is noticed."""
    known = {leaf.partition(".")[0] for leaf in (*LEAVES, *SYNONYMS)} | BESIDE
    strange = [key for key in node.entries if key not in known]
    for part in _PARTS:
        inner = {leaf.partition(".")[2] for leaf in (*LEAVES, *SYNONYMS) if leaf.startswith(f"{part}.")}
        below = node.entries.get(part)
        if below is not None and below.kind == "mapping" and "same_as" not in below.entries:
            strange += [f"{part}.{key}" for key in below.entries if key not in inner | REMARKS]
    for stage in node.entries["stages"].items if "stages" in node.entries else ():
        strange += [f"{stage.entries['stage'].text}.{key}" for key in stage.entries if key not in STAGE | REMARKS]
    return tuple(dict.fromkeys(strange))[:20]
