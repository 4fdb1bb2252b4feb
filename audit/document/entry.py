"""One entry of a comparison: a pipeline as a source describes it, value by value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from prunemark.audit.document.lr_schedules import read_lr
from prunemark.audit.document.reported_values import (
    Convert,
    ReportedValue,
    is_silent,
    number,
    number_or_none,
    percent,
    read_value,
    share,
    times,
    word,
)
from prunemark.audit.document.same_as import EntryNodes, ResolvedNode
from prunemark.audit.document.stages import MAX_REPEAT, STAGE_ROLES, ReportedStage, joined_by_role
from prunemark.audit.document.yaml_nodes import Node
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.pipeline import PipelineKind
from prunemark.setups.values import NOT_APPLICABLE, NOT_REPORTED

PIPELINE_KINDS = get_args(PipelineKind)
NUMBER = number(0, what="a number that is not negative")
POINTS = number(0, 100, what="a number of points, from 0 to 100")
POSITIVE = number(0, above=True, what="a number above 0")
COUNT = number(1, 1e6, what="a number of runs, at least 1")
REPEAT = number(1, MAX_REPEAT, what=f"a whole number of cycles, 1 to {MAX_REPEAT}")

REPORTED_VALUES: dict[str, Convert] = {
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
    "result.top1_sd": POINTS,
    "result.top1_plus_minus": POINTS,
    "result.runs": COUNT,
    "result.selection": word,
    "result.top1_drop_printed": number(-100, 100, what="a drop in points, from -100 to 100"),
}
"""Every value that an entry may report outside its stages, and how it is read."""

SYNONYMS = {
    "pruned_macs_millions": "macs_kept_millions",
    "pruned_params_millions": "params_kept_millions",
    "network.macs_kept_millions": "macs_kept_millions",
    "network.pruned_macs_millions": "macs_kept_millions",
    "network.pruned_params_millions": "params_kept_millions",
    "network.params_kept_millions": "params_kept_millions",
    "network.flops_convention": "flops_convention",
}
FACTOR_CONFOUNDERS = (
    "network", "base_model", "retraining_epochs", "retraining_lr", "pruning_epochs", "pruning_lr", "overall_lr",
    "total_epochs", "total_flops",
)  # fmt: skip
DETAIL_CONFOUNDERS = ("batch_size", "weight_decay", "label_smoothing", "distillation", "augmentation")
CONFOUNDERS = (*FACTOR_CONFOUNDERS, *DETAIL_CONFOUNDERS, "selection", "quoted", "flops_convention")
"""What may differ and explain a gap; `method_owned` names those that are the method itself."""

OTHER_KEYS = {"method", "kind", "source", "stages", "method_owned", "tuning", "evidence", "notes", "note", "title"}
STAGE_KEYS = {"stage", "epochs", "lr", "repeat", "same_as"}
REMARKS = {"evidence", "note", "notes"}
_PARTS = ("network", "base", "recipe", "result")


@dataclass(frozen=True, eq=False)
class Entry:
    """What one source says of one pipeline.

    `reported` has `REPORTED_VALUES` and `epochs` and `lr` of the three stages (`retraining.lr`); `cycle_epochs` are
    the pruning epochs spent in the retraining of earlier cycles. `ignored` was not read.
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
    ignored: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> ReportedValue:
        return self.reported[name]


def read_entry(name: str, nodes: EntryNodes) -> Entry:
    """Reads one entry. Raises InputError with the place of what cannot be read."""
    node = nodes.entries[name]
    if node.kind != "mapping":
        raise InputError(f"{node.where}: entry {name!r} is a mapping of method, kind, dataset and so on")
    kind = _kind(name, node)
    contradictions: list[str] = []
    reported = {value: _read(nodes, name, value, convert) for value, convert in REPORTED_VALUES.items()}
    listed = [_stage(nodes, name, role, key, contradictions) for role, key in nodes.stages(name)]
    stages = joined_by_role(listed, kind, name, nodes.find(name, ("stages",)).root)
    of_stages = {f"{role}.{what}": getattr(stage, what) for role, stage in stages.items() for what in ("epochs", "lr")}
    source = node.entries.get("source")
    return Entry(
        name=name,
        method=_plain_text(node, "method", name),
        kind=kind,
        reported=_for_kind(reported, kind, name) | of_stages,
        cycle_epochs=stages["pruning"].cycle_epochs,
        quoted=_quoted(source),
        method_owned=_owned(node),
        tuning=_tuning(node.entries.get("tuning")),
        source=_cited(source),
        contradictions=tuple(contradictions),
        ignored=_ignored(node),
    )


