"""Two entries as Pipelines, and what the rulebook (`setups.assess`) says of them.

The rules are those of `setups`. Added here is only what a document knows and a record does not: which side
claims to win, how good the evidence is, what was declared to be the same, and FLOPs printed for MACs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from prunemark.audit.entry import Entry
from prunemark.audit.leaves import Reported
from prunemark.setups.assessment import Assessment, assess
from prunemark.setups.factors import Finding, compression
from prunemark.setups.pipeline import Base, Details, Pipeline, Result, Training
from prunemark.setups.values import (
    NOT_APPLICABLE,
    NOT_REPORTED,
    Between,
    Conflict,
    Leaf,
    NotApplicable,
    NotReported,
    State,
    known,
    mapped,
)

Get = Callable[[str], Leaf[Any]]

FACTOR_LEAVES: dict[str, tuple[str, ...]] = {
    "base_model": ("base.id", "base.source"),
    "retraining_epochs": ("retraining.epochs",),
    "retraining_lr": ("retraining.epochs", "retraining.lr"),
    "pruning_epochs": ("pruning.epochs",),
    "pruning_lr": ("pruning.epochs", "pruning.lr"),
    "total_epochs": ("pretraining.epochs", "pruning.epochs", "retraining.epochs"),
    "total_flops": ("pretraining.epochs", "pruning.epochs", "retraining.epochs"),
    "overall_lr": ("pretraining.lr", "pruning.lr", "retraining.lr"),
    "final_lr": ("retraining.lr",),
}
"""The leaves whose evidence decides how much a factor's finding is worth."""

MILLION = 1e6
_TWICE = (1.94, 2.06)


@dataclass(frozen=True)
class Pair:
    """The claimed winner and the claimed loser, as the rulebook sees them."""

    winner: Entry
    loser: Entry
    left: Pipeline
    right: Pipeline
    assessment: Assessment
    findings: Mapping[str, Finding]

    @property
    def through_sx(self) -> bool:
        """Whether the two can be compared only over whole pipelines: scratch, sparse training, mixed kinds."""
        kinds = {"dense": "pruned"}.get(self.left.kind, self.left.kind), {"dense": "pruned"}.get(
            self.right.kind, self.right.kind
        )
        return kinds[0] != kinds[1] or kinds[0] in ("scratch", "sparse_training")

    @property
    def against_scratch(self) -> bool:
        """Whether exactly one side is trained from scratch."""
        return (self.left.kind == "scratch") != (self.right.kind == "scratch")


def make_pair(winner: Entry, loser: Entry) -> Pair:
    """Assesses the claimed winner (left) against the claimed loser (right)."""
    same = _declared_same(winner, loser)
    absolute = all(known(_dense_macs(e, _getter(e, same))) is not None for e in (winner, loser))
    left, right = (_pipeline(e, same, absolute) if same else _cached(e, absolute) for e in (winner, loser))

    def revise(findings: dict[str, Finding]) -> dict[str, Finding]:
        return _revised(findings, winner, loser, left, right)

    found = assess([left, right], revise=revise)
    return Pair(winner, loser, left, right, found, {f.factor: f for f in found.findings})


def reported(entry: Entry, name: str) -> Reported:
    """A leaf by name, of a stage (`retraining.lr`) or not (`base.id`)."""
    slot, _, leaf = name.partition(".")
    if slot in entry.slots:
        return entry.slots[slot].lr if leaf == "lr" else entry.slots[slot].epochs
    return entry.leaves[name]


def _declared_same(winner: Entry, loser: Entry) -> frozenset[str]:
    """Leaves that `same_as` gives one root: what is not one known value becomes one token on both sides."""
    names = (*winner.leaves, *(f"{slot}.{leaf}" for slot in winner.slots for leaf in ("epochs", "lr")))
    return frozenset(
        name for name in names
        if reported(winner, name).root == reported(loser, name).root and reported(winner, name).root
        and known(reported(winner, name).value) is None
        and not isinstance(reported(winner, name).value, NotApplicable)
    )  # fmt: skip


def _getter(entry: Entry, same: frozenset[str]) -> Get:
    def get(name: str) -> Leaf[Any]:
        found = reported(entry, name)
        return NotReported(found.root) if name in same else found.value

    return get


@lru_cache(maxsize=4096)
def _cached(entry: Entry, absolute: bool) -> Pipeline:
    return _pipeline(entry, frozenset(), absolute)


def _pipeline(entry: Entry, same: frozenset[str], absolute: bool) -> Pipeline:
    get = _getter(entry, same)
    plain = Pipeline(
        name=entry.name,
        method=entry.method,
        kind=entry.kind,
        dataset=get("dataset"),
        network=get("network.name"),
        dense_macs=_dense_macs(entry, get),
        granularity=get("granularity"),
        speedup=_speedup(entry, get),
        sparsity=_sparsity(get),
        base=Base(get("base.id"), get("base.source"), get("base.top1")),
        pretraining=_training(get, "pretraining"),
        pruning=_training(get, "pruning"),
        retraining=_training(get, "retraining"),
        details=Details(*(get(f"recipe.{name}") for name in Details.__dataclass_fields__)),
        result=Result(get("result.top1"), get("result.top1_sd"), get("result.runs"), get("result.selection")),
    )
    return replace(plain, training_flops=_training_cost(plain, entry.slots["pruning"].of_cycles, absolute))


def _training(get: Get, slot: str) -> Training:
    return Training(get(f"{slot}.epochs"), get(f"{slot}.lr"))


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


