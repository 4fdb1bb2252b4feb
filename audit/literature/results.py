"""The literature that ships with the package: published results, as tidy data with provenance."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from prunemark.audit.judgement.audit_claim import Audit
from prunemark.audit.literature.results_csv import TableEntry, cell, metric_of, read_table
from prunemark.setups.errors import InputError, unknown_name
from prunemark.setups.factors import plain_name
from prunemark.setups.values import NOT_REPORTED, NotApplicable, State, known

RESULTS = "results.csv"
FALSE_DISCOVERY_RATE = 0.05

DISCLOSED: dict[str, str] = {
    "base.id": "which base model (id or source)",
    "base.top1": "accuracy of the base model",
    "speedup": "compression",
    "pretraining.epochs": "pretraining epochs",
    "pruning.epochs": "pruning epochs",
    "retraining.epochs": "retraining epochs",
    "retraining.lr": "retraining LR schedule",
    "recipe.batch_size": "batch size",
    "recipe.weight_decay": "weight decay",
    "result.runs": "number of runs",
    "result.top1_sd": "standard deviation",
    "result.selection": "which epoch or run was chosen",
}
"""The fields that a comparison at S3.2 and its noise need, of which a paper discloses some."""


ONE_PAPER: dict[str, str] = {
    "amc-automl-han": "AMC", "autopruner": "AutoPruner", "channel-lasso-lstsq": "CP",
    "google-state-of-sparsity": "Gale et al. 2019", "lottery-ticket-followup": "Lottery tickets at scale",
    "nisp": "NISP", "peng-collaborative": "CCP", "PFEC": "L1-norm", "Rethinking": "Rethinking (Liu et al.)",
    "rethinking-net-pruning": "Rethinking (Liu et al.)", "soft-filter-pruning": "SFP", "sss": "SSS",
    "thinet-channel-norms": "ThiNet", "zhuang-discriminative-channel": "DCP",
}  # fmt: skip
"""Papers under one name: the sources call some of them by another one (PFEC is the L1-norm of Li et al., ICLR 2017)."""


def paper_of(row: TableEntry) -> str:
    """The paper that a result is of."""
    name = row.row.get("paper") or "?"
    return ONE_PAPER.get(name, name)


@dataclass(frozen=True)
class Completeness:
    """How much of what is needed a paper discloses, over all its rows; `fields` is the share of rows by field."""

    paper: str
    rows: int
    disclosed: float
    fields: dict[str, float]


@cache
def published() -> tuple[TableEntry, ...]:
    """All published results that ship with the package."""
    data = (files("prunemark.audit.literature") / "published" / RESULTS).read_bytes()
    return tuple(read_table(data, RESULTS))


def select(network: str | None = None, dataset: str | None = None, method: str | None = None) -> list[TableEntry]:
    """The results of a network, dataset and method, spelt in any way. Raises InputError with the valid names."""
    found = list(published())
    for what, wanted, name in (("network", network, "network.name"), ("dataset", dataset, "dataset")):
        if wanted is None:
            continue
        kept = [row for row in found if plain_name(str(known(row.entry[name].value))) == plain_name(wanted)]
        if not kept:
            raise unknown_name(what, wanted, {str(known(row.entry[name].value)) for row in found})
        found = kept
    if method is None:
        return found
    kept = [row for row in found if plain_name(method) in plain_name(row.entry.method)]
    if not kept:
        raise unknown_name("method", method, {row.entry.method for row in found})
    return kept


def find_row(id: str) -> TableEntry:
    """One published row by its id. Raises InputError with an example."""
    for row in published():
        if row.id.lower() == id.lower():
            return row
    raise InputError(
        f"no published row {id[:40]!r}. Rows have ids such as R001, S001 and MS001; `audit --published` lists them"
    )


def as_rows(rows: Sequence[TableEntry]) -> list[dict[str, object]]:
    """A listing: one line a result."""
    return [
        {
            "row": row.id,
            "dataset": _text(row, "dataset"),
            "network": _text(row, "network.name"),
            "paper": row.row.get("paper", ""),
            "method": row.entry.method,
            "variant": _clean(row.row.get("variant", "")),
            "kind": cell(row.row, "kind") or "",
            "speedup": _text(row, "speedup"),
            "sparsity": _text(row, "sparsity"),
            "metric": cell(row.row, "metric") or "top1",
            "base": _of_metric(row, "base", "metric_base", "base_top1"),
            "result": _of_metric(row, "result", "metric_value", "pruned_top1"),
            "sd": _clean(row.row.get("std", "")),
            "drop": _clean(row.row.get("drop_reported", "")),
            "runs": _text(row, "result.runs"),
            "source": f"{row.row.get('source_key', '')}, {row.row.get('locator', '')}",
        }
        for row in rows
    ]


def _text(row: TableEntry, name: str) -> str:
    value = row.entry[name].value
    if value == NOT_REPORTED:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _of_metric(row: TableEntry, part: str, column: str, top1: str) -> str:
    """A value in the metric of its row, as it is read; as printed where no claim can be about that metric."""
    metric = metric_of(row.row)
    if metric is not None:
        return _text(row, f"{part}.{metric}")
    return cell(row.row, column) or cell(row.row, top1) or ""


def _clean(text: str) -> str:
    return "" if text == "NaN" else text


def completeness(rows: Sequence[TableEntry]) -> list[Completeness]:
    """Fields disclosed out of those needed, paper by paper, the most complete first."""
    by_paper: dict[str, list[TableEntry]] = defaultdict(list)
    for row in rows:
        by_paper[paper_of(row)].append(row)
    found = []
    for paper, its in by_paper.items():
        fields = {name: sum(_discloses(row, name) for row in its) / len(its) for name in DISCLOSED}
        found.append(Completeness(paper, len(its), sum(fields.values()) / len(fields), fields))
    return sorted(found, key=lambda c: (-c.disclosed, c.paper))


def _discloses(row: TableEntry, name: str) -> bool:
    """Whether a field is stated, or does not apply; a default in published code does not disclose what was run."""
    metric = metric_of(row.row) or "top1"
    names = {
        "base.id": ("base.id", "base.source"), "speedup": ("speedup", "sparsity", "params_kept"),
        "base.top1": (f"base.{metric}",), "result.top1_sd": (f"result.{metric}_sd",),
    }.get(name, (name,))  # fmt: skip
    return any(
        isinstance(found.value, NotApplicable) or (found.value != NOT_REPORTED and found.provenance != "code_default")
        for found in (row.entry[one] for one in names)
    )


@dataclass(frozen=True)
class JudgedClaim:
    """One claim of a list, with its p-value after Benjamini-Hochberg over the whole list."""

    audit: Audit
    p: float
    p_adjusted: float

    @property
    def discovered(self) -> bool:
        """Whether the gap still exceeds noise when the length of the list is taken into account."""
        return self.p_adjusted <= FALSE_DISCOVERY_RATE


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values in the order given (Benjamini & Hochberg, JRSS B 1995): rejecting at q keeps the expected
    share of false discoveries at q, for independent or positively dependent tests.

    Raises ValueError for a p outside [0, 1].
    """
    if any(not 0 <= p <= 1 for p in p_values):
        raise ValueError("a p-value must lie between 0 and 1")
    order = sorted(range(len(p_values)), key=lambda index: p_values[index], reverse=True)
    adjusted, smallest = [0.0] * len(p_values), 1.0
    for place, index in enumerate(order):
        smallest = min(smallest, p_values[index] * len(p_values) / (len(p_values) - place))
        adjusted[index] = smallest
    return adjusted