def _kind(name: str, node: Node) -> PipelineKind:
    given = node.entries.get("kind")
    if given is None:
        return "pruned"
    kind = given.text.strip().lower().replace("-", "_").replace(" ", "_")
    if given.kind != "scalar" or kind not in PIPELINE_KINDS:
        problem = unknown_name("kind of entry", given.text[:60], PIPELINE_KINDS)
        raise InputError(f"{given.where}: {name}: {problem.args[0]}")
    return kind  # type: ignore[return-value]


def _plain_text(node: Node, key: str, default: str) -> str:
    return word(node.entries[key]) if key in node.entries else default


def _read(nodes: EntryNodes, name: str, value: str, convert: Convert) -> ReportedValue:
    for spelling in (value, *(other for other, meant in SYNONYMS.items() if meant == value)):
        found = nodes.find(name, spelling.split("."))
        if found.node is not None:
            return read_value(found.node, found.root, convert, found.provenance)
    part, _, inner = value.partition(".")
    whole = nodes.find(name, (part,)) if inner else None
    if whole is not None and whole.node is not None and whole.node.kind != "mapping" and not is_silent(whole.node):
        return _short(whole, part, inner, convert)
    found = nodes.find(name, value.split("."))
    return ReportedValue(root=found.root, provenance=found.provenance)


def _short(whole: ResolvedNode, part: str, inner: str, convert: Convert) -> ReportedValue:
    """`network: ResNet-50` is short for its name; any other part has to be a mapping, or it would be lost."""
    if whole.node is None or part != "network" or whole.node.kind != "scalar":
        where = whole.node.where if whole.node else ""
        raise InputError(f"{where}: {part} is a mapping, as in {part}: {{{inner}: ...}}")
    root = f"{whole.root}.{inner}"
    return read_value(whole.node, root, convert, whole.provenance) if inner == "name" else ReportedValue(root=root)


def _stage(nodes: EntryNodes, name: str, role: str, key: str, contradictions: list[str]) -> ReportedStage:
    whole = nodes.find(name, ("stages", key)).node
    repeat = 1
    if whole is not None and "repeat" in whole.entries:
        repeat = round(REPEAT(whole.entries["repeat"]))
    found = nodes.find(name, ("stages", key, "epochs"))
    epochs = read_value(found.node, found.root, NUMBER, found.provenance)
    found = nodes.find(name, ("stages", key, "lr"))
    lr = read_lr(found.node, epochs, found.root, found.provenance, contradictions, f"{name}, {role}")
    return ReportedStage(STAGE_ROLES[role], epochs, lr, repeat)


def _for_kind(reported: dict[str, ReportedValue], kind: PipelineKind, entry: str) -> dict[str, ReportedValue]:
    """What follows from the kind: scratch and sparse training have no base, pruning at init a random one."""
    if kind in ("scratch", "sparse_training"):
        silent = [name for name in ("base.id", "base.source", "base.top1") if reported[name].value == NOT_REPORTED]
        return reported | {name: ReportedValue(NOT_APPLICABLE, f"{entry}.{name}") for name in silent}
    if kind == "pruned_at_init" and reported["base.id"].value == NOT_REPORTED:
        return reported | {"base.id": ReportedValue("random initialisation", f"{entry}.base.id", "inferred")}
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


def _ignored(node: Node) -> tuple[str, ...]:
    """Fields that nobody reads: shown, so that a slip of spelling is noticed."""
    spellings = (*REPORTED_VALUES, *SYNONYMS)
    known = {name.partition(".")[0] for name in spellings} | OTHER_KEYS
    strange = [key for key in node.entries if key not in known]
    for part in _PARTS:
        inner = {name.partition(".")[2] for name in spellings if name.startswith(f"{part}.")}
        below = node.entries.get(part)
        if below is not None and below.kind == "mapping" and "same_as" not in below.entries:
            strange += [f"{part}.{key}" for key in below.entries if key not in inner | REMARKS]
    for stage in node.entries["stages"].items if "stages" in node.entries else ():
        strange += [f"{stage.entries['stage'].text}.{key}" for key in stage.entries if key not in STAGE_KEYS | REMARKS]
    return tuple(dict.fromkeys(strange))[:20]
