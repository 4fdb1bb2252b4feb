"""A CSV of published results as entries: the columns of `published/results.csv`, a row an entry.

A cell NaN or empty is not reported, n/a does not apply. What a row cannot say as a number is said as a range
or left out, never guessed: `30*n_layers` retraining epochs are 30 in the last cycle and at least 30 before it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prunemark.audit.document.entry import Entry, read_entry
from prunemark.audit.document.same_as import EntryNodes
from prunemark.audit.document.yaml_nodes import decoded, node_of
from prunemark.setups.errors import InputError

CsvRow = Mapping[str, str]
NEEDED = ("method", "dataset", "network")
MAX_ROWS = 20_000
_LEADING = re.compile(r"(\d+(?:\.\d+)?)", re.ASCII)
_ITERATIONS = re.compile(r"(\d{1,9}) per iteration x (\d{1,9})", re.ASCII)


@dataclass(frozen=True, eq=False)
class TableEntry:
    """An entry and the row it comes from."""

    id: str
    row: CsvRow
    entry: Entry


def read_table(data: bytes, name: str) -> list[TableEntry]:
    """All rows as entries. Raises InputError with the line for what cannot be read."""
    return [_entry(row, line, name) for line, row in read_rows(data, name)]


def read_rows(data: bytes, name: str) -> Iterator[tuple[int, CsvRow]]:
    """(line, row) of a CSV with the columns it needs. Raises InputError for anything else."""
    text = decoded(data, name)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = list(reader.fieldnames or ())
        missing = [column for column in NEEDED if column not in columns]
        if missing:
            raise InputError(f"{name}:1: no column {missing[0]!r}. A table of results needs {', '.join(NEEDED)}")
        if len(set(columns)) < len(columns):
            twice = next(column for column in columns if columns.count(column) > 1)
            raise InputError(f"{name}:1: the column {twice[:40]!r} is there twice")
        for number, row in enumerate(reader, 1):
            if number > MAX_ROWS:
                raise InputError(f"{name}:{reader.line_num}: more than {MAX_ROWS:,} rows; split the file")
            if None in row or None in row.values():
                raise InputError(f"{name}:{reader.line_num}: this row has not as many cells as there are columns")
            yield reader.line_num, row
    except csv.Error as problem:
        raise InputError(f"{name}:{reader.line_num}: not a CSV: {problem}") from None


def _entry(row: CsvRow, line: int, name: str) -> TableEntry:
    id = cell(row, "row_id") or f"line {line}"
    node = node_of(document(row), f"{name}:{line}")
    return TableEntry(id, row, read_entry(id, EntryNodes({id: node})))


def cell(row: CsvRow, column: str) -> str | None:
    """The text of a cell; None where nothing is reported."""
    text = (row.get(column) or "").strip()
    return None if text.lower() in ("", "nan", "none reported") else text


def document(row: CsvRow) -> dict[str, Any]:
    """The row as an entry of a comparison document (which `--template --from-row` prints)."""
    kind = _kind(row)
    found: dict[str, Any] = {
        "method": cell(row, "method"),
        "kind": kind,
        "source": _source(row),
        "dataset": cell(row, "dataset"),
        "network": {
            "name": cell(row, "network"),
            "dense_macs_millions": cell(row, "base_macs_M"),
            "dense_params_millions": cell(row, "base_params_M"),
        },
        "granularity": cell(row, "granularity"),
        "speedup": cell(row, "speedup"),
        "sparsity": _sparsity(row),
        "params_kept_millions": cell(row, "pruned_params_M"),
        "params_kept": _kept(cell(row, "params_reduction_pct")),
        "macs_kept_millions": cell(row, "pruned_macs_M"),
        "macs_kept": _kept(cell(row, "macs_reduction_pct")),
        "flops_convention": _convention(row),
        "base": _base(row),
        "stages": _stages(row, kind),
        "recipe": {
            "batch_size": cell(row, "batch_size"),
            "weight_decay": _weight_decay(row),
            "label_smoothing": cell(row, "label_smoothing"),
            "distillation": cell(row, "distillation"),
        },
        "result": {
            "top1": cell(row, "pruned_top1"),
            "top1_sd": cell(row, "std"),
            "runs": _runs(cell(row, "n_runs")),
            "selection": _selection(cell(row, "selection")),
            "top1_drop_printed": cell(row, "drop_reported"),
        },
    }
    if "part of the method" in (row.get("notes") or ""):
        found["method_owned"] = ["weight_decay"]
    reported: dict[str, Any] = _without_silence(found)
    return reported


def _without_silence(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_silence(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not None and item != {}}
    return [_without_silence(item) for item in value] if isinstance(value, list) else value


def _kind(row: CsvRow) -> str:
    if cell(row, "kind") == "scratch":
        return "scratch"
    timing = cell(row, "timing") or ""
    return "sparse_training" if timing == "sparse training from scratch" else (cell(row, "kind") or "pruned")


def _source(row: CsvRow) -> dict[str, Any]:
    via = cell(row, "cited_via")
    quoted = via is not None and via not in ("own", "third party rerun")
    return {"paper": cell(row, "source_key"), "locator": cell(row, "locator"), "quoted": quoted}


def _sparsity(row: CsvRow) -> str | None:
    """For single weights only: the ratio of pruned filters is another quantity under the same name."""
    ratio = cell(row, "sparsity_pct")
    return f"{ratio}%" if ratio and cell(row, "granularity") == "weight" else None


def _kept(reduction: str | None) -> str | None:
    """100 - reduction, in percent; nothing for a reduction that is not one."""
    if reduction is None or not _LEADING.fullmatch(reduction):
        return None
    kept = 100 - float(reduction)
    return f"{kept / 100:.6g}" if 0 < kept < 100 else None


def _convention(row: CsvRow) -> str | None:
    """In this table the columns of costs hold MACs, whatever the source prints."""
    return "MACs" if cell(row, "flops_convention") else None


def _base(row: CsvRow) -> dict[str, Any]:
    source, top1 = cell(row, "base_source"), cell(row, "base_top1")
    if "n/a" in (source, top1):
        return {"id": "n/a", "source": "n/a", "top1": "n/a"}
    if cell(row, "base_role") == "reference_only":  # an accuracy printed next to the result, not of what was pruned
        return {}
    if source and source != "torchvision":  # 'own' is one thing only within one source
        parts = (cell(row, "source_key"), _epochs_before(row), cell(row, "base_top1"))
        source = f"{source} [{', '.join(part for part in parts if part)}]"
    return {"source": source, "top1": top1}


def _epochs_before(row: CsvRow) -> str | None:
    epochs = cell(row, "pretrain_epochs")
    return f"{float(epochs):g} epochs" if epochs and _LEADING.fullmatch(epochs) else None


def _stages(row: CsvRow, kind: str) -> list[dict[str, Any]]:
    total = _count(cell(row, "total_epochs"))
    if kind in ("scratch", "sparse_training"):
        own = _count(cell(row, "ft_epochs"))
        epochs = total if own in (None, "n/a") else own
        return [{"stage": "training", "epochs": epochs, "lr": _lr(row)}]
    retraining, cycles = cell(row, "ft_epochs"), ("per cycle", "*n_layers")
    per_cycle = any(word in (retraining or "") for word in cycles)
    pruning: Any = _pruning(cell(row, "prune_epochs"))
    if per_cycle and pruning is None:
        match = _LEADING.match(retraining or "")
        pruning = {"min": match.group(1)} if match else None
    return [
        {"stage": "pretraining", "epochs": _count(cell(row, "pretrain_epochs"))},
        {"stage": "pruning", "epochs": pruning},
        {"stage": "retraining", "epochs": _count(retraining), "lr": _lr(row)},
    ]


def _count(text: str | None) -> str | None:
    if text is None or text == "n/a":
        return text
    match = _LEADING.match(text)
    return f"{float(match.group(1)):g}" if match else None


def _pruning(text: str | None) -> Any:
    if text and (match := _ITERATIONS.fullmatch(text)):
        return str(int(match.group(1)) * int(match.group(2)))
    return _count(text)


def _lr(row: CsvRow) -> Any:
    """The schedule where kind, start and milestones are there; a milestone's factor follows from the last LR."""
    kind, initial = cell(row, "ft_lr_kind"), cell(row, "ft_lr_initial")
    if kind == "n/a":
        return "n/a"
    if kind is None or initial is None or kind.startswith(("full schedule", "constant (last")):
        return None
    final, listed = cell(row, "ft_lr_final"), cell(row, "ft_lr_milestones")
    lr: dict[str, Any] | None = None
    if kind.startswith("cosine"):
        warmup = "5" if "5 warmup" in kind else None
        lr = {"kind": "cosine", "initial": initial, "final": final or "0", "warmup": warmup}
    elif kind == "constant":
        lr = {"kind": "constant", "initial": initial}
    elif kind.startswith("step") and listed and final:
        milestones = re.split(r"\s*/\s*", listed.split()[0])
        if all(_LEADING.fullmatch(epoch) for epoch in milestones):
            lr = {"kind": "step", "initial": initial, "milestones": milestones, "final": final}
    if lr is None:
        return None
    default = "code default" in (listed or "")
    return {"value": lr, "evidence": "code_default"} if default else lr


def _weight_decay(row: CsvRow) -> str | None:
    text = cell(row, "weight_decay")
    match = re.match(r"[\d.eE+-]+(?=\s|$)", text or "", re.ASCII)
    return match.group(0) if match else None


def _runs(text: str | None) -> Any:
    """`>=3` is at least three; anything after the number is a remark on it."""
    if text is None:
        return None
    match = _LEADING.search(text)
    if match is None:
        return None
    count: Any = {"min": match.group(1)} if text.startswith(">=") else match.group(1)
    return {"value": count, "evidence": "inferred"} if "assumed" in text else count


def _selection(text: str | None) -> str | None:
    return "last" if text and text.startswith("final") else text
