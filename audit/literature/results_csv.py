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
_WARMUP = re.compile(r"(\d{1,9}) warmup", re.ASCII)
_N_OF_M = re.compile(r"\d{1,4}:\d{1,4}", re.ASCII)
_DEFAULT = re.compile(r"code[ _]default")
METRIC_OF = {
    "top1": "top1", "accuracy": "top1", "accuracy (matched)": "top1", "F1": "f1", "perplexity": "perplexity",
    "map": "map",
}  # fmt: skip
"""The metrics of the table that a claim can be about; results in another one (BLEU, a mean over tasks) are listed."""
TRAINED_WHOLE = ("scratch", "sparse_training", "dense_to_sparse")


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
    kind = cell(row, "kind") or "pruned"
    default = _rests_on_defaults(row)
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
        "stages": [stage | default if len(stage) > 1 else stage for stage in map(_without_silence, _stages(row, kind))],
        "recipe": _recipe(row, default),
        "result": _result(row),
        "measured": _measured(row),
    }
    if "part of the method" in (row.get("notes") or ""):
        found["method_owned"] = ["weight_decay"]
    reported: dict[str, Any] = _without_silence(found)
    return reported


def _rests_on_defaults(row: CsvRow) -> dict[str, str]:
    """Recipes that were read in published code and not in the source: what was run may be another one."""
    return {"evidence": "code_default"} if "(code_default)" in (row.get("field_sources") or "") else {}


def _recipe(row: CsvRow, default: dict[str, str]) -> dict[str, Any]:
    stated = {"batch_size": cell(row, "batch_size"), "weight_decay": _weight_decay(row),
              "label_smoothing": cell(row, "label_smoothing"), "distillation": cell(row, "distillation")}  # fmt: skip
    return stated | default if any(stated.values()) else stated


def metric_of(row: CsvRow) -> str | None:
    """The metric of a row as a claim names it; None where no claim can be about it."""
    return METRIC_OF.get(cell(row, "metric") or "top1")


def _result(row: CsvRow) -> dict[str, Any]:
    metric = metric_of(row)
    found = {"runs": _runs(row), "selection": _selection(cell(row, "selection"))}
    if metric is None:
        return found
    value = cell(row, "metric_value") or (cell(row, "pruned_top1") if metric == "top1" else None)
    return {
        metric: value, f"{metric}_sd": cell(row, "std"), f"{metric}_drop_printed": cell(row, "drop_reported")
    } | found  # fmt: skip


def _measured(row: CsvRow) -> dict[str, Any]:
    """What a perplexity was measured with; a length that only the code gives is a default."""
    if metric_of(row) != "perplexity":
        return {}
    found = {"context_length": cell(row, "seq_len"), "calibration": cell(row, "calibration")}
    return {name: _graded(text) for name, text in found.items() if text}


def _graded(text: str) -> Any:
    plain = text.partition(" (")[0]
    return {"value": plain, "evidence": "code_default"} if _DEFAULT.search(text) else text


def _without_silence(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _without_silence(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item is not None and item != {}}
    return [_without_silence(item) for item in value] if isinstance(value, list) else value


def _source(row: CsvRow) -> dict[str, Any]:
    return {"paper": cell(row, "source_key"), "locator": cell(row, "locator"), "quoted": _quoted(row)}


def _quoted(row: CsvRow) -> bool:
    """Whether a result is copied from another source. Of the baselines of a README only where a note says so."""
    via = cell(row, "cited_via") or "own"
    if via == "own" or via.endswith(("rerun", "reproduction")):
        return False
    return not via.endswith((" README", " repository")) or "quoted" in (row.get("notes") or "")


def _sparsity(row: CsvRow) -> str | None:
    """Of weights only, single ones or N:M: the ratio of pruned filters is another quantity under the same name."""
    ratio, granularity = cell(row, "sparsity_pct"), cell(row, "granularity") or ""
    return f"{ratio}%" if ratio and (granularity == "weight" or _N_OF_M.fullmatch(granularity)) else None


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
    metric = metric_of(row) or "top1"
    source, top1 = cell(row, "base_source"), cell(row, "base_top1" if metric == "top1" else "metric_base")
    if "n/a" in (source, top1):
        return {"id": "n/a", "source": "n/a", "top1": "n/a"}
    if cell(row, "base_role") == "reference_only":  # an accuracy printed next to the result, not of what was pruned
        return {}
    if source and source != "torchvision":  # 'own' is one thing only within one source
        parts = (cell(row, "source_key"), _epochs_before(row), top1)
        source = f"{source} [{', '.join(part for part in parts if part)}]"
    return {"source": source, metric: top1}


def _epochs_before(row: CsvRow) -> str | None:
    epochs = cell(row, "pretrain_epochs")
    return f"{float(epochs):g} epochs" if epochs and _LEADING.fullmatch(epochs) else None


def _stages(row: CsvRow, kind: str) -> list[dict[str, Any]]:
    total = _count(cell(row, "total_epochs"))
    if kind == "dense":
        return []
    if kind in TRAINED_WHOLE:
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
        warmup = _WARMUP.search(kind)
        lr = {"kind": "cosine", "initial": initial, "final": final or "0", "warmup": warmup and warmup.group(1)}
    elif kind == "constant":
        lr = {"kind": "constant", "initial": initial}
    elif kind.startswith("step") and listed and final:
        milestones = re.split(r"\s*/\s*", listed.split()[0])
        if all(_LEADING.fullmatch(epoch) for epoch in milestones):
            lr = {"kind": "step", "initial": initial, "milestones": milestones, "final": final}
    if lr is None:
        return None
    default = _DEFAULT.search(f"{listed} {kind}")
    return {"value": lr, "evidence": "code_default"} if default else lr


def _weight_decay(row: CsvRow) -> str | None:
    text = cell(row, "weight_decay")
    match = re.match(r"[\d.eE+-]+(?=\s|$)", text or "", re.ASCII)
    return match.group(0) if match else None


def _runs(row: CsvRow) -> Any:
    """`>=3` is at least three; anything after the number is a remark on it. The best of one run is of more trials."""
    text = cell(row, "n_runs")
    if text is None or (text == "1" and cell(row, "selection") == "best_of_runs"):
        return None
    match = _LEADING.search(text)
    if match is None:
        return None
    count: Any = {"min": match.group(1)} if text.startswith(">=") else match.group(1)
    return {"value": count, "evidence": "inferred"} if "assumed" in text else count


def _selection(text: str | None) -> str | None:
    return "last" if text and text.startswith("final") else text
