"""Rows that report one run: a run that several tables list is one piece of evidence, and not several.

Two rows are one run where their results agree as printed, nothing that both state differs, and one of these holds: one
is quoted and the method is the same; both stand in one source under one method; one is the log of the other's table.
Two rows of one log are one run too, at its best and at its last epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from prunemark.audit.document.metrics import METRICS
from prunemark.audit.literature.results_csv import TableEntry, cell, metric_of
from prunemark.setups.factors import plain_name
from prunemark.setups.values import known

ALIKE = (
    "kind", "base_top1", "speedup", "macs_reduction_pct", "params_reduction_pct", "sparsity_pct", "pruned_macs_M",
    "pruned_params_M", "pretrain_epochs", "prune_epochs", "ft_epochs", "ft_lr_initial", "ft_lr_milestones",
    "total_epochs", "n_runs", "std", "metric_base", "calibration", "seq_len",
)  # fmt: skip
"""The columns in which two rows of one run must not differ where both state them."""
WINDOW = 0.5
"""Results further apart are not rounded from one number: accuracies are printed in tenths or finer, in units."""


@dataclass(frozen=True, eq=False)
class Run:
    """One run, or one mean over seeds: the row that says most about it, and the others that list it."""

    row: TableEntry
    others: tuple[TableEntry, ...] = ()


def distinct(rows: Sequence[TableEntry]) -> list[Run]:
    """The runs that these rows report, in the order of their first rows."""
    head = list(range(len(rows)))

    def find(n: int) -> int:
        while head[n] != n:
            n = head[n]
        return n

    for a, b in _candidates(rows):
        first, second = sorted((find(a), find(b)))
        if first != second and one_run(rows[a], rows[b]):
            head[second] = first
    members: dict[int, list[TableEntry]] = {}
    for n, row in enumerate(rows):
        members.setdefault(find(n), []).append(row)
    return [_run(its) for its in members.values()]


def _run(rows: list[TableEntry]) -> Run:
    best = max(rows, key=_disclosed)
    return Run(best, tuple(row for row in rows if row is not best))


def _disclosed(row: TableEntry) -> tuple[bool, int, bool]:
    """Its own source before a quotation, then what states most, then the last epoch before the best on the test set."""
    stated = sum(found.stated for found in row.entry.reported.values())
    return not row.entry.quoted, stated, cell(row.row, "selection") != "best_epoch_on_test"


def _candidates(rows: Sequence[TableEntry]) -> Iterator[tuple[int, int]]:
    """Pairs within one dataset, network and metric whose results could be one number; and rows of one log."""
    groups: dict[tuple[str, ...], list[tuple[float, int]]] = {}
    logs: dict[tuple[str, ...], list[int]] = {}
    for n, row in enumerate(rows):
        value, drop = result_of(row), drop_of(row)
        key = tuple(plain_name(row.row.get(name) or "") for name in ("dataset", "network", "metric"))
        if value is not None:
            groups.setdefault(key, []).append((value, n))
        elif drop is not None:
            groups.setdefault((*key, "drop"), []).append((drop, n))
        if row.row.get("source_type") == "log":
            logs.setdefault((row.row["source_key"], row.row["locator"]), []).append(n)
    for its in logs.values():
        yield from pairwise(its)
    for scored in groups.values():
        scored.sort()
        for place, (value, n) in enumerate(scored):
            for other_value, other in scored[place + 1 :]:
                if other_value - value > WINDOW:
                    break
                yield n, other


def result_of(row: TableEntry) -> float | None:
    """The result of a row in its metric; None where no claim can be about it."""
    metric = metric_of(row.row)
    return None if metric is None else known(row.entry[f"result.{metric}"].value)


def drop_of(row: TableEntry) -> float | None:
    """What a row lost, in its metric: as printed, or base minus result; None where neither can be said."""
    metric = metric_of(row.row)
    if metric is None:
        return None
    before, after, printed = (
        known(row.entry[name].value) for name in (f"base.{metric}", f"result.{metric}", f"result.{metric}_drop_printed")
    )
    if before is None or after is None:
        return printed
    return float(before - after) * METRICS[metric].sign


def one_run(a: TableEntry, b: TableEntry) -> bool:
    """Whether two rows report one run."""
    same_source = a.row.get("source_key") == b.row.get("source_key")
    if _pattern(a) != _pattern(b):
        return False
    kinds = [row.row.get("source_type") for row in (a, b)]
    place = [row.row.get("locator") for row in (a, b)]
    if same_source and kinds == ["log", "log"]:
        return place[0] == place[1] and _agree(a, b, ALIKE)
    if not (_same_text(_printed(a), _printed(b)) and _agree(a, b, ALIKE)):
        return False
    if same_source and "log" in kinds:
        return True
    same_method = plain_name(a.entry.method) == plain_name(b.entry.method)
    return same_method and (a.entry.quoted or b.entry.quoted or (same_source and _agree(a, b, ("variant",))))


def _pattern(row: TableEntry) -> str:
    """An N:M pattern, of which 2:4 and 4:8 are two at one sparsity; else nothing, for filters are channels too."""
    return text if ":" in (text := row.row.get("granularity") or "") else ""


def _printed(row: TableEntry) -> str:
    column = "pruned_top1" if cell(row.row, "metric") in (None, "top1") else "metric_value"
    return cell(row.row, column) or f"drop {cell(row.row, 'drop_reported')}"


def _agree(a: TableEntry, b: TableEntry, columns: Sequence[str]) -> bool:
    return all(_same_text(cell(a.row, name) or "", cell(b.row, name) or "") for name in columns)


def _same_text(a: str, b: str) -> bool:
    """Whether two cells can be one value: equal, one of them empty, or the coarser number rounded from the finer."""
    if not a or not b or a == b:
        return True
    try:
        x, y = float(a), float(b)
    except ValueError:
        return a.startswith(f"{b} ") or b.startswith(f"{a} ")
    decimals = min(len(text.partition(".")[2]) for text in (a, b))
    return abs(x - y) <= 0.5 * 10.0**-decimals + 1e-9
