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
from prunemark.setups.factors import plain_name
from prunemark.setups.text import as_given

OTHER_NAMES: dict[tuple[str, ...], tuple[str, str]] = {
    ("flops", "macs", "gflops", "mflops", "denseflops", "densemacs"): (
        "dense_macs_millions", "dense_macs_millions, as in dense_macs_millions: 4.09G (before pruning)"),
    ("params", "parameters", "denseparams"): (
        "dense_params_millions", "dense_params_millions, as in dense_params_millions: 25.6M (before pruning)"),
    ("flops", "macs", "prunedflops", "prunedmacs", "gflops", "mflops", "flopsafter", "macsafter"): (
        "macs_kept_millions", "macs_kept_millions, as in macs_kept_millions: 2.05G (MACs after pruning)"),
    ("flopskept", "remainingflops", "flopsremaining", "flopsratio", "remainingmacs"): (
        "macs_kept", "macs_kept, the share of MACs that is left, as in macs_kept: 45%"),
    ("flopsreduction", "macsreduction", "flopsremoved", "macsremoved", "flopsdrop", "prunedflopsratio", "flopsreduced",
     "macsreduced", "flopspruned", "macspruned"): (
        "macs_kept", "macs_kept, the share that is left: 55% removed is macs_kept: 45%"),
    ("params", "parameters", "prunedparams", "remainingparams", "paramsafter"): (
        "params_kept_millions", "params_kept_millions, as in params_kept_millions: 12.3M (after pruning)"),
    ("density", "remainingweights", "weightskept", "paramsremaining", "remaining"): (
        "params_kept", "params_kept, the share that is left, as in params_kept: 20%"),
    ("paramsreduction", "paramsremoved", "pruningratio", "pruneratio", "paramsreduced", "paramspruned"): (
        "sparsity", "sparsity, the share of weights that is removed, as in sparsity: 80%"),
    ("compression", "compressionratio", "compressionrate"): (
        "speedup", "speedup (dense MACs over pruned MACs) or params_kept (20% for a network a fifth as large)"),
    ("accuracy", "acc", "top1accuracy", "top1acc", "testaccuracy", "valaccuracy", "accuracytop1", "testacc"): (
        "top1", "top1, in percent"),
    ("std", "sd", "stddev", "std_", "accuracysd", "accuracystd", "top1std", "standarddeviation"): (
        "top1_sd", "top1_sd for a standard deviation, or top1_plus_minus if the source prints +- only"),
    ("drop", "accuracydrop", "accdrop", "top1drop", "deltaacc", "delta", "drops"): (
        "top1_drop_printed", "top1_drop_printed, base minus result in points"),
    ("ppl", "perp", "wikitextperplexity"): ("perplexity", "perplexity"),
    ("latency", "inferencetime", "runtimems"): ("latency_ms", "latency_ms, in milliseconds"),
    ("throughput", "imagespersecond", "imgs"): ("fps", "fps, images a second"),
    ("map5095", "ap", "boxap", "map50"): ("map", "map, and which one as measured: {iou: 0.5:0.95}"),
    ("top1error", "err", "errorrate", "top1err", "testerror"): ("error", "error, in percent: it is read as 100 - top1"),
    ("top5accuracy", "top5acc", "acc5"): ("top5", "top5, in percent"),
    ("seeds", "n", "nruns", "numruns", "numberofruns", "trials", "repeats"): ("runs", "runs, a number"),
    ("checkpoint", "ckpt", "hash", "sha256", "weights", "file", "url"): ("id", "id, a hash or an address of the file"),
    ("teacher", "kd"): ("distillation", "distillation, the teacher or none"),
    ("wd", "l2"): ("weight_decay", "weight_decay"),
    ("bs", "batch"): ("batch_size", "batch_size"),
    ("aug", "dataaug", "dataaugmentation"): ("augmentation", "augmentation"),
    ("ls", "smoothing"): ("label_smoothing", "label_smoothing"),
    ("learningrate", "schedule", "lrschedule"): ("lr", "lr, as in lr: \"0:1e-2,30:1e-3\""),
    ("seqlen", "sequencelength", "context", "seqlength"): ("context_length", "context_length, in tokens"),
    ("gpu", "hardware"): ("device", "device"),
}  # fmt: skip
"""Names that papers use, the field that is meant, and what to write: the nearest letters would mislead."""


def only_known(node: Node | None, what: str, known: Iterable[str]) -> None:
    """Raises InputError for the first key of a mapping that is not among the known ones."""
    if node is None or node.kind != "mapping":
        return
    allowed = tuple(known)
    for key, value in node.entries.items():
        if key in allowed:
            continue
        problem = unknown_name(f"field of {what}", key[:60], allowed)
        if meant := _meant(key, allowed) or _place(key, allowed):
            raise InputError(f"{value.where}: unknown field of {what} {as_given(key[:60])}. {meant}")
        hint = ""
        if key.isdigit() and value.kind == "scalar" and not value.text:
            hint = f". Is it the rest of a decimal comma? In braces write a point: 75.{key[:9]}"
        raise InputError(f"{value.where}: {problem.args[0]}{hint}")


def _meant(key: str, allowed: tuple[str, ...]) -> str:
    """What to write for a name that papers use, where the field that it means may stand; else nothing."""
    plain = plain_name(key)
    if spelt := next((name for name in allowed if plain_name(name) == plain), None):
        return f"Did you mean {spelt!r}?"
    meant = (way for names, way in OTHER_NAMES.items() if plain in names)
    return next((f"Write {how}" for field, how in meant if field in allowed), "")


def _place(key: str, allowed: tuple[str, ...]) -> str:
    """Where a field stands that was written a level too high, also by a name that papers use; else nothing."""
    for field in (key, *(field for names, (field, _) in OTHER_NAMES.items() if plain_name(key) in names)):
        parts = [part for part in PARTS if part in allowed and field in INNER_KEYS[part]]
        if parts:
            return f"{field} stands in {' or '.join(parts)}, as in {parts[-1]}: {{{field}: ...}}"
        if field in STAGE_KEYS and "stages" in allowed:
            return f"{field} stands in a stage, as in stages: [{{stage: retraining, {field}: ...}}]"
    return ""


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