def _dense_macs(entry: Entry, get: Get) -> Leaf[float]:
    factor = MILLION / 2 if counts_flops(get("flops_convention")) else MILLION
    return mapped(get("network.dense_macs_millions"), lambda millions: millions * factor)


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
    return readings[0] if len(readings) == 1 else Conflict(tuple(readings))  # type: ignore[arg-type]


def _removed(kept: float) -> float:
    return max(0.0, 1.0 - kept)


def _training_cost(pipeline: Pipeline, of_cycles: float, absolute: bool) -> Leaf[float]:
    """Sum of epochs x MACs of the network trained, in MACs an image, or in dense networks where MACs are missing.

    Pretraining and pruning train the dense network, retraining the pruned one; the retraining of earlier
    cycles something in between. (The training FLOPs are a constant times that, the same on both sides.)
    """
    ratio = known(compression(pipeline))
    dense_only = pipeline.kind == "dense"
    if ratio is None and not dense_only:
        return NOT_REPORTED
    small = 1.0 if dense_only or ratio is None else 1.0 / ratio
    dear = {"pretraining": 1.0, "pruning": small if pipeline.kind == "sparse_training" else 1.0, "retraining": small}
    low = high = 0.0
    for (slot, cost), stage in zip(dear.items(), pipeline.stages, strict=True):
        if isinstance(stage.epochs, NotApplicable):
            continue
        epochs = known(stage.epochs)
        if epochs is None:
            return NOT_REPORTED
        cheap = of_cycles * (cost - small) if slot == "pruning" else 0.0
        low, high = low + epochs * cost - cheap, high + epochs * cost
    unit = known(pipeline.dense_macs) if absolute else 1.0
    if unit is None:
        return NOT_REPORTED
    return low * unit if low == high else Between(low * unit, high * unit)


def _revised(
    findings: dict[str, Finding], winner: Entry, loser: Entry, left: Pipeline, right: Pipeline
) -> dict[str, Finding]:
    found = dict(findings)
    if found["compression"].state is State.REFUTED and _more_compressed(left, right):
        why = f"{found['compression'].left} against {found['compression'].right}: the claimed winner is compressed more"
        found["compression"] = replace(found["compression"], state=State.HOLDS_A_FORTIORI, why=why)
    if found["network"].state is State.REFUTED and _may_be_flops(winner, loser, left, right):
        why = "dense costs differ by a factor of two: one side may print FLOPs. State flops_convention"
        found["network"] = replace(found["network"], state=State.UNDECIDABLE, why=why)
    found |= {f: replace(found[f], state=State.REFUTED, why=why) for f, why in _structural(found, left, right).items()}
    for factor, leaves in FACTOR_LEAVES.items():
        decided = found[factor].state in (State.HOLDS, State.REFUTED)
        if decided and (side := _default_only(leaves, winner, loser)):
            why = f"{side} is known only from a default in published code, which need not be what was run"
            found[factor] = replace(found[factor], state=State.UNDECIDABLE, why=why)
    if found["final_lr"].state is State.REFUTED and found["total_epochs"].state is State.UNDECIDABLE:
        why = f"{found['final_lr'].why}; but Rule 1 is about whole pipelines, and not every stage is reported"
        found["final_lr"] = replace(found["final_lr"], state=State.UNDECIDABLE, why=why)
    return found


def _structural(found: Mapping[str, Finding], left: Pipeline, right: Pipeline) -> dict[str, str]:
    """What silence cannot hide: a trained base is no random initialisation, sparse training has no retraining."""
    kinds = {left.kind, right.kind}
    if "scratch" in kinds or len(kinds) == 1:
        return {}
    why = ""
    factors: tuple[str, ...] = ()
    if "pruned_at_init" in kinds:
        why, factors = "structural: pruning at initialisation starts from random weights", ("base_model",)
    if "sparse_training" in kinds:
        why = "structural: sparse training has neither a base model nor a retraining stage"
        factors = ("base_model", "retraining_epochs", "retraining_lr")
    return {factor: why for factor in factors if found[factor].state is State.UNDECIDABLE}


def _more_compressed(left: Pipeline, right: Pipeline) -> bool:
    """By the quantity both state; a range counts by its worse end."""
    for a, b in ((left.speedup, right.speedup), (left.sparsity, right.sparsity)):
        if isinstance(a, NotReported) or isinstance(b, NotReported):
            continue
        lows, highs = _ends(a), _ends(b)
        return bool(lows and highs) and min(lows) > max(highs)
    return False


def _ends(leaf: Leaf[float]) -> list[float]:
    if isinstance(leaf, Conflict):
        return [end for choice in leaf.choices for end in (_ends(choice) or [float("nan")])]
    if isinstance(leaf, Between):
        return [leaf.low, leaf.high]
    value = known(leaf)
    return [] if value is None else [value]


def _may_be_flops(winner: Entry, loser: Entry, left: Pipeline, right: Pipeline) -> bool:
    a, b = known(left.dense_macs), known(right.dense_macs)
    declared = [counts_flops(e.leaves["flops_convention"].value) is not None for e in (winner, loser)]
    if a is None or b is None or all(declared):
        return False
    return _TWICE[0] <= max(a, b) / min(a, b) <= _TWICE[1]


def _default_only(leaves: tuple[str, ...], winner: Entry, loser: Entry) -> str:
    """The side and leaf that rests on a code default, if one does."""
    for entry in (winner, loser):
        for name in leaves:
            leaf = reported(entry, name)
            if leaf.evidence == "code_default" and leaf.value not in (NOT_REPORTED, NOT_APPLICABLE):
                return f"{name} of {entry.name}"
    return ""
