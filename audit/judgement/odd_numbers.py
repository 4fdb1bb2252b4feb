"""Numbers of an entry that look odd, in words: off the grid of its test set, or off the costs of its network.

These are remarks. None of them decides a verdict: step 1 of the procedure names what contradicts a record, and a number
off its grid may have been averaged over batches, or over another test set than its name says.
"""

from __future__ import annotations

from functools import lru_cache

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.names import NameKind, canonical
from prunemark.audit.document.reported_values import ReportedValue
from prunemark.audit.judgement.entry_pipeline import counts_flops
from prunemark.audit.judgement.grain import reachable_mean, reachable_sd
from prunemark.audit.judgement.network_totals import NetworkTotals, totals_of
from prunemark.audit.judgement.selection import is_best_of
from prunemark.audit.judgement.test_sets import TEST_SETS, TestSet
from prunemark.setups.factors import plain_name
from prunemark.setups.values import known

COST_TOLERANCE = 0.05  # relative: what counters that add batch norm, biases or the classifier differ by
BASE_TOLERANCE_PP = 0.20
SPREADS = ("result.top1_sd", "result.top1_plus_minus")
MOST_RUNS = 1_000
_KINDS: tuple[NameKind, NameKind] = ("datasets", "networks")


@lru_cache(maxsize=4096)
def names_of(entry: Entry) -> tuple[str, str]:
    """Dataset and network, as the tables of facts have them."""
    said = (str(known(entry[name].value) or "") for name in ("dataset", "network.name"))
    dataset, network = (plain_name(canonical(kind, name)) for kind, name in zip(_KINDS, said, strict=True))
    return dataset, network


@lru_cache(maxsize=4096)
def odd_numbers(entry: Entry) -> tuple[str, ...]:
    """What looks odd in an entry; empty for what cannot be checked."""
    dataset, network = names_of(entry)
    found = []
    if dataset in TEST_SETS:
        found += _off_grid(entry, TEST_SETS[dataset])
    totals = totals_of(dataset, network)
    if totals is not None:
        found += _off_costs(entry, totals, dataset)
    return tuple(f"{entry.name}: {remark}" for remark in found)


def _off_grid(entry: Entry, test: TestSet) -> list[str]:
    count = known(entry["result.runs"].value)
    if count is None or count != round(count) or not 1 <= count <= MOST_RUNS:
        return []  # a mean of unknown many runs may be anything
    runs = 1 if is_best_of(entry["result.selection"].value) else round(count)
    found = []
    checked = {"top-1": "result.top1", "top-5": "result.top5", "base accuracy": "base.top1"}
    for what, value in ((what, entry[name]) for what, name in checked.items()):
        if _number(value) and not any(reachable_mean(*_printed(value), n, runs) for n in test.images):
            found.append(
                f"a {what} of {_text(value)} cannot come from {_runs(runs)} on {_sizes(test)} images: it moves in "
                f"steps of {100 / (max(test.images) * runs):.2g} ({test.source}). Another test set, other runs, or "
                "averaged over batches?"
            )
    top1 = entry["result.top1"]
    for spread in (entry[name] for name in SPREADS):
        if runs < 2 or found or not (_number(top1) and _number(spread)):
            continue
        if not any(reachable_sd(*_printed(top1), *_printed(spread), n, runs) for n in test.images):
            found.append(
                f"{_runs(runs)} with a mean of {_text(top1)} on {_sizes(test)} images cannot scatter by "
                f"{_text(spread)}, as a sample, a population or a standard error"
            )
    return found


def _number(value: ReportedValue) -> bool:
    return isinstance(known(value.value), float) and value.decimals is not None and value.decimals <= 12


def _printed(value: ReportedValue) -> tuple[float, int]:
    return float(value.value), value.decimals or 0  # type: ignore[arg-type]


def _text(value: ReportedValue) -> str:
    return f"{value.value:.{value.decimals or 0}f}"


def _runs(runs: int) -> str:
    return "one run" if runs == 1 else f"{runs} runs"


def _sizes(test: TestSet) -> str:
    return " or ".join(f"{images:,}" for images in test.images)


def _off_costs(entry: Entry, totals: NetworkTotals, dataset: str) -> list[str]:
    dense, params = (known(entry[f"network.dense_{what}_millions"].value) for what in ("macs", "params"))
    factor = 2 if counts_flops(entry["flops_convention"].value) else 1
    found = []
    if (
        dense is not None
        and params is not None
        and _is(dense, totals.params_millions)
        and _is(params, totals.macs_millions)
    ):
        return [f"MACs ({dense:g} M) and parameters ({params:g} M) seem to have changed places ({totals.source})"]
    if dense is not None and not _is(dense / factor, totals.macs_millions):
        found.append(_odd_macs(f"{dense:g} M dense MACs", dense / factor, totals))
    if params is not None and dataset != "imagenet100" and not _is(params, totals.params_millions):
        found.append(
            f"{params:g} M dense parameters; this network has {_range(totals.params_millions)} ({totals.source})"
        )
    kept, speedup = (known(entry[name].value) for name in ("macs_kept_millions", "speedup"))
    share = known(entry["macs_kept"].value)
    if dense is None and kept is not None and (speedup or share):
        implied = kept * speedup if speedup else kept / share
        ratio = f"a speed-up of {speedup:g}" if speedup else f"{share:.1%} kept"
        if not _is(implied / factor, totals.macs_millions):
            found.append(_odd_macs(f"{kept:g} M MACs left at {ratio} mean {implied:.4g} M dense MACs", implied, totals))
    if kept is not None and kept / factor > totals.macs_millions[1] * (1 + COST_TOLERANCE):
        found.append(_odd_macs(f"{kept:g} M MACs left", kept / factor, totals))
    return [*found[:2], *_base(entry, totals)]


def _odd_macs(what: str, value: float, totals: NetworkTotals) -> str:
    twice = " Is it FLOPs, two to a multiply-add?" if _is(value / 2, totals.macs_millions) else ""
    return f"{what}; this network has {_range(totals.macs_millions)} ({totals.source}).{twice}"


def _is(value: float, ends: tuple[float, float]) -> bool:
    return ends[0] * (1 - COST_TOLERANCE) <= value <= ends[1] * (1 + COST_TOLERANCE)


def _range(ends: tuple[float, float]) -> str:
    low, high = (f"{end:g}" for end in ends)
    return f"{low} M" if low == high else f"{low} to {high} M"


def _base(entry: Entry, totals: NetworkTotals) -> list[str]:
    """Weights of torchvision have the accuracy that torchvision prints."""
    source, top1 = plain_name(str(known(entry["base.source"].value) or "")), known(entry["base.top1"].value)
    if source != "torchvision" or top1 is None or not totals.torchvision_top1 or names_of(entry)[0] == "imagenet100":
        return []
    if any(abs(top1 - theirs) <= BASE_TOLERANCE_PP for theirs in totals.torchvision_top1):
        return []
    known_as = " or ".join(f"{theirs:g}" for theirs in totals.torchvision_top1)
    return [f"a base of torchvision with {top1:g} %; its weights have {known_as} % ({totals.source})"]