def judged_claims(audits: Sequence[Audit]) -> list[JudgedClaim]:
    """The pairs of different methods that S1 makes comparable and whose noise is known, judged as one list.

    `audits` are of pairs of distinct runs (`pairs.all_pairs`): a run that stands in three tables is counted once.
    """
    claims = [audit for audit in audits if _is_claim(audit)]
    p_values = [max(r.p for r in audit.gap.readings if r.decisive) for audit in claims]
    adjusted = benjamini_hochberg(p_values)
    return [JudgedClaim(*found) for found in zip(claims, p_values, adjusted, strict=True)]


def _is_claim(audit: Audit) -> bool:
    if audit.gap.main is None or not audit.pair.assessment.setups["S1"].satisfied or audit.evidence.contradictions:
        return False
    return plain_name(audit.pair.winner.method) != plain_name(audit.pair.loser.method)


def comparable(audits: Sequence[Audit]) -> dict[str, int]:
    """How many pairs each setup is established for (`none` for the rest), in the order of the chain."""
    counts: dict[str, int] = {}
    for audit in audits:
        setups = audit.pair.assessment.setups
        through = "SX-A" if audit.pair.whole_pipelines and setups["SX-A"] is State.HOLDS else None
        name = through or audit.pair.assessment.established or "none"
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
