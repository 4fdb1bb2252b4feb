"""An entry as a Pipeline: units, costs, compression, and what was declared to be the same as elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from prunemark.audit.document.entry import Entry
from prunemark.audit.document.metrics import METRICS
from prunemark.audit.document.names import NameKind, canonical
from prunemark.setups.factors import remaining
from prunemark.setups.pipeline import Base, Details, Pipeline, Result, Training
from prunemark.setups.values import NOT_REPORTED, Between, Conflict, Leaf, NotApplicable, NotReported, known, mapped

Get = Callable[[str], Leaf[Any]]
MILLION = 1e6


def _getter(entry: Entry, same: frozenset[str]) -> Get:
    def get(name: str) -> Leaf[Any]:
        if name in same:
            return NotReported(entry[name].root)
        found = entry[name]
        return found.value if found.stated or isinstance(found.value, NotApplicable) else NOT_REPORTED

    return get


@dataclass(frozen=True)
class Units:
    """In what two sides are compared: the metric, costs in MACs or dense networks, compression by MACs or weights."""

    metric: str = "top1"
    absolute: bool = False
    by_macs: bool = True


def pipeline_of_entry(entry: Entry, same: frozenset[str], units: Units) -> Pipeline:
    """The entry as the rulebook sees it; what only a default of published code says is not reported.

    The values named in `same` become one token on both sides. The base is as good as it is in the metric of `units`.
    """
    get = _getter(entry, same)
    plain = Pipeline(
        name=entry.name,
        method=entry.method,
        kind=entry.kind,
        dataset=_named("datasets", get("dataset")),
        network=_named("networks", get("network.name")),
        dense_macs=_dense_macs(get),
        granularity=get("granularity"),
        speedup=_speedup(entry, get),
        sparsity=_sparsity(get),
        base=Base(
            get("base.id"), _named("sources", get("base.source")), get(f"base.{base_metric(entry, units.metric)}")
        ),
        pretraining=_training(get, "pretraining"),
        pruning=_training(get, "pruning"),
        retraining=_training(get, "retraining"),
        details=Details(*(get(f"recipe.{name}") for name in Details.__dataclass_fields__)),
        result=Result(get("result.top1"), get("result.top1_sd"), get("result.runs"), get("result.selection")),
    )
    return replace(plain, training_flops=_training_cost(plain, entry.cycle_epochs, units))


def _named(kind: NameKind, leaf: Leaf[Any]) -> Leaf[Any]:
    """A name as the table lists it; what is no name stays as it is."""
    if isinstance(leaf, Conflict):
        choices: tuple[Any, ...] = tuple(_named(kind, choice) for choice in leaf.choices)
        return Conflict(choices)
    return canonical(kind, leaf) if isinstance(leaf, str) else leaf


def base_metric(entry: Entry, metric: str) -> str:
    """By which metric a base is as good as another: the claim's, unless that is a speed or nothing is said of it."""
    return "top1" if METRICS[metric].speed or not entry[f"base.{metric}"].stated else metric


def _training(get: Get, stage: str) -> Training:
    return Training(get(f"{stage}.epochs"), get(f"{stage}.lr"))


def counts_flops(convention: Leaf[Any]) -> bool | None:
    """Whether a cost is printed as FLOPs, two to a multiply-add; None if the source does not say.

    "2*MACs", "FLOPs = 2 x MACs" and "FLOPs" do; "MACs" and "FLOPs = MACs" do not.
    """
    text = str(known(convention) or "").lower().replace(" ", "").replace("×", "x")
    if not text:
        return None
    if any(form in text for form in ("2*mac", "2xmac", "2mac", "twomac")):
        return True
    return False if "mac" in text else ("flop" in text or None)


def _dense_macs(get: Get) -> Leaf[float]:
    factor = MILLION / 2 if counts_flops(get("flops_convention")) else MILLION
    return mapped(get("network.dense_macs_millions"), lambda millions: millions * factor)


@lru_cache(maxsize=4096)
def states_macs(entry: Entry) -> bool:
    """Whether the dense MACs are one known number."""
    return known(_dense_macs(_getter(entry, frozenset()))) is not None


def _speedup(entry: Entry, get: Get) -> Leaf[float]:
    """As stated; else dense MACs over those kept. A dense network is one times as fast as itself."""
    stated = get("speedup")
    if stated != NOT_REPORTED:
        return stated
    kept, dense = known(get("macs_kept_millions")), known(get("network.dense_macs_millions"))
    if kept is not None and dense is not None:
        return float(dense / kept)
    if (part := known(get("macs_kept"))) is not None and part > 0:
        return 1.0 / float(part)
    return 1.0 if entry.kind == "dense" else NOT_REPORTED


def _sparsity(get: Get) -> Leaf[float]:
    """The share of weights removed: as stated, else from the parameters kept (a fraction, a percentage, millions)."""
    if get("sparsity") != NOT_REPORTED:
        return get("sparsity")
    total = known(get("network.dense_params_millions"))
    millions = known(get("params_kept_millions"))
    if millions is not None and total is not None:
        return _removed(millions / total)
    kept = get("params_kept")
    value = known(kept)
    if value is None:
        return NOT_REPORTED if not isinstance(kept, NotReported) else kept
    if value <= 1:
        return 1.0 - float(value)
    readings = [_removed(value / 100)] if value <= 100 else []
    if total is not None and value <= total:  # 16.5 of 23.7 million, or 16.5 %: the source does not say which
        readings.append(_removed(value / total))
    if not readings:
        return NOT_REPORTED
    return readings[0] if len(readings) == 1 else Conflict(tuple(readings))


def _removed(kept: float) -> float:
    return max(0.0, 1.0 - kept)


def _training_cost(pipeline: Pipeline, cycle_epochs: float, units: Units) -> Leaf[float]:
    """Sum of epochs x MACs of the network trained, in MACs an image, or in dense networks where MACs are missing.

    Pretraining and pruning train the dense network, retraining the pruned one; the retraining of earlier
    cycles something in between. Training from dense to sparse trains all weights, sparse training never does.
    (The training FLOPs are a constant times that, the same on both sides.)
    """
    ratio = known(pipeline.speedup) if units.by_macs else known(remaining(pipeline))
    dense_only = pipeline.kind == "dense"
    if ratio is None and not dense_only:
        return NOT_REPORTED
    small = 1.0 if dense_only or ratio is None else 1.0 / ratio
    dear = {"pretraining": 1.0, "pruning": small if pipeline.kind == "sparse_training" else 1.0, "retraining": small}
    low = high = 0.0
    for (role, cost), stage in zip(dear.items(), pipeline.stages, strict=True):
        if isinstance(stage.epochs, NotApplicable):
            continue
        epochs = known(stage.epochs)
        if epochs is None:
            return NOT_REPORTED
        cheap = cycle_epochs * (cost - small) if role == "pruning" else 0.0
        low, high = low + epochs * cost - cheap, high + epochs * cost
    unit = known(pipeline.dense_macs) if units.absolute else 1.0
    if unit is None:
        return NOT_REPORTED
    return low * unit if low == high else Between(low * unit, high * unit)
